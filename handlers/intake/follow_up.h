/* What is said and done about tasks that are there: remarks on their drafts, the drafts' end, and
 * questions. Each one transaction with what it owes to the thread, inside a store function. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct app;
struct db;
struct event;
struct past_draft;
struct task;

/* The task that an event is about: by its origin, its draft or its branch.
 * Owns: *ret_task is the caller's.   Errors: ERR_NOTFOUND, in words for the record. */
MUST_CHECK int follow_up_find(struct db *db,
                              const char *platform,
                              const struct event *event,
                              struct task **ret_task,
                              struct err *err);

/* The same words are told of in more than one delivery, and long after.
 * Errors: ERR_CONFLICT the task heard them. */
MUST_CHECK int follow_up_check_unheard(struct db *db,
                                       const struct task *task,
                                       const struct event *event,
                                       struct err *err);

/* Keep a remark. The run under way takes it with its next round; where there is none, one is
 * queued, after a pause in which what belongs together comes in. Errors: ERR_CONFLICT nothing is to
 * be done about it (err says why). */
MUST_CHECK int follow_up_remark(struct db *db,
                                const struct app *app,
                                const struct task *task,
                                const struct event *event,
                                int64_t now_ms,
                                struct err *err);

/* Queue a run of a task for its open remarks, unless there are none or a run is live.
 * `not_before_ms`: 0 at once. */
MUST_CHECK int follow_up_queue(struct db *db,
                               const struct app *app,
                               int64_t task,
                               int64_t not_before_ms,
                               int64_t now_ms,
                               struct err *err);

/* The draft was merged, closed or opened again: recorded, told, and work on it stopped.
 * Errors: ERR_CONFLICT that is known. */
MUST_CHECK int follow_up_draft(struct db *db,
                               const struct app *app,
                               const struct task *task,
                               const struct event *event,
                               int64_t now_ms,
                               struct err *err);

/* Say in the thread, once after each run, that what is asked is not done.  `reason`: in words. */
MUST_CHECK int follow_up_decline(struct db *db,
                                 const struct app *app,
                                 const struct task *task,
                                 const struct event *event,
                                 const char *reason,
                                 int64_t now_ms,
                                 struct err *err);

/* Answer a mention on a draft that ended: what became of that, and where to ask. `task`: had it.
 * Errors: as follow_up_answer(). */
MUST_CHECK int follow_up_say_ended(struct db *db,
                                   const struct app *app,
                                   const struct task *task,
                                   const struct past_draft *ended,
                                   const struct event *event,
                                   int64_t now_ms,
                                   struct err *err);

/* Answer a question ("status", "help"), or a wish that is not for us, with a comment where it was
 * said. `task`: NULL where there is none. Errors: ERR_CONFLICT it was answered already. */
MUST_CHECK int follow_up_answer(struct db *db,
                                const struct app *app,
                                const char *platform,
                                const struct task *task,
                                const struct event *event,
                                int64_t now_ms,
                                struct err *err);
