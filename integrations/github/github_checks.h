/* What is said about a commit: check runs, which only an App can make, and commit statuses. Errors
 * as in github.h. */
#pragma once

#include "integrations/github/github.h"

/* A check run that has ended. Texts are cut to what GitHub takes: the title to one line of 256
 * characters, summary and text to 65,535 with code fences closed. */
struct github_check {
    const char *name;        /* what people see, and what a branch can require */
    const char *external_id; /* ours, to find it again */
    const char *conclusion;  /* "success", "failure" or "neutral" */
    const char *title;
    const char *summary; /* Markdown, as is `text` */
    const char *text;    /* or NULL */
    const char *url;     /* where there is more; or NULL */
};

/* App mode only: for anybody else GitHub denies it. The permission is "checks: write". */
MUST_CHECK int github_create_check(struct github *github,
                                   const char *repository,
                                   const char *head_sha,
                                   const struct github_check *check,
                                   int64_t *ret_id,
                                   struct err *err);
MUST_CHECK int github_edit_check(struct github *github,
                                 const char *repository,
                                 int64_t id,
                                 const struct github_check *check,
                                 struct err *err);

/* Find the check run of our App with this name and external id on a commit.
 * Errors: ERR_NOTFOUND. */
MUST_CHECK int github_find_check(struct github *github,
                                 const char *repository,
                                 const char *head_sha,
                                 const char *name,
                                 const char *external_id,
                                 int64_t *ret_id,
                                 struct err *err);

struct github_status {
    const char *state;       /* "success", "failure", "error" or "pending" */
    const char *context;     /* which check it is; the newest of a context counts */
    const char *description; /* cut to one line of 140 characters */
    const char *url;         /* where there is more; or NULL */
};

MUST_CHECK int github_set_status(struct github *github,
                                 const char *repository,
                                 const char *sha,
                                 const struct github_status *status,
                                 struct err *err);
