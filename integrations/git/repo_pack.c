/* Taking in a hostile pack: copied, scanned and indexed below <mirror>/quarantine, walked, looked
 * at by whoever asked for it, and only then moved beside the mirror's own packs. Until the rename
 * the mirror knows nothing of it; after it, a crash leaves unreferenced objects at most. */
#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <git2/sys/repository.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "integrations/git/repo_internal.h"
#include "integrations/git/repo_object.h"
#include "integrations/git/repo_scan.h"
#include "integrations/git/repo_walk.h"
#include "server/base/fs.h"
#include "server/base/str.h"
#include "server/limits.h"

#define MAX_OBJECTS 500000U
#define MAX_UNPACKED_BYTES (4ULL * LIMIT_PACK_BYTES)
#define COPY_STEP_BYTES (256U * 1024)
#define INDEX_STEP_BYTES (1024U * 1024)
#define REF_PREFIX "refs/draftd/"

/* Files over the blob limit, up to this, are refused by name after indexing; beyond, at once. */
#define MIN_SCAN_OBJECT_BYTES (64ULL * 1024 * 1024)

struct repo_import {
    struct repo *repo;
    const struct repo_import_limits *limits; /* while it is taken in */
    struct repo *view;
    char *scratch;     /* the quarantine directory */
    char *objects;     /* scratch/objects */
    char *packs;       /* scratch/objects/pack */
    char *name;        /* of the indexed pack, without suffix */
    struct bytes pack; /* mapped */
    git_oid base;
    git_oid commit;
};

void
repo_import_free(struct repo_import *import)
{
    if (!import)
        return;
    repo_free(import->view);
    if (import->pack.ptr)
        munmap((void *)(uintptr_t)import->pack.ptr, import->pack.len);
    repo_scratch_free(import->scratch);
    free(import->objects);
    free(import->packs);
    free(import->name);
    free(import);
}

static int
prepare(struct repo_import *import, struct err *err)
{
    int r = repo_scratch_new(import->repo, &import->scratch, err);

    if (r)
        return r;
    import->objects = str_printf("%s/objects", import->scratch);
    import->packs = str_printf("%s/objects/pack", import->scratch);
    if (!import->objects || !import->packs)
        return err_set(err, ERR_NOMEM, "out of memory");
    return fs_make_dirs(import->packs, 0700, err);
}

/* The next piece of `from`, handed to `to`. *ret_len is 0 at the end. */
static int
copy_piece(int from, int to, char *buf, size_t *ret_len, struct err *err)
{
    ssize_t n;

    do
        n = read(from, buf, COPY_STEP_BYTES);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_set_errno(err, ERR_IO, errno, "reading the pack");
    *ret_len = (size_t)n;
    return fs_write_all(to, bytes_of(buf, (size_t)n), err);
}

/* A private copy, so that nobody can change the pack between being scanned and being indexed. */
static int
copy_pack(int from, int to, const struct repo_watch *watch, size_t *ret_len, struct err *err)
{
    auto_free char *buf = malloc(COPY_STEP_BYTES);
    size_t total = 0;
    size_t len = 1;
    int r = 0;

    if (!buf)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (lseek(from, 0, SEEK_SET) < 0 && errno != ESPIPE)
        return err_set_errno(err, ERR_IO, errno, "rewinding the pack");
    for (; !r && len > 0 && total <= LIMIT_PACK_BYTES; total += len) {
        r = repo_watch_check(watch, err);
        if (!r)
            r = copy_piece(from, to, buf, &len, err);
    }
    if (r)
        return r;
    if (total > LIMIT_PACK_BYTES)
        return err_set(err, ERR_LIMIT, "the pack is larger than %u bytes",
                       (unsigned)LIMIT_PACK_BYTES);
    *ret_len = total;
    return 0;
}

