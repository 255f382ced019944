/* See task.h. */
#include "server/store/task.h"

#include "server/store/past_draft.h"
#include "server/store/row.h"

#define COLUMNS                                                                                    \
    "id, platform, origin, thread, repository, number, title, text, url, requested_by, state, "    \
    "branch, base_branch, draft_number, draft_url, status_ref, reason, created_ms, updated_ms, "   \
    "draft_state, draft_opened_ms, draft_ended_ms, follow_ci, draft_conflicts, draft_seen"

_Static_assert(TASK_QUEUED == 0 && TASK_RUNNING == 1 && DRAFT_OPEN == 1,
               "written as numbers in SQL and in indexes");

static const struct row_text texts[] = {
    {1, offsetof(struct task, platform)},   {2, offsetof(struct task, origin)},
    {3, offsetof(struct task, thread)},     {4, offsetof(struct task, repository)},
    {6, offsetof(struct task, title)},      {7, offsetof(struct task, text)},
    {8, offsetof(struct task, url)},        {9, offsetof(struct task, requested_by)},
    {11, offsetof(struct task, branch)},    {12, offsetof(struct task, base_branch)},
    {14, offsetof(struct task, draft_url)}, {15, offsetof(struct task, status_ref)},
    {16, offsetof(struct task, reason)},    {24, offsetof(struct task, draft_seen)},
};
#define TEXT_COUNT (sizeof(texts) / sizeof(texts[0]))

#define TO(state) (1U << (state))
#define TO_ENDED                                                                                   \
    (TO(TASK_DRAFTED) | TO(TASK_UNCHANGED) | TO(TASK_HELD) | TO(TASK_FAILED) | TO(TASK_CANCELED))

struct state_facts {
    const char *name;
    unsigned next; /* the states that may follow */
};

static const struct state_facts states[TASK_STATE_COUNT] = {
    [TASK_QUEUED] = {"queued", TO(TASK_RUNNING) | TO_ENDED},
    [TASK_RUNNING] = {"running", TO(TASK_QUEUED) | TO_ENDED},
    [TASK_DRAFTED] = {"drafted", TO(TASK_QUEUED)},
    [TASK_UNCHANGED] = {"unchanged", TO(TASK_QUEUED)},
    [TASK_HELD] = {"held", TO(TASK_QUEUED)},
    [TASK_FAILED] = {"failed", TO(TASK_QUEUED)},
    [TASK_CANCELED] = {"canceled", TO(TASK_QUEUED)},
};

static bool
is_state(enum task_state state)
{
    return (unsigned)state < TASK_STATE_COUNT;
}

const char *
task_state_name(enum task_state state)
{
    return is_state(state) ? states[state].name : "unknown";
}

bool
task_state_is_live(enum task_state state)
{
    return state == TASK_QUEUED || state == TASK_RUNNING;
}

bool
task_state_allows(enum task_state from, enum task_state to)
{
    return is_state(from) && is_state(to) && (states[from].next & TO(to));
}

const char *
draft_state_name(enum draft_state state)
{
    static const char *const names[] = {
        [DRAFT_NONE] = "none",
        [DRAFT_OPEN] = "open",
        [DRAFT_MERGED] = "merged",
        [DRAFT_CLOSED] = "closed",
    };

    return row_name(names, sizeof(names) / sizeof(names[0]), state);
}

bool
draft_state_is_ended(enum draft_state state)
{
    return state == DRAFT_MERGED || state == DRAFT_CLOSED;
}

void
task_free(struct task *task)
{
    if (!task)
        return;
    row_free_texts(task, texts, TEXT_COUNT);
    free(task);
}

static int
load(struct db_stmt *stmt, void *ret_record, struct err *err)
{
    AUTO(task_free) struct task *task = calloc(1, sizeof(*task));
    if (!task)
        return err_set(err, ERR_NOMEM, "out of memory");

    task->id = db_column_int(stmt, 0);
    task->number = db_column_int(stmt, 5);
    task->state = (enum task_state)db_column_int(stmt, 10);
    task->draft_number = db_column_int(stmt, 13);
    task->created_ms = db_column_int(stmt, 17);
    task->updated_ms = db_column_int(stmt, 18);
    task->draft_state = (enum draft_state)db_column_int(stmt, 19);
    task->draft_opened_ms = db_column_int(stmt, 20);
    task->draft_ended_ms = db_column_int(stmt, 21);
    task->follow_ci = db_column_int(stmt, 22);
    task->draft_conflicts = db_column_int(stmt, 23);
    const int code = row_load_texts(stmt, task, texts, TEXT_COUNT, err);
    if (!code)
        *(struct task **)ret_record = TAKE(task);
    return code;
}

static const char *
or_empty(const char *text)
{
    return text ? text : "";
}

