/* From the moment a downlink's bytes are written to the socket until the callback runs, against a thread that only reads
 * the same bytes from a socket. This program is the platform itself. */
#include "bench.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CALLS = 300 };

static sem_t seen;
static uint64_t seen_at;
static parklink_t *handle;

static void on_downlink(void *user_data, uint64_t event_id, const char *event_json) {
    (void)user_data, (void)event_json;
    seen_at = now_ns();
    NEED(parklink_reply(handle, event_id, "{\"state\":1}") == PARKLINK_OK, "reply");
    sem_post(&seen);
}

static void *read_raw(void *argument) {
    char buffer[4096];
    int fd = (int)(intptr_t)argument;
    while (read(fd, buffer, sizeof buffer) > 0) {
        seen_at = now_ns();
        sem_post(&seen);
    }
    return NULL;
}

static uint64_t deliver(int fd, unsigned number) {
    char text[512];
    int length = snprintf(text, sizeof text,
                          "\n{\"service_name\":\"lock_car\",\"order_id\":\"order%u\",\"is_locked\":1,\"lock_key\":\"2345\","
                          "\"comid\":\"21782\",\"local_id\":\"box1\"}\r",
                          number);
    uint64_t begun = now_ns();
    NEED(write(fd, text, (size_t)length) == length, "write");
    sem_wait(&seen);
    return seen_at - begun;
}

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    char buffer[4096];
    static struct heard server;
    struct samples ours = {0}, raw = {0};
    pthread_t reader;

    pin();
    sem_init(&seen, 0, 0);
    NEED(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 4) == 0, "listen");
    getsockname(listener, (struct sockaddr *)&address, &length);
    server.cloud_port = ntohs(address.sin_port);

    int raw_client = connect_to(server.cloud_port), raw_fd = accept(listener, NULL, NULL);
    pthread_create(&reader, NULL, read_raw, (void *)(intptr_t)raw_client);
    handle = open_cloud(&server, "");
    parklink_downlink_callbacks callbacks = {sizeof callbacks, NULL, NULL, on_downlink};
    NEED(parklink_on_downlink(handle, &callbacks) == PARKLINK_OK, "on_downlink");
    int fd = accept(listener, NULL, NULL);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(raw_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    read_until(fd, buffer, sizeof buffer, '\n');
    const char *welcome = "\n{\"state\":1,\"token\":\"ecde50e2393e43ac8813855745b1849f\",\"service_name\":\"login\"}\r";
    NEED(write(fd, welcome, strlen(welcome)) > 0, "login");
    NEED(parklink_wait_ready(handle, 10000) == PARKLINK_OK, "wait_ready");

    int rounds = (int)env("BENCH_ROUNDS", is_long() ? 200 : 40);
    for (int round = 0; round < rounds; round++) {
        for (unsigned at = 0; at < CALLS; at++) {
            sample(&raw, deliver(raw_fd, at));
            sample(&ours, deliver(fd, at));
            read_until(fd, buffer, sizeof buffer, '\n');
            NEED(write(fd, "\n\r", 2) == 2, "write");
            /* Lets the library finish with the answer, so that it sleeps when the next one comes. */
            usleep(50);
        }
        if (round == 0) {
            ours.count = raw.count = 0;
            continue;
        }
        end_round(&ours);
        end_round(&raw);
    }
    remark("%.1f us, raw %.1f us", figure(&ours, P50) / 1e3, figure(&raw, P50) / 1e3);
    line("downlink, socket to callback, p50 vs raw read", ratio(&ours, &raw, P50), "x", "<=", 2);
    line("downlink, socket to callback, p99 vs raw read", ratio(&ours, &raw, P99), "x", NULL, 0);
    parklink_close(handle, 1000, NULL);
    return 0;
}
