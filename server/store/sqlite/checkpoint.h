/* Copies the write-ahead log into the database file in a thread of its own, off the way of commits.
 */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct checkpointer;
struct sqlite;

/* Start the thread, which takes over the open connection.
 * Owns: *ret_checkpointer is the caller's, checkpointer_free(). `sqlite` is taken, also on failure.
 */
MUST_CHECK int checkpointer_new(const char *path,
                                struct sqlite *sqlite,
                                struct checkpointer **ret_checkpointer,
                                struct err *err);

/* Stop the thread and close its connection. */
void checkpointer_free(struct checkpointer *checkpointer);
AUTO_DEFINE(struct checkpointer *, checkpointer_free)

/* Say how many pages the log has after a commit. Never waits for the disk.   Thread: any. */
void checkpointer_note(struct checkpointer *checkpointer, int64_t log_pages);

/* Wait while a checkpoint needs writers to stay away: before every transaction. Mostly no wait at
 * all, otherwise some milliseconds, and never longer than SQLITE_CHECKPOINT_WAIT_MS and one flush.
 * Thread: the writer's. */
void checkpointer_pass(struct checkpointer *checkpointer);
