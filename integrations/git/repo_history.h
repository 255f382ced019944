/* The commits that one commit descends from: looked up as they are asked for, each read once,
 * however many are asked for. */
#pragma once

#include "integrations/git/repo_internal.h"

struct repo_history;

/* The history of `tip`, and `tip` itself. Borrows: git.
 * Owns: *ret_history is the caller's, repo_history_free(). */
MUST_CHECK int repo_history_new(git_repository *git,
                                const git_oid *tip,
                                struct repo_history **ret_history,
                                struct err *err);
void repo_history_free(struct repo_history *history);
AUTO_DEFINE(struct repo_history *, repo_history_free)

/* Is the commit part of it? One that is not costs all of the history, once.
 * Errors: as repo_watch_check(); ERR_NOTFOUND the history has a hole. */
MUST_CHECK int repo_history_has(struct repo_history *history,
                                const git_oid *id,
                                const struct repo_watch *watch,
                                bool *ret_has,
                                struct err *err);
