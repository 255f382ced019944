/* What a handler reads out of a delivery: who, where, what, in platform-neutral fields. */
#pragma once

#include "server/base/err.h"

#include <stdint.h>

enum event_kind {
    EVENT_IGNORED, /* understood and not for us: see reason */
    EVENT_START,   /* asks for work */
    EVENT_CANCEL,  /* asks to stop */
};

struct event {
    enum event_kind kind;
    char *reason;       /* EVENT_IGNORED: one line */
    char *trigger;      /* "label", "assignment", "mention", "command" */
    char *order_key;    /* deliveries with the same one are handled in order: "github:acme/api#42" */
    char *origin;       /* of the task: as task.origin */
    char *repository;   /* "acme/api" */
    int64_t number;     /* issue; 0: none */
    char *title;
    char *text;         /* what is asked: the text, or the local request's */
    char *instruction;  /* what a comment that mentions the bot says beyond its name; or NULL */
    char *url;
    char *actor;        /* login of who caused it */
    bool actor_is_bot;
    char *reaction_target; /* the comment to put the "seen" sign on; NULL: the issue itself */
    int64_t happened_ms;   /* by the platform's clock; 0: not told */
};

void event_free(struct event *event);
AUTO_DEFINE(struct event *, event_free)

/* An event that says why nothing is to be done.  Owns: *ret_event is the caller's. */
MUST_CHECK int event_ignored(struct event **ret_event, struct err *err, const char *format, ...)
    PRINTF_LIKE(3, 4);
