/* The outbox: messages and calls owed to platforms, stored in the same transaction as the state
 * that causes them, delivered in order per thread. */
#pragma once

#include "server/base/bytes.h"
#include "server/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct db;

enum outbox_state { OUTBOX_PENDING, OUTBOX_SENT, OUTBOX_FAILED };

const char *outbox_state_name(enum outbox_state state);

/* What is owed; only the platform's own file knows how it is done. */
enum outbox_kind {
    OUTBOX_STATUS,   /* the one status message of a task: created, then edited in place */
    OUTBOX_REACTION, /* a sign on the message that asked: seen */
    OUTBOX_COMMENT,  /* a message of its own */
    OUTBOX_EVIDENCE, /* what was verified, said of a commit (`target`): its verdict and its text */
};

struct outbox_message {
    int64_t id;
    char *platform;
    char *thread;
    enum outbox_kind kind;
    int64_t task; /* 0: none */
    char *target; /* what it refers to (a comment id), or NULL */
    char *body;   /* ready text, or the reaction's name */
    enum outbox_state state;
    int64_t attempts; /* sends begun; over 0: an earlier one may have arrived, look first */
    int64_t next_ms;
    char *reason; /* of the last failure, or NULL */
    int64_t created_ms;
};

void outbox_message_free(struct outbox_message *message);
AUTO_DEFINE(struct outbox_message *, outbox_message_free)

struct outbox_new {
    const char *platform;
    const char *thread;
    enum outbox_kind kind;
    int64_t task;
    const char *target;
    const char *body;
};

/* Owe a message. A status that is pending for the same task is replaced, keeping its place and its
 * count of attempts: only the newest text matters; one that says what was sent last is not owed. A
 * pending reaction or comment that is equal in every field is owed once. */
MUST_CHECK int
outbox_put(struct db *db, const struct outbox_new *message, int64_t now_ms, struct err *err);

/* Is or was a message of this kind about the task (0: about none) owed whose text begins with
 * `beginning`? Sent ones are known as long as they are kept. */
MUST_CHECK int outbox_was_put(struct db *db,
                              int64_t task,
                              enum outbox_kind kind,
                              struct bytes beginning,
                              bool *ret_put,
                              struct err *err);

/* The oldest due message that is first in its thread; counts an attempt.  Errors: ERR_NOTFOUND. */
MUST_CHECK int
outbox_next(struct db *db, int64_t now_ms, struct outbox_message **ret_message, struct err *err);

/* Delivered, unless the body was replaced while it was being sent (`sent_body` differs from what is
 * stored): then what was sent is kept, and the newer one pending under an id of its own. */
MUST_CHECK int outbox_sent(struct db *db, int64_t id, const char *sent_body, struct err *err);

/* Try again at `next_ms`. */
MUST_CHECK int
outbox_retry(struct db *db, int64_t id, const char *reason, int64_t next_ms, struct err *err);

/* Give up on `sent_body`; the reason is kept and shown. A status that was replaced while it was
 * sent stays pending and is sent again at once. */
MUST_CHECK int
outbox_fail(struct db *db, int64_t id, const char *sent_body, const char *reason, struct err *err);

/* For a copy of the store: what is pending there may have been sent since, so it looks first. */
MUST_CHECK int outbox_distrust(struct db *db, struct err *err);

/* How many comments were put since `since_ms` in a thread itself, not at lines of a change.
 * `task`: 0: about none. */
MUST_CHECK int outbox_count_comments(struct db *db,
                                     int64_t task,
                                     const char *thread,
                                     int64_t since_ms,
                                     size_t *ret_count,
                                     struct err *err);

struct outbox_list {
    struct outbox_message **items;
    size_t count;
};

void outbox_list_done(struct outbox_list *list);

/* All messages of a task, oldest first. */
MUST_CHECK int
outbox_list(struct db *db, int64_t task, struct outbox_list *ret_list, struct err *err);
