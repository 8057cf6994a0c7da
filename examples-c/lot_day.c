/*
 * A lot's day against both platforms of a running parklink-sandbox: entries, a price asked and paid on the phone, a car
 * without a plate, exits by cash, wallet and ETC, a month card, commands of the cloud, shifts.
 * Usage: lot_day READY_FILE   (what parklink-sandbox --ready-file wrote)
 * Prints a line a step with what was sent and what came back; exit code 0 when every step went as it ought to.
 */
#define _POSIX_C_SOURCE 200809L
#include "day_answers.h"
#include "day_handle.h"
#include "day_records.h"

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
    happens("the driver of A asks the price", "/driver/scan", "\"answered\":true", SCAN, run);
    happens("the driver of A pays on the phone", "/driver/pay", "\"answered\":true", PREPAY, run);
    upload("has A paid?", PAID, PARKLINK_OK, parklink_upload);
    happens("a car without a plate", "/driver/enter", "\"answered\":true", NO_PLATE, run);
    upload("it enters", ENTRY("N", "N%.0s0000001"), PARKLINK_OK, parklink_in_park);
    happens("a shop gives C a coupon", "/coupon?wait=1", "\"answered\":true", COUPON, run, run);
    happens("the driver of B has a wallet", "/balance", "\"pushed\"", WALLET);
    await("its balance arrives", "update_balance");
}

static void commands(void) {
    happens("the cloud raises a barrier", "/downlink?wait=1", "\"answered\":true", RAISE);
    upload("the barrier went up", LIFT, PARKLINK_OK, parklink_upload);
    happens("the owner locks car C", "/downlink?wait=1", "\"answered\":true", LOCK, run);
    happens("a price is changed in the cloud", "/price", "\"id\"", PRICE, run);
    happens("a card is sold in the cloud", "/sync", "\"id\"", CARD, run);
    happens("the cloud sends what changed", "/sync/run", "\"sent\"", "{}");
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
    char config[1024];
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

    code = day_opens(config);
    if (code == PARKLINK_OK)
        code = parklink_wait_ready(lot, 15000);
    tell("the software starts", "(configuration)", code == PARKLINK_OK ? "logged in" : parklink_last_error(),
         code == PARKLINK_OK);
    if (code == PARKLINK_OK) {
        morning();
        phones();
        commands();
        evening();
    }
    return day_ends();
}
