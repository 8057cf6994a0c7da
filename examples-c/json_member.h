/*
 * The least reading of JSON that the examples can do with: one member of an object by its name. It finds the first member
 * of that name at any depth and does not undo escapes. Use your JSON library instead.
 */
#ifndef JSON_MEMBER_H
#define JSON_MEMBER_H

#include <stdio.h>
#include <string.h>

/* Copies the member's text (without quotes) into value, "" when there is none. Returns where it stands, or NULL. */
static inline const char *json_member(const char *json, const char *name, char *value, size_t size) {
    char key[80];
    const char *at, *end;
    size_t length;
    value[0] = '\0';
    snprintf(key, sizeof key, "\"%s\"", name);
    for (at = strstr(json, key); at != NULL; at = strstr(at, key)) {
        at += strlen(key);
        at += strspn(at, " \t\r\n");
        if (*at == ':')
            break;
    }
    if (at == NULL)
        return NULL;
    at += 1 + strspn(at + 1, " \t\r\n");
    if (*at == '"') {
        at++;
        for (end = at; *end != '\0' && *end != '"'; end++)
            if (*end == '\\' && end[1] != '\0')
                end++;
    } else {
        end = at + strcspn(at, ",}]");
    }
    length = (size_t)(end - at);
    if (length >= size)
        length = size - 1;
    memcpy(value, at, length);
    value[length] = '\0';
    return at;
}

#endif
