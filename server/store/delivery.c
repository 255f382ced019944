/* See delivery.h. */
#include "server/store/delivery.h"

#include <errno.h>

#include "server/store/row.h"

#define COLUMNS                                                                                    \
    "id, platform, delivery_id, event, received_ms, state, reason, coalesce(task, 0), attempts, "  \
    "next_ms, body_bytes, begun"

_Static_assert(DELIVERY_RECEIVED == 0, "written as a number in the SQL below and in indexes");

static const struct row_text texts[] = {
    {1, offsetof(struct delivery, platform)},
    {2, offsetof(struct delivery, delivery_id)},
    {3, offsetof(struct delivery, event)},
    {6, offsetof(struct delivery, reason)},
};
#define TEXT_COUNT (sizeof(texts) / sizeof(texts[0]))

const char *
delivery_state_name(enum delivery_state state)
{
    static const char *const names[] = {
        [DELIVERY_RECEIVED] = "received",
        [DELIVERY_DONE] = "done",
        [DELIVERY_IGNORED] = "ignored",
        [DELIVERY_BAD] = "bad",
    };

    return row_name(names, sizeof(names) / sizeof(names[0]), state);
}

void
delivery_free(struct delivery *delivery)
{
    if (!delivery)
        return;
    row_free_texts(delivery, texts, TEXT_COUNT);
    free(delivery);
}

static int
load(struct db_stmt *stmt, void *ret_record, struct err *err)
{
    AUTO(delivery_free) struct delivery *delivery = calloc(1, sizeof(*delivery));
    if (!delivery)
        return err_set(err, ERR_NOMEM, "out of memory");

    delivery->id = db_column_int(stmt, 0);
    delivery->received_ms = db_column_int(stmt, 4);
    delivery->state = (enum delivery_state)db_column_int(stmt, 5);
    delivery->task = db_column_int(stmt, 7);
    delivery->attempts = db_column_int(stmt, 8);
    delivery->next_ms = db_column_int(stmt, 9);
    delivery->body_bytes = db_column_int(stmt, 10);
    delivery->begun = db_column_int(stmt, 11);
    const int code = row_load_texts(stmt, delivery, texts, TEXT_COUNT, err);
    if (!code)
        *(struct delivery **)ret_record = TAKE(delivery);
    return code;
}

/* Fill `buf` from the file; fewer bytes than asked for are an error: the file was complete once. */
static int
read_spool(int fd, char *buf, size_t len, int64_t offset, struct err *err)
{
    size_t got = 0;

    while (got < len) {
        const ssize_t part = pread(fd, buf + got, len - got, offset + (int64_t)got);
        if (part < 0 && errno == EINTR)
            continue;
        if (part < 0)
            return err_set_errno(err, ERR_IO, errno, "reading a body back from its file");
        if (part == 0)
            return err_set(err, ERR_IO, "the file of a body is shorter than the body");
        got += (size_t)part;
    }
    return 0;
}

static int
insert_chunk(struct db_stmt *stmt, int64_t chunk, struct bytes data, struct err *err)
{
    db_bind_int(stmt, 2, chunk);
    db_bind_blob(stmt, 3, data);
    return db_run(stmt, err);
}

static int
insert_spooled(struct db_stmt *stmt, const struct delivery_new *delivery, struct err *err)
{
    auto_free char *buf = malloc(LIMIT_BODY_CHUNK_BYTES);
    int code = 0;

    if (!buf)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (int64_t offset = 0, chunk = 0; offset < delivery->spool_bytes && !code; chunk++) {
        const int64_t rest = delivery->spool_bytes - offset;
        const size_t len = rest < LIMIT_BODY_CHUNK_BYTES ? (size_t)rest : LIMIT_BODY_CHUNK_BYTES;
        code = read_spool(delivery->spool_fd, buf, len, offset, err);
        if (!code)
            code = insert_chunk(stmt, chunk, bytes_of(buf, len), err);
        offset += (int64_t)len;
    }
    return code;
}

static int
insert_memory(struct db_stmt *stmt, struct bytes body, struct err *err)
{
    int code = 0;

    for (int64_t chunk = 0; body.len > 0 && !code; chunk++) {
        const size_t len = body.len < LIMIT_BODY_CHUNK_BYTES ? body.len : LIMIT_BODY_CHUNK_BYTES;
        code = insert_chunk(stmt, chunk, bytes_of(body.ptr, len), err);
        body = bytes_of(body.ptr + len, body.len - len);
    }
    return code;
}

static int
insert_body(struct db *db, int64_t id, const struct delivery_new *delivery, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(
        db, "INSERT INTO delivery_body (delivery, chunk, data) VALUES ($1, $2, $3)", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, id);
    return delivery->spool_fd >= 0 ? insert_spooled(stmt, delivery, err)
                                   : insert_memory(stmt, delivery->memory, err);
}

