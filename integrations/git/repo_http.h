/* Git's smart HTTP for libgit2, over libcurl instead of libgit2's own client. That one has no
 * timeout and cannot be interrupted, asks for credentials again without end when they are refused,
 * and checks certificates by the library it happens to be built with. Only https:// is spoken.
 * Format: gitprotocol-http(5), protocol version 0. */
#pragma once

#include "integrations/git/repo.h"

#include <git2/sys/transport.h>

/* Once per process: remember the file of further trusted certificates (copied; NULL: none).
 * Errors: ERR_INVALID it cannot be read. */
MUST_CHECK int repo_http_init(const char *ca_file, struct err *err);

/* One conversation with one remote. */
struct repo_wire;

/* `scratch` is a directory: a request is collected there before it is sent.
 * Borrows: remote, scratch.   Errors: ERR_INVALID the URL is not https:// or holds credentials. */
MUST_CHECK int repo_wire_new(const struct repo_remote *remote,
                             const char *scratch,
                             struct repo_wire **ret_wire,
                             struct err *err);
void repo_wire_free(struct repo_wire *wire);
AUTO_DEFINE(struct repo_wire *, repo_wire_free)

/* Make the libgit2 transport that talks through `wire`. */
MUST_CHECK int repo_wire_transport(struct repo_wire *wire, git_remote *owner, git_transport **ret);

/* One request and its answer, outside of libgit2: write() all of the request, read() the answer
 * until it gives no bytes, free(). They fail with -1; repo_wire_error() tells why. Owns:
 * *ret_stream is the caller's; the wire must outlive it. */
MUST_CHECK int repo_wire_exchange(struct repo_wire *wire,
                                  git_smart_service_t action,
                                  git_smart_subtransport_stream **ret_stream);

/* The first failure of the conversation; code 0: none. Borrowed. */
const struct err *repo_wire_error(const struct repo_wire *wire);
