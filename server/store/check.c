/* See step.h: check results, and baselines kept for the next task on the same commit. */
#include "server/store/row.h"
#include "server/store/step.h"

const char *
check_status_name(enum check_status status)
{
    static const char *const names[] = {
        [CHECK_NOT_RUN] = "not_run",     [CHECK_PASSED] = "passed",
        [CHECK_FAILED] = "failed",       [CHECK_FLAKY] = "flaky",
        [CHECK_TIMED_OUT] = "timed_out", [CHECK_COULD_NOT_RUN] = "could_not_run",
    };

    return row_name(names, sizeof(names) / sizeof(names[0]), status);
}

const char *
check_verdict_name(enum check_verdict verdict)
{
    static const char *const names[] = {
        [CHECK_VERDICT_NONE] = "none",           [CHECK_VERDICT_PASSED] = "passed",
        [CHECK_VERDICT_FAILED] = "failed",       [CHECK_VERDICT_RED_BEFORE] = "was_red_before",
        [CHECK_VERDICT_FIXED] = "fixed",         [CHECK_VERDICT_FLAKY] = "flaky",
        [CHECK_VERDICT_TIMED_OUT] = "timed_out", [CHECK_VERDICT_COULD_NOT_RUN] = "could_not_run",
    };

    return row_name(names, sizeof(names) / sizeof(names[0]), verdict);
}

void
check_result_list_done(struct check_result_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].name);
        free(list->items[i].command);
    }
    free(list->items);
    *list = (struct check_result_list){0};
}

/* The row of a check, made when it is the first time; its command is the newest one's. */
static int
put_result(struct db *db,
           int64_t run,
           const char *name,
           const char *command,
           int64_t *ret_id,
           struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(db,
                          "INSERT INTO check_result (run, name, command) VALUES ($1, $2, $3)"
                          " ON CONFLICT (run, name) DO UPDATE SET command = excluded.command"
                          " RETURNING id",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, run);
    db_bind_text(stmt, 2, name);
    db_bind_text(stmt, 3, command);
    code = db_step(stmt, &row, err);
    if (!code)
        *ret_id = db_column_int(stmt, 0);
    return code;
}

int
check_record(struct db *db,
             int64_t run,
             const char *name,
             const char *command,
             enum check_phase phase,
             const struct check_execution *execution,
             struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    int64_t result = 0;

    int code = put_result(db, run, name, command, &result, err);
    if (!code)
        code = db_prepare(db,
                          "INSERT INTO check_execution"
                          " (result, phase, status, exit_status, duration_ms, step)"
                          " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (result, phase)"
                          " DO UPDATE SET status = excluded.status,"
                          " exit_status = excluded.exit_status,"
                          " duration_ms = excluded.duration_ms, step = excluded.step",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, result);
    db_bind_int(stmt, 2, phase);
    db_bind_int(stmt, 3, execution->status);
    db_bind_int(stmt, 4, execution->exit_status);
    db_bind_int(stmt, 5, execution->duration_ms);
    row_bind_ref(stmt, 6, execution->step);
    return db_run(stmt, err);
}

int
check_set_verdict(
    struct db *db, int64_t run, const char *name, enum check_verdict verdict, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = db_prepare(db, "UPDATE check_result SET verdict = $1 WHERE run = $2 AND name = $3",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, verdict);
    db_bind_int(stmt, 2, run);
    db_bind_text(stmt, 3, name);
    code = db_run(stmt, err);
    if (!code && db_changes(db) == 0)
        return err_set(err, ERR_NOTFOUND, "run %lld has no check %s", (long long)run, name);
    return code;
}

static int
remove_of_run(struct db *db, const char *sql, int64_t run, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    const int code = db_prepare(db, sql, &stmt, err);

    if (code)
        return code;
    db_bind_int(stmt, 1, run);
    return db_run(stmt, err);
}

int
check_remove(struct db *db, int64_t run, struct err *err)
{
    const int code = remove_of_run(db,
                                   "DELETE FROM check_execution WHERE result IN"
                                   " (SELECT id FROM check_result WHERE run = $1)",
                                   run, err);
    return code ? code : remove_of_run(db, "DELETE FROM check_result WHERE run = $1", run, err);
}

/* The result that the row belongs to: the last one of the list, or a new one behind it; NULL when
 * out of memory. */
