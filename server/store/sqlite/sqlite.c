/* See sqlite.h: connections, transactions and upkeep. Statements are in sqlite_stmt.c. */
#include "server/store/sqlite/sqlite.h"

#include <pthread.h>

#include "server/base/clock.h"
#include "server/store/sqlite/damage.h"
#include "server/store/sqlite/log_file.h"

#define WRITER_PRAGMAS                                                                             \
    "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -4096;"
#define READER_PRAGMAS "PRAGMA query_only = ON;"
#define UPKEEP_PRAGMAS "PRAGMA synchronous = FULL;"

#define LOCK_RETRY_MS 20

struct failure {
    int result;
    int code;
    const char *advice;
};

static const struct failure failures[] = {
    {SQLITE_FULL, ERR_UNAVAILABLE, "the disk of the store is full: free some space"},
    {SQLITE_IOERR, ERR_UNAVAILABLE,
     "the store cannot be read or written: check its disk, free space and quota"},
    {SQLITE_BUSY, ERR_UNAVAILABLE, "another process keeps the store locked: try again, or end it"},
    {SQLITE_LOCKED, ERR_UNAVAILABLE, "the store is locked: try again"},
    {SQLITE_PROTOCOL, ERR_UNAVAILABLE, "the store is locked: try again"},
    {SQLITE_INTERRUPT, ERR_UNAVAILABLE, "work on the store was interrupted: try again"},
    {SQLITE_READONLY, ERR_UNAVAILABLE,
     "the store cannot be written: check that its file is there, its owner and its mode"},
    {SQLITE_PERM, ERR_UNAVAILABLE, "the store cannot be used: check its owner and its mode"},
    {SQLITE_CANTOPEN, ERR_UNAVAILABLE,
     "the store cannot be opened: check that its file is there, its owner and its mode"},
    {SQLITE_CORRUPT, ERR_UNAVAILABLE, DAMAGE_ADVICE},
    {SQLITE_NOTADB, ERR_UNAVAILABLE, DAMAGE_ADVICE},
    {SQLITE_NOMEM, ERR_NOMEM, "out of memory"},
    {SQLITE_TOOBIG, ERR_LIMIT, "a value is too large for the store"},
};

static const struct failure *
find_failure(int primary)
{
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
        if (failures[i].result == primary)
            return &failures[i];
    return NULL;
}

int
sqlite_fail(const struct sqlite *sqlite, int result, struct err *err)
{
    const int primary = result & 0xff;
    const char *detail = sqlite3_errmsg(sqlite->handle);
    const struct failure *failure = find_failure(primary);

    if (result == SQLITE_CONSTRAINT_UNIQUE || result == SQLITE_CONSTRAINT_PRIMARYKEY)
        return err_set(err, ERR_CONFLICT, "it is in the store already (%s)", detail);
    if (primary == SQLITE_READONLY && sqlite->role == CONNECTION_READER)
        return err_set(err, ERR_INTERNAL, "a function that may only read tried to write");
    if (!failure)
        return err_set(err, ERR_INTERNAL, "the store refused a statement: %s (SQLite code %d)",
                       detail, result);

    const char *name = sqlite3_db_filename(sqlite->handle, "main");
    struct err told = {0};
    const int code = err_set(&told, failure->code, "%s (%s: %s, SQLite code %d)", failure->advice,
                             name ? name : "", detail, result);
    if (sqlite->damage && (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB))
        damage_note(sqlite->damage, told.msg);
    if (err)
        *err = told;
    return code;
}

/* A failure while opening: what is no database is the caller's mistake; only a lock passes by
 * itself. */
static int
fail_open(const struct sqlite *sqlite, int result, struct err *err)
{
    if (!sqlite->handle)
        return err_set(err, ERR_NOMEM, "out of memory");
    if ((result & 0xff) == SQLITE_NOTADB && !sqlite->damage)
        return err_set(
            err, ERR_INVALID,
            "it is not an SQLite database, so not a store of draftd: move it away, or restore a "
            "backup, as draftd backup --help says");

    const int code = sqlite_fail(sqlite, result, err);
    if (code == ERR_UNAVAILABLE && (result & 0xff) != SQLITE_BUSY) {
        err->code = ERR_IO;
        return ERR_IO;
    }
    return code;
}

