/* The branch of a task: where a run starts from, what it is called, who its commits are by. */
#pragma once

#include "handlers/run/work.h"
#include "server/base/err.h"

struct repo_remote;
struct settings;

/* Bring the mirror up to date, read the repository's settings on its default branch, and choose
 * where the run starts: at the task's own branch when an earlier run pushed it, else at the base
 * branch, which the settings may name. The first time, the branch gets a name that the
 * remote does not know, which is stored. Writes the work's trunk, base and origin, and the task's
 * branch. A repository or branch that is not there, and faults in the settings, conclude the run.
 */
MUST_CHECK int branch_fetch(struct work *work, struct err *err);

/* May the remote's branch of the task's name be gone on with, which is at `commit`? Only if draftd
 * made it: a draft was opened from it, or it holds what a run of the task made. Somebody may have
 * taken the name before the first push. */
MUST_CHECK int
branch_is_ours(struct work *work, const char *commit, bool *ret_ours, struct err *err);

/* Is `old` part of the history of `commit`? What the mirror does not have is not known to be. */
MUST_CHECK int branch_holds(
    struct work *work, const char *commit, const char *old, bool *ret_holds, struct err *err);

/* Something done with a remote. */
typedef int (*branch_remote_fn)(struct work *work,
                                const struct repo_remote *remote,
                                void *ctx,
                                struct err *err);

/* Call `fn` with the remote of the task's repository; once more with other credentials when they
 * are refused, or do not see it, and there may be better ones.  Errors: those of `fn`, and of the platform. */
MUST_CHECK int
branch_with_remote(struct work *work, branch_remote_fn fn, void *ctx, struct err *err);

/* "Name <mail>" for commits.  Owns: the caller's, free(). */
MUST_CHECK int
branch_identity(const struct settings *settings, char **ret_identity, struct err *err);

/* The message of the commit that is made of what an agent left uncommitted in a round. Nothing acts
 * on what the title says.
 * Owns: the caller's, free(). */
MUST_CHECK int
branch_commit_message(const struct task *task, int64_t round, char **ret_message, struct err *err);

/* The message of a commit that takes in the base branch.  Owns: likewise. */
MUST_CHECK int
branch_merge_message(const struct task *task, char **ret_message, struct err *err);
