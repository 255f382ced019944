/* See repo_walk.h. An entry that a parent has at the same path with the same contents is not looked
 * at again: it is the base's own, or was looked at with that parent. Nothing else is taken on
 * trust, also not that the mirror has an object: an earlier pack may have brought it without being
 * asked. */
#include "integrations/git/repo_walk.h"

#include <search.h>
#include <string.h>

#include "integrations/git/repo_history.h"
#include "integrations/git/repo_object.h"
#include "integrations/git/repo_path.h"

#define MAX_DEPTH 128U /* directories */
#define MAX_COMMITS 100000
#define LINK_OBJECT_BYTES (REPO_PATH_BYTES + 1U)
#define SHORT_ID 7 /* digits of an id that people read */
#define PATH_BUFFER_BYTES ((size_t)64 * 1024)

struct walk {
    const struct repo_walk_source *source;
    const struct repo_import_limits *limits;
    git_odb *odb; /* of source->all */
    git_oid base;
    git_oid *commits; /* found and to be visited, in the order found */
    size_t count;
    size_t max;
    void *seen;                          /* tsearch() tree over `commits` */
    git_oid merged;                      /* only where the limits have one */
    struct repo_history *history;        /* the base's; NULL until it is asked for */
    struct repo_history *merged_history; /* likewise */
    bool descends;
    const git_oid *commit; /* being visited */
    int64_t files;         /* changed entries in it */
    struct strbuf path;    /* of the directory being visited, with '/' at its end */
};

/* A directory that has changed, and what it is at the same path in the parents. */
struct subtree {
    char *name;
    git_oid id;
    git_oid olds[REPO_COMMIT_PARENTS];
    unsigned old_count;
};

struct subtrees {
    struct subtree *items;
    size_t count;
};

struct old_trees {
    git_tree *trees[REPO_COMMIT_PARENTS];
    unsigned count;
};

static int
check_tree(struct walk *walk, const struct subtree *dir, unsigned depth, struct err *err);

static void
subtrees_done(struct subtrees *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].name);
    free(list->items);
}

static void
old_trees_done(struct old_trees *olds)
{
    for (unsigned i = 0; i < olds->count; i++)
        git_tree_free(olds->trees[i]);
}

/* Refuse the entry `name` of the directory being visited. */
static int
refuse(const struct walk *walk, struct bytes name, const char *rule, struct err *err)
{
    return err_set(err, ERR_INVALID, "'%s%.*s': %s", strbuf_str(&walk->path),
                   (int)(name.len > 255 ? 255 : name.len), name.ptr, rule);
}

static const char *
type_name(git_object_t type)
{
    const char *name = git_object_type2string(type);
    return name && *name ? name : "object";
}

/* Read an object whose size and type were looked at first. */
static int
read_object(struct walk *walk,
            const git_oid *id,
            git_object_t wanted,
            size_t max,
            git_odb_object **ret_object,
            struct err *err)
{
    git_object_t type;
    size_t size;
    int r = git_odb_read_header(&size, &type, walk->odb, id);

    if (r)
        return err_set(err, ERR_INVALID, "the %s %.*s is missing or broken", type_name(wanted),
                       SHORT_ID, git_oid_tostr_s(id));
    if (type != wanted)
        return err_set(err, ERR_INVALID, "%.*s is a %s where a %s belongs", SHORT_ID,
                       git_oid_tostr_s(id), type_name(type), type_name(wanted));
    if (size > max)
        return err_set(err, ERR_LIMIT, "a %s of %zu bytes is too large", type_name(type), size);
    r = git_odb_read(ret_object, walk->odb, id);
    return r ? repo_git_error(err, r, "reading %s", git_oid_tostr_s(id)) : 0;
}

static struct bytes
contents_of(git_odb_object *object)
{
    return bytes_of(git_odb_object_data(object), git_odb_object_size(object));
}

static int
check_blob(struct walk *walk, const struct repo_entry *entry, struct err *err)
{
    git_object_t type;
    size_t size;

    if (git_odb_read_header(&size, &type, walk->odb, &entry->id))
        return refuse(walk, entry->name, "its contents are missing from the pack", err);
    if (type != GIT_OBJECT_BLOB)
        return refuse(walk, entry->name, "its contents are not a file's", err);
    if (size > (uint64_t)walk->limits->max_blob_bytes)
        return err_set(err, ERR_LIMIT, "'%s%s': %zu bytes are over the limit of %jd",
                       strbuf_str(&walk->path), entry->name.ptr, size,
                       (intmax_t)walk->limits->max_blob_bytes);
    return 0;
}

