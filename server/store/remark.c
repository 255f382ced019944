/* See remark.h. */
#include "server/store/remark.h"

#include "server/store/row.h"

#define COLUMNS                                                                                    \
    "id, task, run, round, kind, ref, batch, target, actor, path, line, hunk, text, answer, "      \
    "draft, happened_ms, created_ms, agent, branch"

static const struct row_text texts[] = {
    {5, offsetof(struct remark, ref)},    {6, offsetof(struct remark, batch)},
    {7, offsetof(struct remark, target)}, {8, offsetof(struct remark, actor)},
    {9, offsetof(struct remark, path)},   {11, offsetof(struct remark, hunk)},
    {12, offsetof(struct remark, text)},  {13, offsetof(struct remark, answer)},
    {17, offsetof(struct remark, agent)}, {18, offsetof(struct remark, branch)},
};
#define TEXT_COUNT (sizeof(texts) / sizeof(texts[0]))

const char *
remark_kind_name(enum remark_kind kind)
{
    static const char *const names[] = {
        [REMARK_COMMENT] = "comment", [REMARK_REVIEW] = "review", [REMARK_LINE] = "line",
        [REMARK_CI] = "ci",           [REMARK_BASE] = "base",
    };

    return row_name(names, sizeof(names) / sizeof(names[0]), kind);
}

void
remark_free(struct remark *remark)
{
    if (!remark)
        return;
    row_free_texts(remark, texts, TEXT_COUNT);
    free(remark);
}

static int
load(struct db_stmt *stmt, void *ret_record, struct err *err)
{
    AUTO(remark_free) struct remark *remark = calloc(1, sizeof(*remark));
    if (!remark)
        return err_set(err, ERR_NOMEM, "out of memory");

    remark->id = db_column_int(stmt, 0);
    remark->task = db_column_int(stmt, 1);
    remark->run = db_column_int(stmt, 2);
    remark->round = db_column_int(stmt, 3);
    remark->kind = (enum remark_kind)db_column_int(stmt, 4);
    remark->line = db_column_int(stmt, 10);
    remark->draft = db_column_int(stmt, 14);
    remark->happened_ms = db_column_int(stmt, 15);
    remark->created_ms = db_column_int(stmt, 16);
    const int code = row_load_texts(stmt, remark, texts, TEXT_COUNT, err);
    if (!code)
        *(struct remark **)ret_record = TAKE(remark);
    return code;
}

int
remark_insert(
    struct db *db, const struct remark *remark, int64_t now_ms, int64_t *ret_id, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(db,
                          "INSERT INTO remark (task, kind, ref, batch, target, actor, path, line,"
                          " hunk, text, draft, happened_ms, created_ms, agent, branch)"
                          " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,"
                          " $15)"
                          " ON CONFLICT (task, ref) DO NOTHING RETURNING id",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, remark->task);
    db_bind_int(stmt, 2, remark->kind);
    db_bind_text(stmt, 3, remark->ref);
    db_bind_text(stmt, 4, remark->batch);
    db_bind_text(stmt, 5, remark->target);
    db_bind_text(stmt, 6, remark->actor);
    db_bind_text(stmt, 7, remark->path);
    db_bind_int(stmt, 8, remark->line);
    db_bind_text(stmt, 9, remark->hunk);
    db_bind_text(stmt, 10, remark->text);
    db_bind_int(stmt, 11, remark->draft);
    db_bind_int(stmt, 12, remark->happened_ms);
    db_bind_int(stmt, 13, now_ms);
    db_bind_text(stmt, 14, remark->agent);
    db_bind_text(stmt, 15, remark->branch);
    code = db_step(stmt, &row, err);
    if (code)
        return code;
    if (!row)
        return err_set(err, ERR_CONFLICT, "task %lld knows %s already", (long long)remark->task,
                       remark->ref);
    *ret_id = db_column_int(stmt, 0);
    return 0;
}

/* Run a query for one number. */
static int
count(struct db_stmt *stmt, size_t *ret_count, struct err *err)
{
    bool row;
    const int code = db_step(stmt, &row, err);

    if (!code)
        *ret_count = row ? (size_t)db_column_int(stmt, 0) : 0;
    return code;
}

