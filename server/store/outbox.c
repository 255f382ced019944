/* See outbox.h. */
#include "server/store/outbox.h"

#include "server/base/strbuf.h"
#include "server/store/row.h"

#define COLUMNS                                                                                    \
    "id, platform, thread, kind, coalesce(task, 0), target, body, state, attempts, next_ms, "      \
    "reason, created_ms"

_Static_assert(OUTBOX_PENDING == 0 && OUTBOX_SENT == 1 && OUTBOX_STATUS == 0,
               "written as numbers in SQL and indexes");

static const struct row_text texts[] = {
    {1, offsetof(struct outbox_message, platform)}, {2, offsetof(struct outbox_message, thread)},
    {5, offsetof(struct outbox_message, target)},   {6, offsetof(struct outbox_message, body)},
    {10, offsetof(struct outbox_message, reason)},
};
#define TEXT_COUNT (sizeof(texts) / sizeof(texts[0]))

const char *
outbox_state_name(enum outbox_state state)
{
    static const char *const names[] = {
        [OUTBOX_PENDING] = "pending",
        [OUTBOX_SENT] = "sent",
        [OUTBOX_FAILED] = "failed",
    };

    return row_name(names, sizeof(names) / sizeof(names[0]), state);
}

void
outbox_message_free(struct outbox_message *message)
{
    if (!message)
        return;
    row_free_texts(message, texts, TEXT_COUNT);
    free(message);
}

static int
load(struct db_stmt *stmt, void *ret_record, struct err *err)
{
    AUTO(outbox_message_free) struct outbox_message *message = calloc(1, sizeof(*message));
    if (!message)
        return err_set(err, ERR_NOMEM, "out of memory");

    message->id = db_column_int(stmt, 0);
    message->kind = (enum outbox_kind)db_column_int(stmt, 3);
    message->task = db_column_int(stmt, 4);
    message->state = (enum outbox_state)db_column_int(stmt, 7);
    message->attempts = db_column_int(stmt, 8);
    message->next_ms = db_column_int(stmt, 9);
    message->created_ms = db_column_int(stmt, 11);
    const int code = row_load_texts(stmt, message, texts, TEXT_COUNT, err);
    if (!code)
        *(struct outbox_message **)ret_record = TAKE(message);
    return code;
}

/* Bind what is owed to the six first places, in the order of `struct outbox_new`. */
static void
bind_new(struct db_stmt *stmt, const struct outbox_new *message)
{
    db_bind_text(stmt, 1, message->platform);
    db_bind_text(stmt, 2, message->thread);
    db_bind_int(stmt, 3, message->kind);
    row_bind_ref(stmt, 4, message->task);
    db_bind_text(stmt, 5, message->target);
    db_bind_text(stmt, 6, message->body);
}

/* Is an equal message pending? */
static int
is_owed(struct db *db, const struct outbox_new *message, bool *ret_owed, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "SELECT 1 FROM outbox WHERE state = 0 AND platform = $1"
                                " AND thread = $2 AND kind = $3 AND task IS NOT DISTINCT FROM $4"
                                " AND target IS NOT DISTINCT FROM $5 AND body = $6 LIMIT 1",
                                &stmt, err);
    if (code)
        return code;
    bind_new(stmt, message);
    return db_step(stmt, ret_owed, err);
}

/* Is the newest status of its task one that was sent, with the same text? */
static int
is_told(struct db *db, const struct outbox_new *message, bool *ret_told, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(db,
                          "SELECT state, body = $1 FROM outbox WHERE task = $2 AND kind = 0"
                          " ORDER BY id DESC LIMIT 1",
                          &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, message->body);
    row_bind_ref(stmt, 2, message->task);
    code = db_step(stmt, &row, err);
    if (!code)
        *ret_told = row && db_column_int(stmt, 0) == OUTBOX_SENT && db_column_int(stmt, 1) != 0;
    return code;
}

