/* One database connection inside a transaction: the small set of operations that a driver provides
 * and that the typed operations are written over, once.
 *
 * SQL is written for SQLite and PostgreSQL alike: parameters are $1, $2, ... in order of first use,
 * times are integers (Unix ms), booleans are 0 and 1. Statements are cached by text: pass literals.
 */
#pragma once

#include "server/base/bytes.h"
#include "server/base/err.h"

#include <stdint.h>

struct db;
struct db_stmt;

struct db_driver {
    const char *name;
    MUST_CHECK int (*exec)(struct db *db, const char *sql, struct err *err);
    MUST_CHECK int (*prepare)(struct db *db,
                              const char *sql,
                              struct db_stmt **ret,
                              struct err *err);
    /* Binding sticks: a failure is reported by the next step. Parameter numbers begin at 1. Bytes
     * must stay in place until the statement is reset or done. */
    void (*bind_int)(struct db_stmt *stmt, int place, int64_t value);
    void (*bind_text)(struct db_stmt *stmt, int place, const char *text); /* NULL is SQL NULL */
    void (*bind_blob)(struct db_stmt *stmt, int place, struct bytes bytes);
    MUST_CHECK int (*step)(struct db_stmt *stmt, bool *ret_row, struct err *err);
    /* Columns begin at 0 and are valid until the next step. */
    int64_t (*column_int)(struct db_stmt *stmt, int place);
    const char *(*column_text)(struct db_stmt *stmt, int place); /* NULL for SQL NULL */
    struct bytes (*column_blob)(struct db_stmt *stmt, int place);
    bool (*column_is_null)(struct db_stmt *stmt, int place);
    void (*release)(struct db_stmt *stmt); /* back to the cache */
    int64_t (*changes)(struct db *db);     /* rows changed by the last statement */
};

/* First member of every driver's connection. */
struct db {
    const struct db_driver *driver;
};

/* First member of every driver's statement. */
struct db_stmt {
    struct db *db;
};

/* Run one or more statements without parameters or results. */
MUST_CHECK int db_exec(struct db *db, const char *sql, struct err *err);

/* Get a statement ready, from the cache when it was used before.
 * Owns: *ret_stmt goes back with db_release(); declare it AUTO(db_release). */
MUST_CHECK int
db_prepare(struct db *db, const char *sql, struct db_stmt **ret_stmt, struct err *err);

void db_bind_int(struct db_stmt *stmt, int place, int64_t value);
void db_bind_text(struct db_stmt *stmt, int place, const char *text);
void db_bind_blob(struct db_stmt *stmt, int place, struct bytes bytes);

/* Advance. *ret_row tells whether there is a row to read; after the last one (or when there is
 * none) the next step executes the statement anew, with what is bound then: values stay bound until
 * released. Errors: ERR_CONFLICT a unique constraint; ERR_UNAVAILABLE full, locked or I/O;
 * ERR_INTERNAL. */
MUST_CHECK int db_step(struct db_stmt *stmt, bool *ret_row, struct err *err);

/* db_step() for a statement without rows. */
MUST_CHECK int db_run(struct db_stmt *stmt, struct err *err);

int64_t db_column_int(struct db_stmt *stmt, int place);
const char *db_column_text(struct db_stmt *stmt, int place);
struct bytes db_column_blob(struct db_stmt *stmt, int place);
bool db_column_is_null(struct db_stmt *stmt, int place);

/* A copy of a text column: SQL NULL becomes NULL.  Errors: ERR_NOMEM. */
MUST_CHECK int db_column_dup(struct db_stmt *stmt, int place, char **ret_text, struct err *err);

int64_t db_changes(struct db *db);

void db_release(struct db_stmt *stmt);
AUTO_DEFINE(struct db_stmt *, db_release)
