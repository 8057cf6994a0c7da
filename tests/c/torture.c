/*
 * What a careless program can do to the library, each with its documented outcome.
 * Usage: torture PORT [TEST | -TEST], where PORT is a cloud on loopback that logs everyone in and sends downlinks all the
 * time; with TEST only that one, with -TEST all but that one.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <sys/wait.h>
#include <unistd.h>

static int cloud_port;
static int calls, destroyed, running, results[8];

static void count(int *counter, int by) {
    pthread_mutex_lock(&lock);
    *counter += by;
    pthread_mutex_unlock(&lock);
}

static void reset(void) {
    pthread_mutex_lock(&lock);
    calls = destroyed = running = 0;
    memset(results, 0, sizeof results);
    pthread_mutex_unlock(&lock);
}

static parklink_t *open_at(int port, const char *more) {
    char config[512];
    parklink_t *handle = NULL;
    snprintf(config, sizeof config,
             "{\"park_id\":\"21782\",\"ckey\":\"WERRTTTTYY\",\"cloud_addr\":\"127.0.0.1\",\"cport\":%d%s}", port, more);
    EXPECT(PARKLINK_OK, parklink_open(config, &handle));
    CHECK(handle != NULL);
    return handle;
}

/* Nothing listens on port 1: a handle that stays offline. */
static parklink_t *open_offline(void) {
    return open_at(1, "");
}

static parklink_t *open_online(void) {
    parklink_t *handle = open_at(cloud_port, "");
    EXPECT(PARKLINK_OK, parklink_wait_ready(handle, 10000));
    return handle;
}

static void on_destroy(void *user_data) {
    (void)user_data;
    count(&destroyed, 1);
}

static void on_count(void *user_data, uint64_t event_id, const char *json) {
    (void)user_data;
    CHECK(event_id > 0 && strstr(json, "service_name") != NULL);
    count(&calls, 1);
}

static parklink_downlink_callbacks callbacks(parklink_downlink_fn function, void *user_data) {
    parklink_downlink_callbacks made;
    memset(&made, 0, sizeof made);
    made.struct_size = sizeof made;
    made.user_data = user_data;
    made.destroy = on_destroy;
    made.on_downlink = function;
    return made;
}

static void facts(void) {
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", PARKLINK_VERSION_MAJOR, PARKLINK_VERSION_MINOR, PARKLINK_VERSION_PATCH);
    CHECK(strcmp(parklink_version(), text) == 0 && strcmp(PARKLINK_VERSION_TEXT, text) == 0);
    CHECK(PARKLINK_VERSION ==
          PARKLINK_VERSION_MAJOR * 1000000 + PARKLINK_VERSION_MINOR * 1000 + PARKLINK_VERSION_PATCH);
    CHECK(PARKLINK_VERSION / 1000000 == PARKLINK_VERSION_MAJOR && PARKLINK_VERSION / 1000 % 1000 == PARKLINK_VERSION_MINOR &&
          PARKLINK_VERSION % 1000 == PARKLINK_VERSION_PATCH);
    CHECK(parklink_abi_version() == PARKLINK_ABI_VERSION);
    CHECK(strcmp(parklink_error_name(PARKLINK_OK), "ok") == 0);
    CHECK(strcmp(parklink_error_name(PARKLINK_E_IN_CALLBACK), "in_callback") == 0);
    CHECK(strcmp(parklink_error_name(12345), "unknown") == 0);
    CHECK(parklink_error_is_retryable(PARKLINK_E_OFFLINE) == 1 && parklink_error_is_retryable(PARKLINK_E_JSON) == 0);
    CHECK(parklink_last_error()[0] == '\0');
    parklink_string_free(NULL);
}

