/* The one thread that writes: it runs the functions of many callers in one commit. */
#pragma once

#include "server/store/store.h"

struct checkpointer;
struct sqlite;
struct writer;

/* Start the thread, which takes over the open connection. `checkpointer` is told of every commit.
 * Owns: *ret_writer is the caller's, writer_free(). `sqlite` is taken, also on failure.
 * Borrows: checkpointer, for as long as the writer lives. */
MUST_CHECK int writer_new(const char *path,
                          struct sqlite *sqlite,
                          struct checkpointer *checkpointer,
                          struct writer **ret_writer,
                          struct err *err);

/* Finish what was submitted, stop the thread, close its connection. */
void writer_free(struct writer *writer);
AUTO_DEFINE(struct writer *, writer_free)

/* store_transact(). */
MUST_CHECK int writer_transact(struct writer *writer, store_fn fn, void *ctx, struct err *err);

/* store_submit(). */
void writer_submit(struct writer *writer, store_fn fn, store_done_fn done, void *ctx);
