/* What an event changes that policy let pass: a task or a run begun, ended, told something. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct app;
struct db;
struct event;

/* Do what the event asks for, with all that is owed for it, inside a store function. *ret_task: the
 * task that it is about; 0 where there is none, also after an error.
 * Errors: ERR_NOTFOUND, ERR_CONFLICT there is nothing to do (err says why); ERR_UNAVAILABLE not
 * yet: a run has to end first. */
MUST_CHECK int event_apply(struct db *db,
                           struct app *app,
                           const char *platform,
                           const struct event *event,
                           int64_t now_ms,
                           int64_t *ret_task,
                           struct err *err);