/* Every call with that handle gives that code, and leaves NULL in its results. */
static void every_call(parklink_t *handle, parklink_code code) {
    parklink_downlink_callbacks downlinks = callbacks(on_count, NULL);
    parklink_log_callbacks lines;
    char *text = (char *)"x";
    uint64_t left = 7;
    int before = counted(&destroyed);
    memset(&lines, 0, sizeof lines);
    lines.struct_size = sizeof lines;
    lines.destroy = on_destroy;
    EXPECT(code, parklink_upload(handle, "{}", &text));
    CHECK(text == NULL);
    EXPECT(code, parklink_upload(handle, "{}", NULL));
    EXPECT(code, parklink_call(handle, "cloud.in_park", "{}", NULL));
    EXPECT(code, parklink_in_park(handle, "{}", NULL));
    EXPECT(code, parklink_out_park(handle, "{}", NULL));
    EXPECT(code, parklink_etc_pay(handle, "{}", NULL));
    EXPECT(code, parklink_pay_status(handle, "{}", NULL));
    EXPECT(code, parklink_reply(handle, 1, "{}"));
    text = (char *)"x";
    EXPECT(code, parklink_poll(handle, 0, &text));
    CHECK(text == NULL);
    text = (char *)"x";
    EXPECT(code, parklink_status(handle, &text));
    CHECK(text == NULL);
    EXPECT(code, parklink_wait_ready(handle, 0));
    EXPECT(code, parklink_on_downlink(handle, NULL));
    EXPECT(code, parklink_on_downlink(handle, &downlinks));
    EXPECT(code, parklink_on_log(handle, &lines));
    EXPECT(code, parklink_close(handle, 0, &left));
    CHECK(left == 0);
    CHECK(counted(&destroyed) == before + 2);
    CHECK(parklink_last_error()[0] != '\0');
}

static void dead_handles(void) {
    parklink_t *handle = open_offline();
    uint64_t left = 7;
    size_t at;
    size_t invented[] = {1, 2, 3, 255, 4097, 0x7fff12345678u, (size_t)-1, (size_t)-2};
    every_call(NULL, PARKLINK_E_ARGUMENT);
    for (at = 0; at < sizeof invented / sizeof *invented; at++)
        every_call((parklink_t *)invented[at], PARKLINK_E_CLOSED);
    every_call((parklink_t *)&left, PARKLINK_E_CLOSED);
    EXPECT(PARKLINK_OK, parklink_status(handle, NULL));
    EXPECT(PARKLINK_OK, parklink_close(handle, 5000, &left));
    CHECK(left == 0);
    every_call(handle, PARKLINK_E_CLOSED);
    /* A new handle in the same place does not bring the old one to life. */
    {
        parklink_t *second = open_offline();
        every_call(handle, PARKLINK_E_CLOSED);
        EXPECT(PARKLINK_OK, parklink_close(second, 5000, NULL));
    }
}

static void arguments(void) {
    parklink_t *handle = (parklink_t *)&calls;
    char *reply = (char *)"x";
    EXPECT(PARKLINK_E_ARGUMENT, parklink_open(NULL, &handle));
    CHECK(handle == NULL);
    EXPECT(PARKLINK_E_ARGUMENT, parklink_open("{}", NULL));
    EXPECT(PARKLINK_E_CONFIG, parklink_open("", &handle));
    EXPECT(PARKLINK_E_CONFIG, parklink_open("[]", &handle));
    EXPECT(PARKLINK_E_CONFIG, parklink_open("{\"park_id\":\"1\",\"cloud_adr\":\"h\"}", &handle));
    CHECK(strstr(parklink_last_error(), "did you mean \"cloud_addr\"?") != NULL);
    handle = open_offline();
    EXPECT(PARKLINK_E_ARGUMENT, parklink_upload(handle, NULL, &reply));
    CHECK(reply == NULL);
    EXPECT(PARKLINK_E_ARGUMENT, parklink_call(handle, NULL, "{}", NULL));
    EXPECT(PARKLINK_E_ARGUMENT, parklink_call(handle, "cloud.in_park", NULL, NULL));
    EXPECT(PARKLINK_E_ARGUMENT, parklink_in_park(handle, NULL, NULL));
    EXPECT(PARKLINK_E_ARGUMENT, parklink_reply(handle, 1, NULL));
    EXPECT(PARKLINK_E_ARGUMENT, parklink_poll(handle, 0, NULL));
    EXPECT(PARKLINK_E_UNKNOWN_EVENT, parklink_reply(handle, 99, "{}"));
    EXPECT(PARKLINK_E_UNKNOWN_INTERFACE, parklink_upload(handle, "{}", NULL));
    EXPECT(PARKLINK_OK, parklink_close(handle, 5000, NULL));
}