static int
map_pack(struct repo_import *import, int pack_fd, struct err *err)
{
    auto_free char *path = str_printf("%s/incoming", import->scratch);
    auto_close int fd = -1;
    size_t len = 0;
    int r;

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set_errno(err, ERR_IO, errno, "making %s", path);
    r = copy_pack(pack_fd, fd, &import->limits->watch, &len, err);
    if (r)
        return r;
    if (len == 0)
        return err_set(err, ERR_INVALID, "the pack is empty");
    void *map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return err_set_errno(err, ERR_IO, errno, "mapping the pack");
    import->pack = bytes_of(map, len);
    return 0;
}

static int
scan_pack(const struct repo_import *import, struct err *err)
{
    const uint64_t blob = (uint64_t)import->limits->max_blob_bytes;
    const struct repo_scan_limits limits = {
        .max_objects = MAX_OBJECTS,
        .max_object_bytes = blob > MIN_SCAN_OBJECT_BYTES ? blob : MIN_SCAN_OBJECT_BYTES,
        .max_total_bytes = MAX_UNPACKED_BYTES,
        .watch = &import->limits->watch,
    };

    return repo_scan_pack(import->pack, &limits, err);
}

static int
watch_time(const git_indexer_progress *progress, void *ctx)
{
    const struct repo_import *import = ctx;

    (void)progress;
    return repo_watch_check(&import->limits->watch, NULL) ? GIT_EUSER : 0;
}

/* Without an object store for the indexer, so that a pack whose deltas lean on objects that it does
 * not bring (thin) is refused. */
static int
index_pack(struct repo_import *import, struct err *err)
{
    AUTO(git_indexer_free) git_indexer *indexer = NULL;
    git_indexer_options options = GIT_INDEXER_OPTIONS_INIT;
    git_indexer_progress progress = {0};
    int r;

    options.progress_cb = watch_time;
    options.progress_cb_payload = import;
    r = git_indexer_new(&indexer, import->packs, 0, NULL, &options);
    for (size_t at = 0; at < import->pack.len && !r; at += INDEX_STEP_BYTES) {
        const size_t left = import->pack.len - at;
        const size_t len = left < INDEX_STEP_BYTES ? left : INDEX_STEP_BYTES;
        r = repo_watch_check(&import->limits->watch, NULL);
        r = r ? r : git_indexer_append(indexer, import->pack.ptr + at, len, &progress);
    }
    r = r ? r : git_indexer_commit(indexer, &progress);
    if (r && repo_watch_check(&import->limits->watch, err))
        return err_wrap(err, "indexing the pack");
    if (r)
        return repo_git_error(err, r, "the pack cannot be indexed");
    import->name = str_printf("pack-%s", git_indexer_name(indexer));
    return import->name ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

/* A repository of no references: the mirror's objects and the pack's. */
static int
open_view(struct repo_import *import, struct err *err)
{
    AUTO(git_odb_free) git_odb *both = NULL;
    int r = git_odb_new(&both);

    r = r ? r : git_odb_add_disk_alternate(both, import->objects);
    r = r ? r : git_odb_add_disk_alternate(both, import->repo->objects_dir);
    if (r)
        return repo_git_error(err, r, "opening the quarantine");
    import->view = calloc(1, sizeof *import->view);
    if (!import->view)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = git_repository_wrap_odb(&import->view->git, both);
    if (r)
        return repo_git_error(err, r, "opening the quarantine");
    import->view->path = str_dup(import->scratch);
    import->view->objects_dir = str_dup(import->objects);
    return import->view->path && import->view->objects_dir
               ? 0
               : err_set(err, ERR_NOMEM, "out of memory");
}

static int
walk_pack(const struct repo_import *import, struct err *err)
{
    AUTO(git_odb_free) git_odb *fresh = NULL;
    int r = git_odb_new(&fresh);

    r = r ? r : git_odb_add_disk_alternate(fresh, import->objects);
    if (r)
        return repo_git_error(err, r, "opening the quarantine");
    const struct repo_walk_source source = {
        .all = import->view->git,
        .mirror = import->repo->git,
        .fresh = fresh,
    };
    r = repo_walk(&source, &import->base, &import->commit, import->limits, err);
    return r == ERR_TIMEOUT || r == ERR_CANCELED ? err_wrap(err, "checking the pack") : r;
}

static int
flush(const char *path, struct err *err)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fsync(fd))
        return err_set_errno(err, ERR_IO, errno, "flushing %s", path);
    return 0;
}

