/* Setting one branch of a remote. Over HTTPS it goes through libgit2's push, out of a repository
 * made for the purpose that borrows the mirror's objects and knows just that branch; on this
 * machine it is written directly. Neither way moves a branch from anywhere but where the caller saw
 * it. */
#include <git2.h>
#include <string.h>

#include "integrations/repo_link.h"
#include "server/base/fs.h"
#include "server/base/str.h"

struct push {
    struct repo *repo;
    const struct repo_remote *remote;
    char *ref;
    git_oid commit;
    git_oid expected;
    bool create; /* the branch must not exist yet */
};

static void
push_done(struct push *push)
{
    free(push->ref);
}

/* May the branch, which is at `now` (NULL: absent), be set? *ret_done: it is there already. */
static int
judge_place(const struct push *push, const git_oid *now, bool *ret_done, struct err *err)
{
    const char *url = push->remote->url;

    *ret_done = now && git_oid_equal(now, &push->commit);
    if (*ret_done)
        return 0;
    if (push->create && now)
        return err_set(err, ERR_CONFLICT, "%s has %s already, elsewhere", url, push->ref);
    if (!push->create && !now)
        return err_set(err, ERR_CONFLICT, "%s in %s was removed meanwhile", push->ref, url);
    if (now && !git_oid_equal(now, &push->expected))
        return err_set(err, ERR_CONFLICT, "%s in %s was moved meanwhile by someone else", push->ref,
                       url);
    if (now && git_graph_descendant_of(push->repo->git, &push->commit, now) != 1)
        return err_set(err, ERR_CONFLICT,
                       "the new commit does not descend from %s in %s, and nothing is forced",
                       push->ref, url);
    return 0;
}

/* A bare repository in `dir` with the mirror's objects and one branch. */
static int
make_sender(const struct push *push, const char *dir, git_repository **ret_git, struct err *err)
{
    AUTO(git_repository_free) git_repository *git = NULL;
    AUTO(git_reference_free) git_reference *reference = NULL;
    AUTO(git_odb_free) git_odb *odb = NULL;
    int r = git_repository_init(&git, dir, 1);

    r = r ? r : git_repository_odb(&odb, git);
    r = r ? r : git_odb_add_disk_alternate(odb, push->repo->objects_dir);
    r = r ? r : git_reference_create(&reference, git, push->ref, &push->commit, 0, NULL);
    if (r)
        return repo_git_error(err, r, "preparing the push");
    *ret_git = TAKE(git);
    return 0;
}

static int
upload(struct repo_link *link, const struct push *push, struct err *err)
{
    git_push_options options = GIT_PUSH_OPTIONS_INIT;
    auto_free char *spec = str_printf("%s:%s", push->ref, push->ref);
    const git_strarray specs = {.strings = &spec, .count = 1};
    int r;

    if (!spec)
        return err_set(err, ERR_NOMEM, "out of memory");
    options.callbacks = link->callbacks;
    options.pb_parallelism = 1;
    r = git_remote_upload(link->git, &specs, &options);
    if (r == GIT_ENONFASTFORWARD)
        return err_set(err, ERR_CONFLICT, "%s was moved meanwhile by someone else", push->ref);
    return r ? repo_link_error(link, r, err) : 0;
}

/* The server said no. Was it because the branch has moved between our look and our push? */
static int
explain_refusal(const struct push *push, const struct repo_link *link, struct err *err)
{
    char now[REPO_COMMIT_BYTES];
    git_oid id;
    bool done;
    int r =
        repo_remote_branch(push->repo, push->remote, push->ref + strlen("refs/heads/"), now, err);

    if (r && r != ERR_NOTFOUND)
        return r;
    if (r == 0 && git_oid_fromstr(&id, now))
        return err_set(err, ERR_REMOTE, "%s names no commit", push->remote->url);
    r = judge_place(push, r ? NULL : &id, &done, err);
    if (r || done)
        return r;
    return err_set(err, ERR_INVALID, "%s declined %s: %s", push->remote->url, push->ref,
                   strbuf_str(&link->said));
}

static int
push_https(const struct push *push, struct err *err)
{
    AUTO(repo_scratch_free) char *dir = NULL;
    AUTO(git_repository_free) git_repository *sender = NULL;
    AUTO_DONE(repo_link_done) struct repo_link link = {0};
    git_oid now;
    bool done;
    int r = repo_scratch_new(push->repo, &dir, err);

    r = r ? r : make_sender(push, dir, &sender, err);
    r = r ? r : repo_link_open(&link, sender, push->remote, dir, GIT_DIRECTION_PUSH, err);
    if (r)
        return r;
    r = repo_link_find(&link, push->ref, &now, err);
    if (r && r != ERR_NOTFOUND)
        return r;
    r = judge_place(push, r ? NULL : &now, &done, err);
    if (r || done)
        return r;
    r = upload(&link, push, err);
    return r || !link.declined ? r : explain_refusal(push, &link, err);
}

