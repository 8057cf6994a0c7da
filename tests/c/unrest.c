/*
 * A lot that works on while its platforms misbehave: entries and exits from two threads, downlinks answered from a
 * third, and every few seconds a close and a new open in the middle of it. Whoever runs it (tools/unrest.py) switches
 * faults on and off meanwhile. In the end, with the faults gone, everything must work again, and nothing may have grown.
 *
 *     unrest CONFIG SECONDS REOPEN_MS
 */
#include "check.h"

#include <dirent.h>

static parklink_t *current;
static int is_over;
static const char *config;
static long counts[1000];
static long answered, orders;

/* The handle of the moment; it may be closed by the time it is used, which must be an error and no more. */
static parklink_t *handle_now(int *over) {
    parklink_t *handle;
    pthread_mutex_lock(&lock);
    handle = current;
    *over = is_over;
    pthread_mutex_unlock(&lock);
    return handle;
}

static void count(parklink_code code) {
    CHECK(code <= 0 && code > -1000);
    CHECK(code != PARKLINK_E_INTERNAL && strcmp(parklink_error_name(code), "unknown") != 0);
    pthread_mutex_lock(&lock);
    counts[-code]++;
    pthread_mutex_unlock(&lock);
}

static long times(parklink_code code) {
    long value;
    pthread_mutex_lock(&lock);
    value = counts[-code];
    pthread_mutex_unlock(&lock);
    return value;
}

static parklink_code one_order(parklink_t *handle, long number) {
    char json[600];
    char *reply = NULL;
    parklink_code code;
    snprintf(json, sizeof json,
             "{\"order_id\":\"U%ld-%ld\",\"car_number\":\"京U%05ld\",\"in_time\":1760000000,\"car_type\":\"临停车\","
             "\"c_type\":\"1\",\"uid\":\"gate\",\"empty_plot\":20,\"in_channel_id\":\"1\"}",
             now_ms(), number, number % 100000);
    code = parklink_in_park(handle, json, &reply);
    /* A refusal is a reply too; without a reply there must be a reason. */
    CHECK(code != PARKLINK_OK || reply != NULL);
    parklink_string_free(reply);
    return code;
}

static void *uploading(void *unused) {
    int over = 0;
    (void)unused;
    while (!over) {
        parklink_t *handle = handle_now(&over);
        long number;
        pthread_mutex_lock(&lock);
        number = ++orders;
        pthread_mutex_unlock(&lock);
        if (number % 7 == 0) {
            char *status = NULL;
            if (parklink_status(handle, &status) == PARKLINK_OK) {
                CHECK(strstr(status, "\"links\"") != NULL && strstr(status, "WERRTTTTYY") == NULL);
            }
            parklink_string_free(status);
            count(parklink_upload(handle, "{\"service_name\":\"no_such_thing\"}", NULL));
        } else {
            count(one_order(handle, number));
        }
        sleep_ms(20);
    }
    return NULL;
}

static void *answering(void *unused) {
    int over = 0;
    (void)unused;
    while (!over) {
        char *event = NULL;
        parklink_code code = parklink_poll(handle_now(&over), 100, &event);
        const char *id = event == NULL ? NULL : strstr(event, "\"event_id\":");
        if (id != NULL) {
            uint64_t number = (uint64_t)strtoull(id + strlen("\"event_id\":"), NULL, 10);
            if (parklink_reply(handle_now(&over), number, "{\"state\":1,\"errmsg\":\"\"}") == PARKLINK_OK) {
                pthread_mutex_lock(&lock);
                answered++;
                pthread_mutex_unlock(&lock);
            }
        } else if (code != PARKLINK_E_NO_EVENT) {
            sleep_ms(20);
        }
        parklink_string_free(event);
    }
    return NULL;
}

static void reopen(void) {
    parklink_t *fresh = NULL;
    parklink_t *old;
    EXPECT(PARKLINK_OK, parklink_open(config, &fresh));
    pthread_mutex_lock(&lock);
    old = current;
    current = fresh;
    pthread_mutex_unlock(&lock);
    if (old != NULL) {
        EXPECT(PARKLINK_OK, parklink_close(old, 5000, NULL));
        EXPECT(PARKLINK_E_CLOSED, parklink_status(old, NULL));
    }
}

static long from_status(const char *name) {
    char line[256];
    long value = -1;
    FILE *file = fopen("/proc/self/status", "r");
    if (file == NULL) {
        return -1;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            value = strtol(line + strlen(name), NULL, 10);
        }
    }
    fclose(file);
    return value;
}

static int open_files(void) {
    int number = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder != NULL && readdir(folder) != NULL) {
        number++;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return number;
}

int main(int argc, char **argv) {
    pthread_t threads[3];
    long end, next, pause, since, warm_kb = 0, calm;
    int at, over;
    if (argc != 4) {
        fprintf(stderr, "unrest CONFIG SECONDS REOPEN_MS\n");
        return 2;
    }
    config = argv[1];
    since = now_ms();
    end = since + strtol(argv[2], NULL, 10) * 1000;
    pause = strtol(argv[3], NULL, 10);
    reopen();
    CHECK(pthread_create(&threads[0], NULL, uploading, NULL) == 0);
    CHECK(pthread_create(&threads[1], NULL, uploading, NULL) == 0);
    CHECK(pthread_create(&threads[2], NULL, answering, NULL) == 0);
    for (next = since + pause; now_ms() < end; sleep_ms(10)) {
        if (now_ms() >= next) {
            reopen();
            next = now_ms() + pause;
        }
        if (warm_kb == 0 && now_ms() > since + (end - since) / 3) {
            warm_kb = from_status("VmRSS:");
        }
    }
    puts("calm please");
    fflush(stdout);
    (void)getchar();
    reopen();
    EXPECT(PARKLINK_OK, parklink_wait_ready(current, 20000));
    for (calm = now_ms() + 20000; one_order(current, 0) != PARKLINK_OK;) {
        CHECK(now_ms() < calm);
        sleep_ms(200);
    }
    pthread_mutex_lock(&lock);
    is_over = 1;
    pthread_mutex_unlock(&lock);
    for (at = 0; at < 3; at++) {
        CHECK(pthread_join(threads[at], NULL) == 0);
    }
    EXPECT(PARKLINK_OK, parklink_close(handle_now(&over), 5000, NULL));

    for (at = 0; at < 1000; at++) {
        if (counts[at] > 0) {
            printf("%-18s %ld\n", parklink_error_name(-at), counts[at]);
        }
    }
    printf("answered %ld, resident %ld kB after a third, %ld kB at the end, threads %ld, files %d\n", answered, warm_kb,
           from_status("VmRSS:"), from_status("Threads:"), open_files());
    CHECK(times(PARKLINK_OK) > 0);
    CHECK(times(PARKLINK_E_UNKNOWN_INTERFACE) > 0);
    CHECK(answered > 0);
    /* A look-up of a name may still be ending by itself; nothing else of ours may live. */
    CHECK(from_status("Threads:") <= 2);
    CHECK(open_files() < 20);
    CHECK(from_status("VmRSS:") < warm_kb + 16384);
    puts("ok unrest");
    return 0;
}
