/*
 * Records that must arrive: stores entries and exits, whatever happens to the network and to this program meanwhile.
 * Usage: outage CONFIGURATION FIRST LAST, where CONFIGURATION is the JSON text with store.dir; stores an entry and an exit
 * for each car from FIRST to LAST, one car every 100 ms, and says "stored N" once both are on disk. With FIRST 0 it stores
 * nothing new, waits until everything has arrived, and says what is left.
 */
#include "parklink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>
static void rest(void) { Sleep(100); }
#else
#include <sys/select.h>
static void rest(void) {
    struct timeval time;
    time.tv_sec = 0;
    time.tv_usec = 100000;
    select(0, NULL, NULL, NULL, &time);
}
#endif

static int store(parklink_t *lot, long number, int leaves) {
    char json[640];
    char more[200] = "";
    if (leaves)
        strcpy(more, ",\"out_time\":1790879218,\"out_uid\":\"880099\",\"out_channel_id\":\"A2\",\"pay_type\":\"cash\","
                     "\"total\":\"6.00\",\"amount_receivable\":\"6.00\",\"cash_pay\":\"6.00\"");
    sprintf(json, "{\"service_name\":\"%s\",\"order_id\":\"outage_%ld\",\"car_number\":\"A%05ld\","
                  "\"in_time\":1790875218,\"car_type\":\"small\",\"c_type\":\"lane\",\"uid\":\"880099\",\"empty_plot\":20,"
                  "\"in_channel_id\":\"A1\"%s}", leaves ? "out_park" : "in_park", number, number, more);
    if (parklink_submit(lot, json, NULL) == PARKLINK_OK)
        return 1;
    printf("not stored: %s\n", parklink_last_error());
    return 0;
}

int main(int count, char **words) {
    parklink_t *lot = NULL;
    uint64_t left = 0;
    long number, last;
    int good = 1;

    if (count != 4) {
        printf("usage: outage CONFIGURATION FIRST LAST\n");
        return 2;
    }
    if (parklink_open(words[1], &lot) != PARKLINK_OK) {
        printf("not opened: %s\n", parklink_last_error());
        return 1;
    }
    number = atol(words[2]);
    last = atol(words[3]);
    for (; good && number > 0 && number <= last; number++) {
        good = store(lot, number, 0) && store(lot, number, 1);
        if (good)
            printf("stored %ld\n", number);
        fflush(stdout);
        rest();
    }
    if (atol(words[2]) == 0) {
        parklink_code code = parklink_flush(lot, 60000, &left);
        printf("left %lu\n", (unsigned long)left);
        good = code == PARKLINK_OK && left == 0;
    }
    parklink_close(lot, 5000, NULL);
    return good ? 0 : 1;
}
