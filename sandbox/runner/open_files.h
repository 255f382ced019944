/* Files that have no name any more but are held open: they take disk, and no walk through a
 * directory finds them. What is looked at is what proc_pid_fd(5) shows of every thread, for each
 * may have a table of its own. */
#pragma once

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All zeros before the first use. */
struct open_files {
    dev_t device;
    DIR *processes;
    DIR *threads; /* of the process under way, or NULL */
    DIR *files;   /* of the thread under way, or NULL */
    ino_t *seen;  /* a hash table; 0: free */
    size_t seen_count;
    size_t seen_size; /* a power of two */
};

void open_files_done(struct open_files *files);

/* Begin a look at those on the file system `device` that are held by `processes` ("/proc").
 * Returns 0, or -1. */
int open_files_begin(struct open_files *files, const char *processes, dev_t device);

/* Look at one more file or directory of /proc. *ret_found: it is such a file, not seen before, and
 * takes *ret_bytes.   Returns 1; 0 when there is nothing left to look at; -1 out of memory. */
int open_files_next(struct open_files *files, bool *ret_found, uint64_t *ret_bytes);
