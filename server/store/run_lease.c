/* See run.h: claiming, and what only the holder of a lease may do. Every change names the lease's
 * number in its WHERE: a worker that was taken for dead changes nothing. */
#include "server/store/row.h"
#include "server/store/run.h"
#include "server/store/run_row.h"
#include "server/store/step.h"
#include "server/store/task.h"

/* The oldest run above `after` that is due, by three looks into indexes of what is live. (Without
 * the lower bound on lease_until_ms SQLite would rather walk through all runs in the order of their
 * ids.) Errors: ERR_NOTFOUND. */
static int
find_due(struct db *db, int64_t now_ms, int64_t after, int64_t *ret_id, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(db,
                          "SELECT min(id) FROM ("
                          "SELECT min(id) AS id FROM run WHERE state = 0 AND not_before_ms = 0"
                          " AND id > $1"
                          " UNION ALL "
                          "SELECT min(id) AS id FROM run WHERE state = 0 AND not_before_ms > 0"
                          " AND not_before_ms <= $2 AND id > $1"
                          " UNION ALL "
                          "SELECT min(id) AS id FROM run WHERE state = 1 AND lease_until_ms > 0"
                          " AND lease_until_ms <= $2 AND id > $1"
                          ") AS claimable",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, after);
    db_bind_int(stmt, 2, now_ms);
    code = db_step(stmt, &row, err);
    if (code)
        return code;
    if (!row || db_column_is_null(stmt, 0))
        return err_set(err, ERR_NOTFOUND, "no run is to be done");
    *ret_id = db_column_int(stmt, 0);
    return 0;
}

static bool
is_in_hands(const struct run_claim *claim, int64_t id)
{
    for (size_t i = 0; i < claim->in_hands_count; i++)
        if (claim->in_hands[i] == id)
            return true;
    return false;
}

/* Errors: ERR_NOTFOUND. */
static int
find_claimable(struct db *db, const struct run_claim *claim, int64_t *ret_id, struct err *err)
{
    int64_t id = 0;
    int code;

    do
        code = find_due(db, claim->now_ms, id, &id, err);
    while (!code && is_in_hands(claim, id));
    if (!code)
        *ret_id = id;
    return code;
}

static int
set_task_running(struct db *db, int64_t task, int64_t now_ms, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    /* Unchanged when a dead worker's run is taken over: the task is running. */
    const int code = db_prepare(
        db, "UPDATE task SET state = 1, updated_ms = $1 WHERE id = $2 AND state <> 1", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, now_ms);
    db_bind_int(stmt, 2, task);
    return db_run(stmt, err);
}

int
run_claim(struct db *db, const struct run_claim *claim, struct run **ret_run, struct err *err)
{
    AUTO(run_free) struct run *run = NULL;
    AUTO(db_release) struct db_stmt *stmt = NULL;
    int64_t id = 0;

    int code = find_claimable(db, claim, &id, err);
    if (!code)
        code = db_prepare(db,
                          "UPDATE run SET state = 1, lease_owner = $1,"
                          " lease_number = lease_number + 1, lease_until_ms = $2,"
                          " attempts = attempts + 1, not_before_ms = 0,"
                          " started_ms = CASE WHEN started_ms = 0 THEN $3 ELSE started_ms END"
                          " WHERE id = $4 RETURNING " RUN_ROW_COLUMNS,
                          &stmt, err);
    if (code)
        return code;

    db_bind_text(stmt, 1, claim->owner);
    db_bind_int(stmt, 2, claim->lease_until_ms);
    db_bind_int(stmt, 3, claim->now_ms);
    db_bind_int(stmt, 4, id);
    code = row_find(stmt, "run", id, err);
    if (!code)
        code = run_row_load(stmt, &run, err);
    if (!code)
        code = set_task_running(db, run->task, claim->now_ms, err);
    if (!code)
        code = step_end_left(db, id, err);
    if (!code)
        *ret_run = TAKE(run);
    return code;
}

static int
fail_lost(struct run_lease lease, struct err *err)
{
    return err_set(err, ERR_CONFLICT,
                   "run %lld is not held under lease %lld any more: another worker took it",
                   (long long)lease.run, (long long)lease.number);
}

/* Run an update whose WHERE names the lease at `place` and the place after it. */
static int
update_held(struct db_stmt *stmt, int place, struct run_lease lease, struct err *err)
{
    db_bind_int(stmt, place, lease.run);
    db_bind_int(stmt, place + 1, lease.number);
    const int code = db_run(stmt, err);
    if (code)
        return code;
    return db_changes(stmt->db) == 0 ? fail_lost(lease, err) : 0;
}

