/*
 * A day through parklink.h: the handle, its callback, how it begins and ends. The program says what it answers (day_answer).
 */
#ifndef DAY_HANDLE_H
#define DAY_HANDLE_H

#include "day_steps.h"
#include "parklink.h"

static parklink_t *lot;

/* What the software answers to an event. */
static void day_answer(const char *service, const char *event, char *answer, size_t size);

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
    note(service);
}

/* Opens the handle with its callback. */
static parklink_code day_opens(const char *config) {
    parklink_downlink_callbacks callbacks = {sizeof callbacks, NULL, NULL, on_downlink};
    parklink_code code = parklink_open(config, &lot);
    return code == PARKLINK_OK ? parklink_on_downlink(lot, &callbacks) : code;
}

/* Closes the handle and says how the day was; the program's exit code. */
static int day_ends(void) {
    char *status = NULL;
    uint64_t left = 0;
    parklink_code code = parklink_status(lot, &status);
    tell("how do things stand?", "(status)", status != NULL ? status : parklink_last_error(), code == PARKLINK_OK);
    parklink_string_free(status);
    code = parklink_close(lot, 10000, &left);
    tell("the software ends", "(close)", left == 0 ? "nothing is left unanswered" : "downlinks are left unanswered",
         code == PARKLINK_OK && left == 0);
    return day_result();
}

#endif
