/* What the programs of this folder share: time, figures, the server they talk to, the records they send. */
#ifndef BENCH_H
#define BENCH_H

#include "parklink.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* -- time and figures (bench.c) -- */
uint64_t now_ns(void);
void sleep_ms(unsigned ms);

/* Everything that starts after this runs on one processor. BENCH_CPU chooses it. */
void pin(void);

/* Ends the program with a message when the condition does not hold. */
#define NEED(condition, what)                                                                                          \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            give_up(__FILE__, __LINE__, what);                                                                         \
    } while (0)
_Noreturn void give_up(const char *file, int line, const char *what);

/* Measured times, by round; the figure of a round is a percentile, the figure of all is the median of the rounds. */
struct samples {
    uint64_t *values;
    size_t count, room;
    double rounds[3][512]; /* p50, p99, sum */
    size_t round_count;
};
void sample(struct samples *samples, uint64_t value);
void end_round(struct samples *samples);
enum { P50, P99, SUM };
double figure(const struct samples *samples, int which);
/* The median of the rounds' ratios: what disturbs one round does not count. */
double ratio(const struct samples *ours, const struct samples *theirs, int which);
double median(double *values, size_t count);

/* A line of the table: what, found, and what is asked for ("<=" or ">="; NULL when nothing is). */
void line(const char *what, double found, const char *unit, const char *relation, double reach);
/* Adds to the line that comes next. */
void remark(const char *format, ...) __attribute__((format(printf, 1, 2)));

double env(const char *name, double otherwise);
int is_long(void);

/* -- the server (server.c): both platforms, as simple and fast as it goes, in a process of its own -- */
enum { ARRIVALS = 1 << 20, ORDERS = 4096 };
struct heard {
    atomic_uint_fast64_t records;     /* uploads taken */
    atomic_uint_fast64_t out_of_order; /* of an order, after a younger one of it */
    atomic_uint_fast64_t again;       /* of an order, with a number it had before */
    atomic_uint_fast64_t live_at;     /* when the last record of the order "live..." came */
    atomic_uint delay_ms;             /* an HTTP upload is answered so much later */
    atomic_bool deaf;                 /* no connection is taken */
    int cloud_port, http_port, pid;
    atomic_uint_fast32_t last[ORDERS];
    uint64_t arrived[ARRIVALS];
};
struct heard *start_server(void);
int connect_to(int port);
size_t read_until(int fd, char *buffer, size_t room, char end);

/* -- records and configurations (records.c) -- */
#define CKEY "WERRTTTTYY"
#define UKEY "8403A41ED5EF20BC"
/* An entry of that order; the number of the record within the order goes into remark. */
void entry(char *out, size_t room, const char *target, const char *order, unsigned number);
/* Opens a handle. `more` are further members of the configuration, each with a comma before it. */
parklink_t *open_cloud(const struct heard *server, const char *more);
parklink_t *open_http(const struct heard *server, const char *more);
/* A new empty folder for a store; removed at the end of the program. */
const char *store_folder(void);

/* -- the plain client: libcurl or a socket, cJSON, OpenSSL (plain_client.c) -- */
struct plain;
struct plain *plain_open(int port);
/* Uploads a record; the reply's text is freed by the caller. 0 when the platform took it. */
int plain_upload(struct plain *client, const char *json, char **reply);
/* The same as a line to the cloud, over a connection that needs no login. */
int plain_line(int fd, const char *json, char **reply);
void plain_close(struct plain *client);

/* -- group commits in plain C (group.c) -- */
struct group;
struct group *group_open(const char *path);
/* Returns when the text is on the disk. From up to 64 threads at once. */
void group_store(struct group *group, const char *order, int order_length, const char *text);

#endif
