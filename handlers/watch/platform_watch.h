/* What a platform can be asked afterwards, so that what it said while nobody heard is not lost: one
 * table of functions of each platform that can, `watch` in platform.h. Errors of all: as the
 * integration's, and those of `each`; ERR_LIMIT has platform.retry_after_ms(). */
#pragma once

#include "server/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct event;
struct session;
struct settings;
struct task;

/* What sends to us. */
struct watch_hook {
    const char *name;       /* ours for it: unique in the platform */
    const char *repository; /* whose it is; NULL: the whole App's */
    int64_t id;
};

/* A delivery, as the one who sent it keeps it; borrowed. */
struct watch_sent {
    int64_t id;       /* of this attempt */
    const char *guid; /* the same for all attempts: the delivery id that we store */
    int64_t sent_ms;  /* by the platform's clock */
    bool again;       /* not the first attempt: it was asked for */
    bool ok;          /* it was told that we took it */
};

/* Where a draft stands. */
struct watch_draft {
    bool unchanged; /* as it was when `seen` was written: nothing else is told */
    bool open;
    bool merged;
    int64_t ended_ms;     /* when it was merged or closed; 0: not told */
    bool conflicts_known; /* else it is still being found out */
    bool conflicts;       /* with its base branch */
    char *seen;           /* to be handed in the next time; or NULL */
};

/* What is done with each. An error ends the walk. */
typedef int watch_hook_fn(void *ctx, const struct watch_hook *hook, struct err *err);
typedef int watch_sent_fn(void *ctx, const struct watch_sent *sent, struct err *err);
typedef int watch_name_fn(void *ctx, const char *name, struct err *err);
typedef int watch_event_fn(void *ctx, struct event *event, struct err *err);

struct platform_watch {
    /* How long what was sent is kept. */
    int64_t (*kept_ms)(const struct settings *settings);

    /* Hand the hooks that send to us to `each`.  Errors: ERR_INVALID the configuration does not
     * say which these are; ERR_NOTFOUND there is none that we may read. */
    int (*each_hook)(struct session *session, watch_hook_fn *each, void *ctx, struct err *err);

    /* Hand what a hook sent since then to `each`, newest first. */
    int (*each_sent)(struct session *session,
                     const struct watch_hook *hook,
                     int64_t since_ms,
                     watch_sent_fn *each,
                     void *ctx,
                     struct err *err);

    /* Have it sent once more.  Errors: ERR_NOTFOUND it is no longer kept. */
    int (*send_again)(struct session *session,
                      const struct watch_hook *hook,
                      int64_t id,
                      struct err *err);

    /* Look where a task's draft stands. `seen`: of the last look; or NULL.
     * Owns: ret_draft->seen is the caller's, free(). */
    int (*look_at_draft)(struct session *session,
                         const struct task *task,
                         const char *seen,
                         struct watch_draft *ret_draft,
                         struct err *err);

    /* How old a wish may be that is still to be done; 0: none is looked for. */
    int64_t (*horizon_ms)(const struct settings *settings);

    /* Hand the repositories that are served and can be seen to `each`. */
    int (*each_repository)(struct session *session,
                           watch_name_fn *each,
                           void *ctx,
                           struct err *err);

    /* Hand what is open in a repository, changed since then and asked of us, to `each`: events as
     * of deliveries, without an actor, whose time is that of the last change. */
    int (*each_wish)(struct session *session,
                     const char *repository,
                     int64_t since_ms,
                     watch_event_fn *each,
                     void *ctx,
                     struct err *err);

    /* Fill in who asked, and when.  Errors: ERR_NOTFOUND nobody can be told who did; ERR_CONFLICT
     * we answered there before, whatever the store says. Both in words for the log. */
    int (*find_asker)(struct session *session, struct event *event, struct err *err);
};
