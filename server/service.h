/* A thread that does one kind of work in turns: dispatcher, workers, outbox sender and timer are
 * all services. Between turns it sleeps until its next turn is due, until it is woken or stopped.
 */
#pragma once

#include "server/base/err.h"
#include "server/base/stop.h"

#include <stdint.h>

struct service;

/* One turn. Returns after how many milliseconds the next one is due; 0: at once. */
typedef int64_t (*service_turn_fn)(void *ctx);

/* Make a service; it may be woken before it is started. `name` is at most 15 characters (shown by
 * ps and debuggers). `stop` ends it as well as service_end() does; turns that take long watch it
 * themselves. Owns: *ret_service is the caller's, service_free().   Borrows: name, ctx, stop.
 * Errors: ERR_NOMEM. */
MUST_CHECK int service_new(const char *name,
                           service_turn_fn turn,
                           void *ctx,
                           const struct stop *stop,
                           struct service **ret_service,
                           struct err *err);

/* Start its thread.  Errors: ERR_NOMEM. */
MUST_CHECK int service_start(struct service *service, struct err *err);

/* Make the next turn due now.  NULL is a no-op.   Thread: any. */
void service_wake(struct service *service);

/* Ask to end after the turn under way, and wait for it. It may still be woken afterwards, in vain.
 * NULL, and one that was never started or has ended, is a no-op. */
void service_end(struct service *service);

/* End and free.  NULL is a no-op. */
void service_free(struct service *service);
AUTO_DEFINE(struct service *, service_free)

/* How long to wait before attempt number `attempts` + 1: `first_ms`, doubled each time, at most
 * `most_ms`. */
int64_t backoff_ms(int64_t attempts, int64_t first_ms, int64_t most_ms);