/* What people have checked out would look changed to them if the branch moved below it. */
static int
check_not_in_use(git_repository *target, const struct push *push, struct err *err)
{
    AUTO(git_reference_free) git_reference *head = NULL;
    AUTO(git_reference_free) git_reference *branch = NULL;
    bool used = false;

    if (!git_repository_is_bare(target) && !git_reference_lookup(&head, target, "HEAD"))
        used = str_equal(git_reference_symbolic_target(head), push->ref);
    if (!used && !git_reference_lookup(&branch, target, push->ref))
        used = !git_repository_is_bare(target) && git_branch_is_checked_out(branch) == 1;
    git_error_clear();
    if (used)
        return err_set(err, ERR_CONFLICT, "%s is checked out in %s", push->ref, push->remote->url);
    return 0;
}

/* Leave out what the target has by its refs, as far as we know those commits. */
static int
hide_known(git_repository *target, git_repository *source, git_revwalk *walk)
{
    AUTO(git_reference_iterator_free) git_reference_iterator *iterator = NULL;
    AUTO(git_odb_free) git_odb *odb = NULL;
    git_reference *found;
    int r = git_repository_odb(&odb, source);

    r = r ? r : git_reference_iterator_new(&iterator, target);
    while (!r && (r = git_reference_next(&found, iterator)) == 0) {
        AUTO(git_reference_free) git_reference *reference = found;
        const git_oid *id = git_reference_target(reference);
        git_object_t type;
        size_t size;
        if (id && git_odb_exists(odb, id) && !git_odb_read_header(&size, &type, odb, id) &&
            type == GIT_OBJECT_COMMIT)
            r = git_revwalk_hide(walk, id);
    }
    return r == GIT_ITEROVER ? 0 : r;
}

static int
copy_objects(git_repository *target, const struct push *push, struct err *err)
{
    AUTO(git_packbuilder_free) git_packbuilder *builder = NULL;
    AUTO(git_revwalk_free) git_revwalk *walk = NULL;
    AUTO_DONE(git_buf_dispose) git_buf objects = GIT_BUF_INIT;
    auto_free char *packs = NULL;
    int r = git_repository_item_path(&objects, target, GIT_REPOSITORY_ITEM_OBJECTS);

    r = r ? r : git_revwalk_new(&walk, push->repo->git);
    r = r ? r : git_revwalk_push(walk, &push->commit);
    r = r ? r : hide_known(target, push->repo->git, walk);
    r = r ? r : git_packbuilder_new(&builder, push->repo->git);
    r = r ? r : git_packbuilder_insert_walk(builder, walk);
    if (r)
        return repo_git_error(err, r, "collecting objects for %s", push->remote->url);
    if (git_packbuilder_object_count(builder) == 0)
        return 0;
    packs = str_printf("%s/pack", objects.ptr);
    if (!packs)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = fs_make_dirs(packs, 0755, err);
    if (r)
        return r;
    r = git_packbuilder_write(builder, packs, 0, NULL, NULL);
    return r ? repo_git_error(err, r, "writing objects to %s", push->remote->url) : 0;
}

static int
set_branch(git_repository *target, const struct push *push, struct err *err)
{
    AUTO(git_reference_free) git_reference *reference = NULL;
    AUTO(git_odb_free) git_odb *odb = NULL;
    int r = git_repository_odb(&odb, target);

    r = r ? r : git_odb_refresh(odb);
    if (push->create)
        r = r ? r
              : git_reference_create(&reference, target, push->ref, &push->commit, 0,
                                     "draftd: created");
    else
        r = r ? r
              : git_reference_create_matching(&reference, target, push->ref, &push->commit, 1,
                                              &push->expected, "draftd: updated");
    return r ? repo_git_error(err, r, "setting %s in %s", push->ref, push->remote->url) : 0;
}

static int
push_path(const struct push *push, struct err *err)
{
    AUTO(git_repository_free) git_repository *target = NULL;
    git_oid now;
    bool done;
    int r = git_repository_open(&target, push->remote->url);

    if (r)
        return repo_git_error(err, r, "opening %s", push->remote->url);
    r = git_reference_name_to_id(&now, target, push->ref);
    if (r && r != GIT_ENOTFOUND)
        return repo_git_error(err, r, "reading %s in %s", push->ref, push->remote->url);
    r = judge_place(push, r ? NULL : &now, &done, err);
    if (r || done)
        return r;
    r = check_not_in_use(target, push, err);
    r = r ? r : copy_objects(target, push, err);
    return r ? r : set_branch(target, push, err);
}

int
repo_push(struct repo *repo,
          const struct repo_remote *remote,
          const char *branch,
          const char *commit,
          const char *expected,
          struct err *err)
{
    AUTO_DONE(push_done) struct push push = {.repo = repo, .remote = remote, .create = !expected};
    AUTO(git_commit_free) git_commit *found = NULL;
    int r = repo_load_commit(repo->git, commit, &found, err);

    r = r ? r : repo_branch_ref(branch, &push.ref, err);
    r = r || !expected ? r : repo_parse_id(expected, &push.expected, err);
    if (r)
        return r;
    push.commit = *git_commit_id(found);
    return remote->url[0] == '/' ? push_path(&push, err) : push_https(&push, err);
}
