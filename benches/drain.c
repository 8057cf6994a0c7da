/* The way of a backlog to the platform: against a libcurl + SQLite client that deletes in batches, with several lanes, under
 * a rate limit, out of a store with very many records, after a kill. The word says which. */
#define _GNU_SOURCE
#include "bench.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CREW = 32 };

struct filling {
    parklink_t *handle;
    const char *target;
    unsigned from, step, count, orders;
};

static void *fill_some(void *argument) {
    struct filling *part = argument;
    char json[1024], order[32];
    for (unsigned at = part->from; at < part->count; at += part->step) {
        snprintf(order, sizeof order, "K%u", at % part->orders);
        /* The numbers of an order rise; one thread has all of an order. */
        entry(json, sizeof json, part->target, order, at / part->orders + 1);
        NEED(parklink_submit(part->handle, json, NULL) == PARKLINK_OK, "submit");
    }
    return NULL;
}

/* Submits so many records of so many orders (a multiple of CREW). */
static void fill(parklink_t *handle, const char *target, unsigned count, unsigned orders) {
    pthread_t ids[CREW];
    struct filling parts[CREW];
    for (unsigned at = 0; at < CREW; at++) {
        parts[at] = (struct filling){handle, target, at, CREW, count, orders};
        pthread_create(&ids[at], NULL, fill_some, &parts[at]);
    }
    for (unsigned at = 0; at < CREW; at++)
        pthread_join(ids[at], NULL);
}

static void store_option(char *out, size_t room, const char *folder, const char *more) {
    snprintf(out, room, ",\"store\":{\"dir\":\"%s\"}%s", folder, more);
}

static void wait_for(const struct heard *server, uint64_t records, unsigned seconds) {
    uint64_t until = now_ns() + (uint64_t)seconds * 1000000000;
    while (atomic_load(&server->records) < records && now_ns() < until)
        sleep_ms(1);
}

static void forget(struct heard *server) {
    atomic_store(&server->records, 0);
    atomic_store(&server->again, 0);
    atomic_store(&server->out_of_order, 0);
    for (int at = 0; at < ORDERS; at++)
        atomic_store(&server->last[at], 0);
}

/* Between the first and the last arrival. */
static double rate(const struct heard *server, uint64_t count) {
    double seconds = (double)(server->arrived[count - 1] - server->arrived[0]) / 1e9;
    return (double)(count - 1) / seconds;
}

/* Fills while the platform cannot be reached, then lets it go. */
static double drained(struct heard *server, unsigned count, const char *options, unsigned delay_ms) {
    char more[1024];
    struct heard *nobody = calloc(1, sizeof *nobody);
    const char *folder = store_folder();
    nobody->http_port = 1;
    store_option(more, sizeof more, folder, "");
    parklink_t *handle = open_http(nobody, more);
    free(nobody);
    fill(handle, "bolink", count, CREW * 4);
    parklink_close(handle, 1000, NULL);
    forget(server);
    atomic_store(&server->delay_ms, delay_ms);
    store_option(more, sizeof more, folder, options);
    handle = open_http(server, more);
    wait_for(server, count, 60);
    double found = atomic_load(&server->records) >= count ? rate(server, count) : 0;
    uint64_t left = 0;
    parklink_flush(handle, 10000, &left);
    parklink_close(handle, 1000, NULL);
    atomic_store(&server->delay_ms, 0);
    return found;
}

/* How often the disk was synced, when slow_disk.so is preloaded. */
static unsigned long syncs(void) {
    void *found = dlsym(RTLD_DEFAULT, "slow_disk_syncs");
    unsigned long (*count)(void);
    NEED(found != NULL, "slow_disk.so is not preloaded");
    memcpy(&count, &found, sizeof count);
    return count();
}

static void count_syncs(struct heard *server) {
    char more[1024];
    static struct heard nobody;
    unsigned count = 9600;
    const char *folder = store_folder();
    nobody.http_port = 1;
    store_option(more, sizeof more, folder, "");
    parklink_t *handle = open_http(&nobody, more);
    fill(handle, "bolink", count, CREW * 4);
    parklink_close(handle, 1000, NULL);
    forget(server);
    unsigned long before = syncs();
    uint64_t left = 1;
    handle = open_http(server, more);
    parklink_flush(handle, 60000, &left);
    NEED(left == 0, "flush");
    line("syncs a delivered record costs", (double)(syncs() - before) / count, "", "<=", 0.02);
    parklink_close(handle, 1000, NULL);
}

