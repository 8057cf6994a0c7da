/*
 * A lot's day through the functions of the original SDK (upload_util.h), as software made for it would live it.
 * Usage: legacy_day READY_FILE   (what parklink-sandbox --ready-file wrote)
 * Prints a line a step with what was sent and what came back; exit code 0 when every step went as it ought to.
 */
#define _POSIX_C_SOURCE 200809L
#include "day_answers.h"
#include "day_records.h"
#include "sandbox_control.h"
#include "upload_util.h"

#include <pthread.h>
#include <time.h>

static sandbox box;
static char run[16];

/* Steps are told by the main thread and by the library's. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static int steps, good;
/* The names of the messages that came. */
static char taken[64][64];
static int taken_count;

static void tell(const char *what, const char *sent, const char *got, int ok) {
    pthread_mutex_lock(&lock);
    steps++;
    good += ok;
    printf("%2d %s | %s | -> %s | <- %s\n", steps, ok ? "ok  " : "FAIL", what, sent, got);
    fflush(stdout);
    pthread_mutex_unlock(&lock);
}

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
    pthread_mutex_lock(&lock);
    if (taken_count < 64)
        snprintf(taken[taken_count++], sizeof taken[0], "%s", service);
    pthread_cond_broadcast(&arrived);
    pthread_mutex_unlock(&lock);
}

static int counted(const char *service) {
    int at, found = 0;
    for (at = 0; at < taken_count; at++)
        found += strcmp(taken[at], service) == 0;
    return found;
}

/* Waits until more than so many messages of that name have come. */
static int await(const char *service, int before) {
    struct timespec end;
    int found, in_time = 1;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 15;
    pthread_mutex_lock(&lock);
    while ((found = counted(service) > before) == 0 && in_time)
        in_time = pthread_cond_timedwait(&arrived, &lock, &end) == 0;
    pthread_mutex_unlock(&lock);
    return found;
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
    int before;
    snprintf(json, sizeof json, record, run, run);
    json_member(json, "service_name", service, sizeof service);
    pthread_mutex_lock(&lock);
    before = counted(service);
    pthread_mutex_unlock(&lock);
    call(what, record, "1", UploadUtilNative_UploadData);
    if (!await(service, before))
        tell(what, json, "no answer has come", 0);
}

/* Has the sandbox do something that asks the lot, and waits for what the lot answered. */
static void asked(const char *what, const char *path, const char *request, const char *in_answer) {
    char json[1024], answer[4096];
    int status;
    snprintf(json, sizeof json, request, run, run);
    status = sandbox_post(&box, path, json, answer, sizeof answer);
    tell(what, json, answer, status == 200 && strstr(answer, in_answer) != NULL);
}

static void day(void) {
    upload("a collector starts to work here", COLLECTOR);
    upload("a lane", GATE);
    upload("the shift begins", SHIFT_BEGINS);
    call("car A enters", ENTRY("A", PLATE_A), "1", UploadUtilNative_UploadInParkOrder);
    call("car B enters", ENTRY("B", PLATE_B), "1", UploadUtilNative_UploadInParkOrder);
    call("car C enters", ENTRY("C", PLATE_C), "1", UploadUtilNative_UploadInParkOrder);
    upload("the driver of A buys a month card", MEMBER);
    asked("the driver of A asks the price", "/driver/scan", SCAN, "\"answered\":true");
    asked("the driver of A pays on the phone", "/driver/pay", PREPAY, "\"answered\":true");
    upload("has A paid?", PAID);
    asked("a car without a plate", "/driver/enter", NO_PLATE, "\"answered\":true");
    call("it enters", ENTRY("N", "N%.0s0000001"), "1", UploadUtilNative_UploadInParkOrder);
    asked("a shop gives C a coupon", "/coupon?wait=1", COUPON, "\"answered\":true");
    asked("the driver of B has a wallet", "/balance", WALLET, "\"pushed\"");
    tell("its balance arrives", "(waiting)", "update_balance", await("update_balance", 0));
    asked("the cloud raises a barrier", "/downlink?wait=1", RAISE, "\"answered\":true");
    upload("the barrier went up", LIFT);
    asked("the owner locks car C", "/downlink?wait=1", LOCK, "\"answered\":true");
    asked("a price is changed in the cloud", "/price", PRICE, "\"id\"");
    asked("a card is sold in the cloud", "/sync", CARD, "\"id\"");
    asked("the cloud sends what changed", "/sync/run", "{}", "\"sent\"");
    tell("the price arrives", "(waiting)", "price_sync", await("price_sync", 0));
    tell("the card arrives", "(waiting)", "month_member_sync", await("month_member_sync", 0));
    upload("what the lot did about it", LOG_LINE);
    call("A leaves, paid by phone", EXIT("A", PLATE_A, "cash", "6.00", ",\"electronic_prepay\":\"6.00\",\"cash_pay\":\"0.00\""),
         "1", UploadUtilNative_UploadOutParkOrder);
    call("can B pay by itself?", PAY_STATUS, "1", UploadUtilNative_GetPayStatus);
    call("B leaves by wallet", EXIT("B", PLATE_B, "wallet", "6.50", ""), "2", UploadUtilNative_UploadOutParkOrder);
    tell("B is paid", "(waiting)", "outpark", await("outpark", 0));
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
    printf("demo: %d steps, %d ok\n", steps, good);
    return good == steps ? 0 : 1;
}
