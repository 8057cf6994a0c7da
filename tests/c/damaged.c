/*
 * A store that was damaged: the program hears of it, by callback or by poll, however late it asks.
 * Usage: damaged FOLDER poll | damaged FOLDER callback. The folder's store is damaged already.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

static char said[4096];
static int calls;

static void PARKLINK_CALL on_downlink(void *user_data, uint64_t event_id, const char *event_json) {
    CHECK(user_data == said && event_id == 0);
    pthread_mutex_lock(&lock);
    snprintf(said, sizeof said, "%s", event_json);
    calls++;
    pthread_mutex_unlock(&lock);
}

static int heard(void) {
    int value;
    pthread_mutex_lock(&lock);
    value = calls;
    pthread_mutex_unlock(&lock);
    return value;
}

static void by_callback(parklink_t *lot) {
    parklink_downlink_callbacks callbacks;
    long end = now_ms() + 10000;
    memset(&callbacks, 0, sizeof callbacks);
    callbacks.struct_size = sizeof callbacks;
    callbacks.user_data = said;
    callbacks.on_downlink = on_downlink;
    EXPECT(PARKLINK_OK, parklink_on_downlink(lot, &callbacks));
    while (!heard()) {
        CHECK(now_ms() < end);
        sleep_ms(5);
    }
}

static void by_poll(parklink_t *lot) {
    char *event = NULL;
    EXPECT(PARKLINK_OK, parklink_poll(lot, 5000, &event));
    CHECK(event != NULL);
    snprintf(said, sizeof said, "%s", event);
    parklink_string_free(event);
    EXPECT(PARKLINK_E_NO_EVENT, parklink_poll(lot, 0, &event));
}

int main(int count, char **words) {
    char config[1024], *status = NULL;
    parklink_t *lot = NULL;
    uint64_t left = 7;
    CHECK(count == 3);
    snprintf(config, sizeof config,
             "{\"park_id\":\"21782\",\"ckey\":\"WERRTTTTYY\",\"cloud_addr\":\"127.0.0.1\",\"cport\":1,\"store\":{\"dir\":\"%s\"}}",
             words[1]);
    EXPECT(PARKLINK_OK, parklink_open(config, &lot));
    /* Longer than platforms wait for somebody who takes their downlinks. */
    sleep_ms(2500);
    if (strcmp(words[2], "poll") == 0) {
        by_poll(lot);
    } else {
        by_callback(lot);
    }
    EXPECT(PARKLINK_OK, parklink_status(lot, &status));
    EXPECT(PARKLINK_OK, parklink_submit(lot, "{\"service_name\":\"park_log\",\"data_target\":\"cloud\",\"log_id\":\"1\","
                                             "\"content\":\"x\",\"operate_time\":1490879218,\"user_id\":\"1\"}",
                                        NULL));
    EXPECT(PARKLINK_OK, parklink_close(lot, 5000, &left));
    CHECK(left == 1);
    CHECK(calls <= 1);
    printf("%s\n%s\n", said, status);
    parklink_string_free(status);
    return 0;
}
