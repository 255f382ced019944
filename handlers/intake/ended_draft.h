/* What is said or heard about a draft that was merged or closed: who mentions the bot there is told
 * so, and where to ask, once for each comment. Inside a store function. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct app;
struct db;
struct event;
struct task;

/* An event on the draft that a task has: nothing to be done (0), or that it ended, and whoever
 * mentioned the bot is answered.  Errors: ERR_CONFLICT it ended. */
MUST_CHECK int ended_draft_check(struct db *db,
                                 const struct app *app,
                                 const struct task *task,
                                 const struct event *event,
                                 int64_t now_ms,
                                 struct err *err);

/* An event on a draft that no task has any more: a mention is answered, its state noted.
 * Errors: ERR_NOTFOUND no task had it; ERR_CONFLICT nothing is to be done about it. */
MUST_CHECK int ended_draft_hear(struct db *db,
                                const struct app *app,
                                const char *platform,
                                const struct event *event,
                                int64_t now_ms,
                                int64_t *ret_task,
                                struct err *err);
