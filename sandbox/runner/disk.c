/* The walk through the workspace, then through what processes hold open of it without a name. What
 * cannot be measured (nesting beyond the stack, a directory that cannot be opened even with its
 * permissions mended) counts as too much: hiding does not help. */
#include "sandbox/runner/disk.h"

#include "sandbox/runner/now.h"
#include "sandbox/runner/open_files.h"
#include "server/base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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
#define BYTES_PER_ENTRY 8192U
#define ENTRIES_LEAST 200000U
#define MIB UINT64_C(1048576)
#define REASON_BYTES 128U

/* A directory on the way down. */
struct level {
    DIR *dir;
    bool mended; /* `mode` is to be put back */
    mode_t mode;
};

/* What the file system has left. */
struct room {
    uint64_t bytes;
    uint64_t inodes;
};

enum phase { PHASE_PAUSE, PHASE_TREE, PHASE_OPEN_FILES };

struct disk_watch {
    const char *directory; /* borrowed */
    const char *processes; /* borrowed */
    struct disk_limits limits;
    uint64_t total_bytes; /* of the walk under way */
    uint64_t total_entries;
    uint64_t last_bytes; /* of the last complete walk */
    uint64_t last_entries;
    struct room room_at_start; /* when the walk under way began */
    int64_t next_ms;           /* when to go on */
    int64_t next_pass_ms;      /* when to begin the next walk, unless it is urgent */
    char reason[REASON_BYTES]; /* "": no limit was passed */
    enum phase phase;
    struct open_files open_files;
    int depth;
    struct level stack[DEPTH_MAX];
};

static struct room
room_of(const char *directory)
{
    struct statvfs fs;

    if (statvfs(directory, &fs))
        return (struct room){0};
    return (struct room){.bytes = (uint64_t)fs.f_bavail * fs.f_frsize, .inodes = fs.f_favail};
}

uint64_t
disk_entries_for(uint64_t bytes)
{
    const uint64_t entries = bytes / BYTES_PER_ENTRY;

    return entries < ENTRIES_LEAST ? ENTRIES_LEAST : entries;
}

struct disk_watch *
disk_watch_new(const char *directory, const char *processes, const struct disk_limits *limits)
{
    struct disk_watch *const watch = calloc(1, sizeof(*watch));

    if (watch) {
        watch->directory = directory;
        watch->processes = processes;
        watch->limits = *limits;
        watch->room_at_start = room_of(directory);
        if (watch->limits.free_bytes > watch->room_at_start.bytes / 2)
            watch->limits.free_bytes = watch->room_at_start.bytes / 2;
        watch->next_pass_ms = runner_now_ms() + PASS_PAUSE_MS;
    }
    return watch;
}

const char *
disk_watch_reason(const struct disk_watch *watch)
{
    return watch->reason[0] ? watch->reason : NULL;
}

static bool
is_over(const struct disk_watch *watch)
{
    return watch->reason[0] != 0;
}

static void
cannot_measure(struct disk_watch *watch)
{
    snprintf(watch->reason, sizeof(watch->reason),
             "the work tree has a directory that cannot be looked into, or too deep a one");
}

/* Hold what was counted against the limits. */
static void
judge(struct disk_watch *watch)
{
    if (watch->total_bytes > watch->limits.bytes)
        snprintf(watch->reason, sizeof(watch->reason), "the work tree takes over %llu MiB of disk",
                 (unsigned long long)(watch->limits.bytes / MIB));
    else if (watch->total_entries > watch->limits.entries)
        snprintf(watch->reason, sizeof(watch->reason),
                 "the work tree has over %llu files and directories",
                 (unsigned long long)watch->limits.entries);
}

static void
ascend(struct disk_watch *watch)
{
    struct level *const level = &watch->stack[--watch->depth];

    if (level->mended && fchmod(dirfd(level->dir), level->mode))
        cannot_measure(watch);
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
    open_files_done(&watch->open_files);
    free(watch);
}

/* Open a directory, although its owner (who is this user) may have taken the permission away: it is
 * given back for as long as the walk is below.  Returns NULL with `errno` set, and the permission
 * as it was. */
static DIR *
open_directory(int parent, const char *name, mode_t mode, bool *ret_mended)
{
    const mode_t needed = S_IRUSR | S_IXUSR;
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    const bool mended = (mode & needed) != needed && fchmodat(parent, name, mode | needed, 0) == 0;
    const int fd = openat(parent, name, flags);
    DIR *const dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir) {
        const int why = errno;
        const int unmended = mended ? fchmodat(parent, name, mode, 0) : 0;
        (void)unmended; /* what is gone needs no permission */
        if (fd >= 0)
            close(fd);
        errno = why;
        return NULL;
    }
    *ret_mended = mended;
    return dir;
}

