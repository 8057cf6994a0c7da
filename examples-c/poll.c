/*
 * A program that asks for downlinks instead of being called: for software that has one loop and wants no other thread.
 * Usage: poll CONFIGURATION [DOWNLINKS], ends after so many downlinks (5).
 */
#include "json_member.h"
#include "parklink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What this lot says to each downlink: it agrees. Prices and orders of a real lot come from its database. */
static const char *answer_to(const char *service) {
    if (strcmp(service, "query_price") == 0)
        return "{\"state\":1,\"errmsg\":\"\",\"price\":\"6.0\",\"duration\":50,\"order_id\":\"poll_1\",\"park_id\":\"21782\"}";
    return "{\"state\":1,\"errmsg\":\"\"}";
}

int main(int count, char **words) {
    int left = count > 2 ? atoi(words[2]) : 5;
    parklink_t *lot = NULL;
    parklink_code code;
    if (count < 2) {
        fprintf(stderr, "usage: poll CONFIGURATION [DOWNLINKS]\n");
        return 2;
    }
    code = parklink_open(words[1], &lot);
    while (code == PARKLINK_OK && left > 0) {
        char *event = NULL;
        code = parklink_poll(lot, 1000, &event);
        if (code == PARKLINK_E_NO_EVENT) {
            /* Here the loop does its other work. */
            code = PARKLINK_OK;
        } else if (code == PARKLINK_OK) {
            char service[64], kind[16], number[32];
            json_member(event, "service_name", service, sizeof service);
            json_member(event, "kind", kind, sizeof kind);
            json_member(event, "event_id", number, sizeof number);
            printf("%s %s\n", kind, event);
            if (strcmp(kind, "request") == 0)
                code = parklink_reply(lot, strtoull(number, NULL, 10), answer_to(service));
            parklink_string_free(event);
            left--;
        }
        fflush(stdout);
    }
    if (code != PARKLINK_OK)
        fprintf(stderr, "%s: %s\n", parklink_error_name(code), parklink_last_error());
    /* Answers that are still on their way get up to 5 seconds. */
    parklink_close(lot, 5000, NULL);
    return code == PARKLINK_OK ? 0 : 1;
}