int
outbox_put(struct db *db, const struct outbox_new *message, int64_t now_ms, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool owed = false;

    /* The one pending status of a task takes the newest text; everything else is a row of its own.
     */
    int code = message->kind == OUTBOX_STATUS ? is_told(db, message, &owed, err)
                                              : is_owed(db, message, &owed, err);
    if (code || owed)
        return code;
    code = db_prepare(db,
                      "INSERT INTO outbox (platform, thread, kind, task, target, body, created_ms)"
                      " VALUES ($1, $2, $3, $4, $5, $6, $7)"
                      " ON CONFLICT (task) WHERE kind = 0 AND state = 0"
                      " DO UPDATE SET body = excluded.body, target = excluded.target,"
                      " created_ms = excluded.created_ms",
                      &stmt, err);
    if (code)
        return code;
    bind_new(stmt, message);
    db_bind_int(stmt, 7, now_ms);
    return db_run(stmt, err);
}

int
outbox_was_put(struct db *db,
               int64_t task,
               enum outbox_kind kind,
               struct bytes beginning,
               bool *ret_put,
               struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    auto_free char *text = str_printf("%.*s", (int)beginning.len, beginning.ptr);

    if (!text)
        return err_set(err, ERR_NOMEM, "out of memory");
    const int code =
        db_prepare(db,
                   "SELECT 1 FROM outbox WHERE task IS NOT DISTINCT FROM $1 AND kind = $2"
                   " AND substr(body, 1, length($3)) = $3 LIMIT 1",
                   &stmt, err);
    if (code)
        return code;
    row_bind_ref(stmt, 1, task);
    db_bind_int(stmt, 2, kind);
    db_bind_text(stmt, 3, text);
    return db_step(stmt, ret_put, err);
}

int
outbox_count_comments(struct db *db,
                      int64_t task,
                      const char *thread,
                      int64_t since_ms,
                      size_t *ret_count,
                      struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(db,
                          "SELECT count(*) FROM outbox WHERE task IS NOT DISTINCT FROM $1"
                          " AND kind = $2 AND thread = $3 AND created_ms > $4"
                          " AND coalesce(target, '') NOT LIKE 'line:%'",
                          &stmt, err);
    if (code)
        return code;
    row_bind_ref(stmt, 1, task);
    db_bind_int(stmt, 2, OUTBOX_COMMENT);
    db_bind_text(stmt, 3, thread);
    db_bind_int(stmt, 4, since_ms);
    code = db_step(stmt, &row, err);
    if (!code)
        *ret_count = row ? (size_t)db_column_int(stmt, 0) : 0;
    return code;
}

/* The oldest message that is due and has no pending one before it in its thread. Two looks into one
 * index: what was never put off, and what was and is due again. */
static int
find_next(struct db *db, int64_t now_ms, int64_t *ret_id, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(
        db,
        "SELECT min(id) FROM ("
        "SELECT * FROM (SELECT m.id FROM outbox m WHERE m.state = 0 AND m.next_ms = 0"
        " AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.state = 0 AND e.platform = m.platform"
        " AND e.thread = m.thread AND e.id < m.id) ORDER BY m.id LIMIT 1) AS fresh"
        " UNION ALL "
        "SELECT min(m.id) FROM outbox m WHERE m.state = 0 AND m.next_ms > 0 AND m.next_ms <= $1"
        " AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.state = 0 AND e.platform = m.platform"
        " AND e.thread = m.thread AND e.id < m.id)"
        ") AS due",
        &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, now_ms);
    code = db_step(stmt, &row, err);
    if (code)
        return code;
    if (!row || db_column_is_null(stmt, 0))
        return err_set(err, ERR_NOTFOUND, "no message is to be sent");
    *ret_id = db_column_int(stmt, 0);
    return 0;
}

int
outbox_next(struct db *db, int64_t now_ms, struct outbox_message **ret_message, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    int64_t id = 0;

    int code = find_next(db, now_ms, &id, err);
    if (!code)
        code = db_prepare(db,
                          "UPDATE outbox SET attempts = attempts + 1 WHERE id = $1"
                          " RETURNING " COLUMNS,
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, id);
    code = row_find(stmt, "message", id, err);
    return code ? code : load(stmt, ret_message, err);
}

/* The text was replaced while it was refused: the new one is due at once. */
static int
send_again(struct db *db, int64_t id, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code =
        db_prepare(db, "UPDATE outbox SET next_ms = 0 WHERE id = $1 AND state = 0", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, id);
    return row_update(stmt, "pending message", id, err);
}

