/* Both links up, a store, nothing to do: what the host pays for that. */
#define _GNU_SOURCE
#include "bench.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct spent {
    double cpu_ms, wake_ups, written;
};

static struct spent spent(void) {
    struct spent all = {0};
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    all.cpu_ms = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;
    char text[512];
    while (tasks != NULL && (task = readdir(tasks)) != NULL) {
        snprintf(text, sizeof text, "/proc/self/task/%.32s/status", task->d_name);
        FILE *file = fopen(text, "r");
        double count = 0;
        while (file != NULL && fgets(text, sizeof text, file) != NULL)
            if (sscanf(text, "voluntary_ctxt_switches: %lf", &count) == 1)
                all.wake_ups += count;
        if (file != NULL)
            fclose(file);
    }
    if (tasks != NULL)
        closedir(tasks);
    FILE *file = fopen("/proc/self/io", "r");
    while (file != NULL && fgets(text, sizeof text, file) != NULL)
        if (sscanf(text, "write_bytes: %lf", &all.written) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return all;
}

int main(void) {
    pin();
    struct heard *server = start_server();
    unsigned seconds = (unsigned)env("BENCH_IDLE_S", is_long() ? 600 : 60);
    char config[2048];
    parklink_t *handle = NULL;
    snprintf(config, sizeof config,
             "{\"park_id\":\"21782\",\"ckey\":\"" CKEY "\",\"cloud_addr\":\"127.0.0.1\",\"cport\":%d,\"union_id\":\"200208\","
             "\"ukey\":\"" UKEY "\",\"bolink_addr\":\"http://127.0.0.1:%d\",\"http\":{\"proxy\":\"\"},\"store\":{\"dir\":\"%s\"}}",
             server->cloud_port, server->http_port, store_folder());
    NEED(parklink_open(config, &handle) == PARKLINK_OK, "open");
    NEED(parklink_wait_ready(handle, 10000) == PARKLINK_OK, "wait_ready");
    sleep_ms(4000);
    struct spent before = spent();
    sleep_ms(seconds * 1000);
    struct spent after = spent();
    remark("%u s, both links, store open", seconds);
    line("idle: processor time a minute", (after.cpu_ms - before.cpu_ms) * 60 / seconds, " ms", "<=", 10);
    line("idle: wake-ups a second", (after.wake_ups - before.wake_ups) / seconds, "", "<=", 2);
    line("idle: bytes written to disk", after.written - before.written, "", "<=", 0);
    parklink_close(handle, 1000, NULL);
    return 0;
}
