/* Owing a task's thread the truth: the status text is rendered from what the store says, in the
 * same transaction as the change that makes it new. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct app;
struct db;

/* What the store does not know. All may be NULL or 0. */
struct announcement {
    const char *waiting_for; /* something that is away, in words */
    const char *output;      /* the end of the output that explains a failure */
    const char *detail;      /* further lines of plain text */
    int64_t rounds;          /* how many there may be; 0: not known */
};

/* Owe the status of a task, if its platform has a thread.   Thread: inside a store function. */
MUST_CHECK int announce_status(struct db *db,
                               const struct app *app,
                               int64_t task,
                               const struct announcement *announcement,
                               int64_t now_ms,
                               struct err *err);

/* Owe the sign that a trigger was seen, on the message `target` (NULL: the origin itself). */
MUST_CHECK int
announce_seen(struct db *db, int64_t task, const char *target, int64_t now_ms, struct err *err);
