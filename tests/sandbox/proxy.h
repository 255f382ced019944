/* A forwarder in front of an engine's socket, as a process of its own, so that a test can take the
 * engine away and a container can live on. */
#pragma once

#include <sys/types.h>

/* Listen at `path` and forward to the socket `target`; returns the process, to be killed. */
pid_t proxy_start(const char *path, const char *target);

/* End it; `path` refuses connections from then on. */
void proxy_stop(pid_t pid);