static void
bind_new(struct db_stmt *stmt, const struct task *task, int64_t now_ms)
{
    db_bind_text(stmt, 1, task->platform);
    db_bind_text(stmt, 2, task->origin);
    db_bind_text(stmt, 3, task->thread);
    db_bind_text(stmt, 4, task->repository);
    db_bind_int(stmt, 5, task->number);
    db_bind_text(stmt, 6, or_empty(task->title));
    db_bind_text(stmt, 7, or_empty(task->text));
    db_bind_text(stmt, 8, task->url);
    db_bind_text(stmt, 9, or_empty(task->requested_by));
    db_bind_text(stmt, 10, task->branch);
    db_bind_text(stmt, 11, task->base_branch);
    db_bind_int(stmt, 12, task->draft_number);
    db_bind_text(stmt, 13, task->draft_url);
    db_bind_text(stmt, 14, task->status_ref);
    db_bind_text(stmt, 15, task->reason);
    db_bind_int(stmt, 16, now_ms);
}

int
task_insert(
    struct db *db, const struct task *task, int64_t now_ms, int64_t *ret_id, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(
        db,
        "INSERT INTO task (platform, origin, thread, repository, number, title, text, url,"
        " requested_by, branch, base_branch, draft_number, draft_url, status_ref, reason,"
        " created_ms, updated_ms)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16)"
        " ON CONFLICT (origin) DO NOTHING RETURNING id",
        &stmt, err);
    if (code)
        return code;
    bind_new(stmt, task, now_ms);
    code = db_step(stmt, &row, err);
    if (code)
        return code;
    if (!row)
        return err_set(err, ERR_CONFLICT, "%s has a task already", task->origin);
    *ret_id = db_column_int(stmt, 0);
    return 0;
}

int
task_get(struct db *db, int64_t id, struct task **ret_task, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = db_prepare(db, "SELECT " COLUMNS " FROM task WHERE id = $1", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, id);
    code = row_find(stmt, "task", id, err);
    return code ? code : load(stmt, ret_task, err);
}

int
task_find(struct db *db, const char *origin, struct task **ret_task, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(db, "SELECT " COLUMNS " FROM task WHERE origin = $1", &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, origin);
    code = db_step(stmt, &row, err);
    if (code)
        return code;
    return row ? load(stmt, ret_task, err)
               : err_set(err, ERR_NOTFOUND, "there is no task for %s", origin);
}

/* Step to the one task of a query. */
static int
load_one(struct db_stmt *stmt, const char *what, struct task **ret_task, struct err *err)
{
    bool row;
    const int code = db_step(stmt, &row, err);

    if (code)
        return code;
    return row ? load(stmt, ret_task, err)
               : err_set(err, ERR_NOTFOUND, "there is no task with this %s", what);
}

int
task_find_draft(struct db *db,
                const char *platform,
                const char *repository,
                int64_t draft_number,
                struct task **ret_task,
                struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "SELECT " COLUMNS " FROM task WHERE repository = $1"
                                " AND draft_number = $2 AND draft_number > 0 AND platform = $3"
                                " LIMIT 1",
                                &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, repository);
    db_bind_int(stmt, 2, draft_number);
    db_bind_text(stmt, 3, platform);
    return load_one(stmt, "draft", ret_task, err);
}

int
task_find_branch(struct db *db,
                 const char *platform,
                 const char *repository,
                 const char *branch,
                 struct task **ret_task,
                 struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "SELECT " COLUMNS " FROM task WHERE repository = $1"
                                " AND branch = $2 AND branch IS NOT NULL AND platform = $3"
                                " LIMIT 1",
                                &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, repository);
    db_bind_text(stmt, 2, branch);
    db_bind_text(stmt, 3, platform);
    return load_one(stmt, "branch", ret_task, err);
}

static int
get_state(struct db *db, int64_t id, enum task_state *ret_state, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = db_prepare(db, "SELECT state FROM task WHERE id = $1", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, id);
    code = row_find(stmt, "task", id, err);
    if (!code)
        *ret_state = (enum task_state)db_column_int(stmt, 0);
    return code;
}

int
task_set_state(struct db *db,
               int64_t id,
               enum task_state state,
               const char *reason,
               int64_t now_ms,
               struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    char cut[LIMIT_REASON_BYTES + 1];
    enum task_state from = TASK_QUEUED;

    int code = get_state(db, id, &from, err);
    if (code)
        return code;
    if (!task_state_allows(from, state))
        return err_set(err, ERR_CONFLICT, "task %lld is %s and cannot become %s", (long long)id,
                       task_state_name(from), task_state_name(state));

    code = db_prepare(db,
                      "UPDATE task SET state = $1, reason = $2, updated_ms = $3"
                      " WHERE id = $4 AND state = $5",
                      &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, state);
    db_bind_text(stmt, 2, row_reason(reason, cut));
    db_bind_int(stmt, 3, now_ms);
    db_bind_int(stmt, 4, id);
    db_bind_int(stmt, 5, from);
    return row_update(stmt, "task", id, err);
}

