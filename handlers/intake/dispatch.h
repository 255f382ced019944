/* The dispatcher: stored deliveries, in order, become tasks, runs and cancellations. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct app;
struct dispatcher;
struct strbuf;

/* Borrows: app.   Owns: *ret_dispatcher is the caller's. */
MUST_CHECK int dispatcher_new(struct app *app, struct dispatcher **ret_dispatcher, struct err *err);
void dispatcher_free(struct dispatcher *dispatcher);
AUTO_DEFINE(struct dispatcher *, dispatcher_free)

/* A turn of its service: handles one delivery. `ctx` is the dispatcher. */
int64_t dispatcher_turn(void *ctx);

/* Handle a stored delivery again, whatever became of it before. With `dry_run` nothing is changed.
 * Appends to `said` what was done, or would be.   Errors: ERR_NOTFOUND; as policy and store. */
MUST_CHECK int dispatcher_replay(struct dispatcher *dispatcher,
                                 int64_t delivery,
                                 bool dry_run,
                                 struct strbuf *said,
                                 struct err *err);
