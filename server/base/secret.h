/* A credential in memory. It has no accessor that prints; secret_reveal() is the one way to its bytes,
 * so that a search for that name finds every place that handles them. Wiped when freed. */
#pragma once

#include "server/base/bytes.h"
#include "server/base/err.h"

struct secret;

/* Where the file of a secret is. A name that is not an absolute path is looked for in
 * $CREDENTIALS_DIRECTORY (systemd credentials), or below `base_dir` where that is not set (NULL: the
 * working directory).
 * Owns: the caller's, free().  NULL when out of memory. */
MUST_CHECK char *secret_path(const char *file, const char *base_dir);

/* Read a secret from the file at secret_path(). A trailing line end is dropped.
 * Owns: *ret_secret is the caller's, secret_free().
 * Errors: ERR_NOTFOUND no such file; ERR_INVALID empty or over 64 KiB; ERR_IO. The message names the
 * file, never the contents. */
MUST_CHECK int
secret_load(const char *file, const char *base_dir, struct secret **ret_secret, struct err *err);

/* A secret out of bytes at hand (copied). */
MUST_CHECK int secret_new(struct bytes bytes, struct secret **ret_secret, struct err *err);

/* Another owner of the same contents. */
MUST_CHECK int
secret_copy(const struct secret *secret, struct secret **ret_secret, struct err *err);

void secret_free(struct secret *secret);
AUTO_DEFINE(struct secret *, secret_free)

/* The bytes, which are also terminated. Borrowed. */
struct bytes secret_reveal(const struct secret *secret);
