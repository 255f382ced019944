/* For tests of events: what one comes to, in a transaction as the dispatcher's, and as if the work
 * that it began had been done at once. */
#pragma once

#include "tests/handlers/world.h"

#include "handlers/intake/event.h"
#include "handlers/intake/event_apply.h"

struct change {
    struct world *world;
    const struct event *event;
    int64_t now_ms;
    char said[512]; /* why nothing was done; "": it was */
};

static inline int
apply_in(struct db *db, void *ctx, struct err *err)
{
    struct change *change = ctx;
    struct err why = {0};
    int64_t task;
    const int r =
        event_apply(db, &change->world->app, "github", change->event, change->now_ms, &task, &why);

    (void)err;
    (void)snprintf(change->said, sizeof(change->said), "%s", r ? why.msg : "");
    return r == ERR_CONFLICT || r == ERR_NOTFOUND || r == ERR_UNAVAILABLE ? 0 : r;
}

static inline void
apply(struct change *change)
{
    struct err err;

    CHECK_OK(store_transact(change->world->app.store, apply_in, change, &err), err);
}

/* All that is under way ends with a draft. */
static inline void
end_work(struct world *w)
{
    world_exec(w, "UPDATE remark SET run = (SELECT max(id) FROM run) WHERE run IS NULL;"
                  "UPDATE run SET state = 2, outcome = 1, finished_ms = created_ms WHERE state < 2;"
                  "UPDATE task SET state = 2");
}
