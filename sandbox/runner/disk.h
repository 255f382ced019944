/* Watching the size of the workspace where nothing else limits it: a walk in small slices, so that
 * it takes a bounded share of the CPU and never holds up the runner. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct disk_watch;

/* Returns NULL when out of memory. */
struct disk_watch *disk_watch_new(const char *directory, uint64_t limit_bytes);
void disk_watch_free(struct disk_watch *watch);

/* Go on walking for a few milliseconds, when it is time to.
 * Returns true when the limit is passed; *ret_next_ms is when to call again. */
bool disk_watch_step(struct disk_watch *watch, int64_t now_ms, int64_t *ret_next_ms);

/* Walk all at once, for `budget_ms` at most.  Returns true when the limit is passed. */
bool disk_watch_finish(struct disk_watch *watch, int64_t budget_ms);

/* Is the file system of `directory` full?  For a workspace in memory, which has its own. */
bool disk_full(const char *directory);
