/* The walk through the workspace. What cannot be measured (nesting beyond the stack, a directory
 * that cannot be opened even with its permissions mended) counts as too much: hiding does not help.
 */
#include "sandbox/runner/disk.h"

#include "sandbox/runner/now.h"
#include "server/base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DEPTH_MAX 400
#define SLICE_MS 5
#define SLICE_ENTRIES 64 /* between looks at the clock */
#define PAUSE_FACTOR 20  /* 5 % of one CPU */
#define PAUSE_URGENT_FACTOR 1
#define PASS_PAUSE_MS 1000 /* before the first walk, and from the end of one to the next */
#define URGENT_CHECK_MS 250
#define BLOCK_BYTES 512U /* of st_blocks */
#define FULL_BYTES (128U * 1024)

/* A directory on the way down. */
struct level {
    DIR *dir;
    bool mended; /* `mode` is to be put back */
    mode_t mode;
};

struct disk_watch {
    const char *directory; /* borrowed */
    uint64_t limit_bytes;
    uint64_t total_bytes;   /* of the walk under way */
    uint64_t last_bytes;    /* of the last complete walk */
    uint64_t free_at_start; /* of the file system, when the walk under way began */
    int64_t next_ms;        /* when to go on */
    int64_t next_pass_ms;   /* when to begin the next walk, unless it is urgent */
    bool over;
    int depth;
    struct level stack[DEPTH_MAX];
};

static uint64_t
free_bytes(const char *directory)
{
    struct statvfs fs;

    return statvfs(directory, &fs) ? 0 : (uint64_t)fs.f_bavail * fs.f_frsize;
}

struct disk_watch *
disk_watch_new(const char *directory, uint64_t limit_bytes)
{
    struct disk_watch *const watch = calloc(1, sizeof(*watch));

    if (watch) {
        watch->directory = directory;
        watch->limit_bytes = limit_bytes;
        watch->free_at_start = free_bytes(directory);
        watch->next_pass_ms = runner_now_ms() + PASS_PAUSE_MS;
    }
    return watch;
}

static void
ascend(struct disk_watch *watch)
{
    struct level *const level = &watch->stack[--watch->depth];

    if (level->mended && fchmod(dirfd(level->dir), level->mode))
        watch->over = true;
    closedir(TAKE(level->dir));
}

static void
unwind(struct disk_watch *watch)
{
    while (watch->depth > 0)
        ascend(watch);
}

void
disk_watch_free(struct disk_watch *watch)
{
    if (!watch)
        return;
    unwind(watch);
    free(watch);
}

/* Open a directory, although its owner (who is this user) may have taken the permission away: it is
 * given back for as long as the walk is below. */
static int
open_directory(int parent, const char *name, mode_t mode, bool *ret_mended)
{
    const mode_t needed = S_IRUSR | S_IXUSR;
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

    *ret_mended = (mode & needed) != needed && fchmodat(parent, name, mode | needed, 0) == 0;
    return openat(parent, name, flags);
}

/* Go into a directory. Gone in the meantime is fine. */
static void
descend(struct disk_watch *watch, int parent, const char *name, mode_t mode)
{
    if (watch->depth == DEPTH_MAX) {
        watch->over = true;
        return;
    }
    bool mended;
    const int fd = open_directory(parent, name, mode & 07777, &mended);
    if (fd < 0) {
        watch->over = watch->over || (errno != ENOENT && errno != ENOTDIR && errno != ELOOP);
        return;
    }
    DIR *const dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return;
    }
    watch->stack[watch->depth++] =
        (struct level){.dir = dir, .mended = mended, .mode = mode & 07777};
}

static void
count_entry(struct disk_watch *watch, int parent, const char *name)
{
    struct stat st;

    if (name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0)))
        return;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW))
        return;
    const uint64_t bytes = (uint64_t)st.st_blocks * BLOCK_BYTES;
    if (S_ISDIR(st.st_mode)) {
        watch->total_bytes += bytes;
        descend(watch, parent, name, st.st_mode);
    } else {
        watch->total_bytes += bytes / st.st_nlink;
    }
    watch->over = watch->over || watch->total_bytes > watch->limit_bytes;
}

/* Look at up to SLICE_ENTRIES entries.  Returns false when the walk is complete. */
static bool
walk_some(struct disk_watch *watch)
{
    for (int i = 0; i < SLICE_ENTRIES && watch->depth > 0; i++) {
        DIR *const dir = watch->stack[watch->depth - 1].dir;
        const struct dirent *const entry = readdir(dir);
        if (entry) {
            count_entry(watch, dirfd(dir), entry->d_name);
        } else {
            ascend(watch);
        }
    }
    return watch->depth > 0;
}

static void
walk_begin(struct disk_watch *watch)
{
    unwind(watch);
    watch->total_bytes = 0;
    watch->free_at_start = free_bytes(watch->directory);
    descend(watch, AT_FDCWD, watch->directory, S_IRWXU);
}

/* Has the file system lost more than half of what the workspace may still take? */
static bool
urgent(const struct disk_watch *watch)
{
    const uint64_t now = free_bytes(watch->directory);

    return now < watch->free_at_start &&
           watch->free_at_start - now > (watch->limit_bytes - watch->last_bytes) / 2;
}

bool
disk_watch_step(struct disk_watch *watch, int64_t now_ms, int64_t *ret_next_ms)
{
    if (now_ms < watch->next_ms) {
        *ret_next_ms = watch->next_ms;
        return watch->over;
    }
    const bool hurry = urgent(watch);
    if (watch->depth == 0) {
        if (!hurry && now_ms < watch->next_pass_ms) {
            watch->next_ms = now_ms + URGENT_CHECK_MS;
            *ret_next_ms = watch->next_ms;
            return watch->over;
        }
        walk_begin(watch);
    }
    bool more = true;
    int64_t end_ms = now_ms;
    while (more && !watch->over && end_ms < now_ms + SLICE_MS) {
        more = walk_some(watch);
        end_ms = runner_now_ms();
    }
    watch->next_ms = end_ms + 1 + (end_ms - now_ms) * (hurry ? PAUSE_URGENT_FACTOR : PAUSE_FACTOR);
    if (!more) {
        watch->last_bytes = watch->total_bytes;
        watch->next_pass_ms = end_ms + PASS_PAUSE_MS;
    }
    *ret_next_ms = watch->next_ms;
    return watch->over;
}

bool
disk_watch_finish(struct disk_watch *watch, int64_t budget_ms)
{
    const int64_t end_ms = runner_now_ms() + budget_ms;

    walk_begin(watch);
    while (walk_some(watch) && !watch->over && runner_now_ms() < end_ms)
        continue;
    return watch->over;
}

bool
disk_full(const char *directory)
{
    struct statvfs fs;

    if (statvfs(directory, &fs))
        return false;
    return (uint64_t)fs.f_bavail * fs.f_frsize < FULL_BYTES || (fs.f_files > 0 && fs.f_ffree == 0);
}
