/* The look at what processes hold open. A process that may not be looked into is passed over:
 * programs that keep keys make themselves so, without any harm meant (ptrace(2), "dumpable"). What
 * they hide is left to the floor below which the host's disk must not fall. */
#include "sandbox/runner/open_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES 512U /* of st_blocks */
#define SEEN_FIRST 64U

static void
close_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
    *dir = NULL;
}

void
open_files_done(struct open_files *files)
{
    close_dir(&files->files);
    close_dir(&files->threads);
    close_dir(&files->processes);
    free(files->seen);
    *files = (struct open_files){0};
}

int
open_files_begin(struct open_files *files, const char *processes, dev_t device)
{
    open_files_done(files);
    files->device = device;
    files->processes = opendir(processes);
    return files->processes ? 0 : -1;
}

/* The directory `name`/`part` below `parent`, or NULL. */
static DIR *
open_below(DIR *parent, const char *name, const char *part)
{
    char path[64];

    if (snprintf(path, sizeof(path), "%s/%s", name, part) >= (int)sizeof(path))
        return NULL;
    const int fd = openat(dirfd(parent), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *const dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir && fd >= 0)
        close(fd);
    return dir;
}

/* Where `inode` is in a table that has room, or is to be put. */
static ino_t *
place_of(ino_t *table, size_t size, ino_t inode)
{
    size_t at = (size_t)((uint64_t)inode * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (size - 1);

    while (table[at] != 0 && table[at] != inode)
        at = (at + 1) & (size - 1);
    return &table[at];
}

static int
grow(struct open_files *files)
{
    const size_t size = files->seen_size ? 2 * files->seen_size : SEEN_FIRST;
    ino_t *const table = calloc(size, sizeof(*table));

    if (!table)
        return -1;
    for (size_t i = 0; i < files->seen_size; i++) {
        if (files->seen[i] != 0)
            *place_of(table, size, files->seen[i]) = files->seen[i];
    }
    free(files->seen);
    files->seen = table;
    files->seen_size = size;
    return 0;
}

/* Returns 1 when the inode is new, 0 when it was seen before, -1 out of memory. */
static int
see(struct open_files *files, ino_t inode)
{
    if (2 * files->seen_count >= files->seen_size && grow(files))
        return -1;
    ino_t *const place = place_of(files->seen, files->seen_size, inode);
    if (*place == inode)
        return 0;
    *place = inode;
    files->seen_count++;
    return 1;
}

static int
look_at(struct open_files *files, const char *name, bool *ret_found, uint64_t *ret_bytes)
{
    struct stat st;

    /* through the link, which opens nothing */
    if (fstatat(dirfd(files->files), name, &st, 0) || st.st_nlink > 0 ||
        st.st_dev != files->device || !S_ISREG(st.st_mode))
        return 1;
    const int new = see(files, st.st_ino);
    if (new < 0)
        return -1;
    *ret_found = new;
    *ret_bytes = (uint64_t)st.st_blocks * BLOCK_BYTES;
    return 1;
}

/* The next of a directory's entries that begin with a digit; at their end it is closed. */
static const char *
next_number(DIR **dir)
{
    const struct dirent *entry;

    while ((entry = readdir(*dir))) {
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
            return entry->d_name;
    }
    close_dir(dir);
    return NULL;
}

int
open_files_next(struct open_files *files, bool *ret_found, uint64_t *ret_bytes)
{
    const char *name;

    *ret_found = false;
    if (files->files) {
        name = next_number(&files->files);
        return name ? look_at(files, name, ret_found, ret_bytes) : 1;
    }
    if (files->threads) {
        name = next_number(&files->threads);
        files->files = name ? open_below(files->threads, name, "fd") : NULL;
        return 1;
    }
    name = files->processes ? next_number(&files->processes) : NULL;
    if (!name)
        return 0;
    if (strtol(name, NULL, 10) != getpid())
        files->threads = open_below(files->processes, name, "task");
    return 1;
}
