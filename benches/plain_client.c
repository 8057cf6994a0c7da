/* What a vendor would write without the library: libcurl or a socket, cJSON, OpenSSL. One kept connection, one token. */
#include "bench.h"

#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct plain {
    CURL *curl;
    struct curl_slist *headers;
    char token[64];
    char *answer;
    size_t length, room;
};

static size_t take(char *data, size_t size, size_t count, void *user_data) {
    struct plain *client = user_data;
    size_t bytes = size * count;
    if (client->length + bytes + 1 > client->room) {
        client->room = (client->length + bytes + 1) * 2;
        client->answer = realloc(client->answer, client->room);
    }
    memcpy(client->answer + client->length, data, bytes);
    client->length += bytes;
    client->answer[client->length] = '\0';
    return bytes;
}

static void sign(const char *data, const char *key, char *hex) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_MD_CTX *md5 = EVP_MD_CTX_new();
    EVP_DigestInit_ex(md5, EVP_md5(), NULL);
    EVP_DigestUpdate(md5, data, strlen(data));
    EVP_DigestUpdate(md5, key, strlen(key));
    EVP_DigestFinal_ex(md5, digest, &length);
    EVP_MD_CTX_free(md5);
    for (unsigned at = 0; at < length; at++)
        sprintf(hex + 2 * at, "%02X", digest[at]);
}

/* The whole message, with `end` behind it; freed by the caller. */
static char *wrapped(const char *service, const char *token, const char *data, const char *key, const char *end) {
    char hex[33];
    sign(data, key, hex);
    size_t room = strlen(data) + 256;
    char *text = malloc(room);
    if (token[0] != '\0')
        snprintf(text, room, "{\"service_name\":\"%s\",\"sign\":\"%s\",\"token\":\"%s\",\"data\":%s}%s", service, hex, token,
                 data, end);
    else
        snprintf(text, room, "{\"service_name\":\"%s\",\"sign\":\"%s\",\"data\":%s}%s", service, hex, data, end);
    return text;
}

/* Posts data under a service name; the parsed answer is freed by the caller. */
static cJSON *post(struct plain *client, const char *service, const char *data) {
    char *body = wrapped(service, client->token, data, "key=" UKEY, "");
    client->length = 0;
    curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, body);
    CURLcode code = curl_easy_perform(client->curl);
    long status = 0;
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    free(body);
    return code == CURLE_OK && status == 200 ? cJSON_Parse(client->answer) : NULL;
}

struct plain *plain_open(int port) {
    struct plain *client = calloc(1, sizeof *client);
    char url[128];
    curl_global_init(CURL_GLOBAL_DEFAULT);
    client->curl = curl_easy_init();
    client->headers = curl_slist_append(NULL, "Content-Type: application/json;charset=utf-8");
    snprintf(url, sizeof url, "http://127.0.0.1:%d/bpd/upload.do", port);
    curl_easy_setopt(client->curl, CURLOPT_URL, url);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, client->headers);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, client);
    curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, 10000L);
    curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(client->curl, CURLOPT_NOPROXY, "*");
    cJSON *reply = post(client, "login", "{\"union_id\":\"200208\",\"park_id\":\"21782\"}");
    const cJSON *token = cJSON_GetObjectItemCaseSensitive(reply, "token");
    NEED(cJSON_IsString(token), "the plain client cannot log in");
    snprintf(client->token, sizeof client->token, "%s", token->valuestring);
    cJSON_Delete(reply);
    return client;
}

/* Whether the platform took it; the reply is deleted, its text given when it is wanted. */
static int told(cJSON *reply, char **text) {
    const cJSON *state = cJSON_GetObjectItemCaseSensitive(reply, "state");
    int outcome = cJSON_IsNumber(state) && state->valueint == 1 ? 0 : -1;
    if (text != NULL)
        *text = cJSON_PrintUnformatted(reply);
    cJSON_Delete(reply);
    return outcome;
}

int plain_upload(struct plain *client, const char *json, char **reply_text) {
    cJSON *record = cJSON_Parse(json);
    if (record == NULL)
        return -1;
    cJSON_DeleteItemFromObjectCaseSensitive(record, "service_name");
    cJSON_DeleteItemFromObjectCaseSensitive(record, "data_target");
    char *data = cJSON_PrintUnformatted(record);
    cJSON_Delete(record);
    cJSON *reply = post(client, "inpark", data);
    free(data);
    return told(reply, reply_text);
}

int plain_line(int fd, const char *json, char **reply_text) {
    char buffer[4096];
    cJSON *record = cJSON_Parse(json);
    if (record == NULL)
        return -1;
    char *data = cJSON_PrintUnformatted(record);
    cJSON_Delete(record);
    char *line = wrapped("in_park", "ecde50e2393e43ac8813855745b1849f", data, "key=" CKEY, "\n");
    size_t length = strlen(line);
    NEED(write(fd, line, length) == (ssize_t)length, "write");
    free(line);
    free(data);
    size_t held = read_until(fd, buffer, sizeof buffer, '\r');
    /* A frame begins with a line feed and ends with a carriage return. */
    cJSON *reply = cJSON_ParseWithLength(buffer + 1, held - 2);
    return told(reply, reply_text);
}

void plain_close(struct plain *client) {
    curl_easy_cleanup(client->curl);
    curl_slist_free_all(client->headers);
    free(client->answer);
    free(client);
}
