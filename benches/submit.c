/* Durable submits: one thread and many, against a bare append with fdatasync into a preallocated file, and against SQLite
 * used the naive way. With the word "slow": on a disk whose sync takes 8 ms (run with slow_disk.so preloaded). */
#define _GNU_SOURCE
#include "bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RECORD = 512, MOST_THREADS = 64 };

/* The records of a thread differ in ten digits: the library is measured, not what it costs to make up records. */
struct record {
    char json[1024];
    char *digits;
    unsigned number;
};

static void first(struct record *record, unsigned thread) {
    char order[48];
    snprintf(order, sizeof order, "t%u_%llu_0000000000", thread, (unsigned long long)now_ns());
    entry(record->json, sizeof record->json, "cloud", order, thread);
    record->digits = strstr(record->json, "_0000000000") + 1;
    record->number = 0;
}

static void next(struct record *record) {
    char *digit = record->digits + 9;
    record->number++;
    for (; *digit == '9'; digit--)
        *digit = '0';
    ++*digit;
}

/* What each of `threads` threads does until the time is over. */
struct crew {
    void (*work)(struct crew *crew, const struct record *record);
    parklink_t *handle;
    sqlite3 *base;
    struct group *group;
    int fd;
    unsigned threads;
    uint64_t until;
    struct samples samples[MOST_THREADS];
};
struct place {
    struct crew *crew;
    unsigned thread;
};

static void *work(void *argument) {
    struct place *place = argument;
    struct crew *crew = place->crew;
    struct record record;
    for (first(&record, place->thread); now_ns() < crew->until; next(&record)) {
        uint64_t begun = now_ns();
        crew->work(crew, &record);
        sample(&crew->samples[place->thread], now_ns() - begun);
    }
    return NULL;
}

/* Records a second; `p99` gets the 99th percentile in ns. */
static double run(struct crew *crew, unsigned threads, unsigned ms, double *p99) {
    pthread_t ids[MOST_THREADS];
    struct place places[MOST_THREADS];
    struct samples all = {0};
    uint64_t begun = now_ns();
    crew->threads = threads;
    crew->until = begun + (uint64_t)ms * 1000000;
    for (unsigned at = 0; at < threads; at++) {
        places[at] = (struct place){crew, at};
        crew->samples[at].count = 0;
        pthread_create(&ids[at], NULL, work, &places[at]);
    }
    for (unsigned at = 0; at < threads; at++)
        pthread_join(ids[at], NULL);
    double seconds = (double)(now_ns() - begun) / 1e9;
    for (unsigned at = 0; at < threads; at++)
        for (size_t which = 0; which < crew->samples[at].count; which++)
            sample(&all, crew->samples[at].values[which]);
    double count = (double)all.count;
    end_round(&all);
    *p99 = figure(&all, P99);
    free(all.values);
    return count / seconds;
}

static void submit(struct crew *crew, const struct record *record) {
    NEED(parklink_submit(crew->handle, record->json, NULL) == PARKLINK_OK, "submit");
}

static void append(struct crew *crew, const struct record *record) {
    NEED(pwrite(crew->fd, record->json, RECORD, (off_t)RECORD * (record->number % 4096)) == RECORD, "append");
    NEED(fdatasync(crew->fd) == 0, "fdatasync");
}

static void naive(struct crew *crew, const struct record *record) {
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&one_at_a_time);
    sqlite3_stmt *insert = NULL;
    sqlite3_prepare_v2(crew->base, "INSERT INTO record (order_id, data) VALUES (?1, ?2)", -1, &insert, NULL);
    sqlite3_bind_text(insert, 1, record->digits, 10, SQLITE_TRANSIENT);
    sqlite3_bind_text(insert, 2, record->json, -1, SQLITE_TRANSIENT);
    NEED(sqlite3_step(insert) == SQLITE_DONE, "naive insert");
    sqlite3_finalize(insert);
    pthread_mutex_unlock(&one_at_a_time);
}

static void grouped(struct crew *crew, const struct record *record) {
    group_store(crew->group, record->digits, 10, record->json);
}

static double vs(const double *ours, const double *theirs, int count) {
    double each[64];
    for (int at = 0; at < count; at++)
        each[at] = ours[at] / theirs[at];
    return median(each, (size_t)count);
}