int
run_check_lease(struct db *db, struct run_lease lease, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(db, "SELECT 1 FROM run WHERE id = $1 AND lease_number = $2 AND state = 1",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, lease.run);
    db_bind_int(stmt, 2, lease.number);
    code = db_step(stmt, &row, err);
    if (code)
        return code;
    return row ? 0 : fail_lost(lease, err);
}

static int
renew(struct db *db, const char *owner, int64_t run, int64_t lease_until_ms, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "UPDATE run SET lease_until_ms = $1"
                                " WHERE id = $2 AND state = 1 AND lease_owner = $3",
                                &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, lease_until_ms);
    db_bind_int(stmt, 2, run);
    db_bind_text(stmt, 3, owner);
    return db_run(stmt, err);
}

int
run_renew(struct db *db,
          const char *owner,
          const int64_t *runs,
          size_t count,
          int64_t lease_until_ms,
          struct err *err)
{
    int code = 0;

    for (size_t i = 0; !code && i < count; i++)
        code = renew(db, owner, runs[i], lease_until_ms, err);
    return code;
}

static int
queue_tasks_of(struct db *db, const char *owner, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "UPDATE task SET state = 0 WHERE state = 1 AND id IN"
                                " (SELECT task FROM run WHERE state = 1 AND lease_owner = $1)",
                                &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, owner);
    return db_run(stmt, err);
}

/* End the steps left running of the runs held by `owner`; NULL: of all that live. */
static int
end_steps_of(struct db *db, const char *owner, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "UPDATE step SET ended_as = $1 WHERE ended_as = 0 AND run IN"
                                " (SELECT id FROM run WHERE state IN (0, 1)"
                                " AND ($2 IS NULL OR lease_owner = $2))",
                                &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, STEP_DRAFTD_DIED);
    db_bind_text(stmt, 2, owner);
    return db_run(stmt, err);
}

int
run_release_all(struct db *db, const char *owner, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = queue_tasks_of(db, owner, err);
    if (!code)
        code = end_steps_of(db, owner, err);
    if (!code)
        code = db_prepare(db,
                          "UPDATE run SET state = 0, lease_owner = NULL, lease_until_ms = 0,"
                          " not_before_ms = 0 WHERE state = 1 AND lease_owner = $1",
                          &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, owner);
    return db_run(stmt, err);
}

static int
cancel_live_tasks(struct db *db, const char *reason, int64_t now_ms, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "UPDATE task SET state = $1, reason = $2, updated_ms = $3"
                                " WHERE state IN (0, 1)",
                                &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, TASK_CANCELED);
    db_bind_text(stmt, 2, reason);
    db_bind_int(stmt, 3, now_ms);
    return db_run(stmt, err);
}

int
run_cancel_all(struct db *db, const char *reason, int64_t now_ms, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    char cut[LIMIT_REASON_BYTES + 1];

    reason = row_reason(reason, cut);
    int code = cancel_live_tasks(db, reason, now_ms, err);
    if (!code)
        code = end_steps_of(db, NULL, err);
    if (!code)
        code = db_prepare(db,
                          "UPDATE run SET state = 2, outcome = $1, reason = $2, finished_ms = $3,"
                          " lease_owner = NULL, lease_until_ms = 0, waiting_since_ms = 0"
                          " WHERE state IN (0, 1)",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, OUTCOME_CANCELED);
    db_bind_text(stmt, 2, reason);
    db_bind_int(stmt, 3, now_ms);
    return db_run(stmt, err);
}

static int
give_back(struct db *db, struct run_lease lease, const struct run_return *how, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code =
        db_prepare(db,
                   "UPDATE run SET state = 0, lease_owner = NULL, lease_until_ms = 0,"
                   " not_before_ms = CASE WHEN cancel_requested IS NULL THEN $1 ELSE 0 END,"
                   " waiting_since_ms = $2, attempts = attempts - $3, detail = $4"
                   " WHERE id = $5 AND lease_number = $6 AND state = 1",
                   &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, how->not_before_ms);
    db_bind_int(stmt, 2, how->waiting_since_ms);
    db_bind_int(stmt, 3, how->spent ? 0 : 1);
    db_bind_text(stmt, 4, how->detail);
    return update_held(stmt, 5, lease, err);
}