static void texts(void) {
    static const char *const malformed[] = {"",           " ",       "{",      "nul",    "{\"a\":}",  "{\"a\":1}x",
                                            "\"text\"",   "17",      "[]",     "[1,2",   "{\"a\":\"", "{\"a\":\"\\u12\"}",
                                            "{\"a\":1,}", "{a:1}",   "\x01",   "null",   "{\"a\":1e}", "{\"\\ud800\":1}"};
    const size_t large = 100u << 20, deep = 100000;
    parklink_t *handle = open_offline(), *other = NULL;
    char *text = (char *)malloc(large + 1);
    size_t at;
    CHECK(text != NULL);
    for (at = 0; at < sizeof malformed / sizeof *malformed; at++) {
        EXPECT(PARKLINK_E_JSON, parklink_upload(handle, malformed[at], NULL));
        EXPECT(PARKLINK_E_JSON, parklink_call(handle, "cloud.in_park", malformed[at], NULL));
        EXPECT(PARKLINK_E_JSON, parklink_in_park(handle, malformed[at], NULL));
        EXPECT(PARKLINK_E_JSON, parklink_reply(handle, 1, malformed[at]));
        EXPECT(PARKLINK_E_CONFIG, parklink_open(malformed[at], &other));
    }
    EXPECT(PARKLINK_E_ENCODING, parklink_upload(handle, "{\"service_name\":\"\xBE\xA9\"}", NULL));
    CHECK(strstr(parklink_last_error(), "byte 17") != NULL);
    EXPECT(PARKLINK_E_ENCODING, parklink_open("{\"park_id\":\"\xFF\"}", &other));
    EXPECT(PARKLINK_E_ENCODING, parklink_call(handle, "\xC0\x80", "{}", NULL));

    memset(text, 'a', large);
    text[large] = '\0';
    EXPECT(PARKLINK_E_TOO_LARGE, parklink_upload(handle, text, NULL));
    EXPECT(PARKLINK_E_TOO_LARGE, parklink_call(handle, text, "{}", NULL));
    EXPECT(PARKLINK_E_TOO_LARGE, parklink_reply(handle, 1, text));
    EXPECT(PARKLINK_E_TOO_LARGE, parklink_open(text, &other));

    memset(text, '[', deep);
    text[deep] = '\0';
    EXPECT(PARKLINK_E_JSON, parklink_upload(handle, text, NULL));
    EXPECT(PARKLINK_E_CONFIG, parklink_open(text, &other));
    for (at = 0; at < deep; at++)
        memcpy(text + at * 5, "{\"a\":", 5);
    text[deep * 5] = '\0';
    EXPECT(PARKLINK_E_JSON, parklink_upload(handle, text, NULL));
    EXPECT(PARKLINK_E_CONFIG, parklink_open(text, &other));
    CHECK(other == NULL);
    free(text);
    EXPECT(PARKLINK_OK, parklink_close(handle, 5000, NULL));
}

static void gbk(void) {
    parklink_t *handle = NULL;
    char *reply = NULL;
    /* The plate is in GBK: C1 C9 is one character. */
    const char *record = "{\"service_name\":\"pay_status\",\"order_id\":\"1\",\"car_number\":\"\xC1\xC9" "A12345\"}";
    EXPECT(PARKLINK_OK, parklink_open("{\"park_id\":\"1\",\"ckey\":\"K123\",\"cloud_addr\":\"127.0.0.1\",\"cport\":1,"
                                      "\"encoding\":\"gbk\",\"local_id\":\"\xB6\xAB\xC3\xC5\"}", &handle));
    parklink_pay_status(handle, record, &reply);
    CHECK(reply != NULL && strstr(reply, "\xC1\xC9" "A12345") != NULL);
    parklink_string_free(reply);
    EXPECT(PARKLINK_OK, parklink_status(handle, &reply));
    CHECK(strstr(reply, "\xB6\xAB\xC3\xC5") != NULL);
    parklink_string_free(reply);
    EXPECT(PARKLINK_E_ENCODING, parklink_upload(handle, "{\"a\":\"\xFF\xFF\"}", NULL));
    EXPECT(PARKLINK_OK, parklink_close(handle, 5000, NULL));
}

