/*
 * What a day is told by: numbered lines, things the sandbox is to do, waiting for what a platform says. The program sets
 * `box` and `run` and notes what arrives.
 */
#ifndef DAY_STEPS_H
#define DAY_STEPS_H

#include "sandbox_control.h"

#include <pthread.h>
#include <stdarg.h>
#include <time.h>

static sandbox box;
/* A number of this run, so that records of several runs do not meet. */
static char run[16];

/* Steps are told by the main thread and by the callback's. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static int steps, good;
/* The names of the messages that came and that nobody has waited for yet. */
static char taken[64][64];

static inline void tell(const char *what, const char *sent, const char *got, int ok) {
    pthread_mutex_lock(&lock);
    steps++;
    good += ok;
    printf("%2d %s | %s | -> %s | <- %s\n", steps, ok ? "ok  " : "FAIL", what, sent, got);
    fflush(stdout);
    pthread_mutex_unlock(&lock);
}

/* Has the sandbox do something; its answer ought to contain the given text. */
static inline void happens(const char *what, const char *path, const char *in_answer, const char *format, ...) {
    char json[1024], answer[4096];
    int status;
    va_list values;
    va_start(values, format);
    vsnprintf(json, sizeof json, format, values);
    va_end(values);
    status = sandbox_post(&box, path, json, answer, sizeof answer);
    tell(what, json, answer, status == 200 && strstr(answer, in_answer) != NULL);
}

/* Exchanges the first of the names that is `from` for `to`. Returns 1 when there was one; with the lock held. */
static inline int exchange(const char *from, const char *to) {
    size_t at;
    for (at = 0; at < sizeof taken / sizeof *taken; at++)
        if (strcmp(taken[at], from) == 0) {
            snprintf(taken[at], sizeof taken[at], "%s", to);
            return 1;
        }
    return 0;
}

/* Notes that a message of that name has been taken. */
static inline void note(const char *service) {
    pthread_mutex_lock(&lock);
    exchange("", service);
    pthread_cond_broadcast(&arrived);
    pthread_mutex_unlock(&lock);
}

/* Waits until a message of that name has been taken, and forgets it. */
static inline int comes(const char *service) {
    struct timespec end;
    int found, in_time = 1;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 15;
    pthread_mutex_lock(&lock);
    while ((found = exchange(service, "")) == 0 && in_time)
        in_time = pthread_cond_timedwait(&arrived, &lock, &end) == 0;
    pthread_mutex_unlock(&lock);
    return found;
}

/* The same as a step. */
static inline void await(const char *what, const char *service) {
    tell(what, "(waiting)", service, comes(service));
}

/* Says how the day was; the program's exit code. */
static inline int day_result(void) {
    printf("demo: %d steps, %d ok\n", steps, good);
    return good == steps ? 0 : 1;
}

#endif
