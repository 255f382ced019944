/* A request to stop that wakes whoever polls: a flag with a descriptor that becomes readable.
 * Raised once, seen by all, never taken back. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct stop;

/* Owns: *ret_stop is the caller's, stop_free().   Errors: ERR_NOMEM, ERR_IO. */
MUST_CHECK int stop_new(struct stop **ret_stop, struct err *err);
void stop_free(struct stop *stop);
AUTO_DEFINE(struct stop *, stop_free)

/* Ask to stop.   Thread: any; also from a signal handler. */
void stop_raise(struct stop *stop);

/* Was it asked?  NULL is never asked.   Thread: any. */
bool stop_raised(const struct stop *stop);

/* Readable once raised. Borrowed: for poll() only. -1 for NULL. */
int stop_fd(const struct stop *stop);

/* Sleep, at most until asked to stop. Returns stop_raised(). */
bool stop_wait_ms(const struct stop *stop, int64_t duration_ms);
