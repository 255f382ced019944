/* Files and directories on this machine. */
#pragma once

#include "server/base/err.h"
#include "server/base/strbuf.h"

#include <stdint.h>
#include <sys/types.h>

/* Append the whole file to `buf`.
 * Errors: ERR_NOTFOUND; ERR_LIMIT larger than the buffer's maximum; ERR_IO. */
MUST_CHECK int fs_read_file(const char *path, struct strbuf *buf, struct err *err);

/* Replace the file so that a reader sees the old or the new contents, also after a crash: written
 * beside it, flushed, renamed, the directory flushed.
 * Errors: ERR_IO. */
MUST_CHECK int
fs_write_file(const char *path, struct bytes contents, mode_t mode, struct err *err);

/* Write all bytes to an open file, resuming after short writes.  Errors: ERR_IO. */
MUST_CHECK int fs_write_all(int fd, struct bytes contents, struct err *err);

/* Flush the directory that `path` lies in: its new name there survives a power cut.  Errors: ERR_IO.
 */
MUST_CHECK int fs_sync_parent(const char *path, struct err *err);

/* Make the directory and its parents; each new one gets `mode`. Existing ones are left as they are. */
MUST_CHECK int fs_make_dirs(const char *path, mode_t mode, struct err *err);

/* Remove a directory and everything below it without following symbolic links. Nothing there is
 * success. Best effort: continues after an error and reports the first. */
MUST_CHECK int fs_remove_tree(const char *path, struct err *err);

/* Make a fresh directory `parent`/`prefix`XXXXXX, mode 0700.
 * Owns: *ret_path is the caller's, free(). */
MUST_CHECK int
fs_make_temp_dir(const char *parent, const char *prefix, char **ret_path, struct err *err);

bool fs_exists(const char *path);

/* Bytes free to an ordinary user on the file system of `path`; INT64_MAX when it cannot be told. */
int64_t fs_free_bytes(const char *path);

/* Take the exclusive lock of `path` (created when absent) for as long as the descriptor is open.
 * Owns: *ret_fd is the caller's.   Errors: ERR_CONFLICT another process holds it. */
MUST_CHECK int fs_lock(const char *path, int *ret_fd, struct err *err);
