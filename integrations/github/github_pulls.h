/* One pull request in full, read again and again: where it stands, and on which commits. The other
 * calls about pull requests are in github.h. Errors as there. */
#pragma once

#include "integrations/github/github.h"

enum github_mergeable {
    GITHUB_MERGEABLE_UNKNOWN, /* GitHub is still finding out, or it is closed */
    GITHUB_MERGEABLE,
    GITHUB_CONFLICTS,
};

struct github_pull_state {
    int64_t number;
    char *url;    /* html_url */
    char *author; /* login; "" when not told */
    bool open;
    bool draft;
    bool merged;
    int64_t merged_ms; /* 0: it is not */
    int64_t closed_ms; /* 0: it is not */
    enum github_mergeable mergeable;
    char *mergeable_state; /* "clean", "dirty", "behind", "blocked", "unstable", ...; "" not told */
    char *head_ref;
    char *head_sha;
    bool from_fork; /* or from a repository that is gone */
    char *base_ref;
    char *base_sha;
};

void github_pull_state_done(struct github_pull_state *state);

/* Which answer the caller has seen; {0} at first. What is kept between programs is `etag`. */
struct github_seen {
    char *etag;
};

void github_seen_done(struct github_seen *seen);

/* Read a pull request, unless it is as it was when `seen` was filled in: then *ret_changed is false
 * and *ret_state is left alone; GitHub counts that towards no limit.
 * Owns: *ret_state is the caller's, github_pull_state_done(). */
MUST_CHECK int github_get_pull(struct github *github,
                               const char *repository,
                               int64_t number,
                               struct github_seen *seen,
                               bool *ret_changed,
                               struct github_pull_state *ret_state,
                               struct err *err);
