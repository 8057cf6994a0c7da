/*
 * A lot's day against both platforms of a running parklink-sandbox: entries, a price asked and paid on the phone, a car
 * without a plate, exits by cash, wallet and ETC, a month card, commands of the cloud, shifts.
 * Usage: lot_day READY_FILE   (what parklink-sandbox --ready-file wrote)
 * Prints a line a step with what was sent and what came back; exit code 0 when every step went as it ought to.
 */
#define _POSIX_C_SOURCE 200809L
#include "day_answers.h"
#include "day_records.h"
#include "parklink.h"
#include "sandbox_control.h"

#include <pthread.h>
#include <time.h>

static parklink_t *lot;
static sandbox box;
static char run[16];

/* Steps are told by the main thread and by the callback's. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static int steps, good;
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

/* Uploads a record; the code ought to be the given one. */
static void upload(const char *what, const char *record, parklink_code expected,
                   parklink_code(PARKLINK_CALL *call)(parklink_t *, const char *, char **)) {
    char json[1024], *reply = NULL;
    parklink_code code;
    snprintf(json, sizeof json, record, run, run);
    code = call(lot, json, &reply);
    tell(what, json, reply != NULL ? reply : parklink_last_error(), code == expected);
    parklink_string_free(reply);
}

/* Has the sandbox do something that asks the lot, and waits for what the lot answered. */
static void asked(const char *what, const char *path, const char *request, const char *in_answer) {
    char json[1024], answer[4096];
    int status;
    snprintf(json, sizeof json, request, run, run);
    status = sandbox_post(&box, path, json, answer, sizeof answer);
    tell(what, json, answer, status == 200 && strstr(answer, in_answer) != NULL);
}

/* Called by the library, on a thread of its own, for everything that the platforms say. */
static void PARKLINK_CALL on_downlink(void *user_data, uint64_t event_id, const char *event) {
    char service[64], kind[16], answer[512] = "(no answer is asked for)";
    parklink_code code = PARKLINK_OK;
    (void)user_data;
    json_member(event, "service_name", service, sizeof service);
    json_member(event, "kind", kind, sizeof kind);
    if (strcmp(kind, "request") == 0) {
        day_answer(service, event, answer, sizeof answer);
        code = parklink_reply(lot, event_id, answer);
        if (code != PARKLINK_OK)
            snprintf(answer, sizeof answer, "%s", parklink_last_error());
    }
    tell("the platform says", answer, event, code == PARKLINK_OK);
    pthread_mutex_lock(&lock);
    if (taken_count < 64)
        snprintf(taken[taken_count++], sizeof taken[0], "%s", service);
    pthread_cond_broadcast(&arrived);
    pthread_mutex_unlock(&lock);
}

/* Waits until a downlink of that name has been taken. */
static void await(const char *what, const char *service) {
    struct timespec end;
    int at, found = 0, in_time = 1;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 10;
    pthread_mutex_lock(&lock);
    while (!found && in_time) {
        for (at = 0; at < taken_count; at++)
            found = found || strcmp(taken[at], service) == 0;
        if (!found)
            in_time = pthread_cond_timedwait(&arrived, &lock, &end) == 0;
    }
    pthread_mutex_unlock(&lock);
    tell(what, "(waiting)", service, found);
}

static void morning(void) {
    upload("a collector starts to work here", COLLECTOR, PARKLINK_OK, parklink_upload);
    upload("a lane", GATE, PARKLINK_OK, parklink_upload);
    upload("the shift begins", SHIFT_BEGINS, PARKLINK_OK, parklink_upload);
    upload("car A enters", ENTRY("A", PLATE_A), PARKLINK_OK, parklink_in_park);
    upload("car B enters", ENTRY("B", PLATE_B), PARKLINK_OK, parklink_in_park);
    upload("car C enters", ENTRY("C", PLATE_C), PARKLINK_OK, parklink_in_park);
    upload("the driver of A buys a month card", MEMBER, PARKLINK_OK, parklink_upload);
}

