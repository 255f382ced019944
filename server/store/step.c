/* See step.h: steps and their output. Check results are in check.c. */
#include "server/store/step.h"

#include "server/store/row.h"

#define COLUMNS                                                                                    \
    "id, run, role, kind, round, name, command, started_ms, duration_ms, ended_as, status, "       \
    "output_bytes, dropped_bytes, output_state <> 0"

static const struct row_text texts[] = {
    {5, offsetof(struct step, name)},
    {6, offsetof(struct step, command)},
};
#define TEXT_COUNT (sizeof(texts) / sizeof(texts[0]))

_Static_assert(STEP_RUNNING == 0, "written as a number in SQL");

const char *
step_kind_name(enum step_kind kind)
{
    static const char *const names[] = {
        [STEP_SETUP] = "setup", [STEP_BASELINE] = "baseline", [STEP_AGENT] = "agent",
        [STEP_CHECK] = "check", [STEP_INTERNAL] = "internal",
    };

    return row_name(names, sizeof(names) / sizeof(names[0]), kind);
}

const char *
step_role_name(enum step_role role)
{
    static const char *const names[] = {
        [ROLE_WORK] = "work",
        [ROLE_PROOF] = "proof",
    };

    return row_name(names, sizeof(names) / sizeof(names[0]), role);
}

const char *
step_end_name(enum step_end end)
{
    static const char *const names[] = {
        [STEP_RUNNING] = "running",   [STEP_EXITED] = "exited",
        [STEP_SIGNALED] = "signaled", [STEP_TIMED_OUT] = "timed_out",
        [STEP_CANCELED] = "canceled", [STEP_NOT_STARTED] = "not_started",
        [STEP_CUT_OFF] = "cut_off",   [STEP_DRAFTD_DIED] = "draftd_died",
    };

    return row_name(names, sizeof(names) / sizeof(names[0]), end);
}

void
step_free(struct step *step)
{
    if (!step)
        return;
    row_free_texts(step, texts, TEXT_COUNT);
    free(step);
}

static int
load(struct db_stmt *stmt, void *ret_record, struct err *err)
{
    AUTO(step_free) struct step *step = calloc(1, sizeof(*step));
    if (!step)
        return err_set(err, ERR_NOMEM, "out of memory");

    step->id = db_column_int(stmt, 0);
    step->run = db_column_int(stmt, 1);
    step->role = (enum step_role)db_column_int(stmt, 2);
    step->kind = (enum step_kind)db_column_int(stmt, 3);
    step->round = db_column_int(stmt, 4);
    step->started_ms = db_column_int(stmt, 7);
    step->duration_ms = db_column_int(stmt, 8);
    step->end = (enum step_end)db_column_int(stmt, 9);
    step->status = db_column_int(stmt, 10);
    step->output_bytes = db_column_int(stmt, 11);
    step->dropped_bytes = db_column_int(stmt, 12);
    step->output_removed = db_column_int(stmt, 13) && step->output_bytes > 0;
    const int code = row_load_texts(stmt, step, texts, TEXT_COUNT, err);
    if (!code)
        *(struct step **)ret_record = TAKE(step);
    return code;
}

int
step_insert(struct db *db, const struct step *step, int64_t *ret_id, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(db,
                          "INSERT INTO step (run, role, kind, round, name, command, started_ms)"
                          " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, step->run);
    db_bind_int(stmt, 2, step->role);
    db_bind_int(stmt, 3, step->kind);
    db_bind_int(stmt, 4, step->round);
    db_bind_text(stmt, 5, step->name);
    db_bind_text(stmt, 6, step->command);
    db_bind_int(stmt, 7, step->started_ms);
    code = db_step(stmt, &row, err);
    if (!code)
        *ret_id = db_column_int(stmt, 0);
    return code;
}

/* Count `len` more bytes; *ret_position is where they begin. */
static int
grow_output(struct db *db, int64_t step, size_t len, int64_t *ret_position, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = db_prepare(db,
                          "UPDATE step SET output_bytes = output_bytes + $1 WHERE id = $2"
                          " RETURNING output_bytes",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, (int64_t)len);
    db_bind_int(stmt, 2, step);
    code = row_find(stmt, "step", step, err);
    if (!code)
        *ret_position = db_column_int(stmt, 0) - (int64_t)len;
    return code;
}

int
step_append(struct db *db, int64_t step, struct bytes output, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    int64_t position = 0;

    if (output.len == 0)
        return 0;
    int code = grow_output(db, step, output.len, &position, err);
    if (!code)
        code = db_prepare(db, "INSERT INTO step_output (step, position, data) VALUES ($1, $2, $3)",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, step);
    db_bind_int(stmt, 2, position);
    db_bind_blob(stmt, 3, output);
    return db_run(stmt, err);
}

int
step_finish(struct db *db,
            int64_t step,
            enum step_end end,
            int64_t status,
            int64_t duration_ms,
            int64_t dropped_bytes,
            struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "UPDATE step SET ended_as = $1, status = $2, duration_ms = $3,"
                                " dropped_bytes = $4 WHERE id = $5",
                                &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, end);
    db_bind_int(stmt, 2, status);
    db_bind_int(stmt, 3, duration_ms);
    db_bind_int(stmt, 4, dropped_bytes);
    db_bind_int(stmt, 5, step);
    return row_update(stmt, "step", step, err);
}

