/*
 * The original SDK's functions as careless software calls them. Usage: legacy READY_FILE [malloc], the latter where the
 * strings are the caller's (UPLOADUTIL_STRINGS=malloc).
 */
#define _POSIX_C_SOURCE 200809L
#include "../../examples-c/sandbox_control.h"
#include "check.h"
#include "upload_util.h"

static sandbox box;
static int strings_are_ours;
static int calls, ends_inside;
static char last[2048];

static void UPLOAD_UTIL_CALLBACK receive(const char *json) {
    if (ends_inside)
        UploadUtilNative_UnInit();
    pthread_mutex_lock(&lock);
    calls++;
    snprintf(last, sizeof last, "%s", json);
    pthread_mutex_unlock(&lock);
}

/* Checks an answer, and frees it where it is ours. */
static void answers(char *answer, const char *state, const char *text) {
    char found[8];
    CHECK(answer != NULL);
    json_member(answer, "state", found, sizeof found);
    if (strcmp(found, state) != 0 || strstr(answer, text) == NULL) {
        fprintf(stderr, "expected state %s and \"%s\", found %s\n", state, text, answer);
        exit(1);
    }
    if (strings_are_ours)
        free(answer);
}

static void configure(char *config, size_t size, const char *key, const char *more) {
    snprintf(config, size,
             "{\"union_id\":\"200208\",\"ukey\":\"8403A41ED5EF20BC\",\"park_id\":\"21782\",\"ckey\":\"%s\",\"cloud_addr\":\"%s\","
             "\"cport\":%s%s}",
             key, box.cloud_host, box.cloud_port, more);
}

static const char *const park_log =
    "{\"service_name\":\"park_log\",\"data_target\":\"cloud\",\"log_id\":\"%d\",\"content\":\"c\",\"user_id\":\"u\","
    "\"operate_time\":1490875218}";

static void log_something(int number, const char *text) {
    char record[512];
    snprintf(record, sizeof record, park_log, number);
    answers(UploadUtilNative_UploadData(record), "1", text);
}

int main(int count, char **words) {
    char config[512], other[512], fast[512], few[512], *kept, *again;
    int before, at;
    CHECK(count > 1 && sandbox_read(words[1], &box) == 0);
    strings_are_ours = count > 2 && strcmp(words[2], "malloc") == 0;
    configure(config, sizeof config, "WERRTTTTYY", ",\"no_such_member\":1");
    configure(other, sizeof other, "WRONG", "");
    configure(few, sizeof few, "WERRTTTTYY",
              ",\"cloud\":{\"requests_per_window\":1,\"window_ms\":700,\"request_timeout_ms\":300}");
    configure(fast, sizeof fast, "WERRTTTTYY", ",\"set_params\":{\"fast\":true}");

    /* Before Init. */
    UploadUtilNative_UnInit();
    UploadUtilNative_SetReceiveData(NULL);
    answers(UploadUtilNative_UploadInParkOrder("{}"), "0", "Init");
    answers(UploadUtilNative_UploadOutParkOrder(NULL), "0", "Init");
    answers(UploadUtilNative_GetPayStatus("{}"), "0", "Init");
    answers(UploadUtilNative_UploadData("{}"), "0", "Init");
    answers(UploadUtilNative_Init(NULL), "0", "NULL");
    answers(UploadUtilNative_Init("junk"), "0", "JSON");
    answers(UploadUtilNative_Init("{\"park_id\":\"\xFF\"}"), "0", "UTF-8");
    answers(UploadUtilNative_Init("{}"), "0", "park_id");
    answers(UploadUtilNative_GetPayStatus("{}"), "0", "Init");

    /* A refused login tells the platform's reason; the right text then takes over. */
    UploadUtilNative_SetReceiveData(receive);
    answers(UploadUtilNative_Init(other), "0", "\xE7\xAD\xBE\xE5\x90\x8D");
    answers(UploadUtilNative_Init(config), "1", "");
    answers(UploadUtilNative_Init(config), "1", "");

    /* Texts that are none. */
    answers(UploadUtilNative_UploadData(NULL), "0", "NULL");
    answers(UploadUtilNative_UploadData("[]"), "0", "JSON");
    answers(UploadUtilNative_UploadData("{\"service_name\":"), "0", "JSON");
    answers(UploadUtilNative_UploadData("{}"), "0", "service_name");
    answers(UploadUtilNative_UploadData("{\"service_name\":\"\xBE\xA9\"}"), "0", "UTF-8");
    answers(UploadUtilNative_UploadInParkOrder("{\"order_id\":\"7\"}"), "0", "\"order_id\":\"7\"");

    /* Taken over now, answered later under the same name. */
    log_something(1, "send success!");
    wait_for(&calls, 1);
    CHECK(strstr(last, "\"park_log\"") != NULL && strstr(last, "\"state\":1") != NULL);

    /* Answers stay readable long after, whoever frees them. */
    kept = UploadUtilNative_GetPayStatus("{\"order_id\":\"kept\",\"car_number\":\"A1\"}");
    for (at = 0; at < 4000; at++) {
        again = UploadUtilNative_GetPayStatus("{}");
        if (strings_are_ours)
            free(again);
    }
    CHECK(strstr(kept, "\"kept\"") != NULL);
    UploadUtilNative_FreeString(kept);
    if (!strings_are_ours) {
        /* Twice, and what is not ours. */
        UploadUtilNative_FreeString(kept);
        UploadUtilNative_FreeString((char *)words[0]);
    }
    UploadUtilNative_FreeString(NULL);

    /* What was taken over still goes out, and its answer comes before UnInit returns; nothing comes after. */
    before = counted(&calls);
    for (at = 0; at < 5; at++)
        log_something(100 + at, "send success!");
    UploadUtilNative_UnInit();
    CHECK(counted(&calls) == before + 5);
    sleep_ms(100);
    CHECK(counted(&calls) == before + 5);
    answers(UploadUtilNative_UploadData("{}"), "0", "Init");

    /* fast: answered on the call. The receive function was kept over UnInit. */
    answers(UploadUtilNative_Init(fast), "1", "");
    log_something(200, "\"log_id\":\"200\"");
    CHECK(counted(&calls) == before + 5);

    /* UnInit inside the receive function. */
    answers(UploadUtilNative_Init(config), "1", "");
    ends_inside = 1;
    log_something(300, "send success!");
    wait_for(&calls, before + 6);
    answers(UploadUtilNative_UploadData("{}"), "0", "Init");
    sleep_ms(300);
    ends_inside = 0;
    answers(UploadUtilNative_Init(config), "1", "");
    log_something(400, "send success!");
    wait_for(&calls, before + 7);
    UploadUtilNative_UnInit();

    /* More than the rate allows in the time of a call: what was taken over waits for its turn. */
    answers(UploadUtilNative_Init(few), "1", "");
    log_something(500, "send success!");
    log_something(501, "send success!");
    wait_for(&calls, before + 9);
    CHECK(strstr(last, "\"501\"") != NULL && strstr(last, "\"state\":1") != NULL);
    UploadUtilNative_UnInit();
    puts("ok legacy");
    return 0;
}
