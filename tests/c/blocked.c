/*
 * A callback that does not return for a long time: everything else goes on.
 * Usage: blocked PORT SECONDS, where PORT is a cloud on loopback that logs everyone in and sends downlinks all the time.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int calls, destroyed, is_free;

static void PARKLINK_CALL on_downlink(void *user_data, uint64_t event_id, const char *event_json) {
    (void)event_id;
    (void)event_json;
    pthread_mutex_lock(&lock);
    CHECK(user_data == &calls && destroyed == 0);
    calls++;
    pthread_cond_broadcast(&changed);
    while (!is_free) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}

static void PARKLINK_CALL on_destroy(void *user_data) {
    pthread_mutex_lock(&lock);
    CHECK(user_data == &calls && is_free);
    destroyed++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* A number in the status. */
static long number(parklink_t *lot, const char *member) {
    char *status = NULL, *at;
    long value;
    EXPECT(PARKLINK_OK, parklink_status(lot, &status));
    at = strstr(status, member);
    CHECK(at != NULL);
    value = strtol(at + strlen(member), NULL, 10);
    parklink_string_free(status);
    return value;
}

int main(int count, char **words) {
    char config[512], *reply = NULL;
    parklink_t *lot = NULL;
    parklink_downlink_callbacks callbacks;
    uint64_t left = 7;
    long end, uploads = 0, heartbeats, begun;
    CHECK(count == 3);
    snprintf(config, sizeof config,
             "{\"park_id\":\"21782\",\"ckey\":\"WERRTTTTYY\",\"cloud_addr\":\"127.0.0.1\",\"cport\":%s,"
             "\"cloud\":{\"heartbeat_s\":1},\"events\":{\"queue\":100000}}",
             words[1]);
    EXPECT(PARKLINK_OK, parklink_open(config, &lot));
    memset(&callbacks, 0, sizeof callbacks);
    callbacks.struct_size = sizeof callbacks;
    callbacks.user_data = &calls;
    callbacks.destroy = on_destroy;
    callbacks.on_downlink = on_downlink;
    EXPECT(PARKLINK_OK, parklink_on_downlink(lot, &callbacks));
    wait_for(&calls, 1);

    /* The callback is in there all the time from here on. */
    heartbeats = number(lot, "\"heartbeats\":");
    end = now_ms() + atol(words[2]) * 1000;
    while (now_ms() < end) {
        EXPECT(PARKLINK_OK, parklink_upload(lot,
                                            "{\"service_name\":\"park_log\",\"data_target\":\"cloud\",\"log_id\":\"1\","
                                            "\"content\":\"x\",\"operate_time\":1490879218,\"user_id\":\"1\"}",
                                            &reply));
        parklink_string_free(reply);
        EXPECT(PARKLINK_E_BUSY, parklink_poll(lot, 0, &reply));
        EXPECT(PARKLINK_OK, parklink_wait_ready(lot, 0));
        uploads++;
        sleep_ms(200);
    }
    heartbeats = number(lot, "\"heartbeats\":") - heartbeats;
    CHECK(heartbeats >= 1);
    CHECK(number(lot, "\"connections\":") == 1 && number(lot, "\"logins\":") == 1);
    /* Downlinks come in all the time, and wait. */
    CHECK(number(lot, "\"waiting\":") >= 100);
    CHECK(counted(&calls) == 1);

    begun = now_ms();
    EXPECT(PARKLINK_E_TIMEOUT, parklink_close(lot, 300, &left));
    /* All that nobody has answered. */
    CHECK(left >= 100 && now_ms() - begun < 10000);
    CHECK(counted(&destroyed) == 0);
    EXPECT(PARKLINK_E_CLOSED, parklink_status(lot, &reply));
    EXPECT(PARKLINK_E_CLOSED, parklink_close(lot, 0, &left));
    CHECK(left == 0);

    /* It returns at last: its destroy runs, and no other callback. */
    pthread_mutex_lock(&lock);
    is_free = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    wait_for(&destroyed, 1);
    sleep_ms(100);
    CHECK(counted(&calls) == 1 && counted(&destroyed) == 1);
    printf("ok blocked for %s s: %ld uploads, %ld heartbeats\n", words[2], uploads, heartbeats);
    return 0;
}
