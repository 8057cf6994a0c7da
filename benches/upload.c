/* A synchronous upload over each link, against a bare socket that does the same exchange with a text made beforehand, and
 * over HTTP against the plain client. Calls take turns, so that what disturbs the machine disturbs all.
 * With words: `upload count lib N` or `upload count plain N` only uploads N times over HTTP, for callgrind. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CALLS = 400 };

static void library(parklink_t *handle, const char *target, unsigned number, struct samples *samples) {
    char order[32], json[1024], *reply = NULL;
    snprintf(order, sizeof order, "order%u", number);
    entry(json, sizeof json, target, order, number);
    uint64_t begun = now_ns();
    parklink_code code = parklink_upload(handle, json, &reply);
    sample(samples, now_ns() - begun);
    NEED(code == PARKLINK_OK, "upload");
    parklink_string_free(reply);
}

static void bare(int fd, const char *text, size_t length, char end, struct samples *samples) {
    char buffer[4096];
    uint64_t begun = now_ns();
    NEED(write(fd, text, length) == (ssize_t)length, "write");
    read_until(fd, buffer, sizeof buffer, end);
    sample(samples, now_ns() - begun);
}

/* What the library sends, to the byte count. */
static size_t wrapped(char *out, size_t room, const char *service, const char *data) {
    return (size_t)snprintf(out, room,
                            "{\"service_name\":\"%s\",\"sign\":\"0123456789ABCDEF0123456789ABCDEF\",\"token\":"
                            "\"ecde50e2393e43ac8813855745b1849f\",\"data\":%s}",
                            service, data);
}

static void cloud(const struct heard *server, int rounds) {
    struct samples ours = {0}, socket = {0}, plain = {0};
    char json[1024], text[2048], *reply;
    parklink_t *handle = open_cloud(server, "");
    NEED(parklink_wait_ready(handle, 10000) == PARKLINK_OK, "wait_ready");
    int fd = connect_to(server->cloud_port);
    entry(json, sizeof json, "cloud", "order12345", 12345);
    size_t length = wrapped(text, sizeof text, "in_park", json);
    text[length++] = '\n';
    for (int round = 0; round < rounds; round++) {
        for (unsigned at = 0; at < CALLS; at++) {
            library(handle, "cloud", (unsigned)round * CALLS + at, &ours);
            bare(fd, text, length, '\r', &socket);
            uint64_t begun = now_ns();
            NEED(plain_line(fd, json, &reply) == 0, "the plain client's line");
            sample(&plain, now_ns() - begun);
            free(reply);
        }
        if (round == 0) {
            ours.count = socket.count = plain.count = 0; /* warming up */
            continue;
        }
        end_round(&ours);
        end_round(&socket);
        end_round(&plain);
    }
    remark("%.1f us, bare %.1f us", figure(&ours, P50) / 1e3, figure(&socket, P50) / 1e3);
    line("upload, cloud link, p50 vs bare socket", ratio(&ours, &socket, P50), "x", "<=", 1.4);
    remark("%.1f us, bare %.1f us", figure(&ours, P99) / 1e3, figure(&socket, P99) / 1e3);
    line("upload, cloud link, p99 vs bare socket", ratio(&ours, &socket, P99), "x", "<=", 2.5);
    remark("%.1f us: no field checked, nothing kept", figure(&plain, P50) / 1e3);
    line("  what cJSON + OpenSSL over that socket reaches", ratio(&plain, &socket, P50), "x", NULL, 0);
    close(fd);
    parklink_close(handle, 1000, NULL);
}

static void http(const struct heard *server, int rounds) {
    struct samples ours = {0}, socket = {0}, plain = {0};
    char json[1024], body[2048], text[4096], *reply;
    parklink_t *handle = open_http(server, "");
    NEED(parklink_wait_ready(handle, 10000) == PARKLINK_OK, "wait_ready");
    struct plain *client = plain_open(server->http_port);
    int fd = connect_to(server->http_port);
    entry(json, sizeof json, "bolink", "order12345", 12345);
    size_t length = wrapped(body, sizeof body, "inpark", json);
    int all = snprintf(text, sizeof text,
                       "POST /bpd/upload.do HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json;charset=utf-8\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       server->http_port, length, body);
    for (int round = 0; round < rounds; round++) {
        for (unsigned at = 0; at < CALLS; at++) {
            library(handle, "bolink", (unsigned)round * CALLS + at, &ours);
            bare(fd, text, (size_t)all, '}', &socket);
            uint64_t begun = now_ns();
            NEED(plain_upload(client, json, &reply) == 0, "the plain client's upload");
            sample(&plain, now_ns() - begun);
            free(reply);
        }
        if (round == 0) {
            ours.count = socket.count = plain.count = 0;
            continue;
        }
        end_round(&ours);
        end_round(&socket);
        end_round(&plain);
    }
    remark("%.1f us, bare %.1f us, libcurl %.1f us", figure(&ours, P50) / 1e3, figure(&socket, P50) / 1e3,
           figure(&plain, P50) / 1e3);
    line("upload, HTTP link, p50 vs bare socket", ratio(&ours, &socket, P50), "x", "<=", 2);
    line("upload, HTTP link, p99 vs bare socket", ratio(&ours, &socket, P99), "x", NULL, 0);
    line("upload, HTTP link, p50 vs libcurl + cJSON + OpenSSL", ratio(&ours, &plain, P50), "x", NULL, 0);
    close(fd);
    plain_close(client);
    parklink_close(handle, 1000, NULL);
}

static void count(const struct heard *server, const char *whose, unsigned times) {
    char json[1024], order[32], *reply = NULL;
    struct samples unused = {0};
    if (strcmp(whose, "plain") != 0) {
        int is_cloud = strcmp(whose, "cloud") == 0;
        parklink_t *handle = is_cloud ? open_cloud(server, "") : open_http(server, "");
        NEED(parklink_wait_ready(handle, 60000) == PARKLINK_OK, "wait_ready");
        for (unsigned at = 0; at < times; at++)
            library(handle, is_cloud ? "cloud" : "bolink", at, &unused);
        parklink_close(handle, 1000, NULL);
        return;
    }
    struct plain *client = plain_open(server->http_port);
    for (unsigned at = 0; at < times; at++) {
        snprintf(order, sizeof order, "order%u", at);
        entry(json, sizeof json, "bolink", order, at);
        NEED(plain_upload(client, json, &reply) == 0, "the plain client's upload");
        free(reply);
    }
    plain_close(client);
}

int main(int words, char **word) {
    if (words == 4 && strcmp(word[1], "count") == 0) {
        count(start_server(), word[2], (unsigned)atoi(word[3]));
        return 0;
    }
    pin();
    const struct heard *server = start_server();
    int rounds = (int)env("BENCH_ROUNDS", is_long() ? 200 : 40);
    if (words < 2 || strcmp(word[1], "cloud") == 0)
        cloud(server, rounds);
    if (words < 2 || strcmp(word[1], "http") == 0)
        http(server, rounds);
    return 0;
}
