/* What the test programs share: checks that tell where they failed, time, and counters that callbacks raise. */
#ifndef CHECK_H
#define CHECK_H

#include "parklink.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s (last error: %s)\n", __FILE__, __LINE__, #condition,                    \
                    parklink_last_error());                                                                            \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

/* Checks a result and names both codes when it is another. */
#define EXPECT(code, call)                                                                                             \
    do {                                                                                                               \
        parklink_code got_ = (call);                                                                                   \
        if (got_ != (code)) {                                                                                          \
            fprintf(stderr, "%s:%d: %s gave %s, not %s (last error: %s)\n", __FILE__, __LINE__, #call,                 \
                    parklink_error_name(got_), parklink_error_name(code), parklink_last_error());                      \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static inline void sleep_ms(long ms) {
    struct timespec pause;
    pause.tv_sec = ms / 1000;
    pause.tv_nsec = ms % 1000 * 1000000;
    nanosleep(&pause, NULL);
}

static inline long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* For what callbacks write and the main thread reads. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static inline int counted(const int *counter) {
    int value;
    pthread_mutex_lock(&lock);
    value = *counter;
    pthread_mutex_unlock(&lock);
    return value;
}

static inline void wait_for(const int *counter, int least) {
    long end = now_ms() + 20000;
    while (counted(counter) < least) {
        CHECK(now_ms() < end);
        sleep_ms(2);
    }
}

#endif
