/* What is removed from the store when it is old: payloads and ids of deliveries that were handled,
 * what steps of ended runs printed, messages that were sent, baselines, withdrawals. Tasks, runs, steps, results
 * of checks and drafts stay: the evidence. */
#pragma once

#include "server/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct db;

enum retention_kind {
    RETENTION_PAYLOADS, /* of deliveries, by when they were received */
    RETENTION_IDS,      /* of those whose payload is gone; then they are not known any more */
    RETENTION_OUTPUTS,  /* of steps, by when they began */
    RETENTION_MESSAGES, /* that were sent, by when they were made */
    RETENTION_BASELINES,
    RETENTION_WITHDRAWALS, /* by when they were noted */
    RETENTION_KINDS
};

struct retention {
    int64_t before_ms[RETENTION_KINDS]; /* what is older goes */
    int64_t budget_ms;                  /* end after so long: others wait meanwhile */
};

struct retention_result {
    int64_t removed[RETENTION_KINDS];
    bool more; /* the budget ended it */
};

/* Remove some of what is old, all of it where the budget lasts. Finding the next piece costs the
 * same however much is kept, and a piece is at most one chunk of a payload or segment of output. */
MUST_CHECK int retention_remove(struct db *db,
                                const struct retention *retention,
                                struct retention_result *ret_result,
                                struct err *err);
