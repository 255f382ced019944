/* The runs that this process is working on, and how each is told to stop. */
#pragma once

#include "server/base/err.h"
#include "server/base/stop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why a live run was stopped; the first reason stays. */
enum live_reason {
    LIVE_GOES_ON,
    LIVE_CANCELED, /* somebody asked */
    LIVE_SHUTDOWN, /* this process ends: the run is given back */
};

struct live;

MUST_CHECK int live_new(struct live **ret_live, struct err *err);
void live_free(struct live *live);
AUTO_DEFINE(struct live *, live_free)

/* Register a run; *ret_stop is raised when it should end. Borrowed until live_remove().
 * After live_stop_all() it is raised from the beginning.
 * Errors: ERR_CONFLICT another worker of this process still has the run in hands; ERR_NOMEM. */
MUST_CHECK int
live_add(struct live *live, int64_t run, const struct stop **ret_stop, struct err *err);
void live_remove(struct live *live, int64_t run);

/* Stop one run. Unknown ones are ignored.   Thread: any. */
void live_stop(struct live *live, int64_t run, enum live_reason reason);

/* Stop all, and all that come. */
void live_stop_all(struct live *live);

enum live_reason live_why(struct live *live, int64_t run);

/* Is the run registered?   Thread: any. */
bool live_has(struct live *live, int64_t run);

/* The ids of all live runs into fresh memory.  Owns: *ret_runs is the caller's, free(). */
MUST_CHECK int live_list(struct live *live, int64_t **ret_runs, size_t *ret_count, struct err *err);
