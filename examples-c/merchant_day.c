/*
 * A merchant's day on ETCP, against a running parklink-sandbox: users log in by code and by the merchant's word, bind
 * plates, look for parks, come and go, ask the fee and pay it; ETCP pushes entries and exits to the library's listener.
 * Usage: merchant_day READY_FILE   (what parklink-sandbox --ready-file wrote)
 * Prints a line a step with what was sent and what came back; exit code 0 when every step went as it ought to.
 */
#define _POSIX_C_SOURCE 200809L
#include "day_pushes.h"

#define PHONE "13800000001"
#define OTHER "13508381199"
#define PLATE "\xe6\xb8\x9d" "ATX061"
#define NEW_ENERGY "\xe4\xba\xac" "AD12345"
#define OK PARKLINK_OK

static void day_answer(const char *service, const char *event, char *answer, size_t size) {
    (void)service;
    (void)event;
    snprintf(answer, size, "{\"code\":0,\"message\":\"ok\"}");
}

static void log_in(void) {
    char state[8192], code[16] = "";
    call("the user wants to log in", "etcp.uservalidatecode", OK, NULL, 0, "{\"mobilePhone\":\"" PHONE "\"}");
    call("and presses twice: one code a minute", "etcp.uservalidatecode", PARKLINK_E_RATE_LIMITED, NULL, 0,
         "{\"mobilePhone\":\"" PHONE "\"}");
    call("the user mistypes the code", "etcp.userlogin", PARKLINK_E_REFUSED, NULL, 0,
         "{\"mobilePhone\":\"" PHONE "\",\"code\":\"-\"}");
    /* The text message: the sandbox shows what it sent. */
    sandbox_ask(&box, "GET", "/state?parts=etcp", "", state, sizeof state);
    json_member(state, "code", code, sizeof code);
    call("the user types it right", "etcp.userlogin", OK, NULL, 0, "{\"mobilePhone\":\"" PHONE "\",\"code\":\"%s\"}", code);
    call("and binds a plate: the library knows whose call it is", "etcp.bindcar", OK, NULL, 0,
         "{\"plateNumber\":\"" PLATE "\"}");
}

static void look_for_parks(void) {
    char parks[4096], id[64];
    call("where can one park?", "etcp.surroundingparking", OK, parks, sizeof parks,
         "{\"lat\":\"39.872748\",\"lon\":\"116.429718\",\"radius\":\"500\",\"payType\":\"1\"}");
    json_member(parks, "id", id, sizeof id);
    call("how full is that one?", "etcp.parkingstatus", OK, NULL, 0, "{\"parkingId\":\"%s\"}", id);
    call("a position and a city: never both", "etcp.surroundingparking", PARKLINK_E_INVALID, NULL, 0,
         "{\"lat\":\"39.872748\",\"lon\":\"116.429718\",\"radius\":\"500\",\"city\":\"\xe5\x8c\x97\xe4\xba\xac\xe5\xb8\x82\"}");
}

static void pay(const char *what, const char *fee, const char *amount, const char *number, parklink_code expected) {
    char order[64], check[200], when[32];
    time_t beijing = time(NULL) + 8 * 3600;
    struct tm parts;
    json_member(fee, "orderId", order, sizeof order);
    json_member(fee, "verificationInfo", check, sizeof check);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", gmtime_r(&beijing, &parts));
    call(what, "etcp.orderpaid", expected, NULL, 0,
         "{\"orderId\":\"%s\",\"externalOrderId\":\"%s%s\",\"payment\":\"%s\",\"payTime\":\"%s\",\"verificationInfo\":\"%s\"}",
         order, run, number, amount, when, check);
}

static void park_and_pay(void) {
    char fee[2048], due[16];
    happens("the car came half an hour ago", "/etcp/enter", "orderId", "{\"plateNumber\":\"" PLATE "\",\"minutes_ago\":30}");
    await("the entry is pushed", "car_in");
    call("what is to pay?", "etcp.orderunpay", OK, fee, sizeof fee, "{\"plateNumber\":\"" PLATE "\"}");
    happens("an hour goes by", "/etcp/settings", "now", "{\"ahead_s\":3600}");
    json_member(fee, "remainingFee", due, sizeof due);
    pay("too little is refused before it leaves", fee, "0.50", "1", PARKLINK_E_INVALID);
    call("what is to pay now?", "etcp.orderunpay", OK, fee, sizeof fee, "{\"plateNumber\":\"" PLATE "\"}");
    json_member(fee, "remainingFee", due, sizeof due);
    pay("the user pays it", fee, due, "2", OK);
    call("what is left?", "etcp.orderunpay", OK, NULL, 0, "{\"plateNumber\":\"" PLATE "\"}");
    happens("the car leaves", "/etcp/exit", "orderId", "{\"plateNumber\":\"" PLATE "\"}");
    await("the exit is pushed", "car_out");
    call("what has the week cost?", "etcp.orderhistory", OK, NULL, 0, "{}");
}

static void another_user(void) {
    call("the merchant vouches for another user", "etcp.usersignin", OK, NULL, 0, "{\"mobilePhone\":\"" OTHER "\"}");
    call("who binds a plate", "etcp.bindcar", OK, NULL, 0,
         "{\"mobilePhone\":\"" OTHER "\",\"plateNumber\":\"" NEW_ENERGY "\"}");
    call("a plate that is somebody's", "etcp.bindcar", PARKLINK_E_REFUSED, NULL, 0,
         "{\"mobilePhone\":\"" OTHER "\",\"plateNumber\":\"" PLATE "\"}");
    happens("every token dies", "/faults", "killed", "{\"platform\":\"etcp\",\"kind\":\"token_kill\"}");
    call("the library logs in again by itself", "etcp.unbindcar", OK, NULL, 0,
         "{\"mobilePhone\":\"" OTHER "\",\"plateNumber\":\"" NEW_ENERGY "\"}");
    call("a login by code only the user can repeat", "etcp.orderhistory", PARKLINK_E_REFUSED, NULL, 0,
         "{\"mobilePhone\":\"" PHONE "\"}");
}

int main(int count, char **words) {
    char config[1024], address[64];
    if (count < 2 || sandbox_read(words[1], &box) != 0) {
        fprintf(stderr, "usage: merchant_day READY_FILE (written by parklink-sandbox --ready-file)\n");
        return 2;
    }
    snprintf(config, sizeof config,
             "{\"etcp\":{\"base\":\"%s\",\"merchant_no\":\"9827c6b5c6d94485b912b6e90c92a7ae\",\"merchant_key\":\"noxxxxx\","
             "\"app_id\":\"ETCP\"},\"listen\":{\"addr\":\"127.0.0.1:0\"}}",
             box.etcp);
    if (day_begins(config, address, sizeof address)) {
        happens("ETCP is told where to push", "/push-url", "ok", "{\"etcp\":\"http://%s/etcp\"}", address);
        log_in();
        look_for_parks();
        park_and_pay();
        another_user();
    }
    return day_ends();
}