static int
check_link(struct walk *walk, const struct repo_entry *entry, unsigned depth, struct err *err)
{
    AUTO(git_odb_object_free) git_odb_object *object = NULL;
    const char *rule;
    int r;

    if (repo_name_is_gitmodules(entry->name))
        return refuse(walk, entry->name, "must not be a symbolic link", err);
    r = read_object(walk, &entry->id, GIT_OBJECT_BLOB, LINK_OBJECT_BYTES, &object, err);
    if (r)
        return err_wrap(err, "'%s%s'", strbuf_str(&walk->path), entry->name.ptr);
    if (!repo_link_is_sane(contents_of(object), depth, &rule))
        return refuse(walk, entry->name, rule, err);
    return 0;
}

/* An entry that no parent has like this. Directories are visited later. */
static int
check_entry(struct walk *walk, const struct repo_entry *entry, unsigned depth, struct err *err)
{
    static const char no_submodules[] = "changes to submodules are not allowed here";
    const int r = repo_watch_check(&walk->limits->watch, err);

    if (r)
        return r;
    if (++walk->files > walk->limits->max_files)
        return err_set(err, ERR_LIMIT, "more than %jd files are changed in one commit",
                       (intmax_t)walk->limits->max_files);
    if (walk->path.len + entry->name.len > REPO_PATH_BYTES)
        return refuse(walk, entry->name, "its path is longer than 4095 bytes", err);
    if (!walk->limits->allow_submodules && repo_name_is_gitmodules(entry->name))
        return refuse(walk, entry->name, no_submodules, err);
    switch (entry->mode) {
    case REPO_MODE_FILE:
    case REPO_MODE_EXECUTABLE:
        return check_blob(walk, entry, err);
    case REPO_MODE_LINK:
        return check_link(walk, entry, depth, err);
    case REPO_MODE_SUBMODULE:
        return walk->limits->allow_submodules ? 0 : refuse(walk, entry->name, no_submodules, err);
    case REPO_MODE_TREE:
        return 0;
    }
    return err_set(err, ERR_INTERNAL, "unknown mode %o", (unsigned)entry->mode);
}

static bool
is_unchanged(const struct repo_entry *entry, const struct old_trees *olds)
{
    for (unsigned i = 0; i < olds->count; i++) {
        const git_tree_entry *old = git_tree_entry_byname(olds->trees[i], entry->name.ptr);
        if (old && git_oid_equal(git_tree_entry_id(old), &entry->id) &&
            (unsigned)git_tree_entry_filemode_raw(old) == (unsigned)entry->mode)
            return true;
    }
    return false;
}

static int
append_subtree(struct subtrees *list,
               const struct repo_entry *entry,
               const struct old_trees *olds,
               struct err *err)
{
    if ((list->count & (list->count - 1)) == 0) { /* full at each power of two */
        const size_t grown = list->count ? 2 * list->count : 1;
        struct subtree *items = reallocarray(list->items, grown, sizeof *items);
        if (!items)
            return err_set(err, ERR_NOMEM, "out of memory");
        list->items = items;
    }
    struct subtree *item = &list->items[list->count];
    *item = (struct subtree){.name = strdup(entry->name.ptr), .id = entry->id};
    if (!item->name)
        return err_set(err, ERR_NOMEM, "out of memory");
    list->count++;
    for (unsigned i = 0; i < olds->count; i++) {
        const git_tree_entry *old = git_tree_entry_byname(olds->trees[i], entry->name.ptr);
        if (old && git_tree_entry_filemode(old) == GIT_FILEMODE_TREE)
            item->olds[item->old_count++] = *git_tree_entry_id(old);
    }
    return 0;
}

static int
load_old_trees(struct walk *walk,
               const struct subtree *dir,
               struct old_trees *olds,
               struct err *err)
{
    for (unsigned i = 0; i < dir->old_count; i++) {
        const int r = git_tree_lookup(&olds->trees[olds->count], walk->source->all, &dir->olds[i]);
        if (r)
            return repo_git_error(err, r, "reading a parent's '%s'", strbuf_str(&walk->path));
        olds->count++;
    }
    return 0;
}

/* The entries of one directory; those of its directories that changed go to `ret_changed`. */
static int
check_entries(struct walk *walk,
              const struct subtree *dir,
              unsigned depth,
              struct subtrees *ret_changed,
              struct err *err)
{
    AUTO_DONE(old_trees_done) struct old_trees olds = {0};
    AUTO_DONE(repo_tree_done) struct repo_tree tree = {0};
    AUTO(git_odb_object_free) git_odb_object *object = NULL;
    int r = read_object(walk, &dir->id, GIT_OBJECT_TREE, REPO_TREE_OBJECT_BYTES, &object, err);

