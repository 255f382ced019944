/* Why the checks of others failed: jobs of GitHub Actions with their logs, and check runs. Errors
 * as in github.h. */
#pragma once

#include "integrations/github/github.h"

/* A job of a workflow run that failed; borrowed. */
struct github_job {
    int64_t id;
    const char *name;
    const char *conclusion;          /* "failure", "timed_out" or "startup_failure" */
    const char *url;                 /* html_url; "" when not told */
    const char *const *failed_steps; /* names, in order */
    size_t failed_step_count;
};

/* What is done with a job. An error ends the walk. */
typedef int github_job_fn(void *ctx, const struct github_job *job, struct err *err);

/* Hand the jobs that failed in the newest attempt of a workflow run to `each`. The permission is
 * "actions: read".  Errors: those of `each`, too. */
MUST_CHECK int github_each_failed_job(struct github *github,
                                      const char *repository,
                                      int64_t run,
                                      github_job_fn *each,
                                      void *ctx,
                                      struct err *err);

/* The end of a job's log, at most `max_bytes`, as valid UTF-8 without U+0000, beginning with a
 * whole line.  Owns: *ret_text is the caller's, free().  Errors: ERR_NOTFOUND also when it is kept
 * no longer. */
MUST_CHECK int github_job_log(struct github *github,
                              const char *repository,
                              int64_t job,
                              size_t max_bytes,
                              char **ret_text,
                              struct err *err);

/* A check run that failed; borrowed. Texts are "" when not told. */
struct github_failed_check {
    int64_t id;
    const char *name;
    const char *conclusion; /* as of a job */
    const char *app;        /* slug: "github-actions" has jobs with logs besides */
    const char *url;        /* where its own pages are */
    const char *title;
    const char *summary;
    const char *text;
};

/* What is done with a check run. An error ends the walk. */
typedef int
github_failed_check_fn(void *ctx, const struct github_failed_check *check, struct err *err);

/* Hand the check runs that failed in a check suite to `each`, of each name the newest. The
 * permission is "checks: read".  Errors: those of `each`, too. */
MUST_CHECK int github_each_failed_check(struct github *github,
                                        const char *repository,
                                        int64_t suite,
                                        github_failed_check_fn *each,
                                        void *ctx,
                                        struct err *err);
