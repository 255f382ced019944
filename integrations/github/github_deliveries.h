/* What GitHub has sent to us, and sending it again: the deliveries of the App's hook, or of a
 * repository's own. Errors as in github.h. */
#pragma once

#include "integrations/github/github.h"

/* Whose deliveries. */
struct github_hook {
    const char *repository; /* NULL: the App's own, App mode only */
    int64_t id;             /* of the repository's hook */
};

/* The hook of a repository that sends to `url`, compared as it stands. Who may see hooks
 * administers the repository; others get ERR_NOTFOUND from GitHub, as where there is no such hook.
 */
MUST_CHECK int github_find_hook(struct github *github,
                                const char *repository,
                                const char *url,
                                int64_t *ret_id,
                                struct err *err);

/* A delivery; borrowed. */
struct github_delivery {
    int64_t id;           /* of this attempt */
    const char *guid;     /* X-GitHub-Delivery: the same for all attempts */
    const char *event;    /* "issues"; "" when not told */
    const char *action;   /* "labeled"; NULL: none */
    int64_t delivered_ms; /* 0: not told */
    bool ok;              /* the receiver took it */
    bool redelivery;
    int64_t repository_id; /* 0: not told */
};

/* What is done with a delivery. An error ends the walk. */
typedef int github_delivery_fn(void *ctx, const struct github_delivery *delivery, struct err *err);

/* Hand the deliveries since `since_ms` (Unix) to `each`, newest first. GitHub keeps them for three
 * days, a GitHub Enterprise Server for seven.  Errors: those of `each`, too. */
MUST_CHECK int github_each_delivery(struct github *github,
                                    const struct github_hook *hook,
                                    int64_t since_ms,
                                    github_delivery_fn *each,
                                    void *ctx,
                                    struct err *err);

/* Ask for a delivery again, by the id of one of its attempts. GitHub has then promised to send it,
 * no more.  Errors: ERR_NOTFOUND it is no longer kept. */
MUST_CHECK int github_redeliver(struct github *github,
                                const struct github_hook *hook,
                                int64_t delivery,
                                struct err *err);
