/* What people and checks said about the draft, in the hands of a run: given to its rounds, answered
 * at its end. */
#pragma once

#include "handlers/run/work.h"
#include "server/base/err.h"

struct app;
struct db;

/* Read what the run was given into `work->remarks`. */
MUST_CHECK int remarks_load(struct work *work, struct err *err);

/* Find out what failed where the platform's own checks did. The same failure a second time is for
 * people: it concludes a run that was begun for nothing else. */
MUST_CHECK int remarks_read_failures(struct work *work, struct err *err);

/* Give what came in meanwhile to `round`; *ret_new: there is some. */
MUST_CHECK int remarks_take(struct work *work, int64_t round, bool *ret_new, struct err *err);

/* Take what the agent says it did about each: from the text it wrote, in which a line "N:" or
 * "N. ..." begins what is said to the Nth. */
MUST_CHECK int remarks_set_answers(struct work *work, const char *text, struct err *err);

/* Owe an answer to each remark of an ended run that has a thread, and queue a run for what came too
 * late for it, unless it was cancelled.   Thread: inside a store function. */
MUST_CHECK int remarks_close(
    struct db *db, const struct app *app, const struct work *work, int64_t now_ms, struct err *err);
