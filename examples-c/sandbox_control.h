/*
 * Speaks with the control API of parklink-sandbox: plain sockets, one request a connection. For the examples only; it is
 * no part of what software at a lot needs. Unix.
 */
#ifndef SANDBOX_CONTROL_H
#define SANDBOX_CONTROL_H

#include "json_member.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The addresses of a running sandbox. */
typedef struct sandbox {
    char cloud_host[64], cloud_port[8], bolink[128], union_api[128], etcp[128], control_host[64], control_port[8];
} sandbox;

static inline void sandbox_split(const char *address, char *host, char *port) {
    const char *begin = strstr(address, "://");
    const char *colon;
    begin = begin != NULL ? begin + 3 : address;
    colon = strrchr(begin, ':');
    snprintf(host, 64, "%.*s", colon != NULL ? (int)(colon - begin) : 0, begin);
    snprintf(port, 8, "%.7s", colon != NULL ? colon + 1 : "");
}

/* Reads the ready file; 0 when it is there. */
static inline int sandbox_read(const char *path, sandbox *found) {
    char text[1024], address[128];
    size_t length;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return -1;
    length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    json_member(text, "cloud", address, sizeof address);
    sandbox_split(address, found->cloud_host, found->cloud_port);
    json_member(text, "control", address, sizeof address);
    sandbox_split(address, found->control_host, found->control_port);
    json_member(text, "bolink", found->bolink, sizeof found->bolink);
    json_member(text, "union", found->union_api, sizeof found->union_api);
    json_member(text, "etcp", found->etcp, sizeof found->etcp);
    return found->control_port[0] != '\0' ? 0 : -1;
}

/* Sends a request with body; the answer's body comes back in reply. Returns the HTTP status, or -1. */
static inline int sandbox_ask(const sandbox *box, const char *method, const char *path, const char *body, char *reply,
                              size_t size) {
    char head[512], *answer, *end;
    size_t length = 0, room = 1 << 20;
    ssize_t got;
    int status = -1, line;
    struct addrinfo hints, *found = NULL;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    reply[0] = '\0';
    if (getaddrinfo(box->control_host, box->control_port, &hints, &found) != 0)
        return -1;
    line = socket(found->ai_family, found->ai_socktype, 0);
    answer = (char *)malloc(room);
    snprintf(head, sizeof head,
             "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %lu\r\n"
             "Connection: close\r\n\r\n",
             method, path, box->control_host, (unsigned long)strlen(body));
    if (line >= 0 && answer != NULL && connect(line, found->ai_addr, found->ai_addrlen) == 0 &&
        write(line, head, strlen(head)) == (ssize_t)strlen(head) &&
        write(line, body, strlen(body)) == (ssize_t)strlen(body)) {
        while (length < room - 1 && (got = read(line, answer + length, room - 1 - length)) > 0)
            length += (size_t)got;
        answer[length] = '\0';
        end = strstr(answer, "\r\n\r\n");
        if (sscanf(answer, "HTTP/%*s %d", &status) == 1 && end != NULL)
            snprintf(reply, size, "%s", end + 4);
    }
    if (line >= 0)
        close(line);
    free(answer);
    freeaddrinfo(found);
    return status;
}

static inline int sandbox_post(const sandbox *box, const char *path, const char *body, char *reply, size_t size) {
    return sandbox_ask(box, "POST", path, body, reply, size);
}

#endif