int
step_end_left(struct db *db, int64_t run, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(
        db, "UPDATE step SET ended_as = $1 WHERE run = $2 AND ended_as = 0", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, STEP_DRAFTD_DIED);
    db_bind_int(stmt, 2, run);
    return db_run(stmt, err);
}

int
step_get(struct db *db, int64_t id, struct step **ret_step, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = db_prepare(db, "SELECT " COLUMNS " FROM step WHERE id = $1", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, id);
    code = row_find(stmt, "step", id, err);
    return code ? code : load(stmt, ret_step, err);
}

void
step_list_done(struct step_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        step_free(list->items[i]);
    free(list->items);
    *list = (struct step_list){0};
}

int
step_list(struct db *db, int64_t run, struct step_list *ret_list, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    AUTO_DONE(step_list_done) struct step_list list = {0};

    int code =
        db_prepare(db, "SELECT " COLUMNS " FROM step WHERE run = $1 ORDER BY id", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, run);
    code = row_load_list(stmt, load, &list.items, &list.count, err);
    if (!code)
        *ret_list = TAKE_STRUCT(list);
    return code;
}

/* The part of a segment, which begins at `position`, that lies in the bytes from `from` to `to`. */
static struct bytes
cut_segment(struct bytes data, int64_t position, int64_t from, int64_t to)
{
    const int64_t end = position + (int64_t)data.len;
    const int64_t first = position < from ? from : position;
    const int64_t last = end < to ? end : to;

    if (first >= last)
        return (struct bytes){0};
    return bytes_of(data.ptr + (first - position), (size_t)(last - first));
}

static int
read_range(
    struct db *db, int64_t step, int64_t from, int64_t to, struct strbuf *buf, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row = false;

    /* From the segment that holds the first byte on. */
    int code = db_prepare(db,
                          "SELECT position, data FROM step_output WHERE step = $1 AND position >="
                          " coalesce((SELECT max(position) FROM step_output"
                          " WHERE step = $1 AND position <= $2), 0)"
                          " AND position < $3 ORDER BY position",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, step);
    db_bind_int(stmt, 2, from);
    db_bind_int(stmt, 3, to);
    code = db_step(stmt, &row, err);
    while (!code && row && strbuf_ok(buf)) {
        const int64_t position = db_column_int(stmt, 0);
        strbuf_add_bytes(buf, cut_segment(db_column_blob(stmt, 1), position, from, to));
        code = db_step(stmt, &row, err);
    }
    if (!code && !strbuf_ok(buf))
        return err_set(err, buf->failed, "the output of step %lld does not fit", (long long)step);
    return code;
}

int
step_read(
    struct db *db, int64_t step, int64_t offset, size_t max, struct strbuf *buf, struct err *err)
{
    const int64_t from = offset > 0 ? offset : 0;
    const int64_t room = INT64_MAX - from;

    return read_range(db, step, from, max < (uint64_t)room ? from + (int64_t)max : INT64_MAX, buf,
                      err);
}

int
step_read_tail(struct db *db, int64_t step, size_t max, struct strbuf *buf, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = db_prepare(db, "SELECT output_bytes FROM step WHERE id = $1", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, step);
    code = row_find(stmt, "step", step, err);
    if (code)
        return code;

    const int64_t size = db_column_int(stmt, 0);
    const int64_t from = max < (uint64_t)size ? size - (int64_t)max : 0;
    return read_range(db, step, from, size, buf, err);
}
