/* See run.h: runs without their leases, which are in run_lease.c. */
#include "server/store/run.h"

#include "server/base/strbuf.h"
#include "server/store/row.h"
#include "server/store/run_row.h"
#include "server/store/step.h"

_Static_assert(RUN_QUEUED == 0 && RUN_RUNNING == 1 && RUN_ENDED == 2,
               "written as numbers in SQL and in indexes");

static const struct row_text texts[] = {
    {3, offsetof(struct run, trigger_kind)},
    {4, offsetof(struct run, trigger_actor)},
    {6, offsetof(struct run, instruction)},
    {10, offsetof(struct run, lease_owner)},
    {16, offsetof(struct run, cancel_requested)},
    {17, offsetof(struct run, base_commit)},
    {18, offsetof(struct run, head_commit)},
    {21, offsetof(struct run, reason)},
    {22, offsetof(struct run, summary)},
    {23, offsetof(struct run, flags)},
    {28, offsetof(struct run, settings_commit)},
    {29, offsetof(struct run, detail)},
    {30, offsetof(struct run, agent)},
    {31, offsetof(struct run, branch)},
    {32, offsetof(struct run, rival)},
};
#define TEXT_COUNT (sizeof(texts) / sizeof(texts[0]))

const char *
run_state_name(enum run_state state)
{
    static const char *const names[] = {
        [RUN_QUEUED] = "queued",
        [RUN_RUNNING] = "running",
        [RUN_ENDED] = "ended",
    };

    return row_name(names, sizeof(names) / sizeof(names[0]), state);
}

const char *
run_stage_name(enum run_stage stage)
{
    static const char *const names[] = {
        [STAGE_FETCH] = "fetch", [STAGE_SETUP] = "setup",     [STAGE_BASELINE] = "baseline",
        [STAGE_AGENT] = "agent", [STAGE_CHECK] = "check",     [STAGE_EXPORT] = "export",
        [STAGE_PROOF] = "proof", [STAGE_PUBLISH] = "publish", [STAGE_END] = "end",
    };

    return row_name(names, sizeof(names) / sizeof(names[0]), stage);
}

const char *
run_outcome_name(enum run_outcome outcome)
{
    static const char *const names[] = {
        [OUTCOME_NONE] = "none", [OUTCOME_DRAFT] = "draft",   [OUTCOME_UNCHANGED] = "unchanged",
        [OUTCOME_HELD] = "held", [OUTCOME_FAILED] = "failed", [OUTCOME_CANCELED] = "canceled",
    };

    return row_name(names, sizeof(names) / sizeof(names[0]), outcome);
}

const char *
run_verdict_name(enum run_verdict verdict)
{
    static const char *const names[] = {
        [VERDICT_NONE] = "none",
        [VERDICT_VERIFIED] = "verified",
        [VERDICT_NOT_VERIFIED] = "not_verified",
        [VERDICT_NO_CHECKS] = "no_checks",
    };

    return row_name(names, sizeof(names) / sizeof(names[0]), verdict);
}

bool
run_is_ending(const struct run *run)
{
    return run->state != RUN_ENDED && run->cancel_requested;
}

void
run_free(struct run *run)
{
    if (!run)
        return;
    row_free_texts(run, texts, TEXT_COUNT);
    free(run);
}

int
run_row_load(struct db_stmt *stmt, void *ret_record, struct err *err)
{
    AUTO(run_free) struct run *run = calloc(1, sizeof(*run));
    if (!run)
        return err_set(err, ERR_NOMEM, "out of memory");

    run->id = db_column_int(stmt, 0);
    run->task = db_column_int(stmt, 1);
    run->number = db_column_int(stmt, 2);
    run->trigger_ms = db_column_int(stmt, 5);
    run->state = (enum run_state)db_column_int(stmt, 7);
    run->stage = (enum run_stage)db_column_int(stmt, 8);
    run->round = db_column_int(stmt, 9);
    run->lease_number = db_column_int(stmt, 11);
    run->lease_until_ms = db_column_int(stmt, 12);
    run->not_before_ms = db_column_int(stmt, 13);
    run->attempts = db_column_int(stmt, 14);
    run->waiting_since_ms = db_column_int(stmt, 15);
    run->outcome = (enum run_outcome)db_column_int(stmt, 19);
    run->verdict = (enum run_verdict)db_column_int(stmt, 20);
    run->created_ms = db_column_int(stmt, 24);
    run->started_ms = db_column_int(stmt, 25);
    run->finished_ms = db_column_int(stmt, 26);
    run->cancel_ms = db_column_int(stmt, 27);
    const int code = row_load_texts(stmt, run, texts, TEXT_COUNT, err);
    if (!code)
        *(struct run **)ret_record = TAKE(run);
    return code;
}

int
run_insert(
    struct db *db, const struct run_new *run, int64_t now_ms, int64_t *ret_id, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(
        db,
        "INSERT INTO run (task, number, trigger_kind, trigger_actor, trigger_ms, instruction,"
        " created_ms, agent, branch, not_before_ms, trigger_ref)"
        " VALUES ($1, (SELECT coalesce(max(number), 0) + 1 FROM run WHERE task = $1),"
        " $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        " ON CONFLICT DO NOTHING RETURNING id",
        &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, run->task);
    db_bind_text(stmt, 2, run->trigger_kind);
    db_bind_text(stmt, 3, run->trigger_actor);
    db_bind_int(stmt, 4, run->trigger_ms);
    db_bind_text(stmt, 5, run->instruction);
    db_bind_int(stmt, 6, now_ms);
    db_bind_text(stmt, 7, run->agent);
    db_bind_text(stmt, 8, run->branch);
    db_bind_int(stmt, 9, run->not_before_ms);
    db_bind_text(stmt, 10, run->trigger_ref);
    code = db_step(stmt, &row, err);
    if (code)
        return code;
    if (!row)
        return err_set(err, ERR_CONFLICT, "task %lld has a run that is queued or running",
                       (long long)run->task);
    *ret_id = db_column_int(stmt, 0);
    return 0;
}