int
run_give_back(struct db *db,
              struct run_lease lease,
              const struct run_return *how,
              int64_t now_ms,
              struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = give_back(db, lease, how, err);
    if (!code)
        code = db_prepare(db,
                          "UPDATE task SET state = 0, updated_ms = $1"
                          " WHERE id = (SELECT task FROM run WHERE id = $2) AND state = 1",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, now_ms);
    db_bind_int(stmt, 2, lease.run);
    return db_run(stmt, err);
}

int
run_rewind(struct db *db, struct run_lease lease, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "UPDATE run SET stage = 0, round = 0, base_commit = NULL,"
                                " settings_commit = NULL, head_commit = NULL, verdict = 0,"
                                " summary = NULL, flags = NULL, detail = NULL"
                                " WHERE id = $1 AND lease_number = $2 AND state = 1",
                                &stmt, err);
    return code ? code : update_held(stmt, 1, lease, err);
}

int
run_set_stage(
    struct db *db, struct run_lease lease, enum run_stage stage, int64_t round, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "UPDATE run SET stage = $1, round = $2"
                                " WHERE id = $3 AND lease_number = $4 AND state = 1",
                                &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, stage);
    db_bind_int(stmt, 2, round);
    return update_held(stmt, 3, lease, err);
}

int
run_set_base(struct db *db,
             struct run_lease lease,
             const char *base_commit,
             const char *settings_commit,
             struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "UPDATE run SET base_commit = $1, settings_commit = $2"
                                " WHERE id = $3 AND lease_number = $4 AND state = 1",
                                &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, base_commit);
    db_bind_text(stmt, 2, settings_commit);
    return update_held(stmt, 3, lease, err);
}

int
run_set_head(struct db *db,
             struct run_lease lease,
             const char *head_commit,
             const char *summary,
             const char *flags,
             struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "UPDATE run SET head_commit = $1, summary = $2, flags = $3"
                                " WHERE id = $4 AND lease_number = $5 AND state = 1",
                                &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, head_commit);
    db_bind_text(stmt, 2, summary);
    db_bind_text(stmt, 3, flags);
    return update_held(stmt, 4, lease, err);
}

int
run_set_verdict(struct db *db, struct run_lease lease, enum run_verdict verdict, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "UPDATE run SET verdict = $1"
                                " WHERE id = $2 AND lease_number = $3 AND state = 1",
                                &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, verdict);
    return update_held(stmt, 2, lease, err);
}

int
run_set_detail(struct db *db, struct run_lease lease, const char *detail, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "UPDATE run SET detail = $1"
                                " WHERE id = $2 AND lease_number = $3 AND state = 1",
                                &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, detail);
    return update_held(stmt, 2, lease, err);
}

int
run_set_rival(struct db *db, struct run_lease lease, const char *rival, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "UPDATE run SET rival = $1"
                                " WHERE id = $2 AND lease_number = $3 AND state = 1",
                                &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, rival);
    return update_held(stmt, 2, lease, err);
}

int
run_finish(struct db *db,
           struct run_lease lease,
           enum run_outcome outcome,
           const char *reason,
           int64_t now_ms,
           struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    char cut[LIMIT_REASON_BYTES + 1];

    int code = db_prepare(db,
                          "UPDATE run SET state = 2, outcome = $1, reason = $2,"
                          " finished_ms = $3, lease_owner = NULL, lease_until_ms = 0,"
                          " waiting_since_ms = 0"
                          " WHERE id = $4 AND lease_number = $5 AND state = 1",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, outcome);
    db_bind_text(stmt, 2, row_reason(reason, cut));
    db_bind_int(stmt, 3, now_ms);
    code = update_held(stmt, 4, lease, err);
    return code ? code : step_end_left(db, lease.run, err);
}

int
run_list_canceled(struct db *db,
                  const char *owner,
                  int64_t *ret_ids,
                  size_t max,
                  size_t *ret_count,
                  struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    size_t count = 0;
    bool row = false;

    int code = db_prepare(db,
                          "SELECT id FROM run WHERE state = 1 AND lease_owner = $1"
                          " AND cancel_requested IS NOT NULL LIMIT $2",
                          &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, owner);
    db_bind_int(stmt, 2, (int64_t)max);
    code = db_step(stmt, &row, err);
    while (!code && row && count < max) {
        ret_ids[count++] = db_column_int(stmt, 0);
        code = db_step(stmt, &row, err);
    }
    if (!code)
        *ret_count = count;
    return code;
}