static struct check_result *
result_of_row(struct check_result_list *list, int64_t *last_id, struct db_stmt *stmt)
{
    static const struct row_text texts[] = {
        {1, offsetof(struct check_result, name)},
        {2, offsetof(struct check_result, command)},
    };

    const int64_t id = db_column_int(stmt, 0);
    if (list->count > 0 && id == *last_id)
        return &list->items[list->count - 1];

    struct check_result *items = row_list_grow(list->items, list->count, sizeof(*items));
    if (!items)
        return NULL;
    *last_id = id;
    list->items = items;
    struct check_result *result = &items[list->count++];
    *result = (struct check_result){.verdict = (enum check_verdict)db_column_int(stmt, 3)};
    if (row_load_texts(stmt, result, texts, sizeof(texts) / sizeof(texts[0]), NULL))
        return NULL;
    return result;
}

/* A row is one execution of one check; the rows of a check follow each other. */
static int
append_row(struct check_result_list *list, int64_t *last_id, struct db_stmt *stmt, struct err *err)
{
    struct check_result *result = result_of_row(list, last_id, stmt);
    if (!result)
        return err_set(err, ERR_NOMEM, "out of memory");

    const int64_t phase = db_column_int(stmt, 4);
    if (phase < 0 || phase >= CHECK_PHASE_COUNT)
        return err_set(err, ERR_INTERNAL, "check %s has no phase %lld", result->name,
                       (long long)phase);
    result->phases[phase] = (struct check_execution){
        .status = (enum check_status)db_column_int(stmt, 5),
        .exit_status = db_column_int(stmt, 6),
        .duration_ms = db_column_int(stmt, 7),
        .step = db_column_int(stmt, 8),
    };
    return 0;
}

int
check_list(struct db *db, int64_t run, struct check_result_list *ret_list, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    AUTO_DONE(check_result_list_done) struct check_result_list list = {0};
    int64_t last_id = 0;
    bool row = false;

    int code = db_prepare(db,
                          "SELECT r.id, r.name, r.command, r.verdict, e.phase, e.status,"
                          " e.exit_status, e.duration_ms, coalesce(e.step, 0)"
                          " FROM check_result r JOIN check_execution e ON e.result = r.id"
                          " WHERE r.run = $1 ORDER BY r.id, e.phase",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, run);
    code = db_step(stmt, &row, err);
    while (!code && row) {
        code = append_row(&list, &last_id, stmt, err);
        if (!code)
            code = db_step(stmt, &row, err);
    }
    if (code)
        return code;
    *ret_list = TAKE_STRUCT(list);
    return 0;
}

int
baseline_get(struct db *db,
             const char *key,
             const char *check,
             struct check_execution *ret_execution,
             struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(db,
                          "SELECT status, exit_status, duration_ms FROM baseline"
                          " WHERE baseline_key = $1 AND check_name = $2",
                          &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, key);
    db_bind_text(stmt, 2, check);
    code = db_step(stmt, &row, err);
    if (code)
        return code;
    if (!row)
        return err_set(err, ERR_NOTFOUND, "no baseline of %s is kept", check);
    *ret_execution = (struct check_execution){
        .status = (enum check_status)db_column_int(stmt, 0),
        .exit_status = db_column_int(stmt, 1),
        .duration_ms = db_column_int(stmt, 2),
    };
    return 0;
}

int
baseline_put(struct db *db,
             const char *key,
             const char *check,
             const struct check_execution *execution,
             int64_t now_ms,
             struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "INSERT INTO baseline (baseline_key, check_name, status,"
                                " exit_status, duration_ms, created_ms)"
                                " VALUES ($1, $2, $3, $4, $5, $6)"
                                " ON CONFLICT (baseline_key, check_name) DO UPDATE SET"
                                " status = excluded.status, exit_status = excluded.exit_status,"
                                " duration_ms = excluded.duration_ms,"
                                " created_ms = excluded.created_ms",
                                &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, key);
    db_bind_text(stmt, 2, check);
    db_bind_int(stmt, 3, execution->status);
    db_bind_int(stmt, 4, execution->exit_status);
    db_bind_int(stmt, 5, execution->duration_ms);
    db_bind_int(stmt, 6, now_ms);
    return db_run(stmt, err);
}
