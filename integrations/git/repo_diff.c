/* What a commit changes against its base, as figures, as added lines, and as text for people. */
#include <git2.h>
#include <git2/sys/hashsig.h>
#include <string.h>

#include "integrations/git/repo_internal.h"
#include "server/base/str.h"
#include "server/limits.h"

/* Every new file is compared with every one that is gone, so renames are looked for among so many
 * files only, and each with so many. */
#define MAX_RENAME_FILES 1000U
#define MAX_RENAME_SOURCES 200U

static void
change_done(struct repo_change *change)
{
    free(change->path);
    free(change->old_path);
}

void
repo_diff_done(struct repo_diff *diff)
{
    for (size_t i = 0; i < diff->count; i++)
        change_done(&diff->items[i]);
    free(diff->items);
    *diff = (struct repo_diff){0};
}

static int
load_tree(struct repo *repo, const char *commit, git_tree **ret_tree, struct err *err)
{
    AUTO(git_commit_free) git_commit *found = NULL;
    int r = repo_load_commit(repo->git, commit, &found, err);

    if (r)
        return r;
    r = git_commit_tree(ret_tree, found);
    return r ? repo_git_error(err, r, "the tree of commit %.12s", commit) : 0;
}

/* ---- renames, by libgit2's own measure, under watch ---- */

static int
sign_buffer(void **ret_signature, const git_diff_file *file, const char *ptr, size_t len, void *ctx)
{
    const int options = GIT_HASHSIG_SMART_WHITESPACE | GIT_HASHSIG_ALLOW_SMALL_FILES;

    (void)file;
    if (repo_watch_check(ctx, NULL))
        return GIT_EUSER;
    return git_hashsig_create((git_hashsig **)ret_signature, ptr, len,
                              (git_hashsig_option_t)options);
}

static int
sign_file(void **ret_signature, const git_diff_file *file, const char *path, void *ctx)
{
    (void)ret_signature;
    (void)file;
    (void)path;
    (void)ctx;
    return GIT_EINVALID; /* only trees are compared, no work trees */
}

static void
free_signature(void *signature, void *ctx)
{
    (void)ctx;
    git_hashsig_free(signature);
}

static int
measure(int *ret_score, void *one, void *other, void *ctx)
{
    const int score = repo_watch_check(ctx, NULL) ? GIT_EUSER : git_hashsig_compare(one, other);

    if (score < 0)
        return score;
    *ret_score = score;
    return 0;
}

static int
find_renames(git_diff *diff, const struct repo_watch *watch)
{
    git_diff_find_options options = GIT_DIFF_FIND_OPTIONS_INIT;
    git_diff_similarity_metric metric = {
        .file_signature = sign_file,
        .buffer_signature = sign_buffer,
        .free_signature = free_signature,
        .similarity = measure,
        .payload = (void *)(uintptr_t)watch, /* libgit2's own lack of const */
    };

    if (git_diff_num_deltas(diff) > MAX_RENAME_FILES)
        return 0;
    options.flags = GIT_DIFF_FIND_RENAMES;
    options.rename_limit = MAX_RENAME_SOURCES;
    options.metric = &metric;
    return git_diff_find_similar(diff, &options);
}

static int
compare(struct repo *repo,
        const char *base,
        const char *commit,
        git_diff_options *options,
        git_diff **ret_diff,
        struct err *err)
{
    AUTO(git_tree_free) git_tree *old = NULL;
    AUTO(git_tree_free) git_tree *new = NULL;
    AUTO(git_diff_free) git_diff *diff = NULL;
    const struct repo_watch *watch = options->payload;
    int r = load_tree(repo, base, &old, err);

    r = r ? r : load_tree(repo, commit, &new, err);
    if (r)
        return r;
    options->flags = GIT_DIFF_INCLUDE_TYPECHANGE;
    options->max_size = REPO_TEXT_BYTES;
    r = git_diff_tree_to_tree(&diff, repo->git, old, new, options);
    r = r ? r : find_renames(diff, watch);
    if (r && repo_watch_check(watch, err))
        return err_wrap(err, "comparing %.12s with %.12s", base, commit);
    if (r)
        return repo_git_error(err, r, "comparing %.12s with %.12s", base, commit);
    *ret_diff = TAKE(diff);
    return 0;
}

