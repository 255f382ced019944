/* The agent of a run: its prompt, its invocation, its summary. */
#pragma once

#include "handlers/run/work.h"
#include "server/base/err.h"

struct agent_round {
    int64_t round; /* 1, 2, ... */
    int64_t rounds;
    const struct check_execution *baseline; /* one for each check */
    const struct check_execution *after;    /* of the round before; NULL in the first */
};

/* Read what people said in the task's thread, for the prompts of the run. What will not be had
 * later either is done without.   Errors: what is worth waiting for. */
MUST_CHECK int agent_read_thread(struct work *work, struct err *err);

/* Write the prompt and run the agent's command in the work tree. An agent that fails or runs out of
 * time is a result, flagged for the reviewer. */
MUST_CHECK int agent_run(struct work *work,
                         struct sandbox *box,
                         const struct agent_round *round,
                         struct work_step_result *ret_result,
                         struct err *err);

/* What the agent wrote to DRAFTD_SUMMARY_FILE, cleaned and without credentials; NULL when nothing.
 * Owns: *ret_summary is the caller's. */
MUST_CHECK int agent_read_summary(struct sandbox *box, char **ret_summary, struct err *err);

/* Likewise what it wrote to DRAFTD_ANSWERS_FILE. */
MUST_CHECK int agent_read_answers(struct sandbox *box, char **ret_answers, struct err *err);
