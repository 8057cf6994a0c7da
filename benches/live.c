/* Synchronous uploads while other threads submit to a slow disk (run with slow_disk.so preloaded), against the same without
 * that: the disk must not be on the way of a live call. */
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALLS = 2000 };

static atomic_bool submitting, over;
static parklink_t *handle;

static void *submit(void *argument) {
    (void)argument;
    char json[1024], order[48];
    for (unsigned at = 0; !atomic_load(&over); at++) {
        if (!atomic_load(&submitting)) {
            sleep_ms(1);
            continue;
        }
        snprintf(order, sizeof order, "stored%u", at);
        entry(json, sizeof json, "cloud", order, at);
        NEED(parklink_submit(handle, json, NULL) == PARKLINK_OK, "submit");
    }
    return NULL;
}

int main(void) {
    struct samples with = {0}, without = {0};
    char more[640], json[1024], order[32], *reply = NULL;
    pthread_t thread;
    pin();
    struct heard *server = start_server();
    snprintf(more, sizeof more, ",\"store\":{\"dir\":\"%s\"}", store_folder());
    handle = open_cloud(server, more);
    NEED(parklink_wait_ready(handle, 10000) == PARKLINK_OK, "wait_ready");
    pthread_create(&thread, NULL, submit, NULL);
    unsigned rounds = (unsigned)env("BENCH_ROUNDS", is_long() ? 100 : 20), number = 0;
    for (unsigned round = 0; round < 2 * rounds; round++) {
        atomic_store(&submitting, round % 2 == 1);
        sleep_ms(50);
        for (unsigned at = 0; at < CALLS; at++) {
            snprintf(order, sizeof order, "order%u", number++);
            entry(json, sizeof json, "cloud", order, at);
            uint64_t begun = now_ns();
            NEED(parklink_upload(handle, json, &reply) == PARKLINK_OK, "upload");
            sample(round % 2 ? &with : &without, now_ns() - begun);
            parklink_string_free(reply);
        }
        end_round(round % 2 ? &with : &without);
    }
    atomic_store(&over, 1);
    pthread_join(thread, NULL);
    remark("%.1f us, without %.1f us", figure(&with, P99) / 1e3, figure(&without, P99) / 1e3);
    line("upload p99 while the outbox syncs to a disk of 8 ms, vs without", ratio(&with, &without, P99), "x", "<=", 1.2);
    parklink_close(handle, 1000, NULL);
    return 0;
}
