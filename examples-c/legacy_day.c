/*
 * A lot's day through the functions of the original SDK (upload_util.h), as software made for it would live it.
 * Usage: legacy_day READY_FILE   (what parklink-sandbox --ready-file wrote)
 * Prints a line a step with what was sent and what came back; exit code 0 when every step went as it ought to.
 */
#define _POSIX_C_SOURCE 200809L
#include "day_answers.h"
#include "day_records.h"
#include "day_steps.h"
#include "upload_util.h"

/* Whether an answer has this state. */
static int has_state(const char *json, const char *state) {
    char found[8];
    json_member(json, "state", found, sizeof found);
    return strcmp(found, state) == 0;
}

/* What the lot has to answer, as against answers to what it uploaded. */
static int is_asked(const char *service) {
    static const char *const names[] = {"query_price", "prepay_order", "nolicence_in_park", "outpark",    "deliver_ticket",
                                        "lock_car",    "price_sync",   "month_member_sync", "operate_liftrod"};
    size_t at;
    for (at = 0; at < sizeof names / sizeof *names; at++)
        if (strcmp(names[at], service) == 0)
            return 1;
    return 0;
}

/* The receive function: the only way by which the original SDK spoke. */
static void UPLOAD_UTIL_CALLBACK receive(const char *json) {
    char service[64], answer[512], named[1024];
    json_member(json, "service_name", service, sizeof service);
    if (is_asked(service)) {
        /* The answer goes back by UploadData, under the same service_name. */
        day_answer(service, json, answer, sizeof answer);
        snprintf(named, sizeof named, "{\"service_name\":\"%s\",%s", service, answer + 1);
        tell("the platform says", named, json, has_state(UploadUtilNative_UploadData(named), "1"));
    } else {
        tell("the platform's later answer", "(received)", json, has_state(json, "1") || strstr(json, "\"data\":[") != NULL ||
                                                                    strcmp(service, "update_balance") == 0);
    }
    note(service);
}

/* A call that is answered on the spot. The string is the library's; nobody frees it. */
static void call(const char *what, const char *record, const char *state,
                 char *(UPLOAD_UTIL_CALL *function)(const char *)) {
    char json[1024];
    const char *answer;
    snprintf(json, sizeof json, record, run, run);
    answer = function(json);
    tell(what, json, answer, has_state(answer, state));
}

/* A record that is taken over now and answered later through receive. */
static void upload(const char *what, const char *record) {
    char json[1024], service[64];
    snprintf(json, sizeof json, record, run, run);
    json_member(json, "service_name", service, sizeof service);
    call(what, record, "1", UploadUtilNative_UploadData);
    if (!comes(service))
        tell(what, json, "no answer has come", 0);
}

static void day(void) {
    upload("a collector starts to work here", COLLECTOR);
    upload("a lane", GATE);
    upload("the shift begins", SHIFT_BEGINS);
    call("car A enters", ENTRY("A", PLATE_A), "1", UploadUtilNative_UploadInParkOrder);
    call("car B enters", ENTRY("B", PLATE_B), "1", UploadUtilNative_UploadInParkOrder);
    call("car C enters", ENTRY("C", PLATE_C), "1", UploadUtilNative_UploadInParkOrder);
    upload("the driver of A buys a month card", MEMBER);
    happens("the driver of A asks the price", "/driver/scan", "\"answered\":true", SCAN, run);
    happens("the driver of A pays on the phone", "/driver/pay", "\"answered\":true", PREPAY, run);
    upload("has A paid?", PAID);
    happens("a car without a plate", "/driver/enter", "\"answered\":true", NO_PLATE, run);
    call("it enters", ENTRY("N", "N%.0s0000001"), "1", UploadUtilNative_UploadInParkOrder);
    happens("a shop gives C a coupon", "/coupon?wait=1", "\"answered\":true", COUPON, run, run);
    happens("the driver of B has a wallet", "/balance", "\"pushed\"", WALLET);
    await("its balance arrives", "update_balance");
    happens("the cloud raises a barrier", "/downlink?wait=1", "\"answered\":true", RAISE);
    upload("the barrier went up", LIFT);
    happens("the owner locks car C", "/downlink?wait=1", "\"answered\":true", LOCK, run);
    happens("a price is changed in the cloud", "/price", "\"id\"", PRICE, run);
    happens("a card is sold in the cloud", "/sync", "\"id\"", CARD, run);
    happens("the cloud sends what changed", "/sync/run", "\"sent\"", "{}");
    await("the price arrives", "price_sync");
    await("the card arrives", "month_member_sync");
    upload("what the lot did about it", LOG_LINE);
    call("A leaves, paid by phone", EXIT("A", PLATE_A, "cash", "6.00", ",\"electronic_prepay\":\"6.00\",\"cash_pay\":\"0.00\""),
         "1", UploadUtilNative_UploadOutParkOrder);
    call("can B pay by itself?", PAY_STATUS, "1", UploadUtilNative_GetPayStatus);
    call("B leaves by wallet", EXIT("B", PLATE_B, "wallet", "6.50", ""), "2", UploadUtilNative_UploadOutParkOrder);
    await("B is paid", "outpark");
    upload("C is charged by ETC", ETC);
    upload("C leaves", SETTLED);
    upload("the shift ends", SHIFT_ENDS);
}

int main(int count, char **words) {
    char config[1024];
    const char *answer;
    if (count < 2 || sandbox_read(words[1], &box) != 0) {
        fprintf(stderr, "usage: legacy_day READY_FILE (written by parklink-sandbox --ready-file)\n");
        return 2;
    }
    snprintf(run, sizeof run, "2%07lu", (unsigned long)time(NULL) % 10000000);
    snprintf(config, sizeof config,
             "{\"union_id\":\"200208\",\"ukey\":\"8403A41ED5EF20BC\",\"park_id\":\"21782\",\"ckey\":\"WERRTTTTYY\","
             "\"cloud_addr\":\"%s\",\"cport\":%s,\"bolink_addr\":\"%s\",\"local_id\":\"day_channels_A1_A2\",\"log_show\":0,"
             "\"set_params\":{\"prepay_send\":\"1\",\"receive_cloud\":\"1\"}}",
             box.cloud_host, box.cloud_port, box.bolink);

    UploadUtilNative_SetReceiveData(receive);
    answer = UploadUtilNative_Init(config);
    tell("the software starts", "(configuration)", answer, has_state(answer, "1"));
    if (has_state(answer, "1"))
        day();
    UploadUtilNative_UnInit();
    answer = UploadUtilNative_GetPayStatus("{}");
    tell("the software ends", "(UnInit)", answer, has_state(answer, "0"));
    return day_result();
}