static void phones(void) {
    asked("the driver of A asks the price", "/driver/scan", SCAN, "\"answered\":true");
    asked("the driver of A pays on the phone", "/driver/pay", PREPAY, "\"answered\":true");
    upload("has A paid?", PAID, PARKLINK_OK, parklink_upload);
    asked("a car without a plate", "/driver/enter", NO_PLATE, "\"answered\":true");
    upload("it enters", ENTRY("N", "N%.0s0000001"), PARKLINK_OK, parklink_in_park);
    asked("a shop gives C a coupon", "/coupon?wait=1", COUPON, "\"answered\":true");
    asked("the driver of B has a wallet", "/balance", WALLET, "\"pushed\"");
    await("its balance arrives", "update_balance");
}

static void commands(void) {
    asked("the cloud raises a barrier", "/downlink?wait=1", RAISE, "\"answered\":true");
    upload("the barrier went up", LIFT, PARKLINK_OK, parklink_upload);
    asked("the owner locks car C", "/downlink?wait=1", LOCK, "\"answered\":true");
    asked("a price is changed in the cloud", "/price", PRICE, "\"id\"");
    asked("a card is sold in the cloud", "/sync", CARD, "\"id\"");
    asked("the cloud sends what changed", "/sync/run", "{}", "\"sent\"");
    await("the price arrives", "price_sync");
    await("the card arrives", "month_member_sync");
    upload("what the lot did about it", LOG_LINE, PARKLINK_OK, parklink_upload);
}

static void evening(void) {
    upload("A leaves, paid by phone", EXIT("A", PLATE_A, "cash", "6.00", ",\"electronic_prepay\":\"6.00\",\"cash_pay\":\"0.00\""),
           PARKLINK_OK, parklink_out_park);
    upload("can B pay by itself?", PAY_STATUS, PARKLINK_OK, parklink_pay_status);
    upload("B leaves by wallet", EXIT("B", PLATE_B, "wallet", "6.50", ""), PARKLINK_E_PENDING, parklink_out_park);
    await("B is paid", "outpark");
    upload("C is charged by ETC", ETC, PARKLINK_OK, parklink_etc_pay);
    upload("C leaves", SETTLED, PARKLINK_OK, parklink_upload);
    upload("the shift ends", SHIFT_ENDS, PARKLINK_OK, parklink_upload);
}

int main(int count, char **words) {
    parklink_downlink_callbacks callbacks = {sizeof callbacks, NULL, NULL, on_downlink};
    char config[1024], *status = NULL;
    uint64_t left = 0;
    parklink_code code;
    if (count < 2 || sandbox_read(words[1], &box) != 0) {
        fprintf(stderr, "usage: lot_day READY_FILE (written by parklink-sandbox --ready-file)\n");
        return 2;
    }
    snprintf(run, sizeof run, "1%07lu", (unsigned long)time(NULL) % 10000000);
    snprintf(config, sizeof config,
             "{\"union_id\":\"200208\",\"ukey\":\"8403A41ED5EF20BC\",\"park_id\":\"21782\",\"ckey\":\"WERRTTTTYY\","
             "\"cloud_addr\":\"%s\",\"cport\":%s,\"bolink_addr\":\"%s\",\"local_id\":\"day_channels_A1_A2\","
             "\"set_params\":{\"prepay_send\":\"1\",\"receive_cloud\":\"1\"}}",
             box.cloud_host, box.cloud_port, box.bolink);

    code = parklink_open(config, &lot);
    if (code == PARKLINK_OK)
        code = parklink_on_downlink(lot, &callbacks);
    if (code == PARKLINK_OK)
        code = parklink_wait_ready(lot, 15000);
    tell("the software starts", "(configuration)", code == PARKLINK_OK ? "logged in" : parklink_last_error(),
         code == PARKLINK_OK);
    if (code == PARKLINK_OK) {
        morning();
        phones();
        commands();
        evening();
        code = parklink_status(lot, &status);
        tell("how do things stand?", "(status)", status != NULL ? status : parklink_last_error(), code == PARKLINK_OK);
        parklink_string_free(status);
    }
    code = parklink_close(lot, 10000, &left);
    tell("the software ends", "(close)", left == 0 ? "nothing is left unanswered" : "downlinks are left unanswered",
         code == PARKLINK_OK && left == 0);
    printf("demo: %d steps, %d ok\n", steps, good);
    return good == steps ? 0 : 1;
}
