/* What the tests of the store share: a directory of their own, a store in it, and, for the typed
 * operations, one connection inside a transaction on the test's own thread. */
#pragma once

#include "server/base/fs.h"
#include "server/base/str.h"
#include "server/store/delivery.h"
#include "server/store/run.h"
#include "server/store/sqlite/sqlite.h"
#include "server/store/store.h"
#include "server/store/task.h"
#include "tests/harness/test.h"

struct fixture {
    char *dir;
    char *path;
    struct sqlite *sqlite;
    struct db *db;
};

static inline void
fixture_make_dir(struct fixture *f)
{
    struct err err;

    *f = (struct fixture){0};
    CHECK_OK(fs_make_temp_dir(P_tmpdir, "test-store-", &f->dir, &err), err);
    f->path = str_printf("%s/store.db", f->dir);
    CHECK(f->path);
}

/* A new store with a transaction open on it. */
static inline void
fixture_begin(struct fixture *f)
{
    struct store *store = NULL;
    struct err err;

    fixture_make_dir(f);
    CHECK_OK(store_open(f->path, &store, &err), err);
    store_close(store);
    CHECK_OK(sqlite_open(f->path, CONNECTION_WRITER, &f->sqlite, &err), err);
    CHECK_OK(sqlite_begin(f->sqlite, &err), err);
    f->db = &f->sqlite->db;
}

static inline void
fixture_done(struct fixture *f)
{
    if (f->sqlite) {
        CHECK_INT(f->sqlite->open_count, 0);
        sqlite_rollback(f->sqlite);
        sqlite_close(f->sqlite);
    }
    CHECK_INT(fs_remove_tree(f->dir, NULL), 0);
    free(f->path);
    free(f->dir);
}

/* The first column of the first row of a query. */
static inline int64_t
fixture_int(struct db *db, const char *sql)
{
    struct db_stmt *stmt = NULL;
    struct err err;
    bool row = false;

    CHECK_OK(db_prepare(db, sql, &stmt, &err), err);
    CHECK_OK(db_step(stmt, &row, &err), err);
    CHECK(row);
    const int64_t value = db_column_int(stmt, 0);
    db_release(stmt);
    return value;
}

static inline int64_t
fixture_task(struct db *db, const char *origin)
{
    char *platform = "github", *repository = "acme/api", *title = "Title", *who = "ann";
    char *text = "Text";
    char *copy = str_dup(origin);
    struct err err;
    int64_t id = 0;

    const struct task task = {.platform = platform,
                              .origin = copy,
                              .thread = copy,
                              .repository = repository,
                              .number = 42,
                              .title = title,
                              .text = text,
                              .requested_by = who};
    CHECK_OK(task_insert(db, &task, 1000, &id, &err), err);
    free(copy);
    return id;
}

static inline int64_t
fixture_run(struct db *db, int64_t task)
{
    const struct run_new run = {
        .task = task, .trigger_kind = "label", .trigger_actor = "ann", .trigger_ms = 900};
    struct err err;
    int64_t id = 0;

    CHECK_OK(run_insert(db, &run, 1000, &id, &err), err);
    return id;
}

/* A transaction function: insert one delivery with the id and body of `ctx`. */
struct insertion {
    const char *delivery_id;
    const char *body;
    int64_t id;
};

static inline int
fixture_insert(struct db *db, void *ctx, struct err *err)
{
    struct insertion *insertion = ctx;
    const struct delivery_new delivery = {.platform = "github",
                                          .delivery_id = insertion->delivery_id,
                                          .event = "issues",
                                          .received_ms = 1,
                                          .memory = bytes_of_str(insertion->body),
                                          .spool_fd = -1};

    return delivery_insert(db, &delivery, &insertion->id, err);
}

/* Does the store commit? */
static inline int
fixture_ping(struct store *store, struct err *err)
{
    return store_transact(store, store_ping, NULL, err);
}

/* A reading function: how many deliveries are there? */
static inline int
fixture_count(struct db *db, void *ctx, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    int64_t *count = ctx;
    bool row = false;

    int code = db_prepare(db, "SELECT count(*) FROM delivery", &stmt, err);
    if (!code)
        code = db_step(stmt, &row, err);
    if (!code)
        *count = db_column_int(stmt, 0);
    return code;
}