/* The plain client: takes 64 records, posts them one after the other, deletes them in one transaction. */
static double plainly(struct heard *server, unsigned count) {
    char path[600], json[1024], order[32];
    sqlite3 *base = NULL;
    sqlite3_stmt *insert, *some, *gone;
    snprintf(path, sizeof path, "%s/plain.db", store_folder());
    NEED(sqlite3_open(path, &base) == SQLITE_OK, "plain open");
    sqlite3_exec(base,
                 "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                 "CREATE TABLE record (id INTEGER PRIMARY KEY, data TEXT); BEGIN",
                 NULL, NULL, NULL);
    sqlite3_prepare_v2(base, "INSERT INTO record (data) VALUES (?1)", -1, &insert, NULL);
    for (unsigned at = 0; at < count; at++) {
        snprintf(order, sizeof order, "K%u", at % (CREW * 4));
        entry(json, sizeof json, "bolink", order, at / (CREW * 4) + 1);
        sqlite3_bind_text(insert, 1, json, -1, SQLITE_TRANSIENT);
        sqlite3_step(insert);
        sqlite3_reset(insert);
    }
    sqlite3_exec(base, "COMMIT", NULL, NULL, NULL);
    forget(server);
    struct plain *client = plain_open(server->http_port);
    sqlite3_prepare_v2(base, "SELECT id, data FROM record ORDER BY id LIMIT 64", -1, &some, NULL);
    sqlite3_prepare_v2(base, "DELETE FROM record WHERE id <= ?1", -1, &gone, NULL);
    for (sqlite3_int64 last = 1; last != 0;) {
        last = 0;
        while (sqlite3_step(some) == SQLITE_ROW) {
            char *reply = NULL;
            NEED(plain_upload(client, (const char *)sqlite3_column_text(some, 1), &reply) == 0, "plain upload");
            free(reply);
            last = sqlite3_column_int64(some, 0);
        }
        sqlite3_reset(some);
        sqlite3_bind_int64(gone, 1, last);
        sqlite3_step(gone);
        sqlite3_reset(gone);
    }
    plain_close(client);
    sqlite3_finalize(insert);
    sqlite3_finalize(some);
    sqlite3_finalize(gone);
    sqlite3_close(base);
    return rate(server, count);
}

static void against_plain(struct heard *server) {
    double ours[9], theirs[9], each[9];
    int rounds = is_long() ? 9 : 3;
    for (int round = 0; round < rounds; round++) {
        ours[round] = drained(server, 4000, ",\"outbox\":{\"lanes\":1}", 0);
        theirs[round] = plainly(server, 4000);
        each[round] = ours[round] / theirs[round];
    }
    remark("%.0f/s, libcurl + SQLite %.0f/s", median(ours, (size_t)rounds), median(theirs, (size_t)rounds));
    line("drain, one lane, vs libcurl + SQLite deleting in batches", median(each, (size_t)rounds), "x", ">=", 1.2);
}

static void lanes(struct heard *server) {
    static const unsigned counts[3] = {1, 8, 16};
    for (int at = 0; at < 3; at++) {
        char options[64], name[64];
        snprintf(options, sizeof options, ",\"outbox\":{\"lanes\":%u}", counts[at]);
        double found = drained(server, counts[at] * 100, options, 20);
        snprintf(name, sizeof name, "drain, %u lanes, answers after 20 ms, vs K / RTT", counts[at]);
        remark("%.0f/s, out of order %u", found, (unsigned)atomic_load(&server->out_of_order));
        line(name, found / (counts[at] / 0.020), "x", ">=", 0.9);
    }
}

/* Orders a second on the cloud link; a live record in the middle. */
static void limit(struct heard *server) {
    char more[1024], json[1024];
    unsigned seconds = is_long() ? 60 : 10, per_second = 9;
    struct heard *nobody = calloc(1, sizeof *nobody);
    const char *folder = store_folder();
    nobody->cloud_port = 1;
    store_option(more, sizeof more, folder, "");
    parklink_t *handle = open_cloud(nobody, more);
    unsigned count = is_long() ? 1000000 : 20000;
    fill(handle, "cloud", count, CREW * (count / CREW));
    parklink_close(handle, 1000, NULL);
    forget(server);
    snprintf(more, sizeof more,
             "{\"park_id\":\"21782\",\"ckey\":\"" CKEY "\",\"cloud_addr\":\"127.0.0.1\",\"cport\":%d,\"cloud\":"
             "{\"orders_per_second\":%u,\"requests_per_window\":0},\"store\":{\"dir\":\"%s\"}}",
             server->cloud_port, per_second, folder);
    NEED(parklink_open(more, &handle) == PARKLINK_OK, "open");
    wait_for(server, 1, 20);
    sleep_ms(seconds * 500);
    char *reply = NULL;
    entry(json, sizeof json, "cloud", "live1", 1);
    uint64_t begun = now_ns();
    parklink_upload(handle, json, &reply);
    double live = (double)(now_ns() - begun) / 1e9;
    parklink_string_free(reply);
    sleep_ms(seconds * 500 + 300);
    uint64_t all = atomic_load(&server->records), within = 0, most = 0;
    uint64_t first = server->arrived[0], until = first + (uint64_t)seconds * 1000000000;
    for (uint64_t at = 0, tail = 0; at < all; at++) {
        within += server->arrived[at] < until;
        while (server->arrived[at] - server->arrived[tail] > 999000000)
            tail++;
        most = at - tail + 1 > most ? at - tail + 1 : most;
    }
    remark("%u records in %u s, most in a second %u", (unsigned)within, seconds, (unsigned)most);
    line("rate limit of 9 a second: delivered vs limit", (double)within / (per_second * seconds), "x", ">=", 0.98);
    line("  the most in any second", (double)most, "", "<=", per_second);
    line("a live record in the middle of a backlog", live, " s", "<=", 2);
    parklink_close(handle, 1000, NULL);
}

