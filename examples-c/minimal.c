/*
 * The least that works: open a lot, report an entry, close.
 * Usage: minimal [CONFIGURATION], where CONFIGURATION is the JSON text; by default the cloud of a running parklink-sandbox.
 */
#include "parklink.h"

#include <stdio.h>

int main(int count, char **words) {
    const char *config = count > 1 ? words[1] : "{\"park_id\":\"21782\",\"ckey\":\"WERRTTTTYY\","
                                                "\"cloud_addr\":\"127.0.0.1\",\"cport\":6791}";
    const char *entry = "{\"order_id\":\"minimal_1\",\"car_number\":\"\xE4\xBA\xAC" "A12345\",\"in_time\":1490875218,"
                        "\"car_type\":\"small\",\"c_type\":\"lane\",\"uid\":\"880099\",\"empty_plot\":20,"
                        "\"in_channel_id\":\"A1\"}";
    parklink_t *lot = NULL;
    char *reply = NULL;

    parklink_code code = parklink_open(config, &lot);
    if (code == PARKLINK_OK)
        code = parklink_wait_ready(lot, 10000);
    if (code == PARKLINK_OK)
        code = parklink_in_park(lot, entry, &reply);

    printf("%s %s\n", parklink_error_name(code), reply != NULL ? reply : parklink_last_error());
    parklink_string_free(reply);
    parklink_close(lot, 5000, NULL);
    return code == PARKLINK_OK ? 0 : 1;
}
