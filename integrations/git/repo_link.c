/* See repo_link.h. */
#include "integrations/git/repo_link.h"

#include <string.h>

#include "server/base/fs.h"
#include "server/base/str.h"

static int
on_transport(git_transport **ret_transport, git_remote *owner, void *ctx)
{
    struct repo_link *link = ctx;

    return repo_wire_transport(link->wire, owner, ret_transport);
}

static int
on_transfer(const git_indexer_progress *progress, void *ctx)
{
    const struct repo_link *link = ctx;

    (void)progress;
    return stop_raised(link->remote->stop) ? GIT_EUSER : 0;
}

int
repo_link_error(const struct repo_link *link, int result, struct err *err)
{
    const struct err *cause = link->wire ? repo_wire_error(link->wire) : NULL;

    if (cause && cause->code)
        return err_set(err, cause->code, "%s", cause->msg);
    if (stop_raised(link->remote->stop))
        return err_set(err, ERR_CANCELED, "asked to stop");
    return repo_git_error(err, result, "%s", link->remote->url);
}

int
repo_link_open(struct repo_link *link,
               git_repository *git,
               const struct repo_remote *remote,
               const char *scratch,
               git_direction direction,
               struct err *err)
{
    const git_remote_callbacks callbacks = GIT_REMOTE_CALLBACKS_INIT;
    git_remote_create_options options = GIT_REMOTE_CREATE_OPTIONS_INIT;
    int r = 0;

    link->remote = remote;
    link->callbacks = callbacks;
    link->callbacks.payload = link;
    link->callbacks.transfer_progress = on_transfer;
    if (remote->url[0] != '/') {
        link->callbacks.transport = on_transport;
        r = repo_wire_new(remote, scratch, &link->wire, err);
    } else if (!fs_exists(remote->url)) {
        r = err_set(err, ERR_NOTFOUND, "there is no repository at %s", remote->url);
    }
    if (r)
        return r;
    options.repository = git;
    options.flags = GIT_REMOTE_CREATE_SKIP_INSTEADOF | GIT_REMOTE_CREATE_SKIP_DEFAULT_FETCHSPEC;
    r = git_remote_create_with_opts(&link->git, remote->url, &options);
    r = r ? r : git_remote_connect(link->git, direction, &link->callbacks, NULL, NULL);
    return r ? repo_link_error(link, r, err) : 0;
}

void
repo_link_done(struct repo_link *link)
{
    git_remote_free(link->git); /* disconnects, so before the wire */
    repo_wire_free(link->wire);
}

int
repo_link_find(struct repo_link *link, const char *name, git_oid *ret_id, struct err *err)
{
    const git_remote_head **heads;
    size_t count;
    const int r = git_remote_ls(&heads, &count, link->git);

    if (r)
        return repo_link_error(link, r, err);
    for (size_t i = 0; i < count; i++) {
        if (str_equal(heads[i]->name, name)) {
            *ret_id = heads[i]->oid;
            return 0;
        }
    }
    return err_set(err, ERR_NOTFOUND, "%s has no %s", link->remote->url, name);
}
