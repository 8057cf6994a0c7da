/*
 * A day with a listener, to which the platforms push: calls with the code they ought to give, and where the listener is.
 */
#ifndef DAY_PUSHES_H
#define DAY_PUSHES_H

#include "day_handle.h"

/* Calls an interface; the code ought to be the given one. What was replied is copied to reply, which may be NULL. */
static void call(const char *what, const char *interface_id, parklink_code expected, char *reply, size_t size,
                 const char *format, ...) {
    char json[1536], sent[1700], *got = NULL;
    parklink_code code;
    va_list values;
    va_start(values, format);
    vsnprintf(json, sizeof json, format, values);
    va_end(values);
    code = strcmp(interface_id, "etc_pay") == 0 ? parklink_etc_pay(lot, json, &got)
                                                : parklink_call(lot, interface_id, json, &got);
    snprintf(sent, sizeof sent, "%s %s", interface_id, json);
    tell(what, sent, got != NULL ? got : parklink_last_error(), code == expected);
    if (reply != NULL)
        snprintf(reply, size, "%s", got != NULL ? got : "");
    parklink_string_free(got);
}

/* Opens the handle with its listener. Returns 1 when it stands; address is then where the listener is. */
static int day_begins(const char *config, char *address, size_t size) {
    char *status = NULL, text[64];
    const char *listener;
    parklink_code code = day_opens(config);
    snprintf(run, sizeof run, "%08lu", (unsigned long)time(NULL) % 100000000);
    address[0] = '\0';
    if (code == PARKLINK_OK)
        code = parklink_status(lot, &status);
    if (code == PARKLINK_OK) {
        listener = json_member(status, "listener", text, sizeof text);
        if (listener != NULL)
            json_member(listener, "addr", address, size);
    }
    tell("the software starts", "(configuration)", code == PARKLINK_OK ? address : parklink_last_error(),
         code == PARKLINK_OK && address[0] != '\0');
    parklink_string_free(status);
    return code == PARKLINK_OK && address[0] != '\0';
}

#endif
