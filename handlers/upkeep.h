/* Upkeep of the store: what is old is removed, a little at a time, so that nobody who writes waits
 * longer than some milliseconds. */
#pragma once

#include "server/base/err.h"
#include "server/store/retention.h"

#include <stdint.h>

struct app;

/* Zeroed: due at once. One thread's own. */
struct upkeep {
    int64_t due_mono_ms;
    int64_t removed[RETENTION_KINDS]; /* since the last line in the log */
};

/* Do a little, when it is due. Writes after how many milliseconds it wants its next turn.
 * Errors: those of the store; it is tried again in a minute. */
MUST_CHECK int
upkeep_turn(struct upkeep *upkeep, const struct app *app, int64_t *ret_pause_ms, struct err *err);

/* The clock jumped then: what looks old may not be. Nothing is removed for an hour, in which
 * somebody may set it right. */
void upkeep_put_off(struct upkeep *upkeep, int64_t jumped_mono_ms);
