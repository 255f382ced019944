/* Who is at the other end of a Unix socket. */
#pragma once

#include "server/base/err.h"

/* Check that the peer of the connected socket is process 1 of a container (of a PID namespace other
 * than ours) and has the id `uid` there. Where the kernel does not show the peer (a draftd that is
 * itself in a container), there is nothing to check: only the container has the socket. Errors:
 * ERR_AUTH it is someone else. */
MUST_CHECK int peer_check_runner(int fd, unsigned uid, struct err *err);