static int
get_pending(struct db *db, int64_t id, struct outbox_message **ret_message, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code =
        db_prepare(db, "SELECT " COLUMNS " FROM outbox WHERE id = $1 AND state = 0", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, id);
    code = row_find(stmt, "pending message", id, err);
    return code ? code : load(stmt, ret_message, err);
}

static int
set_sent(struct db *db, int64_t id, const char *sent_body, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(
        db, "UPDATE outbox SET state = 1, body = $1, reason = NULL WHERE id = $2", &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, sent_body);
    db_bind_int(stmt, 2, id);
    return db_run(stmt, err);
}

/* The text was replaced while it was sent: the new one is due at once, in a row of its own. What
 * went out stays: by it our own words are known when they are repeated to us. */
static int
send_newer(struct db *db, int64_t id, const char *sent_body, struct err *err)
{
    AUTO(outbox_message_free) struct outbox_message *newer = NULL;
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = get_pending(db, id, &newer, err);
    if (!code)
        code = set_sent(db, id, sent_body, err);
    if (!code)
        code = db_prepare(db,
                          "INSERT INTO outbox (platform, thread, kind, task, target, body,"
                          " attempts, created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                          &stmt, err);
    if (code)
        return code;
    bind_new(stmt, &(struct outbox_new){.platform = newer->platform,
                                        .thread = newer->thread,
                                        .kind = newer->kind,
                                        .task = newer->task,
                                        .target = newer->target,
                                        .body = newer->body});
    db_bind_int(stmt, 7, newer->attempts); /* an earlier one may have arrived */
    db_bind_int(stmt, 8, newer->created_ms);
    return db_run(stmt, err);
}

int
outbox_sent(struct db *db, int64_t id, const char *sent_body, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = db_prepare(db,
                          "UPDATE outbox SET state = $1, reason = NULL"
                          " WHERE id = $2 AND body = $3 AND state = 0",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, OUTBOX_SENT);
    db_bind_int(stmt, 2, id);
    db_bind_text(stmt, 3, sent_body);
    code = db_run(stmt, err);
    if (code)
        return code;
    return db_changes(db) == 0 ? send_newer(db, id, sent_body, err) : 0;
}

int
outbox_retry(struct db *db, int64_t id, const char *reason, int64_t next_ms, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    char cut[LIMIT_REASON_BYTES + 1];

    const int code = db_prepare(
        db, "UPDATE outbox SET reason = $1, next_ms = $2 WHERE id = $3 AND state = 0", &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, row_reason(reason, cut));
    db_bind_int(stmt, 2, next_ms);
    db_bind_int(stmt, 3, id);
    return row_update(stmt, "pending message", id, err);
}

int
outbox_fail(struct db *db, int64_t id, const char *sent_body, const char *reason, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    char cut[LIMIT_REASON_BYTES + 1];

    int code = db_prepare(db,
                          "UPDATE outbox SET state = $1, reason = $2"
                          " WHERE id = $3 AND body = $4 AND state = 0",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, OUTBOX_FAILED);
    db_bind_text(stmt, 2, row_reason(reason, cut));
    db_bind_int(stmt, 3, id);
    db_bind_text(stmt, 4, sent_body);
    code = db_run(stmt, err);
    if (code)
        return code;
    return db_changes(db) == 0 ? send_again(db, id, err) : 0;
}

int
outbox_distrust(struct db *db, struct err *err)
{
    return db_exec(db, "UPDATE outbox SET attempts = attempts + 1 WHERE state = 0", err);
}

void
outbox_list_done(struct outbox_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        outbox_message_free(list->items[i]);
    free(list->items);
    *list = (struct outbox_list){0};
}

int
outbox_list(struct db *db, int64_t task, struct outbox_list *ret_list, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    AUTO_DONE(outbox_list_done) struct outbox_list list = {0};

    int code =
        db_prepare(db, "SELECT " COLUMNS " FROM outbox WHERE task = $1 ORDER BY id", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, task);
    code = row_load_list(stmt, load, &list.items, &list.count, err);
    if (!code)
        *ret_list = TAKE_STRUCT(list);
    return code;
}
