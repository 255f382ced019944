/* A worker: claims a run, takes it through the pipeline, ends it in one transaction. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

struct app;
struct worker;

/* Borrows: app.   Owns: *ret_worker is the caller's.   Thread: a worker belongs to one. */
MUST_CHECK int worker_new(struct app *app, struct worker **ret_worker, struct err *err);
void worker_free(struct worker *worker);
AUTO_DEFINE(struct worker *, worker_free)

/* A turn of its service: at most one run. `ctx` is the worker. */
int64_t worker_turn(void *ctx);
