/* A run out of its row, for run.c and run_lease.c alone. */
#pragma once

#include "server/store/db.h"
#include "server/store/run.h"

#define RUN_ROW_COLUMNS                                                                            \
    "id, task, number, trigger_kind, trigger_actor, trigger_ms, instruction, state, "              \
    "stage, round, lease_owner, lease_number, lease_until_ms, not_before_ms, attempts, "           \
    "waiting_since_ms, cancel_requested, base_commit, head_commit, outcome, verdict, "             \
    "reason, summary, flags, created_ms, started_ms, finished_ms, cancel_ms, settings_commit, "    \
    "detail, agent, branch, rival"

/* Copy the row that `stmt` is at, whose columns are RUN_ROW_COLUMNS: a row_load_fn, whose
 * `ret_record` is a `struct run **`. */
MUST_CHECK int run_row_load(struct db_stmt *stmt, void *ret_record, struct err *err);
