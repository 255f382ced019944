/* A raw HTTP/1.1 client for tests: it sends exactly the bytes it is told to. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLY_HEAD_BYTES 4096
#define REPLY_BODY_BYTES 65536

struct reply {
    int status; /* 0: the connection ended before a whole answer */
    char head[REPLY_HEAD_BYTES];
    char body[REPLY_BODY_BYTES];
    size_t body_bytes;
};

/* A blocking connection to 127.0.0.1. -1 when refused. */
int client_connect(uint16_t port);

/* The same from 127.0.0.0 + `host`: on loopback there are as many addresses as wanted. */
int client_connect_from(uint32_t host, uint16_t port);

/* False when the server has closed the connection meanwhile. */
bool client_send(int fd, const void *bytes, size_t len);
bool client_send_str(int fd, const char *text);

/* Send a request whose body is `len` bytes of a pattern that client_pattern() tells. */
bool client_post(int fd, const char *path, size_t len);
char client_pattern(size_t position);

/* Read one answer with Content-Length. A 1xx answer is skipped. */
bool client_read(int fd, int timeout_ms, struct reply *ret_reply);

/* Send a request text and read the answer. */
bool client_ask(int fd, const char *text, struct reply *ret_reply);

/* Wait for the server to close; what it still sends is not looked at. */
bool client_sees_end(int fd, int timeout_ms);

/* Whether the answer's head has the line "NAME: VALUE". */
bool reply_has(const struct reply *reply, const char *header_line);
