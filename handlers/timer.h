/* The timer: leases are renewed, runs that people cancelled are stopped, what is old is removed. It
 * waits for the store only, so that no hanging engine keeps it. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct app;
struct timer;

/* Borrows: app.   Owns: *ret_timer is the caller's. */
MUST_CHECK int timer_new(struct app *app, struct timer **ret_timer, struct err *err);
void timer_free(struct timer *timer);
AUTO_DEFINE(struct timer *, timer_free)

/* A turn of its service. `ctx` is the timer. */
int64_t timer_turn(void *ctx);