    r = r ? r : repo_tree_parse(contents_of(object), &tree, err);
    if (r)
        return walk->path.len ? err_wrap(err, "in '%s'", strbuf_str(&walk->path)) : r;
    r = load_old_trees(walk, dir, &olds, err);
    for (size_t i = 0; i < tree.count && !r; i++) {
        const struct repo_entry *entry = &tree.entries[i];
        if (is_unchanged(entry, &olds))
            continue;
        r = check_entry(walk, entry, depth, err);
        if (!r && entry->mode == REPO_MODE_TREE)
            r = append_subtree(ret_changed, entry, &olds, err);
    }
    return r;
}

static int
check_tree(struct walk *walk, const struct subtree *dir, unsigned depth, struct err *err)
{
    AUTO_DONE(subtrees_done) struct subtrees changed = {0};
    const size_t path_len = walk->path.len;
    int r = repo_watch_check(&walk->limits->watch, err);

    if (r)
        return r;
    if (depth > MAX_DEPTH)
        return err_set(err, ERR_LIMIT, "'%s': deeper than %u directories", strbuf_str(&walk->path),
                       MAX_DEPTH);
    r = check_entries(walk, dir, depth, &changed, err);
    for (size_t i = 0; i < changed.count && !r; i++) {
        strbuf_addf(&walk->path, "%s/", changed.items[i].name);
        if (!strbuf_ok(&walk->path))
            return err_set(err, ERR_NOMEM, "out of memory");
        r = check_tree(walk, &changed.items[i], depth + 1, err);
        strbuf_truncate(&walk->path, path_len);
    }
    return r;
}

static int
compare_ids(const void *a, const void *b)
{
    return git_oid_cmp(a, b);
}

static int
add_commit(struct walk *walk, const git_oid *id, struct err *err)
{
    git_oid *slot = &walk->commits[walk->count];

    if (tfind(id, &walk->seen, compare_ids))
        return 0;
    if (walk->count == walk->max)
        return err_set(err, ERR_LIMIT, "more than %zu commits are above the base", walk->max);
    *slot = *id;
    if (!tsearch(slot, &walk->seen, compare_ids))
        return err_set(err, ERR_NOMEM, "out of memory");
    walk->count++;
    return 0;
}

/* Does a history hold the commit? It is opened when first asked. */
static int
ask(struct walk *walk,
    struct repo_history **history,
    const git_oid *tip,
    const git_oid *id,
    bool *ret_old,
    struct err *err)
{
    const int r = *history ? 0 : repo_history_new(walk->source->mirror, tip, history, err);

    return r ? r : repo_history_has(*history, id, &walk->limits->watch, ret_old, err);
}

/* Is a commit part of the base's history, or of what is merged in? What the pack brings is taken
 * for new without asking. */
static int
is_old(struct walk *walk, const git_oid *id, bool *ret_old, struct err *err)
{
    int r;

    if (git_oid_equal(id, &walk->base)) {
        *ret_old = true;
        walk->descends = true;
        return 0;
    }
    *ret_old = false;
    if (tfind(id, &walk->seen, compare_ids) || git_odb_exists(walk->source->fresh, id) ||
        !git_odb_exists(walk->odb, id))
        return 0;
    r = ask(walk, &walk->history, &walk->base, id, ret_old, err);
    return r || *ret_old || !walk->limits->merged
               ? r
               : ask(walk, &walk->merged_history, &walk->merged, id, ret_old, err);
}

/* Read the commit's parents: their trees into `root`, the new ones onto the list. */
static int
check_parents(struct walk *walk,
              const struct repo_commit_head *commit,
              struct subtree *root,
              struct err *err)
{
    int r = 0;

    for (unsigned i = 0; i < commit->parent_count && !r; i++) {
        AUTO(git_commit_free) git_commit *parent = NULL;
        bool old;
        r = is_old(walk, &commit->parents[i], &old, err);
        r = r || old ? r : add_commit(walk, &commit->parents[i], err);
        if (r)
            return r;
        if (git_commit_lookup(&parent, walk->source->all, &commit->parents[i]))
            return err_set(err, ERR_INVALID, "its parent %.*s is missing or broken", SHORT_ID,
                           git_oid_tostr_s(&commit->parents[i]));
        root->olds[root->old_count++] = *git_commit_tree_id(parent);
    }
    return r;
}