/* Insert the row without its body. A repeated delivery id is usual: found without failing. */
static int
insert_row(struct db *db, const struct delivery_new *delivery, int64_t *ret_id, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(db,
                          "INSERT INTO delivery (platform, delivery_id, event, received_ms,"
                          " body_bytes) VALUES ($1, $2, $3, $4, $5)"
                          " ON CONFLICT (delivery_id, platform) DO NOTHING RETURNING id",
                          &stmt, err);
    if (code)
        return code;

    const bool spooled = delivery->spool_fd >= 0;
    db_bind_text(stmt, 1, delivery->platform);
    db_bind_text(stmt, 2, delivery->delivery_id);
    db_bind_text(stmt, 3, delivery->event);
    db_bind_int(stmt, 4, delivery->received_ms);
    db_bind_int(stmt, 5, spooled ? delivery->spool_bytes : (int64_t)delivery->memory.len);
    code = db_step(stmt, &row, err);
    if (code)
        return code;
    if (!row)
        return err_set(err, ERR_CONFLICT, "the %s delivery %s is stored already",
                       delivery->platform, delivery->delivery_id);
    *ret_id = db_column_int(stmt, 0);
    return 0;
}

int
delivery_insert(struct db *db,
                const struct delivery_new *delivery,
                int64_t *ret_id,
                struct err *err)
{
    int64_t id = 0;

    int code = insert_row(db, delivery, &id, err);
    if (!code)
        code = insert_body(db, id, delivery, err);
    if (!code)
        *ret_id = id;
    return code;
}

int
delivery_next(struct db *db, int64_t now_ms, struct delivery **ret_delivery, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    /* Two looks into one index: the first that was never deferred, and the first deferred one that
     * is due (of those there are few). */
    int code = db_prepare(
        db,
        "SELECT " COLUMNS " FROM delivery WHERE id = (SELECT min(id) FROM ("
        "SELECT min(id) AS id FROM delivery WHERE state = 0 AND next_ms = 0"
        " UNION ALL "
        "SELECT min(id) AS id FROM delivery WHERE state = 0 AND next_ms > 0 AND next_ms <= $1"
        ") AS due)",
        &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, now_ms);
    code = db_step(stmt, &row, err);
    if (code)
        return code;
    return row ? load(stmt, ret_delivery, err)
               : err_set(err, ERR_NOTFOUND, "no delivery is to be handled");
}

int
delivery_get(struct db *db, int64_t id, struct delivery **ret_delivery, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = db_prepare(db, "SELECT " COLUMNS " FROM delivery WHERE id = $1", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, id);
    code = row_find(stmt, "delivery", id, err);
    return code ? code : load(stmt, ret_delivery, err);
}

int
delivery_find(struct db *db,
              const char *delivery_id,
              struct delivery **ret_delivery,
              struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(db,
                          "SELECT " COLUMNS " FROM delivery WHERE id ="
                          " (SELECT max(id) FROM delivery WHERE delivery_id = $1)",
                          &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, delivery_id);
    code = db_step(stmt, &row, err);
    if (code)
        return code;
    return row ? load(stmt, ret_delivery, err)
               : err_set(err, ERR_NOTFOUND, "there is no delivery %s", delivery_id);
}

static int
read_size(struct db *db, int64_t id, int64_t *ret_bytes, bool *ret_kept, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code =
        db_prepare(db, "SELECT body_bytes, body_state = 0 FROM delivery WHERE id = $1", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, id);
    code = row_find(stmt, "delivery", id, err);
    if (code)
        return code;
    *ret_bytes = db_column_int(stmt, 0);
    *ret_kept = db_column_int(stmt, 1);
    return 0;
}

static int
fail_gone(int64_t id, struct err *err)
{
    return err_set(err, ERR_NOTFOUND,
                   "the payload of delivery %lld was old and is not kept any more; redeliver it at "
                   "the platform, if that still has it",
                   (long long)id);
}

int
delivery_body(struct db *db, int64_t id, struct strbuf *buf, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    int64_t expected = 0;
    int64_t got = 0;
    bool kept = false;
    bool row = true;

    int code = read_size(db, id, &expected, &kept, err);
    if (!code && !kept)
        return fail_gone(id, err);
    if (!code)
        code = db_prepare(db, "SELECT data FROM delivery_body WHERE delivery = $1 ORDER BY chunk",
                          &stmt, err);
    if (code)
        return code;

    db_bind_int(stmt, 1, id);
    code = db_step(stmt, &row, err);
    while (!code && row && strbuf_ok(buf)) {
        const struct bytes data = db_column_blob(stmt, 0);
        got += (int64_t)data.len;
        strbuf_add_bytes(buf, data);
        code = db_step(stmt, &row, err);
    }
    if (code)
        return code;
    if (!strbuf_ok(buf))
        return err_set(err, buf->failed, "the body of delivery %lld (%lld bytes) does not fit",
                       (long long)id, (long long)expected);
    if (got != expected)
        return err_set(err, ERR_INTERNAL,
                       "the body of delivery %lld has %lld bytes instead of %lld", (long long)id,
                       (long long)got, (long long)expected);
    return 0;
}