int main(int words, char **word) {
    int is_slow = words > 1 && strcmp(word[1], "slow") == 0;
    struct crew ours = {.work = submit}, floor_ = {.work = append}, base = {.work = naive}, plain = {.work = grouped};
    char more[640], path[600], *zeros = calloc(4096, RECORD);
    int rounds = (int)env("BENCH_ROUNDS", is_long() ? 20 : 5);
    unsigned ms = is_slow ? 2000 : 700;
    pin();
    /* Nobody answers: the records stay. */
    static struct heard nobody;
    nobody.cloud_port = 1;
    const char *folder = store_folder();
    snprintf(more, sizeof more, ",\"store\":{\"dir\":\"%s\"}", folder);
    ours.handle = open_cloud(&nobody, more);
    snprintf(path, sizeof path, "%s/floor", folder);
    floor_.fd = open(path, O_RDWR | O_CREAT, 0600);
    NEED(write(floor_.fd, zeros, (size_t)4096 * RECORD) > 0 && fsync(floor_.fd) == 0, "floor");
    snprintf(path, sizeof path, "%s/naive.db", folder);
    NEED(sqlite3_open(path, &base.base) == SQLITE_OK, "naive open");
    sqlite3_exec(base.base, "PRAGMA synchronous=FULL; CREATE TABLE record (id INTEGER PRIMARY KEY, order_id TEXT, data TEXT)",
                 NULL, NULL, NULL);
    snprintf(path, sizeof path, "%s/group.db", folder);
    plain.group = group_open(path);

    double floors[64], ones[64], sixteens[64], many[64], naives[64], plain16[64], plain64[64], p99s[64], p99_16[64], floor_us[64], floor_p99s[64], unused;
    run(&ours, 1, 300, &unused);
    for (int round = 0; round < rounds; round++) {
        floors[round] = run(&floor_, 1, ms, &floor_p99s[round]);
        floor_p99s[round] *= floors[round] / 1e9;
        floor_us[round] = 1e6 / floors[round];
        if (!is_slow) {
            ones[round] = run(&ours, 1, ms, &p99s[round]);
            many[round] = run(&ours, 64, ms, &unused);
            plain64[round] = run(&plain, 64, ms, &unused);
            plain16[round] = run(&plain, 16, ms, &unused);
            naives[round] = run(&base, 16, ms, &unused);
        }
        sixteens[round] = run(&ours, 16, ms, &p99_16[round]);
        p99s[round] *= floors[round] / 1e9;
        p99_16[round] *= floors[round] / 1e9;
    }
    double syncs = vs(sixteens, floors, rounds);
    if (is_slow) {
        remark("%.0f/s, one append %.1f ms", median(sixteens, (size_t)rounds), median(floor_us, (size_t)rounds) / 1e3);
        line("durable submit, sync of 8 ms, 16 threads, vs threads x append", syncs / 16, "x", ">=", 0.4);
        remark("the append's own p99: %.2f", median(floor_p99s, (size_t)rounds));
        line("  its p99 in syncs", median(p99_16, (size_t)rounds), "", "<=", 3);
    } else {
        double one = vs(ones, floors, rounds), lots = vs(many, floors, rounds), old = vs(sixteens, naives, rounds);
        remark("%.0f/s, one append + fdatasync %.0f us", median(ones, (size_t)rounds), median(floor_us, (size_t)rounds));
        line("durable submit, 1 thread, rate vs append + fdatasync", one, "x", ">=", 0.5);
        remark("the append's own p99: %.2f", median(floor_p99s, (size_t)rounds));
        line("  its p99 in syncs", median(p99s, (size_t)rounds), "", "<=", 2);
        line("durable submit, 16 threads, rate vs one append + fdatasync", syncs, "x", ">=", 5);
        remark("nothing read, nothing checked");
        line("  what plain C with group commits to SQLite reaches", vs(plain16, floors, rounds), "x", NULL, 0);
        line("durable submit, 64 threads, rate vs one append + fdatasync", lots, "x", ">=", 10);
        remark("nothing read, nothing checked");
        line("  what plain C with group commits to SQLite reaches", vs(plain64, floors, rounds), "x", NULL, 0);
        line("durable submit, 16 threads, vs SQLite FULL, a commit a record", old, "x", ">=", 25);
    }
    parklink_close(ours.handle, 1000, NULL);
    return 0;
}