static void registering(void) {
    parklink_t *handle = open_offline();
    parklink_downlink_callbacks made = callbacks(on_count, NULL);
    /* A header before this one could have ended earlier; the library must not read beyond. */
    made.struct_size = offsetof(parklink_downlink_callbacks, on_downlink);
    EXPECT(PARKLINK_E_ARGUMENT, parklink_on_downlink(handle, &made));
    CHECK(counted(&destroyed) == 1);
    /* Half a pointer is none. */
    made.struct_size += sizeof(size_t) / 2;
    EXPECT(PARKLINK_E_ARGUMENT, parklink_on_downlink(handle, &made));
    CHECK(counted(&destroyed) == 2);
    made.struct_size = sizeof(size_t);
    EXPECT(PARKLINK_E_ARGUMENT, parklink_on_downlink(handle, &made));
    made.struct_size = 0;
    EXPECT(PARKLINK_E_ARGUMENT, parklink_on_downlink(handle, &made));
    CHECK(counted(&destroyed) == 2);
    made = callbacks(NULL, NULL);
    EXPECT(PARKLINK_E_ARGUMENT, parklink_on_downlink(handle, &made));
    CHECK(counted(&destroyed) == 3);
    made = callbacks(on_count, NULL);
    EXPECT(PARKLINK_OK, parklink_on_downlink(handle, &made));
    /* It was copied. */
    memset(&made, 0xA5, sizeof made);
    made = callbacks(on_count, NULL);
    EXPECT(PARKLINK_OK, parklink_on_downlink(handle, &made));
    wait_for(&destroyed, 4);
    EXPECT(PARKLINK_OK, parklink_on_downlink(handle, NULL));
    wait_for(&destroyed, 5);
    /* A later header's struct may be longer. */
    {
        struct {
            parklink_downlink_callbacks known;
            void *later[4];
        } longer;
        memset(&longer, 0, sizeof longer);
        longer.known = callbacks(on_count, NULL);
        longer.known.struct_size = sizeof longer;
        EXPECT(PARKLINK_OK, parklink_on_downlink(handle, &longer.known));
    }
    EXPECT(PARKLINK_OK, parklink_close(handle, 5000, NULL));
    CHECK(counted(&destroyed) == 6);
}

static void on_log(void *user_data, int32_t level, const char *line) {
    (void)user_data;
    CHECK(level >= PARKLINK_LOG_ERROR && level <= PARKLINK_LOG_TRACE && strstr(line, "WERRTTTTYY") == NULL);
    count(&calls, 1);
}

static void logging(void) {
    parklink_t *handle = open_at(cloud_port, ",\"log\":{\"level\":\"trace\"}");
    parklink_log_callbacks lines;
    memset(&lines, 0, sizeof lines);
    lines.struct_size = sizeof lines;
    lines.destroy = on_destroy;
    lines.on_log = on_log;
    EXPECT(PARKLINK_OK, parklink_on_log(handle, &lines));
    /* More than the log-in has: downlinks are logged too, while they are taken in. */
    wait_for(&calls, 30);
    EXPECT(PARKLINK_OK, parklink_close(handle, 5000, NULL));
    CHECK(counted(&destroyed) == 1);
}

static void on_close_inside(void *user_data, uint64_t event_id, const char *json) {
    parklink_t *handle = *(parklink_t **)user_data;
    char *text = NULL;
    (void)json;
    if (counted(&calls) == 0) {
        results[0] = parklink_close(handle, 1000, NULL);
        results[1] = parklink_wait_ready(handle, 1000);
        results[2] = parklink_poll(handle, 1000, &text);
        results[3] = parklink_status(handle, &text);
        parklink_string_free(text);
        results[4] = parklink_reply(handle, event_id, "{\"state\":1,\"errmsg\":\"\",\"order_id\":\"1\",\"is_locked\":1}");
        results[5] = parklink_reply(handle, event_id, "{\"state\":1}");
    }
    count(&calls, 1);
}

static void close_inside_a_callback(void) {
    parklink_t *handle = open_online();
    parklink_downlink_callbacks made = callbacks(on_close_inside, &handle);
    EXPECT(PARKLINK_OK, parklink_on_downlink(handle, &made));
    wait_for(&calls, 2);
    EXPECT(PARKLINK_E_IN_CALLBACK, results[0]);
    EXPECT(PARKLINK_E_IN_CALLBACK, results[1]);
    EXPECT(PARKLINK_E_IN_CALLBACK, results[2]);
    EXPECT(PARKLINK_OK, results[3]);
    EXPECT(PARKLINK_OK, results[4]);
    EXPECT(PARKLINK_E_UNKNOWN_EVENT, results[5]);
    /* The handle is as good as before. */
    EXPECT(PARKLINK_OK, parklink_close(handle, 5000, NULL));
    CHECK(counted(&destroyed) == 1);
}

static void on_slow(void *user_data, uint64_t event_id, const char *json) {
    (void)event_id;
    (void)json;
    count(&running, 1);
    count(&calls, 1);
    sleep_ms(*(long *)user_data);
    count(&running, -1);
}

