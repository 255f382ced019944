/* What a handler reads out of a delivery: who, where, what, in platform-neutral fields. */
#pragma once

#include "handlers/intake/command.h"
#include "server/base/err.h"
#include "server/store/remark.h"
#include "server/store/task.h"

#include <stdint.h>

enum event_kind {
    EVENT_IGNORED, /* understood and not for us: see reason */
    EVENT_START,   /* asks for work */
    EVENT_CANCEL,  /* asks to stop */
    EVENT_REMARK,  /* says something about a draft */
    EVENT_DRAFT,   /* a draft was merged, closed, or opened again */
    EVENT_ASK,     /* wants an answer, and no work */
    EVENT_NOTICE,  /* what the platform says of itself: a repository moved, or access is back */
};

struct event {
    enum event_kind kind;
    char *reason;       /* EVENT_IGNORED: one line */
    char *trigger;      /* "label", "assignment", "mention", "review", "ci", "rebase", "command" */
    char *order_key;    /* deliveries with the same one are handled in order: "github:acme/api#42" */
    char *origin;       /* of the task: as task.origin; NULL: it is known by its draft or branch */
    int64_t draft;      /* number of the draft that it is about; 0: none */
    char *head_branch;  /* the branch that it is about; or NULL */
    char *repository;   /* "acme/api"; EVENT_NOTICE: or NULL */
    int64_t repository_id; /* the platform's, which stays when the name changes; 0: not told */
    char *moved_from;   /* EVENT_NOTICE: what the repository was called before; NULL: access is back */
    int64_t number;     /* issue or draft, for what is said in its thread; 0: none */
    char *title;
    char *text;         /* what is asked: the text, or the local request's */
    enum mention_command command; /* behind the mention: what EVENT_ASK asks; MENTION_RETRY */
    char *instruction;  /* what a comment that mentions the bot says beyond its name; or NULL */
    char *agent;        /* the profile that is asked for; or NULL */
    char *branch;       /* the base branch that is asked for; or NULL */
    struct remark *remark;        /* EVENT_REMARK: all but task, draft and actor */
    enum draft_state draft_state; /* EVENT_DRAFT */
    char *url;
    char *actor;        /* login of who caused it */
    bool actor_is_bot;
    char *reaction_target; /* the comment to put the "seen" sign on, as outbox.target; NULL: the
                              issue itself */
    int64_t happened_ms;   /* by the platform's clock; 0: not told */
};

/* What is to be done about an event of this kind, or was: "start", "cancelled", ... */
const char *event_kind_verb(enum event_kind kind, bool done);

/* The platform's name for what was said, as remark.ref; NULL where nothing was said. */
const char *event_ref(const struct event *event);

/* Does it say more than that the bot is wanted? */
bool event_has_words(const struct event *event);

void event_free(struct event *event);
AUTO_DEFINE(struct event *, event_free)

/* An event that says why nothing is to be done.  Owns: *ret_event is the caller's. */
MUST_CHECK int event_ignored(struct event **ret_event, struct err *err, const char *format, ...)
    PRINTF_LIKE(3, 4);
