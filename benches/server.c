/* Both platforms on loopback, without checks: it answers as fast as it can, so that what is measured is the client. */
#define _GNU_SOURCE
#include "bench.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROOM = 64 << 10 };
static struct heard *heard;

/* The text of a member, found without parsing: the clients of this folder write no spaces. */
static size_t member(const char *text, const char *name, char *out, size_t room) {
    size_t length = 0;
    const char *at = strstr(text, name);
    out[0] = '\0';
    if (at == NULL)
        return 0;
    at += strlen(name);
    while (at[length] != '\0' && at[length] != '"' && length + 1 < room)
        length++;
    memcpy(out, at, length);
    out[length] = '\0';
    return length;
}

static void note(const char *order, const char *number) {
    uint64_t place = atomic_fetch_add(&heard->records, 1);
    uint64_t now = now_ns();
    heard->arrived[place % ARRIVALS] = now;
    if (strncmp(order, "live", 4) == 0)
        atomic_store(&heard->live_at, now);
    if (order[0] != 'K')
        return;
    uint_fast32_t value = (uint_fast32_t)atoi(number);
    uint_fast32_t before = atomic_exchange(&heard->last[(unsigned)atoi(order + 1) % ORDERS], value);
    if (value == before)
        atomic_fetch_add(&heard->again, 1);
    else if (value < before)
        atomic_fetch_add(&heard->out_of_order, 1);
}

static int answer(const char *request, char *out, size_t room) {
    char service[64], order[64], number[32];
    member(request, "\"service_name\":\"", service, sizeof service);
    if (strcmp(service, "login") == 0)
        return snprintf(out, room, "{\"state\":1,\"token\":\"ecde50e2393e43ac8813855745b1849f\",\"service_name\":\"login\"}");
    member(request, "\"order_id\":\"", order, sizeof order);
    member(request, "\"remark\":\"", number, sizeof number);
    note(order, number);
    return snprintf(out, room, "{\"service_name\":\"%s\",\"errmsg\":\"\",\"state\":1,\"order_id\":\"%s\"}", service, order);
}

static void *serve_cloud(void *argument) {
    int fd = (int)(intptr_t)argument;
    char *buffer = malloc(ROOM), reply[512];
    size_t held = 0;
    ssize_t got;
    while ((got = read(fd, buffer + held, ROOM - held)) > 0) {
        held += (size_t)got;
        char *start = buffer, *end;
        while ((end = memchr(start, '\n', held - (size_t)(start - buffer))) != NULL) {
            *end = '\0';
            int length;
            reply[0] = '\n';
            if (strcmp(start, "0x11") == 0)
                length = sprintf(reply + 1, "0x12");
            else
                length = answer(start, reply + 1, sizeof reply - 2);
            reply[length + 1] = '\r';
            if (write(fd, reply, (size_t)length + 2) < 0)
                break;
            start = end + 1;
        }
        held -= (size_t)(start - buffer);
        memmove(buffer, start, held);
    }
    close(fd);
    free(buffer);
    return NULL;
}

static int reply_http(int fd, const char *body, int length) {
    char text[1024];
    int all = snprintf(text, sizeof text,
                       "HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=utf-8\r\nContent-Length: %d\r\n\r\n%.*s",
                       length, length, body);
    return write(fd, text, (size_t)all) == all;
}

static void *serve_http(void *argument) {
    int fd = (int)(intptr_t)argument;
    char *buffer = malloc(ROOM), reply[512];
    size_t held = 0;
    ssize_t got;
    while ((got = read(fd, buffer + held, ROOM - 1 - held)) > 0) {
        held += (size_t)got;
        buffer[held] = '\0';
        char *body = strstr(buffer, "\r\n\r\n"), *length = strcasestr(buffer, "content-length:");
        if (body == NULL || length == NULL)
            continue;
        body += 4;
        if ((size_t)(body - buffer) + (size_t)atoi(length + 15) > held)
            continue;
        held = 0;
        if (strstr(buffer, "/download.do ") != NULL) {
            /* The long poll: nothing to tell, for as long as the platform holds it. */
            struct pollfd wait = {fd, POLLIN, 0};
            if (poll(&wait, 1, 30000) != 0 || !reply_http(fd, "", 0))
                break;
            continue;
        }
        int bytes = answer(body, reply, sizeof reply);
        unsigned delay = atomic_load(&heard->delay_ms);
        if (delay > 0)
            sleep_ms(delay);
        if (!reply_http(fd, reply, bytes))
            break;
    }
    close(fd);
    free(buffer);
    return NULL;
}

static int listen_on(int *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 64) != 0)
        give_up(__FILE__, __LINE__, "cannot listen");
    getsockname(fd, (struct sockaddr *)&address, &length);
    *port = ntohs(address.sin_port);
    return fd;
}

static void serve(int cloud, int http) {
    struct pollfd both[2] = {{cloud, POLLIN, 0}, {http, POLLIN, 0}};
    for (;;) {
        poll(both, 2, -1);
        for (int at = 0; at < 2; at++) {
            if (!(both[at].revents & POLLIN))
                continue;
            int fd = accept(both[at].fd, NULL, NULL), on = 1;
            if (fd < 0 || atomic_load(&heard->deaf)) {
                close(fd);
                sleep_ms(10);
                continue;
            }
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            pthread_t thread;
            pthread_create(&thread, NULL, at == 0 ? serve_cloud : serve_http, (void *)(intptr_t)fd);
            pthread_detach(thread);
        }
    }
}

static void stop_server(void) {
    if (heard != NULL && heard->pid > 0) {
        kill(heard->pid, SIGKILL);
        waitpid(heard->pid, NULL, 0);
    }
}

struct heard *start_server(void) {
    signal(SIGPIPE, SIG_IGN);
    heard = mmap(NULL, sizeof *heard, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    NEED(heard != MAP_FAILED, "no memory");
    int cloud = listen_on(&heard->cloud_port), http = listen_on(&heard->http_port);
    int pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(cloud, http);
    }
    close(cloud);
    close(http);
    heard->pid = pid;
    atexit(stop_server);
    return heard;
}

int connect_to(int port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    NEED(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "cannot connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

size_t read_until(int fd, char *buffer, size_t room, char end) {
    size_t held = 0;
    do {
        ssize_t got = read(fd, buffer + held, room - held);
        NEED(got > 0, "the connection broke");
        held += (size_t)got;
    } while (buffer[held - 1] != end);
    return held;
}
