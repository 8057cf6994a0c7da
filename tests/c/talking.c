/*
 * A log callback that calls back into the library for every line, also for those that its own calls make.
 * Usage: talking PORT FOLDER, where PORT is a cloud on loopback that logs everyone in and sends downlinks all the time.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

static const char *const record = "{\"service_name\":\"park_log\",\"data_target\":\"cloud\",\"log_id\":\"1\",\"content\":\"x\","
                                  "\"operate_time\":1490879218,\"user_id\":\"1\"}";
static parklink_t *lot;
static int lines, uploads, destroyed;

static void PARKLINK_CALL on_log(void *user_data, int32_t level, const char *line) {
    char *text = NULL;
    uint64_t ticket, left;
    (void)user_data;
    CHECK(level >= PARKLINK_LOG_ERROR && line[0] != 0);
    EXPECT(PARKLINK_OK, parklink_status(lot, &text));
    parklink_string_free(text);
    EXPECT(PARKLINK_OK, parklink_upload(lot, record, &text));
    parklink_string_free(text);
    EXPECT(PARKLINK_OK, parklink_submit(lot, record, &ticket));
    EXPECT(PARKLINK_E_IN_CALLBACK, parklink_wait_ready(lot, 1000));
    EXPECT(PARKLINK_E_IN_CALLBACK, parklink_flush(lot, 1000, &left));
    EXPECT(PARKLINK_E_IN_CALLBACK, parklink_close(lot, 1000, &left));
    pthread_mutex_lock(&lock);
    lines++;
    pthread_mutex_unlock(&lock);
}

static void PARKLINK_CALL on_destroy(void *user_data) {
    (void)user_data;
    pthread_mutex_lock(&lock);
    destroyed++;
    pthread_mutex_unlock(&lock);
}

static void *upload(void *unused) {
    char *text = NULL;
    while (counted(&lines) < 30) {
        EXPECT(PARKLINK_OK, parklink_upload(lot, record, &text));
        parklink_string_free(text);
        pthread_mutex_lock(&lock);
        uploads++;
        pthread_mutex_unlock(&lock);
    }
    return unused;
}

int main(int count, char **words) {
    char config[1024];
    parklink_log_callbacks callbacks;
    pthread_t others[3];
    uint64_t left;
    long begun;
    int at;
    CHECK(count == 3);
    /* No limit of the rate: there are more uploads than it allows. */
    snprintf(config, sizeof config,
             "{\"park_id\":\"21782\",\"ckey\":\"WERRTTTTYY\",\"cloud_addr\":\"127.0.0.1\",\"cport\":%s,"
             "\"cloud\":{\"heartbeat_s\":1,\"requests_per_window\":0,\"orders_per_second\":0},\"log\":{\"level\":\"trace\"},"
             "\"store\":{\"dir\":\"%s\"}}",
             words[1], words[2]);
    EXPECT(PARKLINK_OK, parklink_open(config, &lot));
    EXPECT(PARKLINK_OK, parklink_wait_ready(lot, 10000));
    memset(&callbacks, 0, sizeof callbacks);
    callbacks.struct_size = sizeof callbacks;
    callbacks.destroy = on_destroy;
    callbacks.on_log = on_log;
    EXPECT(PARKLINK_OK, parklink_on_log(lot, &callbacks));
    for (at = 0; at < 3; at++) {
        CHECK(pthread_create(&others[at], NULL, upload, NULL) == 0);
    }
    wait_for(&lines, 30);
    for (at = 0; at < 3; at++) {
        CHECK(pthread_join(others[at], NULL) == 0);
    }
    EXPECT(PARKLINK_OK, parklink_on_log(lot, NULL));
    wait_for(&destroyed, 1);
    begun = now_ms();
    EXPECT(PARKLINK_OK, parklink_close(lot, 5000, &left));
    CHECK(counted(&destroyed) == 1 && now_ms() - begun < 10000);
    printf("ok talking: %d lines, %d uploads beside\n", counted(&lines), counted(&uploads));
    return 0;
}
