/*
 * What the lot answers to downlinks. event is the JSON text of a downlink; the answer has the members that the documents
 * ask for and that cannot be copied from the downlink by themselves. Real software looks into its database here.
 */
#ifndef DAY_ANSWERS_H
#define DAY_ANSWERS_H

#include "json_member.h"

static inline void day_answer(const char *service, const char *event, char *answer, size_t size) {
    char order[64], number[64], plate[32];
    json_member(event, "order_id", order, sizeof order);
    if (strcmp(service, "query_price") == 0) {
        json_member(event, "query_order_no", number, sizeof number);
        snprintf(answer, size,
                 "{\"state\":1,\"errmsg\":\"\",\"park_id\":\"21782\",\"order_id\":\"%s\",\"query_order_no\":\"%s\","
                 "\"price\":\"6.0\",\"total\":\"6.0\",\"duration\":66,\"free_out_time\":15}",
                 order, number);
    } else if (strcmp(service, "prepay_order") == 0) {
        json_member(event, "prepay", number, sizeof number);
        snprintf(answer, size, "{\"state\":1,\"errmsg\":\"\",\"park_id\":\"21782\",\"order_id\":\"%s\",\"prepay\":\"%s\"}", order,
                 number);
    } else if (strcmp(service, "nolicence_in_park") == 0) {
        json_member(event, "car_number", plate, sizeof plate);
        json_member(event, "timetemp", number, sizeof number);
        snprintf(answer, size, "{\"state\":1,\"errmsg\":\"\",\"car_number\":\"%s\",\"timetemp\":%s}", plate, number);
    } else if (strcmp(service, "deliver_ticket") == 0) {
        snprintf(answer, size, "{\"state\":1,\"errmsg\":\"\",\"order_id\":\"%s\",\"have_order\":1}", order);
    } else {
        snprintf(answer, size, "{\"state\":1,\"errmsg\":\"\"}");
    }
}

#endif
