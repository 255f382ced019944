/* See host_clock.h. */
#include "server/store/host_clock.h"

#include <stdlib.h>

#include "server/base/str.h"
#include "server/store/db.h"

/* What was never put off has 0 and keeps it; 1 is a time, too. When things came stays as it was
 * noted: by that they are kept or removed. */
#define MOVED(column) column " = CASE WHEN " column " + $1 > 1 THEN " column " + $1 ELSE 1 END"

static const char *const moves[] = {
    "UPDATE run SET " MOVED("not_before_ms") " WHERE state = 0 AND not_before_ms > 0",
    "UPDATE run SET " MOVED("waiting_since_ms") " WHERE state IN (0, 1) AND waiting_since_ms > 0",
    "UPDATE run SET " MOVED("lease_until_ms") " WHERE state = 1 AND lease_until_ms > 0",
    "UPDATE delivery SET " MOVED("next_ms") " WHERE state = 0 AND next_ms > 0",
    "UPDATE outbox SET " MOVED("next_ms") " WHERE state = 0 AND next_ms > 0",
};

static int
update(struct db *db, const char *sql, int64_t value_ms, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db, sql, &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, value_ms);
    return db_run(stmt, err);
}

static int
note(struct db *db, const struct host_clock *now, int64_t jumped_mono_ms, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(
        db,
        "INSERT INTO host_clock (id, boot, offset_ms, jumped_mono_ms) VALUES (1, $1, $2, $3)"
        " ON CONFLICT (id) DO UPDATE SET boot = excluded.boot, offset_ms = excluded.offset_ms,"
        " jumped_mono_ms = excluded.jumped_mono_ms",
        &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, now->boot);
    db_bind_int(stmt, 2, now->offset_ms);
    db_bind_int(stmt, 3, jumped_mono_ms);
    return db_run(stmt, err);
}

/* How it jumped since it was noted; *ret_known is false where nothing is known. */
static int
compare(struct db *db,
        const struct host_clock *now,
        bool *ret_known,
        struct host_clock_jump *ret_jump,
        struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(db, "SELECT boot, offset_ms, jumped_mono_ms FROM host_clock WHERE id = 1",
                          &stmt, err);
    if (!code)
        code = db_step(stmt, &row, err);
    if (code)
        return code;
    *ret_known = row && str_equal(db_column_text(stmt, 0), now->boot);
    if (*ret_known)
        *ret_jump = (struct host_clock_jump){.by_ms = now->offset_ms - db_column_int(stmt, 1),
                                             .at_mono_ms = db_column_int(stmt, 2)};
    return 0;
}

int
host_clock_follow(struct db *db,
                  const struct host_clock *now,
                  struct host_clock_jump *ret_jump,
                  struct err *err)
{
    struct host_clock_jump jump = {0};
    bool known = false;
    int code = compare(db, now, &known, &jump, err);

    if (!code && known && llabs(jump.by_ms) < HOST_CLOCK_JUMP_MS) {
        *ret_jump = (struct host_clock_jump){.at_mono_ms = jump.at_mono_ms};
        return 0;
    }
    if (known)
        jump.at_mono_ms = now->mono_ms;
    if (!code)
        code = note(db, now, jump.at_mono_ms, err);
    for (size_t i = 0; !code && known && i < sizeof(moves) / sizeof(moves[0]); i++)
        code = update(db, moves[i], jump.by_ms, err);
    if (!code)
        *ret_jump = jump;
    return code;
}

/* ---- what was written by a clock that was wrong ---- */

static const char find_stuck[] =
    "SELECT 1 FROM run WHERE state = 0 AND not_before_ms > $1"
    " UNION ALL SELECT 1 FROM run WHERE state = 1 AND lease_until_ms > $1"
    " UNION ALL SELECT 1 FROM delivery WHERE state = 0 AND next_ms > $1"
    " UNION ALL SELECT 1 FROM outbox WHERE state = 0 AND next_ms > $1 LIMIT 1";

static const char *const releases[] = {
    "UPDATE run SET not_before_ms = 1 WHERE state = 0 AND not_before_ms > $1",
    "UPDATE run SET lease_until_ms = 1 WHERE state = 1 AND lease_until_ms > $1",
    "UPDATE delivery SET next_ms = 1 WHERE state = 0 AND next_ms > $1",
    "UPDATE outbox SET next_ms = 1 WHERE state = 0 AND next_ms > $1",
};

int
host_clock_find_stuck(struct db *db, int64_t latest_ms, bool *ret_found, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db, find_stuck, &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, latest_ms);
    return db_step(stmt, ret_found, err);
}

int
host_clock_free_stuck(struct db *db, int64_t latest_ms, struct err *err)
{
    int code = 0;

    for (size_t i = 0; !code && i < sizeof(releases) / sizeof(releases[0]); i++)
        code = update(db, releases[i], latest_ms, err);
    return code;
}
