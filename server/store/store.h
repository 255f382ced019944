/* The store: every change is a function run inside a transaction.
 *
 * On SQLite one writer thread runs the functions of many callers in one commit, each in a savepoint
 * of its own, so that one failure does not take the others with it: the group commit. Readers have
 * connections of their own and see only what is committed. What a function may call is in db.h and
 * in the typed operations (delivery.h, task.h, run.h, step.h, outbox.h, draft.h). */
#pragma once

#include "server/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct db;
struct store;

/* Work inside a transaction. It must not block on anything but the database, and it may be run
 * again after a failed commit: change only the database and `ctx`'s outputs. A non-zero return
 * rolls back what it did. */
typedef int (*store_fn)(struct db *db, void *ctx, struct err *err);

/* Called once when the function's effects are durable (code 0) or undone. Thread: the writer's own:
 * be short, do not call the store. */
typedef void (*store_done_fn)(void *ctx, int code, const struct err *err);

/* Called once, when the store's file turns out to be damaged.   Thread: any. */
typedef void store_damage_fn(void *ctx, const struct err *cause);

/* Open (create, migrate) the store in the file `path`. Several processes may have it open.
 * Owns: *ret_store is the caller's, store_close().
 * Errors: ERR_INVALID not a store of ours, or newer than this program; ERR_IO; ERR_UNAVAILABLE
 * locked. */
MUST_CHECK int store_open(const char *path, struct store **ret_store, struct err *err);

/* Finish what was submitted, stop the writer, close all connections. */
void store_close(struct store *store);
AUTO_DEFINE(struct store *, store_close)

/* Run `fn` and wait until its effects are durable.
 * Errors: those of `fn`; ERR_UNAVAILABLE disk full, I/O error, locked: nothing was changed. The
 * store recovers by itself when the cause is gone.   Thread: any but the writer's. */
MUST_CHECK int store_transact(struct store *store, store_fn fn, void *ctx, struct err *err);

/* As store_transact() without waiting: `done` is called later, exactly once, also when the queue is
 * full (then before this returns).   Borrows: ctx until then.   Thread: any. */
void store_submit(struct store *store, store_fn fn, store_done_fn done, void *ctx);

/* Run `fn` on a reader's connection: one consistent snapshot, no changes allowed.   Thread: any. */
MUST_CHECK int store_read(struct store *store, store_fn fn, void *ctx, struct err *err);

/* The smallest change there is, for store_submit() and store_transact(): does the store commit? */
MUST_CHECK int store_ping(struct db *db, void *ctx, struct err *err);

/* Look through the file in the background, and tell of damage, found so or otherwise.   Once. */
MUST_CHECK int
store_watch_damage(struct store *store, store_damage_fn *tell, void *ctx, struct err *err);

/* Was damage found? From then on all changes are refused: ERR_UNAVAILABLE. */
bool store_is_damaged(const struct store *store);

/* Copy the whole store, consistently, to a new file while it is in use. Opened in the place of this
 * one, it goes on from there.  Errors: ERR_IO, ERR_CONFLICT the file exists. */
MUST_CHECK int store_backup(struct store *store, const char *path, struct err *err);
