/* Watching the size of the workspace where nothing else limits it: a walk in small slices, so that
 * it takes a bounded share of the CPU and never holds up the runner. What is taken and given back
 * between two looks is not seen. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct disk_watch;

struct disk_limits {
    uint64_t bytes;
    uint64_t entries;    /* files, directories and whatever else has a name */
    uint64_t free_bytes; /* must stay free on the file system, or half of what is free now */
};

/* How many entries go with so many bytes: one for 8 KiB, and never fewer than an ordinary tree with
 * its dependencies has. */
uint64_t disk_entries_for(uint64_t bytes);

/* `processes` is where those are that may hold files open: "/proc". Both are borrowed.
 * Returns NULL when out of memory. */
struct disk_watch *
disk_watch_new(const char *directory, const char *processes, const struct disk_limits *limits);
void disk_watch_free(struct disk_watch *watch);

/* Go on walking for a few milliseconds, when it is time to.
 * Returns true when a limit is passed; *ret_next_ms is when to call again. */
bool disk_watch_step(struct disk_watch *watch, int64_t now_ms, int64_t *ret_next_ms);

/* Walk all at once, for `budget_ms` at most.  Returns true when a limit is passed. */
bool disk_watch_finish(struct disk_watch *watch, int64_t budget_ms);

/* Which limit was passed, as a line of text; NULL: none. Borrowed from the watch. */
const char *disk_watch_reason(const struct disk_watch *watch);

/* Is the file system of `directory` full?  For a workspace in memory, which has its own. */
bool disk_full(const char *directory);