int
run_heard(struct db *db, int64_t task, const char *ref, bool *ret_heard, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(db,
                          "SELECT 1 FROM run WHERE task = $1 AND trigger_ref = $2"
                          " UNION ALL SELECT 1 FROM remark WHERE task = $1 AND ref = $2",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, task);
    db_bind_text(stmt, 2, ref);
    code = db_step(stmt, &row, err);
    if (code)
        return code;
    *ret_heard = row;
    return 0;
}

int
run_get(struct db *db, int64_t id, struct run **ret_run, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = db_prepare(db, "SELECT " RUN_ROW_COLUMNS " FROM run WHERE id = $1", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, id);
    code = row_find(stmt, "run", id, err);
    return code ? code : run_row_load(stmt, ret_run, err);
}

int
run_latest(struct db *db, int64_t task, struct run **ret_run, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = db_prepare(db,
                          "SELECT " RUN_ROW_COLUMNS " FROM run WHERE task = $1"
                          " ORDER BY number DESC LIMIT 1",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, task);
    code = row_find(stmt, "run of task", task, err);
    return code ? code : run_row_load(stmt, ret_run, err);
}

int
run_find(struct db *db, int64_t task, int64_t number, struct run **ret_run, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(db, "SELECT " RUN_ROW_COLUMNS " FROM run WHERE task = $1 AND number = $2",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, task);
    db_bind_int(stmt, 2, number);
    code = db_step(stmt, &row, err);
    if (code)
        return code;
    if (!row)
        return err_set(err, ERR_NOTFOUND, "task %lld has no run %lld", (long long)task,
                       (long long)number);
    return run_row_load(stmt, ret_run, err);
}

void
run_list_done(struct run_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        run_free(list->items[i]);
    free(list->items);
    *list = (struct run_list){0};
}

int
run_list(struct db *db, int64_t task, struct run_list *ret_list, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    AUTO_DONE(run_list_done) struct run_list list = {0};

    int code = db_prepare(db, "SELECT " RUN_ROW_COLUMNS " FROM run WHERE task = $1 ORDER BY number",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, task);
    code = row_load_list(stmt, run_row_load, &list.items, &list.count, err);
    if (!code)
        *ret_list = TAKE_STRUCT(list);
    return code;
}

/* A run that is queued or running. */
struct live_run {
    int64_t id;
    enum run_state state;
    int64_t trigger_ms;
};

/* The task's live run.  Errors: ERR_NOTFOUND. */
static int
find_live(struct db *db, int64_t task, struct live_run *ret_live, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code =
        db_prepare(db, "SELECT id, state, trigger_ms FROM run WHERE task = $1 AND state IN (0, 1)",
                   &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, task);
    code = row_find(stmt, "queued or running run of task", task, err);
    if (code)
        return code;
    *ret_live = (struct live_run){
        .id = db_column_int(stmt, 0),
        .state = (enum run_state)db_column_int(stmt, 1),
        .trigger_ms = db_column_int(stmt, 2),
    };
    return 0;
}

static int
cancel_queued(
    struct db *db, int64_t id, const struct run_cancel *cancel, int64_t now_ms, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    char cut[LIMIT_REASON_BYTES + 1];

    auto_free char *reason = str_printf("canceled by %s", cancel->who);
    if (!reason)
        return err_set(err, ERR_NOMEM, "out of memory");
    int code = db_prepare(db,
                          "UPDATE run SET state = 2, outcome = $1, reason = $2,"
                          " cancel_requested = $3, waiting_since_ms = 0, finished_ms = $4,"
                          " cancel_ms = $5 WHERE id = $6",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, OUTCOME_CANCELED);
    db_bind_text(stmt, 2, row_reason(reason, cut));
    db_bind_text(stmt, 3, cancel->who);
    db_bind_int(stmt, 4, now_ms);
    db_bind_int(stmt, 5, cancel->happened_ms);
    db_bind_int(stmt, 6, id);
    code = db_run(stmt, err);
    return code ? code : step_end_left(db, id, err);
}

static int
ask_running(struct db *db, int64_t id, const struct run_cancel *cancel, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "UPDATE run SET cancel_requested = $1, cancel_ms = $2"
                                " WHERE id = $3 AND cancel_requested IS NULL",
                                &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, cancel->who);
    db_bind_int(stmt, 2, cancel->happened_ms);
    db_bind_int(stmt, 3, id);
    return db_run(stmt, err);
}

int
run_request_cancel(struct db *db,
                   int64_t task,
                   const struct run_cancel *cancel,
                   int64_t now_ms,
                   bool *ret_ended,
                   struct err *err)
{
    struct live_run live = {0};

    int code = find_live(db, task, &live, err);
    if (code)
        return code;
    if (cancel->happened_ms && cancel->happened_ms < live.trigger_ms)
        return err_set(err, ERR_CONFLICT, "the run under way was begun after this happened");

    const bool queued = live.state == RUN_QUEUED;
    code = queued ? cancel_queued(db, live.id, cancel, now_ms, err)
                  : ask_running(db, live.id, cancel, err);
    if (!code)
        *ret_ended = queued;
    return code;
}

int
run_told_of_rival(struct db *db, int64_t task, bool *ret_told, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "SELECT 1 FROM run WHERE task = $1 AND rival IS NOT NULL"
                                " AND state = 2 LIMIT 1",
                                &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, task);
    return db_step(stmt, ret_told, err);
}
