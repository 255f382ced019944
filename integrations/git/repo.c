/* Opening repositories and reading them. See repo.h for the whole, repo_internal.h for what the
 * other repo_*.c files use of this. */
#include "integrations/git/repo.h"

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "integrations/git/repo_http.h"
#include "integrations/git/repo_internal.h"
#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/str.h"

/* No import or push takes as long: what is older was left by a process that is gone. */
#define SCRATCH_MAX_AGE_MS MS_PER_HOUR

static int
code_of(int result, const git_error *last)
{
    const int class = last ? last->klass : GIT_ERROR_NONE;

    if (class == GIT_ERROR_NOMEMORY)
        return ERR_NOMEM;
    if (result == GIT_ENOTFOUND || result == GIT_EUNBORNBRANCH)
        return ERR_NOTFOUND;
    if (result == GIT_EAUTH)
        return ERR_AUTH;
    if (result == GIT_EEXISTS || result == GIT_EMODIFIED || result == GIT_ENONFASTFORWARD ||
        result == GIT_ELOCKED)
        return ERR_CONFLICT;
    if (result == GIT_EUSER)
        return ERR_CANCELED;
    if (result == GIT_EINVALIDSPEC || result == GIT_EMISMATCH || class == GIT_ERROR_INDEXER ||
        class == GIT_ERROR_INVALID || class == GIT_ERROR_OBJECT || class == GIT_ERROR_ZLIB)
        return ERR_INVALID;
    if (class == GIT_ERROR_NET || class == GIT_ERROR_HTTP || class == GIT_ERROR_SSL)
        return ERR_REMOTE;
    return ERR_IO;
}

int
repo_git_error(struct err *err, int result, const char *format, ...)
{
    const git_error *last = git_error_last();
    char context[ERR_MESSAGE_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(context, sizeof context, format, args);
    va_end(args);
    err_set(err, code_of(result, last), "%s", last ? last->message : "no reason given");
    git_error_clear();
    return err ? err_wrap(err, "%s", context) : code_of(result, last);
}

int
repo_watch_check(const struct repo_watch *watch, struct err *err)
{
    if (!watch)
        return 0;
    if (stop_raised(watch->stop))
        return err_set(err, ERR_CANCELED, "asked to stop");
    if (watch->deadline_ms && clock_mono_ms() > watch->deadline_ms)
        return err_set(err, ERR_TIMEOUT, "it takes too long");
    return 0;
}

static int
notice_delta(const git_diff *diff, const git_diff_delta *delta, const char *path, void *ctx)
{
    (void)diff;
    (void)delta;
    (void)path;
    return repo_watch_check(ctx, NULL) ? GIT_EUSER : 0;
}

void
repo_watch_diff(git_diff_options *options, const struct repo_watch *watch)
{
    options->notify_cb = notice_delta;
    options->payload = (void *)(uintptr_t)watch; /* libgit2's own lack of const */
}

int
repo_init(const char *ca_file, struct err *err)
{
    static const int levels[] = {GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_GLOBAL,
                                 GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_PROGRAMDATA};
    int r = git_libgit2_init();

    if (r < 0)
        return repo_git_error(err, r, "starting libgit2");
    r = 0;
    /* Configuration of the account that draftd happens to run as must not change what it does. */
    for (size_t i = 0; i < sizeof levels / sizeof levels[0] && !r; i++)
        r = git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "");
    /* The check protects a person who steps into another's directory, where configuration could run
     * programs. libgit2 runs none, and each path here is either our own or named by the operator,
     * whose repositories usually belong to another account. */
    r = r ? r : git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    r = r ? r : git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1);
    r = r ? r : git_libgit2_opts(GIT_OPT_ENABLE_STRICT_OBJECT_CREATION, 1);
    r = r ? r : git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
    if (r < 0)
        return repo_git_error(err, r, "setting up libgit2");
    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        return err_set(err, ERR_INTERNAL, "setting up libcurl failed");
    return repo_http_init(ca_file, err);
}

/* Removes what crashes left in quarantine/. Failing at it harms nobody. */
static void
sweep_scratch(const char *mirror)
{
    auto_free char *parent = str_printf("%s/quarantine", mirror);
    DIR *dir = parent ? opendir(parent) : NULL;

    if (!dir)
        return;
    const struct dirent *d;
    while ((d = readdir(dir))) { /* NOLINT(concurrency-mt-unsafe): nobody else has this stream */
        auto_free char *path = d->d_name[0] != '.' ? str_printf("%s/%s", parent, d->d_name) : NULL;
        struct stat st;
        if (!path || lstat(path, &st) ||
            clock_now_ms() - (int64_t)st.st_mtime * MS_PER_SECOND < SCRATCH_MAX_AGE_MS)
            continue;
        const int r = fs_remove_tree(path, NULL);
        (void)r;
    }
    closedir(dir);
}

