/* See sqlite.h and db.h: the driver functions of SQLite. Statements are prepared once for each
 * connection and found again by their text. */
#include "server/base/str.h"
#include "server/store/sqlite/sqlite.h"

#define CACHE_STATEMENTS                                                                           \
    160 /* more than the program has; a guard against texts made at run time                       \
         */

struct sqlite_stmt {
    struct db_stmt stmt; /* first: a driver's statement */
    sqlite3_stmt *handle;
    struct sqlite_stmt *next;
    int bind_result; /* the first failure to bind */
    bool open;       /* handed out */
};

static struct sqlite *
connection_of(struct db *db)
{
    return (struct sqlite *)(void *)db;
}

static struct sqlite_stmt *
statement_of(struct db_stmt *stmt)
{
    return (struct sqlite_stmt *)(void *)stmt;
}

/* After an I/O error SQLite may have rolled back by itself: what follows must not run (and be kept)
 * outside the transaction that it was meant for. */
static int
refuse_lost(const struct sqlite *sqlite, struct err *err)
{
    if (!sqlite_is_lost(sqlite))
        return 0;
    return err_set(err, ERR_UNAVAILABLE,
                   "the store undid the transaction after an error: try again");
}

static int
driver_exec(struct db *db, const char *sql, struct err *err)
{
    struct sqlite *sqlite = connection_of(db);

    const int code = refuse_lost(sqlite, err);
    if (code)
        return code;
    const int result = sqlite3_exec(sqlite->handle, sql, NULL, NULL, NULL);
    return result ? sqlite_fail(sqlite, result, err) : 0;
}

static void
discard(struct sqlite *sqlite, struct sqlite_stmt **link)
{
    struct sqlite_stmt *stmt = *link;

    *link = stmt->next;
    sqlite->stmt_count--;
    sqlite3_finalize(stmt->handle);
    free(stmt);
}

/* Drop the statement that was not used for the longest time. */
static void
make_room(struct sqlite *sqlite)
{
    struct sqlite_stmt **oldest = NULL;

    for (struct sqlite_stmt **link = &sqlite->stmts; *link; link = &(*link)->next)
        if (!(*link)->open)
            oldest = link;
    if (oldest)
        discard(sqlite, oldest);
}

/* A released statement with this text, unlinked from the cache; or NULL. */
static struct sqlite_stmt *
take_cached(struct sqlite *sqlite, const char *sql)
{
    for (struct sqlite_stmt **link = &sqlite->stmts; *link; link = &(*link)->next) {
        struct sqlite_stmt *stmt = *link;
        if (stmt->open || !str_equal(sqlite3_sql(stmt->handle), sql))
            continue;
        *link = stmt->next;
        return stmt;
    }
    return NULL;
}

static int
prepare_new(struct sqlite *sqlite, const char *sql, struct sqlite_stmt **ret_stmt, struct err *err)
{
    if (sqlite->stmt_count >= CACHE_STATEMENTS)
        make_room(sqlite);

    auto_free struct sqlite_stmt *stmt = calloc(1, sizeof(*stmt));
    if (!stmt)
        return err_set(err, ERR_NOMEM, "out of memory");
    stmt->stmt.db = &sqlite->db;
    const int result =
        sqlite3_prepare_v3(sqlite->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt->handle, NULL);
    if (result)
        return sqlite_fail(sqlite, result, err);

    sqlite->stmt_count++;
    *ret_stmt = TAKE(stmt);
    return 0;
}

static int
driver_prepare(struct db *db, const char *sql, struct db_stmt **ret_stmt, struct err *err)
{
    struct sqlite *sqlite = connection_of(db);

    int code = refuse_lost(sqlite, err);
    if (code)
        return code;

    struct sqlite_stmt *stmt = take_cached(sqlite, sql);
    if (!stmt)
        code = prepare_new(sqlite, sql, &stmt, err);
    if (!stmt)
        return code;

    stmt->next = sqlite->stmts;
    sqlite->stmts = stmt;
    stmt->open = true;
    stmt->bind_result = SQLITE_OK;
    sqlite->open_count++;
    *ret_stmt = &stmt->stmt;
    return 0;
}

