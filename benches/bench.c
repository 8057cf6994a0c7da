#define _GNU_SOURCE
#include "bench.h"

#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void sleep_ms(unsigned ms) {
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

void pin(void) {
    const char *where = getenv("BENCH_CPU");
    cpu_set_t set;
    if (where != NULL && strcmp(where, "all") == 0)
        return;
    CPU_ZERO(&set);
    CPU_SET((int)env("BENCH_CPU", (double)(sysconf(_SC_NPROCESSORS_ONLN) - 1)), &set);
    sched_setaffinity(0, sizeof set, &set);
}

_Noreturn void give_up(const char *file, int line, const char *what) {
    fprintf(stderr, "%s:%d: %s: %s\n", file, line, what, parklink_last_error());
    exit(1);
}

double env(const char *name, double otherwise) {
    const char *text = getenv(name);
    return text != NULL && *text != '\0' ? atof(text) : otherwise;
}

int is_long(void) { return env("BENCH_LONG", 0) > 0; }

void sample(struct samples *samples, uint64_t value) {
    if (samples->count == samples->room) {
        samples->room = samples->room ? samples->room * 2 : 4096;
        samples->values = realloc(samples->values, samples->room * sizeof *samples->values);
        NEED(samples->values != NULL, "no memory");
    }
    samples->values[samples->count++] = value;
}

static int by_value(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

void end_round(struct samples *samples) {
    size_t count = samples->count, round = samples->round_count;
    if (count == 0 || round >= 512)
        return;
    double sum = 0;
    for (size_t at = 0; at < count; at++)
        sum += (double)samples->values[at];
    qsort(samples->values, count, sizeof *samples->values, by_value);
    samples->rounds[P50][round] = (double)samples->values[count / 2];
    samples->rounds[P99][round] = (double)samples->values[count * 99 / 100];
    samples->rounds[SUM][round] = sum;
    samples->round_count++;
    samples->count = 0;
}

static int by_size(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

double median(double *values, size_t count) {
    if (count == 0)
        return NAN;
    qsort(values, count, sizeof *values, by_size);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

double figure(const struct samples *samples, int which) {
    double copy[512];
    memcpy(copy, samples->rounds[which], samples->round_count * sizeof *copy);
    return median(copy, samples->round_count);
}

double ratio(const struct samples *ours, const struct samples *theirs, int which) {
    double each[512];
    size_t count = ours->round_count < theirs->round_count ? ours->round_count : theirs->round_count;
    for (size_t at = 0; at < count; at++)
        each[at] = ours->rounds[which][at] / theirs->rounds[which][at];
    return median(each, count);
}

static char remarks[256];

void remark(const char *format, ...) {
    va_list list;
    va_start(list, format);
    size_t used = strlen(remarks);
    vsnprintf(remarks + used, sizeof remarks - used, format, list);
    va_end(list);
}

void line(const char *what, double found, const char *unit, const char *relation, double reach) {
    char value[48], asked[64] = "";
    snprintf(value, sizeof value, found >= 1000 ? "%.0f%s" : found >= 20 ? "%.1f%s" : "%.2f%s", found, unit);
    if (relation != NULL) {
        int good = relation[0] == '<' ? found <= reach : found >= reach;
        snprintf(asked, sizeof asked, "(reach %s %g)  %s", relation, reach, good ? "ok" : "MISS");
    }
    printf("%-62s %11s  %-24s %s\n", what, value, asked, remarks);
    remarks[0] = '\0';
    fflush(stdout);
}
