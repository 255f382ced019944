/* A request's body while it arrives: in memory up to LIMIT_SPOOL_BYTES, in an unnamed file beyond.
 */
#pragma once

#include "server/base/bytes.h"
#include "server/base/err.h"
#include "server/http/http.h"

#include <stdint.h>

struct spool {
    char *memory;
    size_t capacity;
    int fd; /* -1: in memory */
    int64_t bytes;
};

#define SPOOL_INIT                                                                                 \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

void spool_done(struct spool *spool);

/* Add a piece. `expected_bytes` is the length announced, 0 when it is not known: the memory is then
 * allocated once, or not at all.
 * Errors: ERR_IO, also for a full disk; ERR_NOMEM. */
MUST_CHECK int spool_append(struct spool *spool,
                            const char *dir,
                            uint64_t expected_bytes,
                            struct bytes piece,
                            struct err *err);

/* All that was added; the file is at its start. Borrowed, until spool_done(). */
struct http_body spool_body(const struct spool *spool);