static void close_during_a_callback(void) {
    parklink_t *handle = open_online();
    long pause = 300;
    parklink_downlink_callbacks made = callbacks(on_slow, &pause);
    int after;
    EXPECT(PARKLINK_OK, parklink_on_downlink(handle, &made));
    wait_for(&calls, 1);
    EXPECT(PARKLINK_OK, parklink_close(handle, 10000, NULL));
    CHECK(counted(&running) == 0 && counted(&destroyed) == 1);
    after = counted(&calls);
    sleep_ms(100);
    CHECK(counted(&calls) == after);
    every_call(handle, PARKLINK_E_CLOSED);
}

/* A callback that outlasts the patience of close: close gives up on it, destroy comes when it has ended. */
static void a_callback_that_blocks(void) {
    parklink_t *handle = open_online();
    long pause = 600;
    parklink_downlink_callbacks made = callbacks(on_slow, &pause);
    const char *record = "{\"service_name\":\"park_log\",\"data_target\":\"cloud\",\"log_id\":\"1\",\"content\":\"c\","
                         "\"user_id\":\"u\",\"operate_user\":\"u\",\"operate_time\":1490875218,\"type\":1,\"remark\":\"r\"}";
    char *reply = NULL;
    EXPECT(PARKLINK_OK, parklink_on_downlink(handle, &made));
    wait_for(&calls, 1);
    /* Uploads do not wait for it. */
    EXPECT(PARKLINK_OK, parklink_upload(handle, record, &reply));
    CHECK(counted(&running) == 1);
    parklink_string_free(reply);
    EXPECT(PARKLINK_E_TIMEOUT, parklink_close(handle, 100, NULL));
    CHECK(counted(&running) == 1 && counted(&destroyed) == 0);
    EXPECT(PARKLINK_E_CLOSED, parklink_status(handle, NULL));
    wait_for(&destroyed, 1);
    CHECK(counted(&calls) == 1 && counted(&running) == 0);
}

static void *poller(void *handle) {
    char *event = NULL;
    parklink_code code = parklink_poll((parklink_t *)handle, 60000, &event);
    CHECK(code == PARKLINK_E_CLOSED && event == NULL);
    count(&calls, 1);
    return NULL;
}

static void close_wakes_a_poll(void) {
    parklink_t *handle = open_offline();
    pthread_t thread;
    long begun = now_ms();
    CHECK(pthread_create(&thread, NULL, poller, handle) == 0);
    sleep_ms(50);
    EXPECT(PARKLINK_OK, parklink_close(handle, 30000, NULL));
    pthread_join(thread, NULL);
    CHECK(calls == 1 && now_ms() - begun < 20000);
}

static void polling(void) {
    parklink_t *handle = open_online();
    char *event = NULL, *number;
    EXPECT(PARKLINK_OK, parklink_poll(handle, 10000, &event));
    number = strstr(event, "\"event_id\":");
    CHECK(number != NULL);
    EXPECT(PARKLINK_OK, parklink_reply(handle, strtoull(number + 11, NULL, 10),
                                       "{\"state\":1,\"errmsg\":\"\",\"order_id\":\"1\",\"is_locked\":1}"));
    parklink_string_free(event);
    EXPECT(PARKLINK_OK, parklink_close(handle, 5000, NULL));
    handle = open_offline();
    EXPECT(PARKLINK_E_NO_EVENT, parklink_poll(handle, 10, &event));
    CHECK(event == NULL);
    EXPECT(PARKLINK_OK, parklink_close(handle, 5000, NULL));
}

static int stop;

static void *hammer(void *shared) {
    parklink_t *handle = (parklink_t *)shared;
    unsigned seed = (unsigned)(size_t)&handle;
    while (!counted(&stop)) {
        char *text = NULL;
        parklink_downlink_callbacks made = callbacks(on_count, NULL);
        parklink_code code = PARKLINK_OK;
        seed = seed * 1103515245u + 12345u;
        switch (seed >> 16 & 7) {
        case 0: code = parklink_status(handle, &text); break;
        case 1: code = parklink_upload(handle, "{\"service_name\":\"in_park\"}", &text); break;
        case 2: code = parklink_poll(handle, 1, &text); break;
        case 3: code = parklink_reply(handle, 1, "{\"state\":1}"); break;
        case 4:
            count(&results[0], 1);
            code = parklink_on_downlink(handle, &made);
            break;
        case 5: code = parklink_on_downlink(handle, NULL); break;
        case 6: code = parklink_wait_ready(handle, 1); break;
        default: code = parklink_pay_status(handle, "{\"order_id\":\"1\",\"car_number\":\"A12345\"}", &text); break;
        }
        CHECK(code <= PARKLINK_OK && code != PARKLINK_E_INTERNAL && code != PARKLINK_E_ARGUMENT);
        parklink_string_free(text);
        if (code == PARKLINK_E_CLOSED)
            sleep_ms(1);
    }
    return NULL;
}

