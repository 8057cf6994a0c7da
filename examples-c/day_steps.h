/*
 * What a day with pushes is told by: numbered lines, calls with the code they ought to give, waiting for what a platform
 * pushes. The program sets `lot` and `box` and says what it answers (day_reply).
 */
#ifndef DAY_STEPS_H
#define DAY_STEPS_H

#include "parklink.h"
#include "sandbox_control.h"

#include <pthread.h>
#include <stdarg.h>
#include <time.h>

static parklink_t *lot;
static sandbox box;
/* A number of this run, so that records of several runs do not meet. */
static char run[16];

/* Steps are told by the main thread and by the callback's. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static int steps, good;
static char taken[64][64];
static int taken_count;

/* What the software answers to an event. */
static void day_reply(const char *service, const char *event, char *answer, size_t size);

static void tell(const char *what, const char *sent, const char *got, int ok) {
    pthread_mutex_lock(&lock);
    steps++;
    good += ok;
    printf("%2d %s | %s | -> %s | <- %s\n", steps, ok ? "ok  " : "FAIL", what, sent, got);
    fflush(stdout);
    pthread_mutex_unlock(&lock);
}

/* Calls an interface; the code ought to be the given one. What was replied is copied to reply, which may be NULL. */
static void call(const char *what, const char *interface_id, parklink_code expected, char *reply, size_t size,
                 const char *format, ...) {
    char json[1536], sent[1700], *got = NULL;
    parklink_code code;
    va_list values;
    va_start(values, format);
    vsnprintf(json, sizeof json, format, values);
    va_end(values);
    code = strcmp(interface_id, "etc_pay") == 0 ? parklink_etc_pay(lot, json, &got)
                                                : parklink_call(lot, interface_id, json, &got);
    snprintf(sent, sizeof sent, "%s %s", interface_id, json);
    tell(what, sent, got != NULL ? got : parklink_last_error(), code == expected);
    if (reply != NULL)
        snprintf(reply, size, "%s", got != NULL ? got : "");
    parklink_string_free(got);
}

/* Has the sandbox do something; its answer ought to contain the given text. */
static void happens(const char *what, const char *path, const char *in_answer, const char *format, ...) {
    char json[1024], answer[4096];
    int status;
    va_list values;
    va_start(values, format);
    vsnprintf(json, sizeof json, format, values);
    va_end(values);
    status = sandbox_post(&box, path, json, answer, sizeof answer);
    tell(what, json, answer, status == 200 && strstr(answer, in_answer) != NULL);
}

/* Called by the library, on a thread of its own, for everything that a platform pushes. */
static void PARKLINK_CALL on_push(void *user_data, uint64_t event_id, const char *event) {
    char service[64], kind[16], answer[512] = "(no answer is asked for)";
    parklink_code code = PARKLINK_OK;
    (void)user_data;
    json_member(event, "service_name", service, sizeof service);
    json_member(event, "kind", kind, sizeof kind);
    if (strcmp(kind, "request") == 0) {
        day_reply(service, event, answer, sizeof answer);
        code = parklink_reply(lot, event_id, answer);
        if (code != PARKLINK_OK)
            snprintf(answer, sizeof answer, "%s", parklink_last_error());
    }
    tell("the platform pushes", answer, event, code == PARKLINK_OK);
    pthread_mutex_lock(&lock);
    if (taken_count < 64)
        snprintf(taken[taken_count++], sizeof taken[0], "%s", service);
    pthread_cond_broadcast(&arrived);
    pthread_mutex_unlock(&lock);
}

/* Waits until a push of that name has been taken, and forgets it. */
static void await(const char *what, const char *service) {
    struct timespec end;
    int at, found = 0, in_time = 1;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 10;
    pthread_mutex_lock(&lock);
    while (!found && in_time) {
        for (at = 0; at < taken_count && !found; at++)
            if (strcmp(taken[at], service) == 0) {
                found = 1;
                taken[at][0] = '\0';
            }
        if (!found)
            in_time = pthread_cond_timedwait(&arrived, &lock, &end) == 0;
    }
    pthread_mutex_unlock(&lock);
    tell(what, "(waiting)", service, found);
}

/* Opens the handle with its listener. Returns 1 when it stands; address is then where the listener is. */
static int day_begins(const char *config, char *address, size_t size) {
    parklink_downlink_callbacks callbacks = {sizeof callbacks, NULL, NULL, on_push};
    char *status = NULL, text[64];
    const char *listener;
    parklink_code code = parklink_open(config, &lot);
    snprintf(run, sizeof run, "%08lu", (unsigned long)time(NULL) % 100000000);
    address[0] = '\0';
    if (code == PARKLINK_OK)
        code = parklink_on_downlink(lot, &callbacks);
    if (code == PARKLINK_OK)
        code = parklink_status(lot, &status);
    if (code == PARKLINK_OK) {
        listener = json_member(status, "listener", text, sizeof text);
        if (listener != NULL)
            json_member(listener, "addr", address, size);
    }
    tell("the software starts", "(configuration)", code == PARKLINK_OK ? address : parklink_last_error(),
         code == PARKLINK_OK && address[0] != '\0');
    parklink_string_free(status);
    return code == PARKLINK_OK && address[0] != '\0';
}

/* Closes the handle and says how the day was; the program's exit code. */
static int day_ends(void) {
    char *status = NULL;
    uint64_t left = 0;
    parklink_code code = parklink_status(lot, &status);
    tell("how do things stand?", "(status)", status != NULL ? status : parklink_last_error(), code == PARKLINK_OK);
    parklink_string_free(status);
    code = parklink_close(lot, 10000, &left);
    tell("the software ends", "(close)", left == 0 ? "nothing is left unanswered" : "pushes are left unanswered",
         code == PARKLINK_OK && left == 0);
    printf("demo: %d steps, %d ok\n", steps, good);
    return good == steps ? 0 : 1;
}

#endif