int
delivery_last(struct db *db, int64_t *ret_id, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(db, "SELECT coalesce(max(id), 0) FROM delivery", &stmt, err);
    if (!code)
        code = db_step(stmt, &row, err);
    if (!code)
        *ret_id = row ? db_column_int(stmt, 0) : 0;
    return code;
}

int
delivery_set_begun(struct db *db, int64_t id, int64_t begun, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db, "UPDATE delivery SET begun = $1 WHERE id = $2", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, begun);
    db_bind_int(stmt, 2, id);
    return row_update(stmt, "delivery", id, err);
}

int
delivery_finish(struct db *db,
                int64_t id,
                enum delivery_state state,
                const char *reason,
                int64_t task,
                struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    char cut[LIMIT_REASON_BYTES + 1];

    const int code = db_prepare(db,
                                "UPDATE delivery SET state = $1, reason = $2, task = $3,"
                                " next_ms = 0, begun = 0, order_key = NULL WHERE id = $4",
                                &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, state);
    db_bind_text(stmt, 2, row_reason(reason, cut));
    row_bind_ref(stmt, 3, task);
    db_bind_int(stmt, 4, id);
    return row_update(stmt, "delivery", id, err);
}

int
delivery_reopen(struct db *db, int64_t id, int64_t now_ms, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = db_prepare(db,
                          "UPDATE delivery SET state = 0, reason = NULL, attempts = 0,"
                          " received_ms = $1 WHERE id = $2 AND body_state = 0",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, now_ms);
    db_bind_int(stmt, 2, id);
    code = db_run(stmt, err);
    return !code && db_changes(db) == 0 ? fail_gone(id, err) : code;
}

int
delivery_defer(struct db *db,
               int64_t id,
               const char *order_key,
               const char *reason,
               int64_t next_ms,
               struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    char cut[LIMIT_REASON_BYTES + 1];

    const int code = db_prepare(db,
                                "UPDATE delivery SET order_key = $1, reason = $2, next_ms = $3,"
                                " begun = 0, attempts = attempts + 1 WHERE id = $4 AND state = 0",
                                &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, order_key);
    db_bind_text(stmt, 2, row_reason(reason, cut));
    db_bind_int(stmt, 3, next_ms);
    db_bind_int(stmt, 4, id);
    return row_update(stmt, "waiting delivery", id, err);
}

int
delivery_is_blocked(
    struct db *db, int64_t id, const char *order_key, bool *ret_blocked, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = db_prepare(db,
                          "SELECT 1 FROM delivery WHERE order_key = $1 AND id < $2 AND state = 0"
                          " AND order_key IS NOT NULL LIMIT 1",
                          &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, order_key);
    db_bind_int(stmt, 2, id);
    bool row;
    code = db_step(stmt, &row, err);
    if (!code)
        *ret_blocked = row;
    return code;
}

void
delivery_list_done(struct delivery_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        delivery_free(list->items[i]);
    free(list->items);
    *list = (struct delivery_list){0};
}

int
delivery_list(struct db *db, size_t limit, struct delivery_list *ret_list, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    AUTO_DONE(delivery_list_done) struct delivery_list list = {0};

    int code =
        db_prepare(db, "SELECT " COLUMNS " FROM delivery ORDER BY id DESC LIMIT $1", &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, (int64_t)limit);
    code = row_load_list(stmt, load, &list.items, &list.count, err);
    if (!code)
        *ret_list = TAKE_STRUCT(list);
    return code;
}

int
delivery_mark_get(
    struct db *db, const char *platform, const char *hook, int64_t *ret_seen_ms, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(db, "SELECT seen_ms FROM delivery_mark WHERE platform = $1 AND hook = $2",
                          &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, platform);
    db_bind_text(stmt, 2, hook);
    code = db_step(stmt, &row, err);
    if (!code)
        *ret_seen_ms = row ? db_column_int(stmt, 0) : 0;
    return code;
}

int
delivery_mark_set(
    struct db *db, const char *platform, const char *hook, int64_t seen_ms, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "INSERT INTO delivery_mark (platform, hook, seen_ms)"
                                " VALUES ($1, $2, $3) ON CONFLICT (platform, hook)"
                                " DO UPDATE SET seen_ms = excluded.seen_ms",
                                &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, platform);
    db_bind_text(stmt, 2, hook);
    db_bind_int(stmt, 3, seen_ms);
    return db_run(stmt, err);
}