int
repo_scratch_new(const struct repo *repo, char **ret_path, struct err *err)
{
    auto_free char *parent = str_printf("%s/quarantine", repo->path);
    int r;

    if (!parent)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (!repo->mirror)
        return err_set(err, ERR_INTERNAL, "%s is not a mirror of ours", repo->path);
    r = fs_make_dirs(parent, 0700, err);
    return r ? r : fs_make_temp_dir(parent, "q", ret_path, err);
}

void
repo_scratch_free(char *path)
{
    const int r = path ? fs_remove_tree(path, NULL) : 0;

    (void)r; /* what is left goes when the mirror is opened again */
    free(path);
}

static int
wrap_repository(
    git_repository *git, const char *path, bool mirror, struct repo **ret, struct err *err)
{
    AUTO(git_repository_free) git_repository *owned = git;
    AUTO(repo_free) struct repo *repo = calloc(1, sizeof *repo);
    AUTO_DONE(git_buf_dispose) git_buf dir = GIT_BUF_INIT;
    int r;

    if (!repo)
        return err_set(err, ERR_NOMEM, "out of memory");
    repo->git = TAKE(owned);
    repo->mirror = mirror;
    r = git_repository_item_path(&dir, repo->git, GIT_REPOSITORY_ITEM_OBJECTS);
    if (r)
        return repo_git_error(err, r, "opening %s", path);
    if (dir.size > 1 && dir.ptr[dir.size - 1] == '/')
        dir.ptr[dir.size - 1] = '\0';
    repo->path = str_dup(path);
    repo->objects_dir = str_dup(dir.ptr);
    if (!repo->path || !repo->objects_dir)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret = TAKE(repo);
    return 0;
}

