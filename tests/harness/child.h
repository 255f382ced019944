/* A program that a test starts beside itself, whose first lines tell when it is ready, and which
 * ends with the test. */
#pragma once

struct child;

/* Start `argv` (found through PATH, NULL-terminated) and wait until it prints a line that contains
 * `ready` on its standard output. Its standard input is a pipe that closes when the test ends.
 * Owns: the caller's, child_free().  NULL when it ended first or said nothing for 60 seconds. */
struct child *child_start(const char *const *argv, const char *ready);

/* That line, without its end. Borrowed. */
const char *child_line(const struct child *child);

/* Ends it and waits. */
void child_free(struct child *child);

/* Run to the end.  Returns the exit status; -1 when it could not be started or died of a signal. */
int child_run(const char *const *argv);
