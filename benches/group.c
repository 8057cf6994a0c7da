/* What many threads reach in plain C with SQLite: group commits. Who comes while a commit is under way goes with the next,
 * and the first of those makes it. Texts are stored as they come; nothing is read, checked or told to anyone. */
#define _GNU_SOURCE
#include "bench.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST = 64 };

struct group {
    sqlite3 *base;
    sqlite3_stmt *begin, *insert, *commit;
    pthread_mutex_t lock;
    struct text {
        const char *order, *text;
        int order_length;
    } waiting[MOST];
    unsigned count;   /* of those who wait */
    unsigned next;    /* the turn that takes them; they count from 1 */
    int is_busy;      /* a commit is under way, or is about to be */
    atomic_uint done; /* the last turn that is on the disk */
};

struct group *group_open(const char *path) {
    struct group *group = calloc(1, sizeof *group);
    NEED(group != NULL && sqlite3_open(path, &group->base) == SQLITE_OK, "group open");
    sqlite3_exec(group->base,
                 "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                 "CREATE TABLE record (id INTEGER PRIMARY KEY, order_id TEXT, data TEXT)",
                 NULL, NULL, NULL);
    sqlite3_prepare_v2(group->base, "BEGIN", -1, &group->begin, NULL);
    sqlite3_prepare_v2(group->base, "INSERT INTO record (order_id, data) VALUES (?1, ?2)", -1, &group->insert, NULL);
    sqlite3_prepare_v2(group->base, "COMMIT", -1, &group->commit, NULL);
    pthread_mutex_init(&group->lock, NULL);
    group->next = 1;
    return group;
}

static void step(sqlite3_stmt *statement) {
    NEED(sqlite3_step(statement) == SQLITE_DONE, "group step");
    sqlite3_reset(statement);
}

void group_store(struct group *group, const char *order, int order_length, const char *text) {
    pthread_mutex_lock(&group->lock);
    unsigned mine = group->next;
    int is_first = group->count == 0;
    NEED(group->count < MOST, "too many threads");
    group->waiting[group->count++] = (struct text){order, text, order_length};
    if (group->is_busy) {
        pthread_mutex_unlock(&group->lock);
        for (;;) {
            unsigned done = atomic_load(&group->done);
            if ((int)(done - mine) >= 0)
                return;
            if (is_first && done == mine - 1)
                break;
            syscall(SYS_futex, &group->done, FUTEX_WAIT_PRIVATE, done, NULL, NULL, 0);
        }
        pthread_mutex_lock(&group->lock);
    }
    group->is_busy = 1;
    unsigned count = group->count;
    struct text batch[MOST];
    for (unsigned at = 0; at < count; at++)
        batch[at] = group->waiting[at];
    group->count = 0;
    group->next++;
    pthread_mutex_unlock(&group->lock);

    step(group->begin);
    for (unsigned at = 0; at < count; at++) {
        sqlite3_bind_text(group->insert, 1, batch[at].order, batch[at].order_length, SQLITE_STATIC);
        sqlite3_bind_text(group->insert, 2, batch[at].text, -1, SQLITE_STATIC);
        step(group->insert);
    }
    step(group->commit);

    pthread_mutex_lock(&group->lock);
    group->is_busy = group->count > 0;
    atomic_store(&group->done, mine);
    pthread_mutex_unlock(&group->lock);
    syscall(SYS_futex, &group->done, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