/* Go into a directory. Gone in the meantime is fine. */
static void
descend(struct disk_watch *watch, int parent, const char *name, mode_t mode)
{
    bool mended;

    if (watch->depth == DEPTH_MAX) {
        cannot_measure(watch);
        return;
    }
    DIR *const dir = open_directory(parent, name, mode & 07777, &mended);
    if (dir)
        watch->stack[watch->depth++] =
            (struct level){.dir = dir, .mended = mended, .mode = mode & 07777};
    else if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
        cannot_measure(watch);
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
    watch->total_entries++;
    if (S_ISDIR(st.st_mode)) {
        watch->total_bytes += bytes;
        descend(watch, parent, name, st.st_mode);
    } else if (st.st_nlink > 0) { /* or removed just now */
        watch->total_bytes += bytes / st.st_nlink;
    }
    judge(watch);
}

static void
walk_tree(struct disk_watch *watch)
{
    DIR *const dir = watch->stack[watch->depth - 1].dir;
    const struct dirent *const entry = readdir(dir);

    if (entry)
        count_entry(watch, dirfd(dir), entry->d_name);
    else
        ascend(watch);
}

/* Count one open file. At the end of them the walk is complete. */
static void
walk_open_files(struct disk_watch *watch)
{
    bool found;
    uint64_t bytes;
    const int more = open_files_next(&watch->open_files, &found, &bytes);

    if (more < 0)
        cannot_measure(watch);
    if (more <= 0) {
        watch->phase = PHASE_PAUSE;
    } else if (found) {
        watch->total_entries++;
        watch->total_bytes += bytes;
        judge(watch);
    }
}

static void
begin_open_files(struct disk_watch *watch)
{
    struct stat st;

    if (stat(watch->directory, &st) ||
        open_files_begin(&watch->open_files, watch->processes, st.st_dev))
        cannot_measure(watch);
    watch->phase = PHASE_OPEN_FILES;
}

/* Look at up to SLICE_ENTRIES entries.  Returns false when the walk is complete. */
static bool
walk_some(struct disk_watch *watch)
{
    for (int i = 0; i < SLICE_ENTRIES && watch->phase != PHASE_PAUSE; i++) {
        if (watch->depth > 0)
            walk_tree(watch);
        else if (watch->phase == PHASE_TREE)
            begin_open_files(watch);
        else
            walk_open_files(watch);
    }
    return watch->phase != PHASE_PAUSE;
}

static void
walk_begin(struct disk_watch *watch)
{
    unwind(watch);
    watch->total_bytes = 0;
    watch->total_entries = 0;
    watch->room_at_start = room_of(watch->directory);
    watch->phase = PHASE_TREE;
    descend(watch, AT_FDCWD, watch->directory, S_IRWXU);
}

/* Has the file system lost more than half of what the workspace may still take?  And is there
 * anything left of it: many sandboxes share it, and not all that one takes can be seen. */
static bool
urgent(struct disk_watch *watch)
{
    const struct room now = room_of(watch->directory);
    const struct room then = watch->room_at_start;

    if (now.bytes < watch->limits.free_bytes)
        snprintf(watch->reason, sizeof(watch->reason),
                 "the disk of the work trees has under %llu MiB left",
                 (unsigned long long)(watch->limits.free_bytes / MIB));
    return (now.bytes < then.bytes &&
            then.bytes - now.bytes > (watch->limits.bytes - watch->last_bytes) / 2) ||
           (now.inodes < then.inodes &&
            then.inodes - now.inodes > (watch->limits.entries - watch->last_entries) / 2);
}

bool
disk_watch_step(struct disk_watch *watch, int64_t now_ms, int64_t *ret_next_ms)
{
    if (now_ms < watch->next_ms) {
        *ret_next_ms = watch->next_ms;
        return is_over(watch);
    }
    const bool hurry = urgent(watch);
    if (watch->phase == PHASE_PAUSE) {
        if (!hurry && now_ms < watch->next_pass_ms) {
            watch->next_ms = now_ms + URGENT_CHECK_MS;
            *ret_next_ms = watch->next_ms;
            return is_over(watch);
        }
        walk_begin(watch);
    }
    bool more = true;
    int64_t end_ms = now_ms;
    while (more && !is_over(watch) && end_ms < now_ms + SLICE_MS) {
        more = walk_some(watch);
        end_ms = runner_now_ms();
    }
    watch->next_ms = end_ms + 1 + (end_ms - now_ms) * (hurry ? PAUSE_URGENT_FACTOR : PAUSE_FACTOR);
    if (!more) {
        watch->last_bytes = watch->total_bytes;
        watch->last_entries = watch->total_entries;
        watch->next_pass_ms = end_ms + PASS_PAUSE_MS;
    }
    *ret_next_ms = watch->next_ms;
    return is_over(watch);
}

bool
disk_watch_finish(struct disk_watch *watch, int64_t budget_ms)
{
    const int64_t end_ms = runner_now_ms() + budget_ms;

    walk_begin(watch);
    while (walk_some(watch) && !is_over(watch) && runner_now_ms() < end_ms)
        continue;
    return is_over(watch);
}

bool
disk_full(const char *directory)
{
    struct statvfs fs;

    if (statvfs(directory, &fs))
        return false;
    return (uint64_t)fs.f_bavail * fs.f_frsize < FULL_BYTES || (fs.f_files > 0 && fs.f_ffree == 0);
}
