/* See push_check.h. A push is refused for any commit that it brings along; what the base branch
 * holds already is no news to the platform. */
#include "handlers/run/push_check.h"

#include "handlers/platform.h"
#include "integrations/git/repo_list.h"
#include "server/base/clock.h"
#include "server/base/str.h"
#include "server/limits.h"

#include <stdlib.h>

#define COMMITS_MAX 1000

/* A file that a commit brings: the platform may refuse its path. Deleting is for the push to try.
 */
static bool
brings(const struct repo_diff *diff, const char *path)
{
    for (size_t i = 0; i < diff->count; i++)
        if (diff->items[i].kind != REPO_DELETED && str_equal(diff->items[i].path, path))
            return true;
    return false;
}

static int
compare(struct work *work,
        const char *from,
        const char *to,
        struct repo_diff *ret_diff,
        struct err *err)
{
    const struct repo_diff_options options = {
        .watch = {.stop = work->stop, .deadline_ms = clock_mono_ms() + LIMIT_GUARD_MS}};
    const int r = repo_diff(work->mirror, from, to, &options, ret_diff, err);

    return r == ERR_TIMEOUT ? 0 : r; /* the push will tell */
}

/* The first path between two commits that needs a permission of its own, and is not in the base
 * branch as it is.  *ret_path: the caller's; NULL: there is none. */
static int
find_special(struct work *work, const char *from, const char *to, char **ret_path, struct err *err)
{
    const struct platform *platform = work->session->platform;
    AUTO_DONE(repo_diff_done) struct repo_diff diff = {0};
    AUTO_DONE(repo_diff_done) struct repo_diff news = {0};
    bool compared = false;
    int r = compare(work, from, to, &diff, err);

    for (size_t i = 0; !r && i < diff.count; i++) {
        const char *path = diff.items[i].path;
        if (diff.items[i].kind == REPO_DELETED || !platform->is_special_path(path))
            continue;
        if (!compared)
            r = compare(work, work->trunk, to, &news, err);
        compared = true;
        if (!r && brings(&news, path))
            return str_set(ret_path, path, err);
    }
    return r;
}

/* Commit by commit; where there are too many, or no history to follow, by what they come to. */
static int
find_in_history(struct work *work, char **ret_path, struct err *err)
{
    AUTO_DONE(repo_commit_list_done) struct repo_commit_list made = {0};
    int r = repo_list_commits(work->mirror, work->base, work->trunk, work->head, COMMITS_MAX, &made,
                              err);

    if (r == ERR_LIMIT || r == ERR_INVALID || r == ERR_NOTFOUND)
        return find_special(work, work->base, work->head, ret_path, err);
    for (size_t i = 0; !r && !*ret_path && i < made.count; i++)
        r = find_special(work, made.items[i].parent, made.items[i].id, ret_path, err);
    return r;
}

int
push_check(struct work *work, struct err *err)
{
    const struct platform *platform = work->session->platform;
    auto_free char *path = NULL;
    auto_free char *why = NULL;
    int r;

    if (!platform->is_special_path)
        return 0;
    r = find_in_history(work, &path, err);
    if (!r && path)
        r = platform->may_push_special(work->session, work->task->repository, &why, err);
    if (r || !why)
        return r;
    return work_conclude(work, err, OUTCOME_FAILED, "nothing was pushed: the change touches %s, %s",
                         path, why);
}
