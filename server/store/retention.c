/* See retention.h. A payload or an output that lies in several pieces is removed piece by piece,
 * over several transactions: from the first on it counts as gone. */
#include "server/store/retention.h"

#include "server/base/clock.h"
#include "server/store/delivery.h"
#include "server/store/outbox.h"
#include "server/store/row.h"

/* body_state of a delivery, output_state of a step. */
enum kept { KEPT, GOING, GONE };

_Static_assert(DELIVERY_RECEIVED == 0 && OUTBOX_SENT == 1 && GOING == 1 && GONE == 2,
               "written as numbers in the SQL below and in indexes");

/* How a kind whose records stay loses what they hold. */
struct emptying {
    const char *find;   /* $1: before; the oldest record's id and its enum kept */
    const char *remove; /* $1: id; its last piece; answers where that began */
    const char *mark;   /* $1: enum kept, $2: id */
};

static const struct emptying payloads = {
    .find = "SELECT id, body_state FROM delivery WHERE state <> 0 AND body_state <> 2"
            " AND received_ms < $1 ORDER BY received_ms LIMIT 1",
    .remove = "DELETE FROM delivery_body WHERE delivery = $1 AND chunk ="
              " (SELECT max(chunk) FROM delivery_body WHERE delivery = $1) RETURNING chunk",
    .mark = "UPDATE delivery SET body_state = $1 WHERE id = $2",
};

/* Those of a run that is not over are skipped: it may need them, and they are few. */
static const struct emptying outputs = {
    .find = "SELECT s.id, s.output_state FROM step s JOIN run r ON r.id = s.run"
            " WHERE s.output_state <> 2 AND s.started_ms < $1 AND r.state NOT IN (0, 1)"
            " ORDER BY s.started_ms LIMIT 1",
    .remove = "DELETE FROM step_output WHERE step = $1 AND position ="
              " (SELECT max(position) FROM step_output WHERE step = $1) RETURNING position",
    .mark = "UPDATE step SET output_state = $1 WHERE id = $2",
};

/* The oldest record; *ret_found is false when none is old enough. */
static int
find(struct db *db,
     const char *sql,
     int64_t before_ms,
     int64_t *ret_id,
     enum kept *ret_kept,
     bool *ret_found,
     struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = db_prepare(db, sql, &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, before_ms);
    code = db_step(stmt, ret_found, err);
    if (code || !*ret_found)
        return code;
    *ret_id = db_column_int(stmt, 0);
    *ret_kept = (enum kept)db_column_int(stmt, 1);
    return 0;
}

/* Remove its last piece; *ret_empty: it was the only one, or there was none. */
static int
remove_piece(struct db *db, const char *sql, int64_t id, bool *ret_empty, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(db, sql, &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, id);
    code = db_step(stmt, &row, err);
    if (!code)
        *ret_empty = !row || db_column_int(stmt, 0) == 0;
    return code;
}

static int
mark(struct db *db, const char *sql, int64_t id, enum kept kept, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db, sql, &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, kept);
    db_bind_int(stmt, 2, id);
    return row_update(stmt, "old record", id, err);
}

/* One piece of one record. *ret_removed counts records that are empty now. */
static int
empty_one(struct db *db,
          const struct emptying *emptying,
          int64_t before_ms,
          int64_t *ret_removed,
          bool *ret_found,
          struct err *err)
{
    enum kept kept = KEPT;
    bool empty = false;
    int64_t id = 0;

    int code = find(db, emptying->find, before_ms, &id, &kept, ret_found, err);
    if (code || !*ret_found)
        return code;
    code = remove_piece(db, emptying->remove, id, &empty, err);
    if (!code && (empty || kept == KEPT))
        code = mark(db, emptying->mark, id, empty ? GONE : GOING, err);
    *ret_removed = !code && empty;
    return code;
}

static int
remove_one(struct db *db,
           const char *sql,
           int64_t before_ms,
           int64_t *ret_removed,
           bool *ret_found,
           struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = db_prepare(db, sql, &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, before_ms);
    code = db_run(stmt, err);
    if (!code)
        *ret_removed = db_changes(db);
    if (!code)
        *ret_found = *ret_removed > 0;
    return code;
}

/* The oldest piece of a kind. */
static int
remove_next(struct db *db,
            enum retention_kind kind,
            int64_t before_ms,
            int64_t *ret_removed,
            bool *ret_found,
            struct err *err)
{
    static const char *const whole[RETENTION_KINDS] = {
        [RETENTION_IDS] = "DELETE FROM delivery WHERE id = (SELECT id FROM delivery"
                          " WHERE state <> 0 AND body_state = 2 AND received_ms < $1"
                          " ORDER BY received_ms LIMIT 1)",
        [RETENTION_MESSAGES] = "DELETE FROM outbox WHERE id = (SELECT id FROM outbox"
                               " WHERE state = 1 AND created_ms < $1"
                               " ORDER BY created_ms LIMIT 1)",
        [RETENTION_BASELINES] = "DELETE FROM baseline WHERE (baseline_key, check_name) ="
                                " (SELECT baseline_key, check_name FROM baseline"
                                " WHERE created_ms < $1 ORDER BY created_ms LIMIT 1)",
        [RETENTION_WITHDRAWALS] = "DELETE FROM withdrawal WHERE origin = (SELECT origin"
                                  " FROM withdrawal WHERE created_ms < $1"
                                  " ORDER BY created_ms LIMIT 1)",
    };

    if (whole[kind])
        return remove_one(db, whole[kind], before_ms, ret_removed, ret_found, err);
    return empty_one(db, kind == RETENTION_PAYLOADS ? &payloads : &outputs, before_ms, ret_removed,
                     ret_found, err);
}

int
retention_remove(struct db *db,
                 const struct retention *retention,
                 struct retention_result *ret_result,
                 struct err *err)
{
    const int64_t until_ms = clock_mono_ms() + retention->budget_ms;
    struct retention_result result = {0};
    int code = 0;

    for (enum retention_kind kind = 0; kind < RETENTION_KINDS && !result.more; kind++) {
        bool found = true;
        while (!code && found && !result.more) {
            int64_t removed = 0;
            code = remove_next(db, kind, retention->before_ms[kind], &removed, &found, err);
            result.removed[kind] += removed;
            result.more = found && clock_mono_ms() >= until_ms;
        }
        if (code)
            return code;
    }
    *ret_result = result;
    return 0;
}