int
task_set_request(struct db *db,
                 int64_t id,
                 const char *title,
                 const char *text,
                 const char *requested_by,
                 int64_t now_ms,
                 struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "UPDATE task SET title = $1, text = $2, requested_by = $3,"
                                " updated_ms = $4 WHERE id = $5",
                                &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, or_empty(title));
    db_bind_text(stmt, 2, or_empty(text));
    db_bind_text(stmt, 3, or_empty(requested_by));
    db_bind_int(stmt, 4, now_ms);
    db_bind_int(stmt, 5, id);
    return row_update(stmt, "task", id, err);
}

int
task_set_branch(
    struct db *db, int64_t id, const char *branch, const char *base_branch, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code =
        db_prepare(db, "UPDATE task SET branch = $1, base_branch = $2 WHERE id = $3", &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, branch);
    db_bind_text(stmt, 2, base_branch);
    db_bind_int(stmt, 3, id);
    return row_update(stmt, "task", id, err);
}

int
task_set_draft(struct db *db,
               int64_t id,
               int64_t draft_number,
               const char *draft_url,
               int64_t now_ms,
               struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = past_draft_keep(db, id, draft_number, err);
    if (!code)
        code = db_prepare(db,
                          "UPDATE task SET draft_opened_ms = CASE WHEN draft_number = $1"
                          " THEN draft_opened_ms ELSE $2 END,"
                          " draft_number = $1, draft_url = $3, draft_state = $4,"
                          " draft_ended_ms = 0, draft_conflicts = 0, draft_seen = NULL"
                          " WHERE id = $5",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, draft_number);
    db_bind_int(stmt, 2, now_ms);
    db_bind_text(stmt, 3, draft_url);
    db_bind_int(stmt, 4, DRAFT_OPEN);
    db_bind_int(stmt, 5, id);
    return row_update(stmt, "task", id, err);
}

int
task_set_draft_state(
    struct db *db, int64_t id, enum draft_state state, int64_t ended_ms, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "UPDATE task SET draft_state = $1, draft_ended_ms = $2,"
                                " draft_conflicts = 0, draft_seen = NULL WHERE id = $3",
                                &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, state);
    db_bind_int(stmt, 2, ended_ms);
    db_bind_int(stmt, 3, id);
    return row_update(stmt, "task", id, err);
}

int
task_leave_draft(struct db *db, int64_t id, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = past_draft_keep(db, id, 0, err);
    if (!code)
        code = db_prepare(db,
                          "UPDATE task SET branch = NULL, base_branch = NULL,"
                          " draft_number = 0, draft_url = NULL, draft_state = 0,"
                          " draft_opened_ms = 0, draft_ended_ms = 0,"
                          " draft_conflicts = 0, draft_seen = NULL WHERE id = $1",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, id);
    return row_update(stmt, "task", id, err);
}

int
task_set_draft_seen(struct db *db, int64_t id, bool conflicts, const char *seen, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(
        db, "UPDATE task SET draft_conflicts = $1, draft_seen = $2 WHERE id = $3", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, conflicts);
    db_bind_text(stmt, 2, seen);
    db_bind_int(stmt, 3, id);
    return row_update(stmt, "task", id, err);
}

int
task_set_follow_ci(struct db *db, int64_t id, bool follow, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db, "UPDATE task SET follow_ci = $1 WHERE id = $2", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, follow);
    db_bind_int(stmt, 2, id);
    return row_update(stmt, "task", id, err);
}

int
task_set_status_ref(struct db *db, int64_t id, const char *status_ref, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db, "UPDATE task SET status_ref = $1 WHERE id = $2", &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, status_ref);
    db_bind_int(stmt, 2, id);
    return row_update(stmt, "task", id, err);
}

void
task_list_done(struct task_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        task_free(list->items[i]);
    free(list->items);
    *list = (struct task_list){0};
}

int
task_list(struct db *db, bool live_only, size_t limit, struct task_list *ret_list, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    AUTO_DONE(task_list_done) struct task_list list = {0};

    int code = db_prepare(db,
                          live_only ? "SELECT " COLUMNS " FROM task WHERE state IN (0, 1)"
                                      " ORDER BY id DESC LIMIT $1"
                                    : "SELECT " COLUMNS " FROM task ORDER BY id DESC LIMIT $1",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, (int64_t)limit);
    code = row_load_list(stmt, load, &list.items, &list.count, err);
    if (!code)
        *ret_list = TAKE_STRUCT(list);
    return code;
}

int
task_list_open_drafts(
    struct db *db, int64_t below, size_t limit, struct task_list *ret_list, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    AUTO_DONE(task_list_done) struct task_list list = {0};

    int code = db_prepare(db,
                          "SELECT " COLUMNS " FROM task WHERE draft_state = 1 AND id < $1"
                          " ORDER BY id DESC LIMIT $2",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, below);
    db_bind_int(stmt, 2, (int64_t)limit);
    code = row_load_list(stmt, load, &list.items, &list.count, err);
    if (!code)
        *ret_list = TAKE_STRUCT(list);
    return code;
}