static enum repo_change_kind
kind_of(git_delta_t status)
{
    switch (status) {
    case GIT_DELTA_ADDED:
    case GIT_DELTA_COPIED:
        return REPO_ADDED;
    case GIT_DELTA_DELETED:
        return REPO_DELETED;
    case GIT_DELTA_RENAMED:
        return REPO_RENAMED;
    case GIT_DELTA_UNMODIFIED:
    case GIT_DELTA_MODIFIED:
    case GIT_DELTA_IGNORED:
    case GIT_DELTA_UNTRACKED:
    case GIT_DELTA_TYPECHANGE:
    case GIT_DELTA_UNREADABLE:
    case GIT_DELTA_CONFLICTED:
        return REPO_MODIFIED;
    }
    return REPO_MODIFIED;
}

/* Id and size of a side's contents; of none: "" and 0. */
static int
fill_blob(git_odb *odb, const git_diff_file *file, char *id, int64_t *ret_bytes, struct err *err)
{
    git_object_t type;
    size_t size;

    if (git_oid_is_zero(&file->id) || file->mode == GIT_FILEMODE_COMMIT)
        return 0;
    const int r = git_odb_read_header(&size, &type, odb, &file->id);
    if (r)
        return repo_git_error(err, r, "reading %s", file->path);
    git_oid_tostr(id, REPO_COMMIT_BYTES, &file->id);
    *ret_bytes = (int64_t)size;
    return 0;
}

static int
fill_change(git_odb *odb, const git_diff_delta *delta, struct repo_change *change, struct err *err)
{
    const bool deleted = delta->status == GIT_DELTA_DELETED;
    const git_diff_file *file = deleted ? &delta->old_file : &delta->new_file;

    change->path = str_dup(file->path);
    change->kind = kind_of(delta->status);
    if (change->kind == REPO_RENAMED)
        change->old_path = str_dup(delta->old_file.path);
    if (!change->path || (change->kind == REPO_RENAMED && !change->old_path))
        return err_set(err, ERR_NOMEM, "out of memory");
    change->executable = !deleted && file->mode == GIT_FILEMODE_BLOB_EXECUTABLE;
    change->retyped = delta->status == GIT_DELTA_TYPECHANGE;
    int r = fill_blob(odb, &delta->old_file, change->old_blob, &change->old_bytes, err);
    r = r ? r : fill_blob(odb, &delta->new_file, change->new_blob, &change->new_bytes, err);
    change->large = change->old_bytes > REPO_TEXT_BYTES || change->new_bytes > REPO_TEXT_BYTES;
    return r;
}

static struct bytes
without_end(const git_diff_line *line)
{
    size_t len = line->content_len;

    if (len > 0 && line->content[len - 1] == '\n')
        len--;
    if (len > 0 && line->content[len - 1] == '\r')
        len--;
    return bytes_of(line->content, len);
}

static int
show_added_lines(git_patch *patch,
                 const char *path,
                 const struct repo_diff_options *options,
                 struct err *err)
{
    for (size_t h = 0; h < git_patch_num_hunks(patch); h++) {
        const int lines = git_patch_num_lines_in_hunk(patch, h);
        for (int i = 0; i < lines; i++) {
            const git_diff_line *line;
            int r = git_patch_get_line_in_hunk(&line, patch, h, (size_t)i);
            if (r)
                return repo_git_error(err, r, "comparing %s", path);
            if (line->origin != GIT_DIFF_LINE_ADDITION)
                continue;
            r = options->added_line(options->ctx, path, line->new_lineno, without_end(line));
            if (r)
                return r;
        }
    }
    return 0;
}

/* What libgit2 takes for binary because of its size was not looked at. */
static int
look_for_text(git_repository *git,
              const git_diff_file *file,
              struct repo_change *change,
              struct err *err)
{
    AUTO(git_blob_free) git_blob *blob = NULL;

    change->binary = false;
    if (!change->new_blob[0] || change->new_bytes > LIMIT_CHANGE_BLOB_BYTES)
        return 0;
    const int r = git_blob_lookup(&blob, git, &file->id);
    if (r)
        return repo_git_error(err, r, "reading %s", change->path);
    change->binary = git_blob_is_binary(blob);
    return 0;
}

static int
read_change(git_repository *git,
            git_diff *diff,
            size_t index,
            const struct repo_diff_options *options,
            struct repo_change *change,
            struct err *err)
{
    AUTO(git_patch_free) git_patch *patch = NULL;
    size_t added = 0;
    size_t deleted = 0;
    int r = git_patch_from_diff(&patch, diff, index);