static int
exec(struct sqlite *sqlite, const char *sql)
{
    return sqlite3_exec(sqlite->handle, sql, NULL, NULL, NULL);
}

static int
note_commit(void *context, sqlite3 *handle, const char *name, int pages)
{
    struct sqlite *sqlite = context;

    (void)handle;
    (void)name;
    sqlite->log_pages = pages;
    return SQLITE_OK;
}

static int
configure(struct sqlite *sqlite)
{
    static const char *const pragmas[] = {
        [CONNECTION_WRITER] = WRITER_PRAGMAS,
        [CONNECTION_READER] = READER_PRAGMAS,
        [CONNECTION_UPKEEP] = UPKEEP_PRAGMAS,
    };
    sqlite3 *handle = sqlite->handle;

    sqlite3_busy_timeout(handle, SQLITE_BUSY_WAIT_MS);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);

    /* The first read of the file: what is not a database is found out here. */
    int result = exec(sqlite, "PRAGMA schema_version");
    if (!result)
        result = exec(sqlite, "PRAGMA wal_autocheckpoint = 0");
    if (!result)
        result = exec(sqlite, pragmas[sqlite->role]);
    if (!result)
        sqlite3_wal_hook(handle, note_commit, sqlite);
    return result;
}

/* Its statistics of memory, which nobody asks for, take a lock at each allocation. */
static void
set_up_library(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int
open_connection(const char *path,
                enum connection_role role,
                struct damage *damage,
                struct sqlite **ret_sqlite,
                struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    AUTO(sqlite_close) struct sqlite *sqlite = calloc(1, sizeof(*sqlite));
    if (!sqlite)
        return err_set(err, ERR_NOMEM, "out of memory");

    (void)pthread_once(&once, set_up_library);
    sqlite->db.driver = &sqlite_driver;
    sqlite->role = role;
    sqlite->damage = damage;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const char *vfs = role == CONNECTION_WRITER ? log_file_vfs() : NULL;
    int result = sqlite3_open_v2(path, &sqlite->handle, flags, vfs);
    if (!result)
        result = configure(sqlite);
    if (result)
        return fail_open(sqlite, result, err);

    *ret_sqlite = TAKE(sqlite);
    return 0;
}

int
sqlite_open(const char *path,
            enum connection_role role,
            struct sqlite **ret_sqlite,
            struct err *err)
{
    return open_connection(path, role, NULL, ret_sqlite, err);
}

int
sqlite_reopen(const char *path,
              enum connection_role role,
              struct damage *damage,
              struct sqlite **ret_sqlite,
              struct err *err)
{
    struct err cause = {0};

    const int code = open_connection(path, role, damage, ret_sqlite, &cause);
    return code ? err_set(err, ERR_UNAVAILABLE, "%s", cause.msg) : 0;
}

int
sqlite_use_log(struct sqlite *sqlite, struct err *err)
{
    const int64_t deadline_ms = clock_mono_ms() + SQLITE_BUSY_WAIT_MS;
    sqlite3_stmt *stmt = NULL;

    int result = sqlite3_prepare_v2(sqlite->handle, "PRAGMA journal_mode = WAL", -1, &stmt, NULL);
    if (!result)
        result = sqlite3_step(stmt);
    /* Two processes may make the same new store: SQLite does not wait for this lock by itself. */
    while ((result & 0xff) == SQLITE_BUSY && clock_mono_ms() < deadline_ms) {
        clock_sleep_ms(LOCK_RETRY_MS);
        sqlite3_reset(stmt);
        result = sqlite3_step(stmt);
    }

    int code = 0;
    if (result != SQLITE_ROW)
        code = sqlite_fail(sqlite, result, err);
    else if (sqlite3_stricmp((const char *)sqlite3_column_text(stmt, 0), "wal") != 0)
        code = err_set(err, ERR_IO,
                       "the store's file system cannot keep a write-ahead log: move it "
                       "to a local disk");
    sqlite3_finalize(stmt);
    return code;
}

/* Run one statement of the machinery itself, through the cache. */
static int
run(struct sqlite *sqlite, const char *sql, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = db_prepare(&sqlite->db, sql, &stmt, err);
    if (!code)
        code = db_run(stmt, err);
    return code;
}

int
sqlite_begin(struct sqlite *sqlite, struct err *err)
{
    const bool reads = sqlite->role == CONNECTION_READER;

    if (!sqlite3_get_autocommit(sqlite->handle))
        sqlite_rollback(sqlite); /* there was no memory for it when it was due */
    const int code = run(sqlite, reads ? "BEGIN" : "BEGIN IMMEDIATE", err);
    sqlite->in_transaction = !code;
    return code;
}

int
sqlite_commit(struct sqlite *sqlite, struct err *err)
{
    const int code = run(sqlite, "COMMIT", err);
    if (!code)
        sqlite->in_transaction = false;
    return code;
}

void
sqlite_rollback(struct sqlite *sqlite)
{
    sqlite->in_transaction = false;
    sqlite_release_all(sqlite);
    if (!sqlite3_get_autocommit(sqlite->handle))
        (void)exec(sqlite, "ROLLBACK"); /* where memory is out: when the next one begins */
}

bool
sqlite_is_lost(const struct sqlite *sqlite)
{
    return sqlite->in_transaction && sqlite3_get_autocommit(sqlite->handle);
}

bool
sqlite_is_moved(const struct sqlite *sqlite)
{
    int moved = 0;

    sqlite3_file_control(sqlite->handle, NULL, SQLITE_FCNTL_HAS_MOVED, &moved);
    return moved;
}

int
sqlite_part_begin(struct sqlite *sqlite, struct err *err)
{
    return run(sqlite, "SAVEPOINT part", err);
}

int
sqlite_part_keep(struct sqlite *sqlite, struct err *err)
{
    return run(sqlite, "RELEASE part", err);
}

int
sqlite_part_undo(struct sqlite *sqlite, struct err *err)
{
    const int code = run(sqlite, "ROLLBACK TO part", err);
    return code ? code : run(sqlite, "RELEASE part", err);
}

int
sqlite_checkpoint(
    struct sqlite *sqlite, bool wait, int64_t *ret_pages, int64_t *ret_copied, struct err *err)
{
    const int mode = wait ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE;
    int pages = 0;
    int copied = 0;

    sqlite3_busy_timeout(sqlite->handle, SQLITE_CHECKPOINT_WAIT_MS);
    const int result = sqlite3_wal_checkpoint_v2(sqlite->handle, NULL, mode, &pages, &copied);
    sqlite3_busy_timeout(sqlite->handle, SQLITE_BUSY_WAIT_MS);
    if (result)
        return sqlite_fail(sqlite, result, err);

    *ret_pages = pages;
    *ret_copied = copied;
    return 0;
}

/* Whatever is written meanwhile is the copy: its disk is not the store's. */
static int
fail_copy(const struct sqlite *sqlite, struct err *err)
{
    const int result = sqlite3_extended_errcode(sqlite->handle);

    if ((result & 0xff) == SQLITE_FULL || result == SQLITE_IOERR_WRITE ||
        result == SQLITE_IOERR_FSYNC || result == SQLITE_IOERR_TRUNCATE)
        return err_set(err, ERR_IO, "the disk is full, or fails (%s, SQLite code %d)",
                       sqlite3_errmsg(sqlite->handle), result);
    if ((result & 0xff) == SQLITE_ERROR) /* it is empty and ours: what cannot be had is its size */
        return err_set(err, ERR_IO, "the file cannot be used (%s)", sqlite3_errmsg(sqlite->handle));
    return err ? err->code : ERR_IO;
}

int
sqlite_copy(struct sqlite *sqlite, const char *path, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    int code = db_prepare(&sqlite->db, "VACUUM INTO $1", &stmt, err);
    if (code)
        return code;
    db_bind_text(stmt, 1, path);
    code = db_run(stmt, err);
    return code ? fail_copy(sqlite, err) : 0;
}