static double resident(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;
    if (file != NULL) {
        if (fscanf(file, "%*d %ld", &pages) != 1)
            pages = 0;
        fclose(file);
    }
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

/* In a process of its own, for its memory: opens, waits for the first delivery, goes on for a second. */
static void open_and_measure(const char *folder, int port, double *figures) {
    char more[1024];
    static struct heard server;
    server.cloud_port = port;
    store_option(more, sizeof more, folder, "");
    figures[0] = (double)now_ns();
    parklink_t *handle = open_cloud(&server, more);
    figures[1] = (double)now_ns();
    sleep_ms(1000);
    figures[2] = resident();
    parklink_close(handle, 5000, NULL);
}

static void backlog(struct heard *server) {
    double figures[2][3];
    unsigned count = is_long() ? 1000000 : 100000;
    char more[1024];
    for (int full = 0; full < 2; full++) {
        const char *folder = store_folder();
        struct heard *nobody = calloc(1, sizeof *nobody);
        nobody->cloud_port = 1;
        store_option(more, sizeof more, folder, "");
        int pid = fork();
        if (pid == 0) {
            parklink_t *handle = open_cloud(nobody, more);
            fill(handle, "cloud", full ? count : CREW, CREW * (count / CREW));
            parklink_close(handle, 1000, NULL);
            _exit(0);
        }
        int status = 0, ends[2];
        waitpid(pid, &status, 0);
        NEED(status == 0 && pipe(ends) == 0, "filling");
        forget(server);
        if ((pid = fork()) == 0) {
            open_and_measure(folder, server->cloud_port, figures[full]);
            _exit(write(ends[1], figures[full], sizeof figures[full]) < 0);
        }
        NEED(read(ends[0], figures[full], sizeof figures[full]) == sizeof figures[full], "measuring");
        waitpid(pid, &status, 0);
        close(ends[0]);
        close(ends[1]);
        free(nobody);
    }
    char name[96];
    snprintf(name, sizeof name, "%u records waiting: memory over an empty store", count);
    line(name, figures[1][2] - figures[0][2], " MB", "<=", 4);
    line("  open returns", (figures[1][1] - figures[1][0]) / 1e6, " ms", "<=", 1000);
    line("  open to first delivery", ((double)server->arrived[0] - figures[1][0]) / 1e6, " ms", "<=", 100);
    remark("rate limit lifted");
    line("  delivered in the first second", (double)atomic_load(&server->records), "", NULL, 0);
}

static void killed(struct heard *server) {
    char more[1024];
    static struct heard nobody;
    const char *folder = store_folder();
    unsigned count = 20000;
    nobody.http_port = 1;
    store_option(more, sizeof more, folder, "");
    int pid = fork();
    if (pid == 0) {
        fill(open_http(&nobody, more), "bolink", count, CREW * 4);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    forget(server);
    if ((pid = fork()) == 0) {
        open_http(server, more);
        sleep_ms(60000);
        _exit(0);
    }
    wait_for(server, 2000, 30);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    uint64_t before = atomic_load(&server->records);
    parklink_t *handle = open_http(server, more);
    uint64_t left = 1;
    parklink_flush(handle, 60000, &left);
    uint64_t all = atomic_load(&server->records);
    remark("killed after %u, %u of %u delivered, left %u", (unsigned)before, (unsigned)all, count, (unsigned)left);
    line("sent again after kill -9", (double)all - count, "", "<=", 100);
    parklink_close(handle, 1000, NULL);
}

int main(int words, char **word) {
    pin();
    struct heard *server = start_server();
    const char *what = words > 1 ? word[1] : "";
    if (strcmp(what, "plain") == 0)
        against_plain(server);
    else if (strcmp(what, "lanes") == 0)
        lanes(server);
    else if (strcmp(what, "limit") == 0)
        limit(server);
    else if (strcmp(what, "backlog") == 0)
        backlog(server);
    else if (strcmp(what, "syncs") == 0)
        count_syncs(server);
    else if (strcmp(what, "killed") == 0)
        killed(server);
    return 0;
}
