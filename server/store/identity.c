/* See identity.h. */
#include "server/store/identity.h"

#include "server/base/str.h"
#include "server/store/db.h"

int
identity_get(struct db *db, char **ret_instance, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(db, "SELECT instance FROM identity WHERE id = 1", &stmt, err);
    if (!code)
        code = db_step(stmt, &row, err);
    if (code)
        return code;
    if (!row)
        return err_set(err, ERR_NOTFOUND, "this installation has no name yet");
    char *instance = str_dup(db_column_text(stmt, 0));
    if (!instance)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret_instance = instance;
    return 0;
}

int
identity_put(struct db *db, const char *instance, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(
        db, "INSERT INTO identity (id, instance) VALUES (1, $1) ON CONFLICT (id) DO NOTHING", &stmt,
        err);
    if (code)
        return code;
    db_bind_text(stmt, 1, instance);
    return db_run(stmt, err);
}