static int
init_mirror(const char *path, git_repository **ret_git, struct err *err)
{
    git_repository_init_options options = GIT_REPOSITORY_INIT_OPTIONS_INIT;
    auto_free char *lock_path = str_printf("%s/init.lock", path);
    auto_close int lock = -1;
    int r;

    if (!lock_path)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = fs_make_dirs(path, 0755, err);
    if (r)
        return r;
    lock = open(lock_path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    /* Another thread that is making it needs a moment only: wait. */
    if (lock < 0 || flock(lock, LOCK_EX))
        return err_set_errno(err, ERR_IO, errno, "locking %s", lock_path);
    options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH;
    r = git_repository_init_ext(ret_git, path, &options);
    if (r)
        return repo_git_error(err, r, "making the mirror %s", path);
    return 0;
}

int
repo_open_mirror(const char *path, struct repo **ret_repo, struct err *err)
{
    git_repository *git = NULL;
    int r = git_repository_open_bare(&git, path);

    if (r) {
        r = init_mirror(path, &git, err);
        if (r)
            return r;
    }
    sweep_scratch(path);
    return wrap_repository(git, path, true, ret_repo, err);
}

int
repo_open(const char *path, struct repo **ret_repo, struct err *err)
{
    git_repository *git = NULL;
    const int r = git_repository_open(&git, path);

    if (r)
        return repo_git_error(err, r, "no git repository can be opened at %s", path);
    return wrap_repository(git, path, false, ret_repo, err);
}

void
repo_free(struct repo *repo)
{
    if (!repo)
        return;
    git_repository_free(repo->git);
    free(repo->path);
    free(repo->objects_dir);
    free(repo);
}

const char *
repo_objects_dir(const struct repo *repo)
{
    return repo->objects_dir;
}

int
repo_parse_id(const char *text, git_oid *ret_id, struct err *err)
{
    const size_t len = strlen(text);

    if (len != GIT_OID_HEXSZ || strspn(text, "0123456789abcdef") != len ||
        git_oid_fromstr(ret_id, text))
        return err_set(err, ERR_INVALID, "'%.80s' is not a commit id", text);
    return 0;
}

int
repo_load_commit(git_repository *git, const char *id, git_commit **ret_commit, struct err *err)
{
    AUTO(git_object_free) git_object *object = NULL;
    git_oid oid;
    int r = repo_parse_id(id, &oid, err);

    if (r)
        return r;
    r = git_object_lookup(&object, git, &oid, GIT_OBJECT_ANY);
    if (r)
        return repo_git_error(err, r, "commit %s", id);
    if (git_object_type(object) != GIT_OBJECT_COMMIT)
        return err_set(err, ERR_INVALID, "%s is not a commit", id);
    *ret_commit = (git_commit *)TAKE(object);
    return 0;
}

int
repo_branch_ref(const char *branch, char **ret_name, struct err *err)
{
    auto_free char *name = str_printf("refs/heads/%s", branch);
    int valid = 0;

    if (!name)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (git_reference_name_is_valid(&valid, name) || !valid)
        return err_set(err, ERR_INVALID, "'%.200s' is not a branch name that git allows", branch);
    *ret_name = TAKE(name);
    return 0;
}

int
repo_resolve(struct repo *repo,
             const char *ref,
             char ret_commit[REPO_COMMIT_BYTES],
             struct err *err)
{
    AUTO(git_reference_free) git_reference *reference = NULL;
    AUTO(git_object_free) git_object *object = NULL;
    const bool whole = str_starts_with(ref, "refs/") || str_equal(ref, "HEAD");
    auto_free char *name = whole ? str_dup(ref) : str_printf("refs/heads/%s", ref);
    int r;

    if (!name)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = git_reference_lookup(&reference, repo->git, name);
    r = r ? r : git_reference_peel(&object, reference, GIT_OBJECT_COMMIT);
    if (r)
        return repo_git_error(err, r, "'%s' in %s", ref, repo->path);
    git_oid_tostr(ret_commit, REPO_COMMIT_BYTES, git_object_id(object));
    return 0;
}

int
repo_head_branch(struct repo *repo, char **ret_branch, struct err *err)
{
    AUTO(git_reference_free) git_reference *head = NULL;
    const int r = git_repository_head(&head, repo->git);

    if (r == GIT_EUNBORNBRANCH || r == GIT_ENOTFOUND)
        return err_set(err, ERR_NOTFOUND, "%s has no commit yet on its branch", repo->path);
    if (r)
        return repo_git_error(err, r, "reading HEAD of %s", repo->path);
    if (!git_reference_is_branch(head))
        return err_set(err, ERR_NOTFOUND, "%s is not on a branch: check one out, or name a branch",
                       repo->path);
    *ret_branch = str_dup(git_reference_shorthand(head));
    return *ret_branch ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

/* The blob of a regular file, its size checked before it is read. */
static int
append_blob(git_repository *git, const git_oid *id, struct strbuf *buf, struct err *err)
{
    AUTO(git_odb_free) git_odb *odb = NULL;
    AUTO(git_odb_object_free) git_odb_object *object = NULL;
    git_object_t type;
    size_t size;
    int r = git_repository_odb(&odb, git);

    r = r ? r : git_odb_read_header(&size, &type, odb, id);
    if (r)
        return repo_git_error(err, r, "reading it");
    if (type != GIT_OBJECT_BLOB)
        return err_set(err, ERR_INVALID, "its contents are not a file's");
    if (size > buf->max - buf->len)
        return err_set(err, ERR_LIMIT, "%zu bytes are over the limit of %zu", size, buf->max);
    r = git_odb_read(&object, odb, id);
    if (r)
        return repo_git_error(err, r, "reading it");
    strbuf_add(buf, git_odb_object_data(object), git_odb_object_size(object));
    return strbuf_ok(buf) ? 0 : err_set(err, buf->failed, "no room for it");
}

int
repo_read_blob(struct repo *repo, const char *id, struct strbuf *buf, struct err *err)
{
    git_oid oid;
    int r = repo_parse_id(id, &oid, err);

    r = r ? r : append_blob(repo->git, &oid, buf, err);
    return r ? err_wrap(err, "blob %.12s", id) : 0;
}

int
repo_read_file(
    struct repo *repo, const char *commit, const char *path, struct strbuf *buf, struct err *err)
{
    AUTO(git_commit_free) git_commit *at = NULL;
    AUTO(git_tree_free) git_tree *tree = NULL;
    AUTO(git_tree_entry_free) git_tree_entry *entry = NULL;
    int r = repo_load_commit(repo->git, commit, &at, err);

    if (r)
        return r;
    r = git_commit_tree(&tree, at);
    r = r ? r : git_tree_entry_bypath(&entry, tree, path);
    if (r)
        return repo_git_error(err, r, "%s in commit %.12s", path, commit);
    if (git_tree_entry_filemode(entry) != GIT_FILEMODE_BLOB &&
        git_tree_entry_filemode(entry) != GIT_FILEMODE_BLOB_EXECUTABLE)
        return err_set(err, ERR_INVALID, "%s in commit %.12s is not a regular file", path, commit);
    r = append_blob(repo->git, git_tree_entry_id(entry), buf, err);
    return r ? err_wrap(err, "%s in commit %.12s", path, commit) : 0;
}

int
repo_merge_base(struct repo *repo,
                const char *one,
                const char *other,
                char ret_commit[REPO_COMMIT_BYTES],
                struct err *err)
{
    AUTO(git_odb_free) git_odb *odb = NULL;
    git_oid a;
    git_oid b;
    git_oid base;
    int r = repo_parse_id(one, &a, err);

    r = r ? r : repo_parse_id(other, &b, err);
    if (r)
        return r;
    r = git_repository_odb(&odb, repo->git);
    if (!r && (!git_odb_exists(odb, &a) || !git_odb_exists(odb, &b)))
        return err_set(err, ERR_NOTFOUND, "%.12s or %.12s is not here", one, other);
    r = r ? r : git_merge_base(&base, repo->git, &a, &b);
    if (r == GIT_ENOTFOUND)
        return err_set(err, ERR_NOTFOUND, "%.12s and %.12s have no common history", one, other);
    if (r < 0)
        return repo_git_error(err, r, "comparing %.12s with %.12s", one, other);
    git_oid_tostr(ret_commit, REPO_COMMIT_BYTES, &base);
    return 0;
}
