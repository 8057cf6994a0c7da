/* Loads and unloads the library a hundred times, with open handles left behind. Usage: reload LIBRARY */
#define _POSIX_C_SOURCE 200809L
#include "parklink.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

typedef parklink_code(PARKLINK_CALL *open_fn)(const char *, parklink_t **);
typedef parklink_code(PARKLINK_CALL *status_fn)(parklink_t *, char **);
typedef uint32_t(PARKLINK_CALL *abi_fn)(void);

int main(int count, char **words) {
    const char *config = "{\"park_id\":\"1\",\"ckey\":\"K123\",\"cloud_addr\":\"127.0.0.1\",\"cport\":1}";
    struct timespec pause = {0, 100000000};
    parklink_t *first = NULL;
    int round;
    if (count < 2)
        return 2;
    for (round = 0; round < 100; round++) {
        void *library = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
        parklink_t *handle = NULL;
        open_fn open_it;
        status_fn status;
        abi_fn abi;
        if (library == NULL) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        /* ISO C has no cast from an object pointer to a function pointer. */
        *(void **)&open_it = dlsym(library, "parklink_open");
        *(void **)&status = dlsym(library, "parklink_status");
        *(void **)&abi = dlsym(library, "parklink_abi_version");
        if (abi() != PARKLINK_ABI_VERSION)
            return 1;
        if (round % 20 == 0 && open_it(config, &handle) != PARKLINK_OK)
            return 1;
        if (first == NULL)
            first = handle;
        if (status(first, NULL) != PARKLINK_OK)
            return 1;
        if (dlclose(library) != 0)
            return 1;
    }
    /* The threads of five handles are at work in what was unloaded. */
    nanosleep(&pause, NULL);
    puts("ok reload");
    return 0;
}
