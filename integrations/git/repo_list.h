/* The commits between two of a mirror: what a push would bring along. */
#pragma once

#include "integrations/git/repo.h"

struct repo_commit {
    char id[REPO_COMMIT_BYTES];
    char parent[REPO_COMMIT_BYTES]; /* its first; or `also`, where that is one of them */
    char *raw;                      /* the object: headers, an empty line, the message */
    size_t raw_len;
};

struct repo_commit_list {
    struct repo_commit *items; /* oldest first */
    size_t count;
};

void repo_commit_list_done(struct repo_commit_list *list);

/* The commits that `commit` has and `base` has not, nor `also` (NULL: nothing), which was merged in.
 * Owns: *ret_list is the caller's, repo_commit_list_done().
 * Errors: ERR_LIMIT more than `max`; ERR_INVALID one of them has no parent; ERR_NOTFOUND. */
MUST_CHECK int repo_list_commits(struct repo *repo,
                                 const char *base,
                                 const char *also,
                                 const char *commit,
                                 size_t max,
                                 struct repo_commit_list *ret_list,
                                 struct err *err);
