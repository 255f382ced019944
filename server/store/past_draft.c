/* See past_draft.h. */
#include "server/store/past_draft.h"

#include "server/store/row.h"

#define COLUMNS                                                                                    \
    "past_draft.id, past_draft.task, past_draft.number, past_draft.url, past_draft.branch,"        \
    " past_draft.base_branch, past_draft.state, past_draft.opened_ms, past_draft.ended_ms,"        \
    " past_draft.last_run, past_draft.last_remark"

_Static_assert(DRAFT_NONE == 0 && DRAFT_OPEN == 1, "written as numbers in SQL");

static const struct row_text texts[] = {
    {3, offsetof(struct past_draft, url)},
    {4, offsetof(struct past_draft, branch)},
    {5, offsetof(struct past_draft, base_branch)},
};
#define TEXT_COUNT (sizeof(texts) / sizeof(texts[0]))

void
past_draft_free(struct past_draft *past)
{
    if (!past)
        return;
    row_free_texts(past, texts, TEXT_COUNT);
    free(past);
}

const char *
past_draft_state_name(const struct past_draft *past)
{
    return past->state == DRAFT_NONE ? "ended" : draft_state_name(past->state);
}

static int
load(struct db_stmt *stmt, void *ret_record, struct err *err)
{
    AUTO(past_draft_free) struct past_draft *past = calloc(1, sizeof(*past));
    if (!past)
        return err_set(err, ERR_NOMEM, "out of memory");

    past->id = db_column_int(stmt, 0);
    past->task = db_column_int(stmt, 1);
    past->number = db_column_int(stmt, 2);
    past->state = (enum draft_state)db_column_int(stmt, 6);
    past->opened_ms = db_column_int(stmt, 7);
    past->ended_ms = db_column_int(stmt, 8);
    past->last_run = db_column_int(stmt, 9);
    past->last_remark = db_column_int(stmt, 10);
    const int code = row_load_texts(stmt, past, texts, TEXT_COUNT, err);
    if (!code)
        *(struct past_draft **)ret_record = TAKE(past);
    return code;
}

int
past_draft_keep(struct db *db, int64_t task, int64_t next, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    /* One that is replaced while it was taken to be open ended unheard; and the run that opened the
     * next is of that one already. */
    const int code = db_prepare(
        db,
        "INSERT INTO past_draft (task, number, url, branch, base_branch, state, opened_ms,"
        " ended_ms, last_run, last_remark)"
        " SELECT id, draft_number, draft_url, branch, base_branch,"
        " CASE draft_state WHEN 1 THEN 0 ELSE draft_state END, draft_opened_ms, draft_ended_ms,"
        " coalesce((SELECT max(number) FROM run WHERE run.task = task.id) - ($1 > 0), 0),"
        " coalesce((SELECT max(id) FROM remark WHERE remark.task = task.id), 0)"
        " FROM task WHERE id = $2 AND draft_number > 0 AND draft_number <> $1",
        &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, next);
    db_bind_int(stmt, 2, task);
    return db_run(stmt, err);
}

int
past_draft_set_state(
    struct db *db, int64_t id, enum draft_state state, int64_t ended_ms, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code =
        db_prepare(db, "UPDATE past_draft SET state = $1, ended_ms = $2 WHERE id = $3", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, state);
    db_bind_int(stmt, 2, ended_ms);
    db_bind_int(stmt, 3, id);
    return row_update(stmt, "past draft", id, err);
}

/* Step to the first draft of a query. */
static int
load_first(struct db_stmt *stmt, struct past_draft **ret_past, struct err *err)
{
    bool row;
    const int code = db_step(stmt, &row, err);

    if (code)
        return code;
    return row ? load(stmt, ret_past, err) : err_set(err, ERR_NOTFOUND, "there is no past draft");
}

int
past_draft_latest(struct db *db, int64_t task, struct past_draft **ret_past, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(
        db, "SELECT " COLUMNS " FROM past_draft WHERE task = $1 ORDER BY id DESC LIMIT 1", &stmt,
        err);
    if (code)
        return code;
    db_bind_int(stmt, 1, task);
    return load_first(stmt, ret_past, err);
}

int
past_draft_find(struct db *db,
                const char *platform,
                const char *repository,
                int64_t number,
                struct past_draft **ret_past,
                struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "SELECT " COLUMNS " FROM past_draft"
                                " JOIN task ON task.id = past_draft.task"
                                " WHERE past_draft.number = $1 AND task.repository = $2"
                                " AND task.platform = $3 LIMIT 1",
                                &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, number);
    db_bind_text(stmt, 2, repository);
    db_bind_text(stmt, 3, platform);
    return load_first(stmt, ret_past, err);
}

void
past_draft_list_done(struct past_draft_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        past_draft_free(list->items[i]);
    free(list->items);
    *list = (struct past_draft_list){0};
}

int
past_draft_list(struct db *db, int64_t task, struct past_draft_list *ret_list, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    AUTO_DONE(past_draft_list_done) struct past_draft_list list = {0};

    int code = db_prepare(db, "SELECT " COLUMNS " FROM past_draft WHERE task = $1 ORDER BY id",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, task);
    code = row_load_list(stmt, load, &list.items, &list.count, err);
    if (!code)
        *ret_list = TAKE_STRUCT(list);
    return code;
}
