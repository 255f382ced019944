/* See db.h: thin calls into the driver of a connection, and the little that is common to all
 * drivers. */
#include "server/store/db.h"

#include "server/base/str.h"

int
db_exec(struct db *db, const char *sql, struct err *err)
{
    return db->driver->exec(db, sql, err);
}

int
db_prepare(struct db *db, const char *sql, struct db_stmt **ret_stmt, struct err *err)
{
    return db->driver->prepare(db, sql, ret_stmt, err);
}

void
db_bind_int(struct db_stmt *stmt, int place, int64_t value)
{
    stmt->db->driver->bind_int(stmt, place, value);
}

void
db_bind_text(struct db_stmt *stmt, int place, const char *text)
{
    stmt->db->driver->bind_text(stmt, place, text);
}

void
db_bind_blob(struct db_stmt *stmt, int place, struct bytes bytes)
{
    stmt->db->driver->bind_blob(stmt, place, bytes);
}

int
db_step(struct db_stmt *stmt, bool *ret_row, struct err *err)
{
    return stmt->db->driver->step(stmt, ret_row, err);
}

int
db_run(struct db_stmt *stmt, struct err *err)
{
    bool row;

    return db_step(stmt, &row, err);
}

int64_t
db_column_int(struct db_stmt *stmt, int place)
{
    return stmt->db->driver->column_int(stmt, place);
}

const char *
db_column_text(struct db_stmt *stmt, int place)
{
    return stmt->db->driver->column_text(stmt, place);
}

struct bytes
db_column_blob(struct db_stmt *stmt, int place)
{
    return stmt->db->driver->column_blob(stmt, place);
}

bool
db_column_is_null(struct db_stmt *stmt, int place)
{
    return stmt->db->driver->column_is_null(stmt, place);
}

int
db_column_dup(struct db_stmt *stmt, int place, char **ret_text, struct err *err)
{
    if (db_column_is_null(stmt, place)) {
        *ret_text = NULL;
        return 0;
    }

    /* A driver may need memory to hand out a text: NULL is then no SQL NULL. */
    char *copy = str_dup(db_column_text(stmt, place));
    if (!copy)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret_text = copy;
    return 0;
}

int64_t
db_changes(struct db *db)
{
    return db->driver->changes(db);
}

void
db_release(struct db_stmt *stmt)
{
    stmt->db->driver->release(stmt);
}