static void *closer(void *handle) {
    if (parklink_close((parklink_t *)handle, 30000, NULL) == PARKLINK_OK)
        count(&running, 1);
    return NULL;
}

static void threads_against_close(void) {
    int round, at;
    for (round = 0; round < 10; round++) {
        parklink_t *handle = open_at(round % 2 ? cloud_port : 1, "");
        pthread_t threads[8], closers[2];
        reset();
        count(&stop, -stop);
        for (at = 0; at < 8; at++)
            CHECK(pthread_create(&threads[at], NULL, hammer, handle) == 0);
        sleep_ms(20 + round * 5);
        for (at = 0; at < 2; at++)
            CHECK(pthread_create(&closers[at], NULL, closer, handle) == 0);
        for (at = 0; at < 2; at++)
            pthread_join(closers[at], NULL);
        CHECK(counted(&running) == 1);
        sleep_ms(5);
        count(&stop, 1);
        for (at = 0; at < 8; at++)
            pthread_join(threads[at], NULL);
        every_call(handle, PARKLINK_E_CLOSED);
        /* Each registration's destroy once: those of the hammers, and the two of every_call. */
        CHECK(counted(&destroyed) == counted(&results[0]) + 2);
    }
}

static void fork_with_open_handles(void) {
    parklink_t *handle = open_online();
    parklink_downlink_callbacks made = callbacks(on_count, NULL);
    int status = 0;
    pid_t child;
    EXPECT(PARKLINK_OK, parklink_on_downlink(handle, &made));
    wait_for(&calls, 1);
    pthread_mutex_lock(&lock);
    child = fork();
    pthread_mutex_unlock(&lock);
    CHECK(child >= 0);
    if (child == 0) {
        parklink_t *other = NULL;
        alarm(20);
        every_call(handle, PARKLINK_E_FORKED);
        EXPECT(PARKLINK_E_FORKED, parklink_open("{}", &other));
        CHECK(strcmp(parklink_error_name(PARKLINK_E_FORKED), "forked") == 0);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    /* The parent goes on. */
    EXPECT(PARKLINK_OK, parklink_status(handle, NULL));
    EXPECT(PARKLINK_OK, parklink_close(handle, 5000, NULL));
}

static void many_handles(void) {
    parklink_t *handles[20];
    size_t at;
    for (at = 0; at < 20; at++)
        handles[at] = open_offline();
    for (at = 0; at < 20; at++)
        EXPECT(PARKLINK_OK, parklink_close(handles[at], 5000, NULL));
}

int main(int count_of_words, char **words) {
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {
        {"facts", facts},
        {"dead_handles", dead_handles},
        {"arguments", arguments},
        {"texts", texts},
        {"gbk", gbk},
        {"registering", registering},
        {"logging", logging},
        {"polling", polling},
        {"close_inside_a_callback", close_inside_a_callback},
        {"close_during_a_callback", close_during_a_callback},
        {"a_callback_that_blocks", a_callback_that_blocks},
        {"close_wakes_a_poll", close_wakes_a_poll},
        {"threads_against_close", threads_against_close},
        {"fork_with_open_handles", fork_with_open_handles},
        {"many_handles", many_handles},
    };
    size_t at;
    CHECK(count_of_words >= 2);
    cloud_port = atoi(words[1]);
    for (at = 0; at < sizeof tests / sizeof *tests; at++) {
        long begun = now_ms();
        if (count_of_words > 2 && words[2][0] == '-' && strcmp(words[2] + 1, tests[at].name) == 0)
            continue;
        if (count_of_words > 2 && words[2][0] != '-' && strcmp(words[2], tests[at].name) != 0)
            continue;
        reset();
        tests[at].run();
        printf("ok %s (%ld ms)\n", tests[at].name, now_ms() - begun);
        fflush(stdout);
    }
    return 0;
}
