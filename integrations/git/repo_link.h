/* A connection to a remote repository, over HTTPS or on this machine, from connecting to its end.
 */
#pragma once

#include "integrations/git/repo_http.h"
#include "integrations/git/repo_internal.h"

/* In the caller's memory, {0} before use; must not move once open. */
struct repo_link {
    const struct repo_remote *remote;
    struct repo_wire *wire; /* NULL for a path */
    git_remote *git;
    git_remote_callbacks callbacks;
};

/* Connect with the remote. `git` keeps what is fetched.
 * Borrows: remote; scratch (a directory).
 * Errors: ERR_AUTH; ERR_DENIED; ERR_NOTFOUND; ERR_UNAVAILABLE; ERR_TIMEOUT; ERR_CANCELED;
 * ERR_REMOTE; ERR_INVALID. */
MUST_CHECK int repo_link_open(struct repo_link *link,
                              git_repository *git,
                              const struct repo_remote *remote,
                              const char *scratch,
                              git_direction direction,
                              struct err *err);
void repo_link_done(struct repo_link *link);

/* What the remote's ref `name` pointed at when the link was opened.
 * Errors: ERR_NOTFOUND there is none. */
MUST_CHECK int
repo_link_find(struct repo_link *link, const char *name, git_oid *ret_id, struct err *err);

/* Report a failed call of libgit2 on this link by its true cause. */
int repo_link_error(const struct repo_link *link, int result, struct err *err);