int
remark_take(
    struct db *db, int64_t task, int64_t run, int64_t round, size_t *ret_count, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = db_prepare(db,
                          "UPDATE remark SET run = $1, round = $2 WHERE task = $3 AND run IS NULL"
                          " AND (agent IS NULL OR agent = (SELECT agent FROM run WHERE id = $1))"
                          " AND (branch IS NULL OR"
                          " branch = (SELECT branch FROM run WHERE id = $1))",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, run);
    db_bind_int(stmt, 2, round);
    db_bind_int(stmt, 3, task);
    code = db_run(stmt, err);
    if (!code)
        *ret_count = (size_t)db_changes(db);
    return code;
}

int
remark_take_back(struct db *db, int64_t task, int64_t run, int64_t until_ms, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "UPDATE remark SET run = $1 WHERE task = $2 AND run IS NULL"
                                " AND ($3 = 0 OR happened_ms <= $3)",
                                &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, run);
    db_bind_int(stmt, 2, task);
    db_bind_int(stmt, 3, until_ms);
    return db_run(stmt, err);
}

int
remark_reopen(struct db *db, int64_t run, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(
        db, "UPDATE remark SET run = NULL, round = 0, answer = NULL WHERE run = $1", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, run);
    return db_run(stmt, err);
}

int
remark_give_again(struct db *db, int64_t run, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code =
        db_prepare(db, "UPDATE remark SET round = 1, answer = NULL WHERE run = $1", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, run);
    return db_run(stmt, err);
}

int
remark_set_answer(struct db *db, int64_t id, const char *answer, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db, "UPDATE remark SET answer = $1 WHERE id = $2", &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, answer);
    db_bind_int(stmt, 2, id);
    return row_update(stmt, "remark", id, err);
}

static int
find_failure(struct db *db, int64_t id, const char *failure, bool *ret_known, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    size_t found = 0;

    int code = db_prepare(db,
                          "SELECT count(*) FROM remark WHERE task ="
                          " (SELECT task FROM remark WHERE id = $1) AND id <> $1 AND batch = $2",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, id);
    db_bind_text(stmt, 2, failure);
    code = count(stmt, &found, err);
    if (!code)
        *ret_known = found > 0;
    return code;
}

int
remark_set_failure(struct db *db,
                   int64_t id,
                   const char *text,
                   const char *failure,
                   bool *ret_known,
                   struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = find_failure(db, id, failure, ret_known, err);
    if (!code)
        code = db_prepare(db, "UPDATE remark SET text = $1, batch = $2 WHERE id = $3", &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, text);
    db_bind_text(stmt, 2, failure);
    db_bind_int(stmt, 3, id);
    return row_update(stmt, "remark", id, err);
}

int
remark_count_kind(struct db *db,
                  int64_t task,
                  int64_t draft,
                  enum remark_kind kind,
                  size_t *ret_count,
                  struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(
        db, "SELECT count(*) FROM remark WHERE task = $1 AND draft = $2 AND kind = $3", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, task);
    db_bind_int(stmt, 2, draft);
    db_bind_int(stmt, 3, kind);
    return count(stmt, ret_count, err);
}

void
remark_list_done(struct remark_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        remark_free(list->items[i]);
    free(list->items);
    *list = (struct remark_list){0};
}

static int
load_list(struct db *db, const char *sql, int64_t id, struct remark_list *ret_list, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    AUTO_DONE(remark_list_done) struct remark_list list = {0};

    int code = db_prepare(db, sql, &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, id);
    code = row_load_list(stmt, load, &list.items, &list.count, err);
    if (!code)
        *ret_list = TAKE_STRUCT(list);
    return code;
}

int
remark_list_of_run(struct db *db, int64_t run, struct remark_list *ret_list, struct err *err)
{
    return load_list(db, "SELECT " COLUMNS " FROM remark WHERE run = $1 ORDER BY id", run, ret_list,
                     err);
}

int
remark_list_of_task(struct db *db, int64_t task, struct remark_list *ret_list, struct err *err)
{
    return load_list(db, "SELECT " COLUMNS " FROM remark WHERE task = $1 ORDER BY id", task,
                     ret_list, err);
}
