/* See repository.h. */
#include "server/store/repository.h"

#include "server/base/str.h"
#include "server/store/db.h"

static int
prepare(struct db *db,
        const char *sql,
        const struct repository_name *told,
        struct db_stmt **ret_stmt,
        struct err *err)
{
    const int code = db_prepare(db, sql, ret_stmt, err);

    if (code)
        return code;
    db_bind_text(*ret_stmt, 1, told->platform);
    db_bind_int(*ret_stmt, 2, told->id);
    db_bind_text(*ret_stmt, 3, told->name);
    return 0;
}

/* *ret_newer: what is known of the repository, or of whose name it is, was told later. */
static int
find(struct db *db,
     const struct repository_name *told,
     bool *ret_newer,
     char **ret_former,
     struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row = false;
    int code = prepare(db,
                       "SELECT id, name, told_ms FROM repository"
                       " WHERE platform = $1 AND (id = $2 OR name = $3)",
                       told, &stmt, err);

    while (!code && !(code = db_step(stmt, &row, err)) && row) {
        if (db_column_int(stmt, 2) > told->told_ms)
            *ret_newer = true;
        if (db_column_int(stmt, 0) == told->id && !str_equal(db_column_text(stmt, 1), told->name))
            code = db_column_dup(stmt, 1, ret_former, err);
    }
    return code;
}

/* The name may have been another's, which has another now or is gone. */
static int
release_name(struct db *db, const struct repository_name *told, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    const int code =
        prepare(db, "DELETE FROM repository WHERE platform = $1 AND id <> $2 AND name = $3", told,
                &stmt, err);

    return code ? code : db_run(stmt, err);
}

static int
put(struct db *db, const struct repository_name *told, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    const int code = prepare(db,
                             "INSERT INTO repository (platform, id, name, told_ms)"
                             " VALUES ($1, $2, $3, $4) ON CONFLICT (platform, id)"
                             " DO UPDATE SET name = excluded.name, told_ms = excluded.told_ms",
                             told, &stmt, err);

    if (code)
        return code;
    db_bind_int(stmt, 4, told->told_ms);
    return db_run(stmt, err);
}

int
repository_keep_name(struct db *db,
                     const struct repository_name *told,
                     char **ret_former,
                     struct err *err)
{
    auto_free char *former = NULL;
    bool newer = false;
    int code = find(db, told, &newer, &former, err);

    if (code || newer)
        return code;
    code = release_name(db, told, err);
    if (!code)
        code = put(db, told, err);
    if (code)
        return code;
    *ret_former = TAKE(former);
    return 0;
}
