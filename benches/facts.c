/* What the library costs before it does anything: a guarded call, the start, its size, its threads, the host's memory. */
#define _GNU_SOURCE
#include "bench.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALLS = 200000 };

static double status_kb(const char *name) {
    FILE *file = fopen("/proc/self/status", "r");
    char text[256];
    double value = 0;
    while (file != NULL && fgets(text, sizeof text, file) != NULL)
        if (strncmp(text, name, strlen(name)) == 0)
            sscanf(text + strlen(name), ": %lf", &value);
    if (file != NULL)
        fclose(file);
    return value;
}

/* Runs this program anew `times` times; the median of the time from its start until it says that it is ready. */
static double start_up(const char *self, const char *what, int times) {
    double taken[64];
    for (int at = 0; at < times; at++) {
        uint64_t begun = now_ns();
        int pid = fork();
        if (pid == 0) {
            execl(self, self, what, (char *)NULL);
            _exit(127);
        }
        int status = 0;
        waitpid(pid, &status, 0);
        NEED(status == 0, "the started program failed");
        taken[at] = (double)(now_ns() - begun);
    }
    return median(taken, (size_t)times);
}

int main(int words, char **word) {
    char config[] = "{\"park_id\":\"21782\",\"ckey\":\"" CKEY "\",\"cloud_addr\":\"127.0.0.1\",\"cport\":1}";
    parklink_t *handle = NULL;
    if (words > 1) {
        if (strcmp(word[1], "open") == 0) {
            NEED(parklink_open(config, &handle) == PARKLINK_OK, "open");
            _exit(0);
        }
        _exit(parklink_abi_version() == 0);
    }
    pin();
    double before = status_kb("VmRSS");
    struct heard *server = start_server();
    handle = open_cloud(server, "");
    NEED(parklink_wait_ready(handle, 10000) == PARKLINK_OK, "wait_ready");
    double each[21];
    for (int round = 0; round < 21; round++) {
        uint64_t begun = now_ns();
        for (int at = 0; at < CALLS; at++)
            parklink_status(handle, NULL);
        each[round] = (double)(now_ns() - begun) / CALLS;
    }
    line("guarded call that does nothing", median(each, 21), " ns", "<=", 50);
    sleep_ms(100);
    line("threads with the cloud link up", status_kb("Threads") - 1, "", NULL, 0);
    remark("%.0f kB before the first call", before);
    line("resident memory of the host with the cloud link up", status_kb("VmRSS"), " kB", NULL, 0);
    parklink_close(handle, 1000, NULL);

    handle = open_http(server, "");
    NEED(parklink_wait_ready(handle, 10000) == PARKLINK_OK, "wait_ready");
    sleep_ms(100);
    line("threads with the HTTP link up", status_kb("Threads") - 1, "", NULL, 0);
    line("resident memory of the host with the HTTP link up", status_kb("VmRSS"), " kB", NULL, 0);
    parklink_close(handle, 1000, NULL);

    Dl_info info;
    struct stat facts;
    if (dladdr((void *)(uintptr_t)parklink_open, &info) != 0 && stat(info.dli_fname, &facts) == 0)
        line("size of the library", (double)facts.st_size / 1e6, " MB", NULL, 0);
    double loaded = start_up(word[0], "load", 31), opened = start_up(word[0], "open", 31);
    line("start of a process that loads the library", loaded / 1e6, " ms", NULL, 0);
    line("parklink_open on top of that", (opened - loaded) / 1e6, " ms", NULL, 0);
    return 0;
}
