/* See repo_list.h. */
#include "integrations/git/repo_list.h"

#include "integrations/git/repo_internal.h"

#include <string.h>

void
repo_commit_list_done(struct repo_commit_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].raw);
    free(list->items);
    *list = (struct repo_commit_list){.count = 0};
}

static int
start_walk(struct repo *repo,
           const char *base,
           const char *also,
           const char *commit,
           git_revwalk **ret_walk,
           struct err *err)
{
    AUTO(git_revwalk_free) git_revwalk *walk = NULL;
    git_oid base_id;
    git_oid also_id;
    git_oid commit_id;
    int r = repo_parse_id(base, &base_id, err);

    r = r || !also ? r : repo_parse_id(also, &also_id, err);
    r = r ? r : repo_parse_id(commit, &commit_id, err);
    if (r)
        return r;
    r = git_revwalk_new(&walk, repo->git);
    r = r ? r : git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL | GIT_SORT_REVERSE);
    r = r ? r : git_revwalk_push(walk, &commit_id);
    r = r ? r : git_revwalk_hide(walk, &base_id);
    r = r || !also ? r : git_revwalk_hide(walk, &also_id);
    if (r)
        return repo_git_error(err, r, "cannot list the commits above %.12s", base);
    *ret_walk = TAKE(walk);
    return 0;
}

static int
read_raw(git_repository *git, const git_oid *id, struct repo_commit *commit, struct err *err)
{
    AUTO(git_odb_free) git_odb *odb = NULL;
    AUTO(git_odb_object_free) git_odb_object *object = NULL;
    auto_free char *raw = NULL;
    int r = git_repository_odb(&odb, git);

    r = r ? r : git_odb_read(&object, odb, id);
    if (r)
        return repo_git_error(err, r, "cannot read commit %.12s", git_oid_tostr_s(id));
    const size_t len = git_odb_object_size(object);
    raw = malloc(len + 1);
    if (!raw)
        return err_set(err, ERR_NOMEM, "out of memory");
    memcpy(raw, git_odb_object_data(object), len);
    raw[len] = '\0';
    commit->raw = TAKE(raw);
    commit->raw_len = len;
    return 0;
}

/* What a merge is compared with: what it merged is nobody's change here. */
static const git_oid *
choose_parent(const git_commit *commit, const char *also)
{
    for (unsigned i = 0; also && i < git_commit_parentcount(commit); i++)
        if (git_oid_streq(git_commit_parent_id(commit, i), also) == 0)
            return git_commit_parent_id(commit, i);
    return git_commit_parent_id(commit, 0);
}

static int
read_commit(struct repo *repo,
            const char *also,
            const git_oid *id,
            struct repo_commit *ret_commit,
            struct err *err)
{
    AUTO(git_commit_free) git_commit *commit = NULL;
    const int r = git_commit_lookup(&commit, repo->git, id);

    if (r)
        return repo_git_error(err, r, "cannot read commit %.12s", git_oid_tostr_s(id));
    git_oid_tostr(ret_commit->id, REPO_COMMIT_BYTES, id);
    if (git_commit_parentcount(commit) == 0)
        return err_set(err, ERR_INVALID, "commit %.12s has no parent", ret_commit->id);
    git_oid_tostr(ret_commit->parent, REPO_COMMIT_BYTES, choose_parent(commit, also));
    return read_raw(repo->git, id, ret_commit, err);
}

static int
add_commit(struct repo *repo,
           const char *also,
           const git_oid *id,
           struct repo_commit_list *list,
           size_t *capacity,
           struct err *err)
{
    if (list->count == *capacity) {
        const size_t wanted = *capacity ? 2 * *capacity : 16;
        struct repo_commit *grown = realloc(list->items, wanted * sizeof(*grown));
        if (!grown)
            return err_set(err, ERR_NOMEM, "out of memory");
        list->items = grown;
        *capacity = wanted;
    }
    list->items[list->count] = (struct repo_commit){.raw = NULL};
    return read_commit(repo, also, id, &list->items[list->count++], err);
}

int
repo_list_commits(struct repo *repo,
                  const char *base,
                  const char *also,
                  const char *commit,
                  size_t max,
                  struct repo_commit_list *ret_list,
                  struct err *err)
{
    AUTO(git_revwalk_free) git_revwalk *walk = NULL;
    AUTO_DONE(repo_commit_list_done) struct repo_commit_list list = {.count = 0};
    size_t capacity = 0;
    git_oid id;
    int r = start_walk(repo, base, also, commit, &walk, err);

    if (r)
        return r;
    while ((r = git_revwalk_next(&id, walk)) == 0) {
        if (list.count == max)
            return err_set(err, ERR_LIMIT, "there are more than %zu commits above the base", max);
        r = add_commit(repo, also, &id, &list, &capacity, err);
        if (r)
            return r;
    }
    if (r != GIT_ITEROVER)
        return repo_git_error(err, r, "cannot list the commits above %.12s", base);
    *ret_list = TAKE_STRUCT(list);
    return 0;
}
