/* Looking around: open issues, and where they can be. Errors as in github.h. */
#pragma once

#include "integrations/github/github.h"

struct github_issue_filter {
    const char *label;    /* without a comma, which separates labels there; or NULL */
    const char *assignee; /* login; or NULL */
    int64_t since_ms;     /* changed since then (Unix); 0: whenever */
};

/* An issue as it is read; borrowed. */
struct github_issue {
    int64_t number;
    const char *url; /* html_url; "" when not told, as the texts below */
    const char *title;
    const char *body;
    const char *author; /* login; NULL: not told */
    bool by_program;
    int64_t created_ms; /* 0: not told */
    int64_t updated_ms; /* 0: not told */
};

/* What is done with an issue. An error ends the walk. */
typedef int github_issue_fn(void *ctx, const struct github_issue *issue, struct err *err);

/* Hand the open issues that match to `each`, oldest first; pull requests are left out.
 * Errors: those of `each`, too. */
MUST_CHECK int github_each_issue(struct github *github,
                                 const char *repository,
                                 const struct github_issue_filter *filter,
                                 github_issue_fn *each,
                                 void *ctx,
                                 struct err *err);

/* What somebody did to an issue; borrowed. */
struct github_issue_event {
    const char *event;    /* "labeled", "assigned", "closed", ... */
    const char *actor;    /* login of who did it; NULL: not told */
    bool by_program;      /* that is a bot, or an App on somebody's behalf */
    const char *label;    /* "labeled", "unlabeled": which; or NULL */
    const char *assignee; /* "assigned", "unassigned": whom; or NULL */
    int64_t created_ms;   /* 0: not told */
};

/* What is done with an event. An error ends the walk. */
typedef int
github_issue_event_fn(void *ctx, const struct github_issue_event *event, struct err *err);

/* Hand what was done to an issue to `each`, oldest first.  Errors: those of `each`, too. */
MUST_CHECK int github_each_issue_event(struct github *github,
                                       const char *repository,
                                       int64_t issue,
                                       github_issue_event_fn *each,
                                       void *ctx,
                                       struct err *err);

/* Where the App is installed; borrowed. */
struct github_installation {
    int64_t id;
    const char *account; /* login of the person or organisation */
    bool suspended;
};

typedef int
github_installation_fn(void *ctx, const struct github_installation *installation, struct err *err);

/* Hand the App's installations to `each`. App mode only.  Errors: those of `each`, too; ERR_INVALID
 * in machine-user mode. */
MUST_CHECK int github_each_installation(struct github *github,
                                        github_installation_fn *each,
                                        void *ctx,
                                        struct err *err);

/* A repository that we may see; borrowed. */
struct github_repository {
    int64_t id;
    const char *full_name; /* "OWNER/NAME" */
    bool archived;
};

typedef int
github_repository_fn(void *ctx, const struct github_repository *repository, struct err *err);

/* Hand the repositories that an installation was given to `each`; in machine-user mode (where
 * `installation` is 0) those that the user was given.  Errors: those of `each`, too; ERR_DENIED the
 * installation is suspended. */
MUST_CHECK int github_each_repository(struct github *github,
                                      int64_t installation,
                                      github_repository_fn *each,
                                      void *ctx,
                                      struct err *err);
