/* The pipeline of a run, from top to bottom. */
#pragma once

#include "handlers/run/work.h"
#include "server/base/err.h"

/* Take a claimed run as far as it goes: change, proof, publication. What was reached before a crash
 * is not done again. On success `work->ending` says how it ended. Errors: ERR_CANCELED `work->stop`
 * was raised; ERR_CONFLICT the lease was lost, or `work->overtaken`; retryable ones: something
 * needed is away; others: the run failed, the message says why. */
MUST_CHECK int task_run(struct work *work, struct err *err);

/* Its stages, in files of their own. Each returns with `work->ending` set when there is nothing
 * more to do. */

/* task_make_change.c: fetch, work sandbox, setup, baseline, rounds of agent and checks, export,
 * guard. */
MUST_CHECK int task_make_change(struct work *work, struct err *err);

/* task_prove.c: the exact commit in a fresh sandbox; verdicts. */
MUST_CHECK int task_prove(struct work *work, struct err *err);

/* task_publish.c: branch, draft. */
MUST_CHECK int task_publish(struct work *work, struct err *err);