    if (r)
        return repo_git_error(err, r, "comparing %s", change->path);
    /* Only loading the contents tells whether they are text. */
    change->binary = git_diff_get_delta(diff, index)->flags & GIT_DIFF_FLAG_BINARY;
    if (change->large)
        return look_for_text(git, &git_diff_get_delta(diff, index)->new_file, change, err);
    if (!patch)
        return 0;
    r = git_patch_line_stats(NULL, &added, &deleted, patch);
    if (r)
        return repo_git_error(err, r, "counting lines of %s", change->path);
    change->added_lines = (int64_t)added;
    change->deleted_lines = (int64_t)deleted;
    return options->added_line ? show_added_lines(patch, change->path, options, err) : 0;
}

static int
compare_paths(const void *a, const void *b)
{
    const struct repo_change *left = a;
    const struct repo_change *right = b;

    return strcmp(left->path, right->path);
}

static int
read_changes(struct repo *repo,
             git_diff *diff,
             const struct repo_diff_options *options,
             struct repo_diff *result,
             struct err *err)
{
    AUTO(git_odb_free) git_odb *odb = NULL;
    const size_t count = git_diff_num_deltas(diff);
    int r = git_repository_odb(&odb, repo->git);

    if (r)
        return repo_git_error(err, r, "opening %s", repo->path);
    result->items = calloc(count + 1, sizeof *result->items);
    if (!result->items)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        struct repo_change *change = &result->items[result->count++];
        r = repo_watch_check(&options->watch, err);
        r = r ? r : fill_change(odb, git_diff_get_delta(diff, i), change, err);
        r = r ? r : read_change(repo->git, diff, i, options, change, err);
        if (r)
            return r;
        result->added_lines += change->added_lines;
        result->deleted_lines += change->deleted_lines;
    }
    qsort(result->items, result->count, sizeof *result->items, compare_paths);
    return 0;
}

int
repo_diff(struct repo *repo,
          const char *base,
          const char *commit,
          const struct repo_diff_options *options,
          struct repo_diff *ret_diff,
          struct err *err)
{
    AUTO(git_diff_free) git_diff *diff = NULL;
    static const struct repo_diff_options none;
    struct repo_diff result = {0};
    git_diff_options how = GIT_DIFF_OPTIONS_INIT;

    options = options ? options : &none;
    how.context_lines = 0;
    repo_watch_diff(&how, &options->watch);
    int r = compare(repo, base, commit, &how, &diff, err);
    r = r ? r : read_changes(repo, diff, options, &result, err);
    if (r) {
        repo_diff_done(&result);
        return r;
    }
    *ret_diff = result;
    return 0;
}

struct text {
    struct strbuf *buf;
    size_t left;
    bool cut;
};

static int
append_line(const git_diff_delta *delta,
            const git_diff_hunk *hunk,
            const git_diff_line *line,
            void *ctx)
{
    struct text *text = ctx;
    const bool prefixed = line->origin == GIT_DIFF_LINE_CONTEXT ||
                          line->origin == GIT_DIFF_LINE_ADDITION ||
                          line->origin == GIT_DIFF_LINE_DELETION;
    const size_t len = line->content_len + (prefixed ? 1 : 0);

    (void)delta;
    (void)hunk;
    if (len > text->left) {
        text->cut = true;
        return GIT_EUSER;
    }
    text->left -= len;
    if (prefixed)
        strbuf_add_char(text->buf, line->origin);
    strbuf_add(text->buf, line->content, line->content_len);
    return strbuf_ok(text->buf) ? 0 : GIT_EUSER;
}

int
repo_diff_text(struct repo *repo,
               const char *base,
               const char *commit,
               size_t max,
               struct strbuf *buf,
               struct err *err)
{
    AUTO(git_diff_free) git_diff *diff = NULL;
    struct text text = {.buf = buf, .left = max};
    git_diff_options how = GIT_DIFF_OPTIONS_INIT;
    int r = compare(repo, base, commit, &how, &diff, err);

    if (r)
        return r;
    r = git_diff_print(diff, GIT_DIFF_FORMAT_PATCH, append_line, &text);
    if (text.cut)
        strbuf_addf(buf, "[the diff is longer than %zu bytes and was cut here]\n", max);
    if (!strbuf_ok(buf))
        return err_set(err, buf->failed, "the diff does not fit");
    return r && !text.cut ? repo_git_error(err, r, "printing the diff") : 0;
}
