/* Preloaded: a disk whose sync takes SLOW_DISK_MS, and that counts its syncs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static atomic_ulong syncs;

unsigned long slow_disk_syncs(void) { return atomic_load(&syncs); }

static int slowly(const char *name, int fd) {
    int (*real)(int);
    void *found = dlsym(RTLD_NEXT, name);
    const char *text = getenv("SLOW_DISK_MS");
    atomic_fetch_add(&syncs, 1);
    uint64_t begun = now(), wanted = (uint64_t)(text != NULL ? atof(text) * 1e6 : 0);
    memcpy(&real, &found, sizeof real);
    int outcome = real(fd);
    uint64_t taken = now() - begun;
    if (taken < wanted) {
        struct timespec rest = {0, (long)(wanted - taken)};
        nanosleep(&rest, NULL);
    }
    return outcome;
}

int fsync(int fd) { return slowly("fsync", fd); }
int fdatasync(int fd) { return slowly("fdatasync", fd); }
