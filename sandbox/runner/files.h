/* Files inside the sandbox, written and read as steps, so that an image needs no tool for it. */
#pragma once

/* Put standard input into the file; parents are made.  Returns the exit status. */
int files_put(const char *path);

/* Write at most `max` bytes of the file to standard output.
 * Returns the exit status: PROTOCOL_NOT_FOUND when there is none. */
int files_get(const char *path, unsigned long long max);
