/* The janitor: orphaned containers are removed, and the sandbox host is tried until it was found to
 * work or not to, which is logged. Apart from the timer and from the start of the process, for an
 * engine that hangs makes it wait. */
#pragma once

#include "server/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct app;
struct janitor;

/* `host_tried`: janitor_try_host() has succeeded already.
 * Owns: *ret_janitor is the caller's, janitor_free().   Borrows: app. */
MUST_CHECK int
janitor_new(struct app *app, bool host_tried, struct janitor **ret_janitor, struct err *err);
void janitor_free(struct janitor *janitor);

/* A turn of its service: orphans at first, then the host. Until the first one is over no run may be
 * begun: a container that an earlier process left to a run is taken for this one's, and kept, once
 * that run is live again. `ctx` is the struct janitor. */
int64_t janitor_turn(void *ctx);

/* Is there an engine with the operator's image, and do sandboxes work there? What the host cannot
 * do is logged.  Errors: as sandbox_probe(); ERR_CANCELED. */
MUST_CHECK int janitor_try_host(const struct app *app, struct err *err);
