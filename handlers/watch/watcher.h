/* The watcher: asks platforms for what they said while nobody heard. A service of its own, for it
 * waits for the network, and nothing waits for it. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct app;
struct watcher;

/* Borrows: app.   Owns: *ret_watcher is the caller's. */
MUST_CHECK int watcher_new(struct app *app, struct watcher **ret_watcher, struct err *err);
void watcher_free(struct watcher *watcher);
AUTO_DEFINE(struct watcher *, watcher_free)

/* A turn of its service: what is due. `ctx` is the watcher. */
int64_t watcher_turn(void *ctx);