static void
note_bind(struct sqlite_stmt *stmt, int result)
{
    if (!stmt->bind_result)
        stmt->bind_result = result;
}

static void
driver_bind_int(struct db_stmt *base, int place, int64_t value)
{
    struct sqlite_stmt *stmt = statement_of(base);

    note_bind(stmt, sqlite3_bind_int64(stmt->handle, place, value));
}

static void
driver_bind_text(struct db_stmt *base, int place, const char *text)
{
    struct sqlite_stmt *stmt = statement_of(base);

    note_bind(stmt, sqlite3_bind_text(stmt->handle, place, text, -1, SQLITE_STATIC));
}

static void
driver_bind_blob(struct db_stmt *base, int place, struct bytes bytes)
{
    struct sqlite_stmt *stmt = statement_of(base);
    const char *ptr = bytes.len > 0 ? bytes.ptr : ""; /* a null pointer would be SQL NULL */

    note_bind(stmt, sqlite3_bind_blob64(stmt->handle, place, ptr, bytes.len, SQLITE_STATIC));
}

static int
driver_step(struct db_stmt *base, bool *ret_row, struct err *err)
{
    struct sqlite_stmt *stmt = statement_of(base);
    struct sqlite *sqlite = connection_of(base->db);

    if (stmt->bind_result)
        return sqlite_fail(sqlite, stmt->bind_result, err);
    const int code = refuse_lost(sqlite, err);
    if (code)
        return code;

    const int result = sqlite3_step(stmt->handle);
    if (result != SQLITE_ROW && result != SQLITE_DONE) {
        const int failed = sqlite_fail(sqlite, result, err);
        sqlite3_reset(stmt->handle);
        return failed;
    }
    *ret_row = result == SQLITE_ROW;
    if (result == SQLITE_DONE)
        sqlite3_reset(stmt->handle); /* ready for other values: bindings stay */
    return 0;
}

static int64_t
driver_column_int(struct db_stmt *stmt, int place)
{
    return sqlite3_column_int64(statement_of(stmt)->handle, place);
}

static const char *
driver_column_text(struct db_stmt *stmt, int place)
{
    return (const char *)sqlite3_column_text(statement_of(stmt)->handle, place);
}

static struct bytes
driver_column_blob(struct db_stmt *stmt, int place)
{
    sqlite3_stmt *handle = statement_of(stmt)->handle;

    const void *ptr = sqlite3_column_blob(handle, place); /* before its size: see SQLite's manual */
    const int len = sqlite3_column_bytes(handle, place);
    return bytes_of(ptr, ptr && len > 0 ? (size_t)len : 0);
}

static bool
driver_column_is_null(struct db_stmt *stmt, int place)
{
    return sqlite3_column_type(statement_of(stmt)->handle, place) == SQLITE_NULL;
}

static void
driver_release(struct db_stmt *base)
{
    struct sqlite_stmt *stmt = statement_of(base);

    sqlite3_reset(stmt->handle);
    sqlite3_clear_bindings(stmt->handle);
    stmt->open = false;
    connection_of(base->db)->open_count--;
}

static int64_t
driver_changes(struct db *db)
{
    return sqlite3_changes64(connection_of(db)->handle);
}

const struct db_driver sqlite_driver = {
    .name = "sqlite",
    .exec = driver_exec,
    .prepare = driver_prepare,
    .bind_int = driver_bind_int,
    .bind_text = driver_bind_text,
    .bind_blob = driver_bind_blob,
    .step = driver_step,
    .column_int = driver_column_int,
    .column_text = driver_column_text,
    .column_blob = driver_column_blob,
    .column_is_null = driver_column_is_null,
    .release = driver_release,
    .changes = driver_changes,
};

size_t
sqlite_release_all(struct sqlite *sqlite)
{
    const size_t count = sqlite->open_count;

    for (struct sqlite_stmt *stmt = sqlite->stmts; stmt && count > 0; stmt = stmt->next)
        if (stmt->open)
            driver_release(&stmt->stmt);
    return count;
}

void
sqlite_close(struct sqlite *sqlite)
{
    if (!sqlite)
        return;
    while (sqlite->stmts)
        discard(sqlite, &sqlite->stmts);
    sqlite3_close(sqlite->handle);
    free(sqlite);
}
