/* What a request's head says about its body, and heads that are refused because two readers could
 * take them for different requests (RFC 9112, sections 5 and 6). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct MHD_Connection;

struct head {
    unsigned status;     /* 0: acceptable */
    const char *problem; /* why not. Static. */
    bool chunked;
    bool expects_continue;
    uint64_t content_length; /* 0 when chunked */
};

/* Read the head of the connection's current request. `path` and `version` are those that
 * libmicrohttpd hands out, which point into the request line; `target_bytes` is the length of the
 * request target as text, taken before it was cut at the '?'. */
void head_read(struct MHD_Connection *connection,
               const char *path,
               const char *version,
               size_t target_bytes,
               struct head *ret_head);
