/*
 * A vendor platform's day over Bolink's open HTTP API, against a running parklink-sandbox: a lot is published, cars come
 * and go, prices are asked and paid, ETC pays, refuses and thinks about it, money goes back, a pass is sold; what Bolink
 * pushes arrives at the library's listener.
 * Usage: vendor_day READY_FILE   (what parklink-sandbox --ready-file wrote)
 * Prints a line a step with what was sent and what came back; exit code 0 when every step went as it ought to.
 */
#define _POSIX_C_SOURCE 200809L
#include "day_pushes.h"

#define PLATE(letter) "\xe4\xba\xac" letter "00001"
#define OK PARKLINK_OK
#define FROM_UNION "\"link\":\"union\",\"park_id\":\"%s\""

/* The lot. */
static char park[24];

static void day_answer(const char *service, const char *event, char *answer, size_t size) {
    char order[64];
    json_member(event, "order_id", order, sizeof order);
    if (strcmp(service, "query_price") == 0)
        snprintf(answer, size,
                 "{\"state\":1,\"errmsg\":\"\",\"park_id\":\"%s\",\"order_id\":\"%s\",\"price\":\"6.0\",\"total\":\"6.0\","
                 "\"duration\":60,\"free_out_time\":15}",
                 park, order);
    else
        /* What must be repeated from the push, the library fills in. */
        snprintf(answer, size, "{\"state\":1,\"errmsg\":\"\"}");
}

static void enters(const char *letter) {
    char what[32];
    snprintf(what, sizeof what, "car %s enters", letter);
    call(what, "union.addorder", OK, NULL, 0,
         "{\"order_id\":\"%s%s\",\"car_number\":\"\xe4\xba\xac%s00001\",\"in_time\":%ld,\"empty_plot\":80,\"in_channel_id\":\"A1\"}",
         letter, run, letter, (long)time(NULL) - 3600);
    await("can it be debited?", "notice_car_owner");
}

static void leaves(const char *what, const char *letter, const char *pay_type, const char *total) {
    call(what, "union.updateorder", OK, NULL, 0,
         "{\"order_id\":\"%s%s\",\"car_number\":\"\xe4\xba\xac%s00001\",\"out_time\":%ld,\"empty_plot\":81,\"pay_type\":\"%s\","
         "\"total\":\"%s\",\"out_channel_id\":\"B1\"}",
         letter, run, letter, (long)time(NULL), pay_type, total);
}

static void etc(const char *what, const char *letter, const char *more, parklink_code expected) {
    call(what, "etc_pay", expected, NULL, 0,
         "{\"order_id\":\"%s%s\",\"car_number\":\"\xe4\xba\xac%s00001\",\"in_time\":%ld,\"out_time\":%ld,\"total\":\"6.00\","
         "\"in_channel_id\":\"A1\",\"out_channel_id\":\"B1\",\"parking_time\":\"60\",\"lane_no\":\"000139\"%s}",
         letter, run, letter, (long)time(NULL) - 3600, (long)time(NULL), more);
}

static void a_lot_is_published(void) {
    call("a lot is published", "union.addpark", OK, NULL, 0,
         "{\"name\":\"\xe5\x8c\x97\xe4\xba\xac\xe4\xb8\x8a\xe5\x9c\xb0\",\"address\":\"-\",\"phone\":\"13900944433\","
         "\"city_id\":110000,\"lng\":\"116.310003\",\"lat\":\"40.043212\",\"total_plot\":120,\"empty_plot\":83,"
         "\"price_desc\":\"6/h\"}");
    call("it is not live yet", "union.updatepark", PARKLINK_E_REFUSED, NULL, 0,
         "{\"type\":1,\"total_plot\":120,\"empty_plot\":82}");
    happens("Bolink approves it", "/approve", "ok", "{\"park_id\":\"%s\"}", park);
    call("its free spaces", "union.updatepark", OK, NULL, 0, "{\"type\":1,\"total_plot\":120,\"empty_plot\":82}");
    call("the code of its exit", "union.getqrcodecloud", OK, NULL, 0, "{\"type\":2,\"channel_id\":\"B1\"}");
}

static void paid_on_the_phone(void) {
    char state[2048], trade[64];
    enters("A");
    happens("the driver of A asks the price", "/driver/scan", "\"answered\":true",
            "{" FROM_UNION ",\"car_number\":\"" PLATE("A") "\"}", park);
    happens("and pays it", "/driver/pay", "\"answered\":true", "{" FROM_UNION ",\"order_id\":\"A%s\"}", park, run);
    call("has A paid?", "union.queryOrderState", OK, state, sizeof state,
         "{\"order_id\":\"A%s\",\"car_number\":\"" PLATE("A") "\"}", run);
    json_member(state, "trade_no", trade, sizeof trade);
    leaves("A leaves", "A", "cash", "0.00");
    call("A paid too much: money goes back", "union.refund", PARKLINK_E_PENDING, NULL, 0,
         "{\"trade_no\":\"%s\",\"refund_money\":1.00,\"refund_reason\":\"-\"}", trade);
    await("it is back", "refund");
    happens("a car without a plate", "/driver/enter", "\"answered\":true",
            "{" FROM_UNION ",\"phone\":\"18888888888\",\"channel_id\":\"A1\"}", park);
}

