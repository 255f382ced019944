/* Changes of tasks that people ask for, each one transaction with what it owes to their thread.
 * They run inside store functions, so that a delivery is marked as handled together with its
 * effect. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct app;
struct db;
struct event;
struct run_cancel;

/* Make a task of an event, or a new run of the task that its origin has already; on a new branch
 * when its draft was merged or closed.
 * *ret_task: the task.  Errors: ERR_CONFLICT nothing new is asked: a run is live, or the event
 * happened before the last run ended (err says so); ERR_UNAVAILABLE it is asked again while a run is
 * being cancelled: once that has ended. */
MUST_CHECK int task_start(struct db *db,
                          const struct app *app,
                          const char *platform,
                          const struct event *event,
                          int64_t now_ms,
                          int64_t *ret_task,
                          struct err *err);

/* Who wants a task done again, and how. */
struct task_again {
    const char *actor;
    const char *instruction; /* NULL: the last run's */
    const char *agent;       /* likewise */
    const char *branch;      /* likewise */
    int64_t happened_ms;     /* by the platform's clock; 0: not told */
    const char *ref;         /* the platform's name for what was said, as remark.ref; or NULL */
};

/* Another run of an ended task, as it was. What the last run was told and did not answer, this one
 * is told again.   Errors: ERR_NOTFOUND; ERR_CONFLICT it is under way. */
MUST_CHECK int task_retry(struct db *db,
                          const struct app *app,
                          int64_t task,
                          const struct task_again *again,
                          int64_t now_ms,
                          struct err *err);

/* Ask a task's live run to stop. One that waits for a worker ends here and now.
 * Errors: ERR_NOTFOUND nothing is under way; ERR_CONFLICT what is, was begun after this happened. */
MUST_CHECK int task_cancel(struct db *db,
                           const struct app *app,
                           int64_t task,
                           const struct run_cancel *cancel,
                           int64_t now_ms,
                           struct err *err);
