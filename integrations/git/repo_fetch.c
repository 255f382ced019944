/* Fetching one branch into a mirror, and looking at a branch of a remote. */
#include <git2.h>
#include <string.h>

#include "integrations/git/repo_link.h"
#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/str.h"

#define LOCK_PATIENCE_MS (10 * MS_PER_MINUTE) /* another's first fetch may take its time */
#define LOCK_POLL_MS 50

/* One fetch at a time: two would fight over the branch's lock file and download the same pack. An
 * import may go on meanwhile; it touches other refs and other files. */
static int
lock_fetches(const struct repo *repo, const struct stop *stop, int *ret_fd, struct err *err)
{
    auto_free char *path = str_printf("%s/fetch.lock", repo->path);
    const int64_t give_up_ms = clock_mono_ms() + LOCK_PATIENCE_MS;
    int r;

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    while ((r = fs_lock(path, ret_fd, err)) == ERR_CONFLICT) {
        if (stop_wait_ms(stop, LOCK_POLL_MS))
            return err_set(err, ERR_CANCELED, "asked to stop");
        if (clock_mono_ms() > give_up_ms)
            return err_set(err, ERR_TIMEOUT, "another fetch into %s does not end", repo->path);
    }
    return r;
}

static bool
has_branches(struct repo_link *link)
{
    const git_remote_head **heads;
    size_t count;

    if (git_remote_ls(&heads, &count, link->git))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (str_starts_with(heads[i]->name, "refs/heads/"))
            return true;
    }
    return false;
}

/* The full name of the wanted branch; it is known to be there. */
static int
choose_branch(struct repo_link *link, const char *branch, char **ret_ref, struct err *err)
{
    AUTO_DONE(git_buf_dispose) git_buf head = GIT_BUF_INIT;
    const char *url = link->remote->url;
    auto_free char *ref = NULL;
    git_oid id;
    int r;

    if (!has_branches(link))
        return err_set(err, ERR_NOTFOUND, "%s is empty: push a first commit to it", url);
    if (!branch) {
        r = git_remote_default_branch(&head, link->git);
        if (r || !str_starts_with(head.ptr, "refs/heads/"))
            return err_set(err, ERR_NOTFOUND, "%s has no default branch: name a branch", url);
    }
    r = repo_branch_ref(branch ? branch : head.ptr + strlen("refs/heads/"), &ref, err);
    r = r ? r : repo_link_find(link, ref, &id, err);
    if (r)
        return r;
    *ret_ref = TAKE(ref);
    return 0;
}

static int
fetch_ref(struct repo_link *link, const char *ref, struct err *err)
{
    git_fetch_options options = GIT_FETCH_OPTIONS_INIT;
    auto_free char *spec = str_printf("+%s:%s", ref, ref);
    const git_strarray specs = {.strings = &spec, .count = 1};
    int r;

    if (!spec)
        return err_set(err, ERR_NOMEM, "out of memory");
    options.callbacks = link->callbacks;
    options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
    options.prune = GIT_FETCH_NO_PRUNE;
    options.update_fetchhead = 0;
    r = git_remote_fetch(link->git, &specs, &options, NULL);
    return r ? repo_link_error(link, r, err) : 0;
}

int
repo_fetch(struct repo *repo,
           const struct repo_remote *remote,
           const char *branch,
           char **ret_branch,
           char ret_commit[REPO_COMMIT_BYTES],
           struct err *err)
{
    AUTO_DONE(repo_link_done) struct repo_link link = {0};
    auto_close int lock = -1;
    auto_free char *ref = NULL;
    auto_free char *name = NULL;
    int r = lock_fetches(repo, remote->stop, &lock, err);

    r = r ? r : repo_link_open(&link, repo->git, remote, repo->path, GIT_DIRECTION_FETCH, err);
    r = r ? r : choose_branch(&link, branch, &ref, err);
    r = r ? r : fetch_ref(&link, ref, err);
    if (r)
        return r;
    name = str_dup(ref + strlen("refs/heads/"));
    if (!name)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = repo_resolve(repo, ref, ret_commit, err);
    if (r)
        return r;
    *ret_branch = TAKE(name);
    return 0;
}

int
repo_remote_branch(struct repo *repo,
                   const struct repo_remote *remote,
                   const char *branch,
                   char ret_commit[REPO_COMMIT_BYTES],
                   struct err *err)
{
    AUTO_DONE(repo_link_done) struct repo_link link = {0};
    auto_free char *ref = NULL;
    git_oid id;
    int r = repo_branch_ref(branch, &ref, err);

    r = r ? r : repo_link_open(&link, repo->git, remote, repo->path, GIT_DIRECTION_FETCH, err);
    r = r ? r : repo_link_find(&link, ref, &id, err);
    if (r)
        return r;
    git_oid_tostr(ret_commit, REPO_COMMIT_BYTES, &id);
    return 0;
}
