/* The door of one sandbox: an HTTP server on a Unix socket in a directory of its own, which is
 * mounted into the container and is the container's only connection to anything.
 *
 * The runner upgrades one connection and speaks frames on it from then on. Everything else is
 * refused. */
#pragma once

#include "server/base/err.h"
#include "server/base/stop.h"

#include <stdint.h>

struct door;

/* Make the directory "RUN-ROLE-random" below `doors_dir` and listen there for the runner, which
 * must be process 1 of its container with the id `uid` there. Owns: *ret_door is the caller's,
 * door_close(). Errors: ERR_IO; ERR_INVALID `doors_dir` is too long for a socket's path. */
MUST_CHECK int door_open(const char *doors_dir,
                         int64_t run,
                         const char *role,
                         unsigned uid,
                         struct door **ret_door,
                         struct err *err);

/* Close the runner's connection, stop listening, remove the directory. */
void door_close(struct door *door);
AUTO_DEFINE(struct door *, door_close)

/* What is to be mounted. Borrowed. */
const char *door_directory(const struct door *door);

/* Wait for the runner.  *ret_fd is its connection, not blocking; borrowed from the door.
 * Errors: ERR_TIMEOUT not until `deadline_mono_ms`; ERR_REMOTE nonsense came instead; ERR_CANCELED.
 */
MUST_CHECK int door_wait(struct door *door,
                         int64_t deadline_mono_ms,
                         const struct stop *stop,
                         int *ret_fd,
                         struct err *err);

/* Readable once the door was flooded. For poll(). Borrowed. */
int door_alarm_fd(const struct door *door);

/* Was the door flooded with requests that it refused? */
bool door_flooded(const struct door *door);

/* The run in the name of a door's directory; -1 when it is no such name. */
int64_t door_run_of_name(const char *name);