static int
check_commit(struct walk *walk, const git_oid *id, struct err *err)
{
    AUTO(git_odb_object_free) git_odb_object *object = NULL;
    struct repo_commit_head commit;
    struct subtree root = {0};
    int r = repo_watch_check(&walk->limits->watch, err);

    r = r ? r : read_object(walk, id, GIT_OBJECT_COMMIT, REPO_COMMIT_OBJECT_BYTES, &object, err);
    r = r ? r : repo_commit_parse(contents_of(object), &commit, err);
    if (r)
        return r;
    if (commit.parent_count == 0)
        return err_set(err, ERR_INVALID, "it has no parent, so it does not descend from the base");
    r = check_parents(walk, &commit, &root, err);
    if (r)
        return r;
    root.id = commit.tree;
    for (unsigned i = 0; i < root.old_count; i++) {
        if (git_oid_equal(&root.olds[i], &root.id))
            return 0;
    }
    walk->files = 0;
    strbuf_reset(&walk->path);
    return check_tree(walk, &root, 0, err);
}

/* What was removed shows up in no tree: compare the ends. */
static int
check_removed_submodules(struct walk *walk, const git_oid *commit, struct err *err)
{
    AUTO(git_diff_free) git_diff *diff = NULL;
    AUTO(git_tree_free) git_tree *old_tree = NULL;
    AUTO(git_tree_free) git_tree *new_tree = NULL;
    AUTO(git_commit_free) git_commit *old = NULL;
    AUTO(git_commit_free) git_commit *new = NULL;
    git_diff_options options = GIT_DIFF_OPTIONS_INIT;
    const git_oid *before = walk->limits->merged ? &walk->merged : &walk->base;
    int r = git_commit_lookup(&old, walk->source->all, before);

    r = r ? r : git_commit_lookup(&new, walk->source->all, commit);
    r = r ? r : git_commit_tree(&old_tree, old);
    r = r ? r : git_commit_tree(&new_tree, new);
    repo_watch_diff(&options, &walk->limits->watch);
    r = r ? r : git_diff_tree_to_tree(&diff, walk->source->all, old_tree, new_tree, &options);
    if (r && repo_watch_check(&walk->limits->watch, err))
        return err_wrap(err, "comparing with the base");
    if (r)
        return repo_git_error(err, r, "comparing with the base");
    for (size_t i = 0; i < git_diff_num_deltas(diff); i++) {
        const git_diff_file *file = &git_diff_get_delta(diff, i)->old_file;
        const char *slash = strrchr(file->path, '/');
        const struct bytes name = bytes_of_str(slash ? slash + 1 : file->path);
        if (file->mode == GIT_FILEMODE_COMMIT || repo_name_is_gitmodules(name))
            return err_set(err, ERR_INVALID, "'%s': changes to submodules are not allowed here",
                           file->path);
    }
    return 0;
}

static int
check_all(struct walk *walk, const git_oid *commit, struct err *err)
{
    int r = add_commit(walk, commit, err);

    for (size_t i = 0; i < walk->count && !r; i++) {
        r = check_commit(walk, &walk->commits[i], err);
        if (r)
            return err_wrap(err, "commit %.*s", SHORT_ID, git_oid_tostr_s(&walk->commits[i]));
    }
    if (r)
        return r;
    if (!walk->descends)
        return err_set(err, ERR_INVALID, "the commit does not descend from the base");
    return walk->limits->allow_submodules ? 0 : check_removed_submodules(walk, commit, err);
}

static void
keep(void *id)
{
    (void)id; /* the tree of seen commits points into the array */
}

static void
walk_done(struct walk *walk)
{
    tdestroy(walk->seen, keep);
    repo_history_free(walk->history);
    repo_history_free(walk->merged_history);
    free(walk->commits);
    git_odb_free(walk->odb);
    strbuf_done(&walk->path);
}

int
repo_walk(const struct repo_walk_source *source,
          const git_oid *base,
          const git_oid *commit,
          const struct repo_import_limits *limits,
          struct err *err)
{
    AUTO_DONE(walk_done)
    struct walk walk = {
        .source = source, .limits = limits, .base = *base, .path = STRBUF_INIT(PATH_BUFFER_BYTES)};
    int r;

    if (git_oid_equal(base, commit))
        return err_set(err, ERR_INVALID, "there is no commit above the base");
    if (limits->merged && repo_parse_id(limits->merged, &walk.merged, err))
        return err_wrap(err, "what is merged in");
    walk.max = limits->max_commits < MAX_COMMITS ? (size_t)limits->max_commits : MAX_COMMITS;
    walk.commits = calloc(walk.max + 1, sizeof *walk.commits);
    if (!walk.commits)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = git_repository_odb(&walk.odb, source->all);
    if (r)
        return repo_git_error(err, r, "opening the quarantine");
    return check_all(&walk, commit, err);
}
