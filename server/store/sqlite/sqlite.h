/* SQLite: connections, their statement cache, their transactions, and the upkeep of the file. What
 * is above db.h does not see it: only the store's own machinery (store.c, writer.c, checkpoint.c,
 * migrations.c) includes this. A connection is used by one thread at a time. */
#pragma once

#include "server/store/db.h"

#include <sqlite3.h>

#define SQLITE_BUSY_WAIT_MS 5000      /* how long another process may keep the file locked */
#define SQLITE_CHECKPOINT_WAIT_MS 250 /* how long a waiting checkpoint waits for a reader */

enum connection_role {
    CONNECTION_WRITER, /* the one that commits */
    CONNECTION_READER, /* may not write */
    CONNECTION_UPKEEP, /* opening, checkpoints, copies */
};

struct damage;
struct sqlite_stmt;

struct sqlite {
    struct db db; /* first: a driver's connection */
    sqlite3 *handle;
    enum connection_role role;
    struct damage *damage;     /* where it is told; or NULL */
    struct sqlite_stmt *stmts; /* the cache, last used first */
    size_t stmt_count;
    size_t open_count; /* statements not released yet */
    bool in_transaction;
    int64_t log_pages; /* in the write-ahead log after this connection's last commit */
};

/* The driver functions for connections that sqlite_open() makes. */
extern const struct db_driver sqlite_driver;

/* Open an existing file (an empty one is a database without tables).
 * Owns: *ret_sqlite is the caller's, sqlite_close().
 * Errors: ERR_INVALID not an SQLite database; ERR_UNAVAILABLE locked; ERR_IO. */
MUST_CHECK int sqlite_open(const char *path,
                           enum connection_role role,
                           struct sqlite **ret_sqlite,
                           struct err *err);

/* sqlite_open() of a store that was open before: whatever is wrong with it now, ERR_UNAVAILABLE. */
MUST_CHECK int sqlite_reopen(const char *path,
                             enum connection_role role,
                             struct damage *damage,
                             struct sqlite **ret_sqlite,
                             struct err *err);

void sqlite_close(struct sqlite *sqlite);
AUTO_DEFINE(struct sqlite *, sqlite_close)

/* Keep a write-ahead log from now on (it stays so in the file).
 * Errors: ERR_IO the file system cannot; ERR_UNAVAILABLE locked. */
MUST_CHECK int sqlite_use_log(struct sqlite *sqlite, struct err *err);

/* Begin a transaction: a reader's takes a snapshot at its first query, any other one holds the
 * file's write lock from here on. */
MUST_CHECK int sqlite_begin(struct sqlite *sqlite, struct err *err);
MUST_CHECK int sqlite_commit(struct sqlite *sqlite, struct err *err);
void sqlite_rollback(struct sqlite *sqlite);

/* Was the transaction taken away by SQLite itself, as it does after some I/O errors? */
bool sqlite_is_lost(const struct sqlite *sqlite);

/* Does the path not lead to the open file any more? What is committed then would be lost. */
bool sqlite_is_moved(const struct sqlite *sqlite);

/* Inside a transaction: a part that is kept or undone by itself. */
MUST_CHECK int sqlite_part_begin(struct sqlite *sqlite, struct err *err);
MUST_CHECK int sqlite_part_keep(struct sqlite *sqlite, struct err *err);
MUST_CHECK int sqlite_part_undo(struct sqlite *sqlite, struct err *err);

/* Take back statements that were not released. Answers how many there were: 0, or a defect. */
size_t sqlite_release_all(struct sqlite *sqlite);

/* Copy the log into the database file: what can be copied without waiting, or (`wait`) all of it
 * with writers held up meanwhile, so that the log can begin anew. Errors: ERR_UNAVAILABLE a reader
 * is in the way, disk full, I/O. */
MUST_CHECK int sqlite_checkpoint(
    struct sqlite *sqlite, bool wait, int64_t *ret_pages, int64_t *ret_copied, struct err *err);

/* Write a compacted copy into the empty file `path`. */
MUST_CHECK int sqlite_copy(struct sqlite *sqlite, const char *path, struct err *err);

/* Turn a result code of SQLite into an error that says what to do. */
int sqlite_fail(const struct sqlite *sqlite, int result, struct err *err);
