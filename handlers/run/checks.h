/* Checks: executing them, and judging what their results mean. draftd runs them; the agent only
 * claims. */
#pragma once

#include "handlers/run/work.h"
#include "server/base/err.h"
#include "server/store/step.h"

/* What is said of one check, from the baseline and the proof. Pure. */
enum check_verdict checks_judge(enum check_status baseline, enum check_status proof);

/* What is said of a run: verified when no check is newly red and at least one is green. `checks`
 * may be empty. Pure. */
enum run_verdict checks_sum_up(const enum check_verdict *verdicts, size_t count);

/* Is this execution bad news? */
bool check_status_is_red(enum check_status status);

/* Does this baseline say that the check fails without any change? One that timed out, ran out of
 * memory or disk or could not be run says nothing: bad luck is no excuse for a change. */
bool check_was_red(enum check_status baseline);

/* The baselines at `work->origin` that the store has kept: recorded for this run, and written to
 * `executions` (one for each check of the settings). *ret_complete: none is missing. */
MUST_CHECK int checks_load_baseline(struct work *work,
                                    struct check_execution *executions,
                                    bool *ret_complete,
                                    struct err *err);

/* Run the missing ones in `box`, where the origin is checked out and set up. Green ones are kept;
 * what is red is measured anew each time, for it may be bad luck. */
MUST_CHECK int checks_measure_baseline(struct work *work,
                                       struct sandbox *box,
                                       struct check_execution *executions,
                                       struct err *err);

/* Run every check once; a red one that is not red in `baseline` gets one more try, for it may be
 * flaky. */
MUST_CHECK int checks_run(struct work *work,
                          struct sandbox *box,
                          enum check_phase phase,
                          int64_t round,
                          const struct check_execution *baseline,
                          struct check_execution *executions,
                          struct err *err);

/* What was recorded of a phase is of a change that is not there any more: not run. */
MUST_CHECK int checks_forget(struct work *work, enum check_phase phase, struct err *err);

/* Record those that were not run as ones that could not be, `step` (0: none) being why. */
MUST_CHECK int checks_give_up(struct work *work,
                              enum check_phase phase,
                              int64_t step,
                              struct check_execution *executions,
                              struct err *err);