static void paid_by_etc(void) {
    static const char ant[] = ",\"pay_type\":\"my\",\"license_color\":2,\"empty_plot\":80,\"total_original\":\"6.00\","
                              "\"inpark_img\":\"http://img/in\",\"outpark_img\":\"http://img/out\"";
    static const char box_of_jinyi[] = ",\"pay_type\":\"jyyh\"";
    enters("B");
    enters("C");
    enters("D");
    etc("a colour that this provider does not know", "B", ",\"pay_type\":\"cj\",\"license_color\":7", PARKLINK_E_INVALID);
    etc("B is charged by ETC: paid", "B", ant, OK);
    happens("the next card is empty", "/etc", "ok", "{\"answer\":\"refused\"}");
    etc("C is charged by ETC: refused", "C", ant, PARKLINK_E_REFUSED);
    leaves("C pays cash", "C", "cash", "6.00");
    happens("the next bank thinks", "/etc", "ok", "{\"answer\":\"pending\",\"result\":\"paid\"}");
    etc("D is charged by ETC: pending, the barrier stays down", "D", box_of_jinyi, PARKLINK_E_PENDING);
    await("D is paid, the barrier goes up", "outpark");
}

static void owed(void) {
    enters("E");
    leaves("E leaves without paying", "E", "escape", "12.00");
    call("what does E owe?", "union.queryescape", OK, NULL, 0,
         "{\"car_number\":\"" PLATE("E") "\",\"time_temp\":\"%ld\"}", (long)time(NULL));
    call("E pays with a code", "union.bolinkescapePay", PARKLINK_E_PENDING, NULL, 0,
         "{\"title\":\"-\",\"order_id\":\"E%s\",\"car_number\":\"" PLATE("E") "\",\"trade_no\":\"2024%s00000001\",\"pay_type\":2,"
         "\"auth_code\":\"134789575154465610\",\"time_temp\":\"%ld\"}",
         run, run, (long)time(NULL));
    await("it is paid", "plat_escape_order");
}

static void office(const char *address) {
    call("a pass is ordered", "union.paymonthcard", OK, NULL, 0,
         "{\"amount\":\"300.00\",\"card_id\":\"M%s\",\"trade_no\":\"2024%s00000002\",\"notify_url\":\"http://%s/union\","
         "\"car_number\":\"" PLATE("A") "\",\"time_temp\":\"%ld\"}",
         run, run, address, (long)time(NULL));
    happens("and paid", "/driver/settle", "true", "{\"trade_no\":\"2024%s00000002\"}", run);
    await("the pass is sold", "monthcard_pay");
    call("an invoice", "union.openInvoice", OK, NULL, 0,
         "{\"type\":2,\"open_type\":0,\"invoice_order_no\":\"I%s\",\"money\":6.00,\"buyer_name\":\"-\"}", run);
    call("is it issued?", "union.queryOpenInvoiceStatus", OK, NULL, 0, "{\"type\":2,\"invoice_order_no\":\"I%s\"}", run);
    call("may a car come in?", "union.park_check", OK, NULL, 0, "{\"car_number\":\"" PLATE("F") "\"}");
    happens("Bolink raises a barrier", "/downlink?wait=1", "\"answered\":true",
            "{" FROM_UNION ",\"message\":{\"service_name\":\"operate_liftrod\",\"park_id\":\"%s\",\"channel_id\":\"B1\","
            "\"operate\":0,\"liftrod_id\":\"L%s\"}}",
            park, park, run);
    call("how many cars does the city see?", "union.parking_business_count", OK, NULL, 0, "{}");
    call("the day's orders", "union.queryorders", OK, NULL, 0, "{\"park_id\":\"%s\",\"start_time\":%ld}", park,
         (long)time(NULL) - 86400);
}

int main(int count, char **words) {
    char config[1024], address[64];
    if (count < 2 || sandbox_read(words[1], &box) != 0) {
        fprintf(stderr, "usage: vendor_day READY_FILE (written by parklink-sandbox --ready-file)\n");
        return 2;
    }
    snprintf(park, sizeof park, "V%08lu", (unsigned long)time(NULL) % 100000000);
    snprintf(config, sizeof config,
             "{\"union_id\":\"200208\",\"ukey\":\"8403A41ED5EF20BC\",\"park_id\":\"%s\",\"union\":{\"base\":\"%s\"},"
             "\"etc\":{\"by\":\"union\"},\"listen\":{\"addr\":\"127.0.0.1:0\"}}",
             park, box.union_api);
    if (day_begins(config, address, sizeof address)) {
        happens("Bolink is told where to push", "/push-url", "ok", "{\"union\":\"http://%s/union\"}", address);
        a_lot_is_published();
        paid_on_the_phone();
        paid_by_etc();
        owed();
        office(address);
    }
    return day_ends();
}
