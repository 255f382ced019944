/* The branch of a task: where a run starts from, what it is called, who its commits are by. */
#pragma once

#include "handlers/work.h"
#include "server/base/err.h"

struct repo_remote;
struct settings;
struct source;

/* Bring the mirror up to date and choose where the run starts: at the task's own branch when an
 * earlier run pushed it, else at the base branch. The first time, the branch gets a name that the
 * remote does not know, which is stored. Writes work->base and the task's branch. A repository that
 * is not there concludes the run. */
MUST_CHECK int branch_fetch(struct work *work, struct err *err);

/* The remote of the task's repository with fresh credentials. *ret_source owns what *ret_remote
 * borrows. */
MUST_CHECK int branch_remote(struct work *work,
                             struct source *ret_source,
                             struct repo_remote *ret_remote,
                             struct err *err);

/* "Name <mail>" for commits.  Owns: the caller's, free(). */
MUST_CHECK int
branch_identity(const struct settings *settings, char **ret_identity, struct err *err);

/* The message of the commit that is made of what an agent left uncommitted.  Owns: the caller's,
 * free(). */
MUST_CHECK int branch_commit_message(const struct task *task, char **ret_message, struct err *err);