static int
move_file(const struct repo_import *import, const char *suffix, struct err *err)
{
    auto_free char *from = str_printf("%s/%s%s", import->packs, import->name, suffix);
    auto_free char *to =
        str_printf("%s/pack/%s%s", import->repo->objects_dir, import->name, suffix);
    int r;

    if (!from || !to)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = flush(from, err);
    if (!r && rename(from, to))
        r = err_set_errno(err, ERR_IO, errno, "moving %s to %s", from, to);
    return r;
}

/* The index last: git looks for packs by their index. A pack of the same name holds the same
 * objects, so one that is there already stays. */
static int
move_pack(const struct repo_import *import, struct err *err)
{
    auto_free char *dir = str_printf("%s/pack", import->repo->objects_dir);
    auto_free char *index = str_printf("%s/pack/%s.idx", import->repo->objects_dir, import->name);
    int r;

    if (!dir || !index)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (fs_exists(index))
        return 0;
    r = fs_make_dirs(dir, 0755, err);
    r = r ? r : move_file(import, ".pack", err);
    r = r ? r : move_file(import, ".idx", err);
    return r ? r : flush(dir, err);
}

static int
point_ref(const struct repo_import *import, const char *ref, struct err *err)
{
    AUTO(git_odb_free) git_odb *odb = NULL;
    AUTO(git_reference_free) git_reference *reference = NULL;
    int r = git_repository_odb(&odb, import->repo->git);

    r = r ? r : git_odb_refresh(odb);
    r = r ? r : git_reference_create(&reference, import->repo->git, ref, &import->commit, 1, NULL);
    return r ? repo_git_error(err, r, "setting %s", ref) : 0;
}

static int
check_arguments(struct repo_import *import, const char *base, const char *commit, struct err *err)
{
    AUTO(git_commit_free) git_commit *found = NULL;
    const int r = repo_load_commit(import->repo->git, base, &found, err);

    if (r)
        return err_wrap(err, "the base");
    import->base = *git_commit_id(found);
    return repo_parse_id(commit, &import->commit, err);
}

int
repo_import_open(struct repo *repo,
                 int pack_fd,
                 const char *base,
                 const char *commit,
                 const struct repo_import_limits *limits,
                 struct repo_import **ret_import,
                 struct err *err)
{
    AUTO(repo_import_free) struct repo_import *import = calloc(1, sizeof *import);

    if (!import)
        return err_set(err, ERR_NOMEM, "out of memory");
    import->repo = repo;
    import->limits = limits;
    int r = check_arguments(import, base, commit, err);
    r = r ? r : prepare(import, err);
    r = r ? r : map_pack(import, pack_fd, err);
    r = r ? r : scan_pack(import, err);
    r = r ? r : index_pack(import, err);
    r = r ? r : open_view(import, err);
    r = r ? r : walk_pack(import, err);
    if (r)
        return r;
    import->limits = NULL;
    *ret_import = TAKE(import);
    return 0;
}

struct repo *
repo_import_view(struct repo_import *import)
{
    return import->view;
}

int
repo_import_accept(struct repo_import *import, const char *ref, struct err *err)
{
    int valid = 0;

    if (!str_starts_with(ref, REF_PREFIX) || git_reference_name_is_valid(&valid, ref) || !valid)
        return err_set(err, ERR_INVALID, "'%.200s' is not a ref below " REF_PREFIX, ref);
    const int r = move_pack(import, err);
    return r ? r : point_ref(import, ref, err);
}
