/* Deliveries: one HTTP request of a platform each, as received, unique by (platform, delivery id).
 * The body lies apart from the row, in chunks. All functions run inside a store function. */
#pragma once

#include "server/base/err.h"
#include "server/base/strbuf.h"

#include <stdint.h>

struct db;

enum delivery_state {
    DELIVERY_RECEIVED, /* committed, not handled yet; or deferred until next_ms */
    DELIVERY_DONE,     /* it became a task, a run or a cancellation */
    DELIVERY_IGNORED,  /* understood, nothing to do: see reason */
    DELIVERY_BAD,      /* signed, but not what the platform documents: see reason */
};

const char *delivery_state_name(enum delivery_state state);

struct delivery {
    int64_t id; /* ours, in order of arrival */
    char *platform;
    char *delivery_id; /* the platform's */
    char *event;       /* the platform's event name, "issues" */
    int64_t received_ms;
    enum delivery_state state;
    char *reason; /* or NULL */
    int64_t task; /* 0: none */
    int64_t attempts;
    int64_t begun;   /* how often the handling was begun since it last came to an end */
    int64_t next_ms; /* not handled before */
    int64_t body_bytes;
};

void delivery_free(struct delivery *delivery);
AUTO_DEFINE(struct delivery *, delivery_free)

/* What is stored of a request. The body is `memory`, or the first `spool_bytes` of the open file
 * `spool_fd` where that is not negative. Borrowed. */
struct delivery_new {
    const char *platform;
    const char *delivery_id;
    const char *event;
    int64_t received_ms;
    struct bytes memory;
    int spool_fd;
    int64_t spool_bytes;
};

/* Errors: ERR_CONFLICT this delivery id is stored already (nothing is changed). */
MUST_CHECK int delivery_insert(struct db *db,
                               const struct delivery_new *delivery,
                               int64_t *ret_id,
                               struct err *err);

/* The oldest delivery in DELIVERY_RECEIVED that is due at `now_ms`.  Errors: ERR_NOTFOUND. */
MUST_CHECK int
delivery_next(struct db *db, int64_t now_ms, struct delivery **ret_delivery, struct err *err);

/* The id of the youngest; 0: there is none. */
MUST_CHECK int delivery_last(struct db *db, int64_t *ret_id, struct err *err);

/* Whoever decides about it, and puts it off or records what became of it, sets it to 0. */
MUST_CHECK int delivery_set_begun(struct db *db, int64_t id, int64_t begun, struct err *err);

MUST_CHECK int
delivery_get(struct db *db, int64_t id, struct delivery **ret_delivery, struct err *err);

/* Find by the platform's own delivery id (of any platform).  Errors: ERR_NOTFOUND. */
MUST_CHECK int delivery_find(struct db *db,
                             const char *delivery_id,
                             struct delivery **ret_delivery,
                             struct err *err);

/* Append the body to `buf`.  Errors: ERR_NOTFOUND also when it is not kept any more. */
MUST_CHECK int delivery_body(struct db *db, int64_t id, struct strbuf *buf, struct err *err);

/* Record what became of it. `task` may be 0, `reason` NULL. */
MUST_CHECK int delivery_finish(struct db *db,
                               int64_t id,
                               enum delivery_state state,
                               const char *reason,
                               int64_t task,
                               struct err *err);

/* As if it had been received at `now_ms`: whoever handles an old one again means it.
 * Errors: ERR_NOTFOUND also when its body is not kept any more. */
MUST_CHECK int delivery_reopen(struct db *db, int64_t id, int64_t now_ms, struct err *err);

/* Try again at `next_ms`, counting an attempt. Later deliveries with the same `order_key` (the
 * issue or thread that they are about) wait for it: see delivery_is_blocked(). */
MUST_CHECK int delivery_defer(struct db *db,
                              int64_t id,
                              const char *order_key,
                              const char *reason,
                              int64_t next_ms,
                              struct err *err);

/* Is an earlier delivery with this order key still deferred? */
MUST_CHECK int delivery_is_blocked(
    struct db *db, int64_t id, const char *order_key, bool *ret_blocked, struct err *err);

struct delivery_list {
    struct delivery **items;
    size_t count;
};

void delivery_list_done(struct delivery_list *list);

/* The newest `limit` deliveries, newest first. */
MUST_CHECK int
delivery_list(struct db *db, size_t limit, struct delivery_list *ret_list, struct err *err);

/* Until when, by the platform's clock, what it sent through a hook was looked through; 0: never. */
MUST_CHECK int delivery_mark_get(
    struct db *db, const char *platform, const char *hook, int64_t *ret_seen_ms, struct err *err);
MUST_CHECK int delivery_mark_set(
    struct db *db, const char *platform, const char *hook, int64_t seen_ms, struct err *err);
