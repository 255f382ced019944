/* See withdrawal.h. */
#include "server/store/withdrawal.h"

#include "server/store/db.h"

int
withdrawal_note(struct db *db,
                const char *origin,
                int64_t happened_ms,
                const char *ref,
                int64_t now_ms,
                struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    /* Platforms tell whole seconds: another one in the same second is news, if it has another name
     * or none. */
    int code = db_prepare(
        db,
        "INSERT INTO withdrawal (origin, happened_ms, ref, created_ms) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (origin) DO UPDATE SET happened_ms = excluded.happened_ms,"
        " ref = excluded.ref, created_ms = excluded.created_ms"
        " WHERE excluded.happened_ms > withdrawal.happened_ms"
        " OR (excluded.happened_ms = withdrawal.happened_ms AND"
        " (excluded.ref IS NULL OR withdrawal.ref IS NULL OR excluded.ref <> withdrawal.ref))"
        " RETURNING 1",
        &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, origin);
    db_bind_int(stmt, 2, happened_ms);
    db_bind_text(stmt, 3, ref);
    db_bind_int(stmt, 4, now_ms);
    code = db_step(stmt, &row, err);
    return code || row ? code : err_set(err, ERR_CONFLICT, "that was taken back already");
}

int
withdrawal_last(struct db *db, const char *origin, int64_t *ret_ms, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(db, "SELECT happened_ms FROM withdrawal WHERE origin = $1", &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, origin);
    code = db_step(stmt, &row, err);
    if (!code)
        *ret_ms = row ? db_column_int(stmt, 0) : 0;
    return code;
}
