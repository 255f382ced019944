/* A request's body while it arrives: in memory up to LIMIT_SPOOL_BYTES, in an unnamed file beyond,
 * for which it takes room. */
#pragma once

#include "server/base/bytes.h"
#include "server/base/err.h"
#include "server/http/http.h"
#include "server/http/room.h"

#include <stdint.h>

struct spool {
    struct room *room;                /* borrowed, for spool_append() */
    const struct headcount_key *from; /* likewise */
    struct share *share;              /* of `room`; NULL: in memory */
    int64_t taken_bytes;              /* from the share */
    char *memory;
    size_t capacity;
    int fd; /* -1: in memory */
    int64_t bytes;
};

#define SPOOL_INIT(its_room, sender)                                                               \
    {                                                                                              \
        .room = (its_room), .from = (sender), .fd = -1                                             \
    }

/* Give back what it took; it is empty then. */
void spool_done(struct spool *spool);

/* Add a piece. `expected_bytes` is the length announced, 0 when it is not known: the memory is then
 * allocated once, or not at all.
 * Errors: ERR_UNAVAILABLE there is no room; ERR_IO, also for a full disk; ERR_NOMEM. */
MUST_CHECK int
spool_append(struct spool *spool, uint64_t expected_bytes, struct bytes piece, struct err *err);

/* All that was added; the file is at its start. Borrowed, until spool_done(). */
struct http_body spool_body(const struct spool *spool);
