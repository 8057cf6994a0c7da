#define _GNU_SOURCE
#include "bench.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void entry(char *out, size_t room, const char *target, const char *order, unsigned number) {
    snprintf(out, room,
             "{\"service_name\":\"in_park\",\"data_target\":\"%s\",\"order_id\":\"%s\",\"car_number\":\"\xE4\xBA\xAC"
             "A12345\",\"in_time\":1790875218,\"car_type\":\"small\",\"c_type\":\"lane\",\"uid\":\"880099\","
             "\"empty_plot\":20,\"in_channel_id\":\"A1\",\"remark\":\"%u\"}",
             target, order, number);
}

static parklink_t *open_with(const char *link, const char *more) {
    char config[2048];
    parklink_t *handle = NULL;
    snprintf(config, sizeof config, "{\"park_id\":\"21782\"%s%s}", link, more);
    NEED(parklink_open(config, &handle) == PARKLINK_OK, "open");
    return handle;
}

parklink_t *open_cloud(const struct heard *server, const char *more) {
    char link[512];
    snprintf(link, sizeof link,
             ",\"ckey\":\"" CKEY "\",\"cloud_addr\":\"127.0.0.1\",\"cport\":%d,"
             "\"cloud\":{\"orders_per_second\":0,\"requests_per_window\":0}",
             server->cloud_port);
    return open_with(link, more);
}

parklink_t *open_http(const struct heard *server, const char *more) {
    char link[512];
    snprintf(link, sizeof link,
             ",\"union_id\":\"200208\",\"ukey\":\"" UKEY "\",\"bolink_addr\":\"http://127.0.0.1:%d\",\"http\":{\"proxy\":\"\"}",
             server->http_port);
    return open_with(link, more);
}

static char made[512];

static int discard(const char *path, const struct stat *facts, int kind, struct FTW *place) {
    (void)facts, (void)kind, (void)place;
    return remove(path);
}

static void remove_folder(void) { nftw(made, discard, 16, FTW_DEPTH | FTW_PHYS); }

const char *store_folder(void) {
    if (made[0] != '\0') {
        remove_folder();
    } else {
        atexit(remove_folder);
    }
    const char *where = getenv("BENCH_DIR");
    snprintf(made, sizeof made, "%s/parklink-bench-XXXXXX", where != NULL ? where : "/tmp");
    NEED(mkdtemp(made) != NULL, "no folder for the store");
    return made;
}
