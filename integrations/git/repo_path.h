/* Are names, paths and symbolic links out of a sandbox safe to be checked out anywhere? Pure
 * functions on bytes: no repository, no file system. The rules are those of git's own verify_path()
 * with the protections for HFS+ and NTFS on, and stricter where noted. */
#pragma once

#include "server/base/bytes.h"

#include <stdbool.h>

#define REPO_PATH_BYTES 4095 /* Linux' PATH_MAX without its terminator */

/* One component of a path: not "", ".", ".."; no '/', no control character, at most 255 bytes; not
 * ".git" in any spelling that HFS+ (ignored code points, case) or NTFS (git~1, dots and blanks at
 * the end, streams, '\' as a separator) takes for it. False: *ret_rule names the rule that is
 * broken (static text). */
bool repo_name_is_sane(struct bytes name, const char **ret_rule);

/* A whole path, components between '/'; as repo_name_is_sane(). */
bool repo_path_is_sane(struct bytes path, const char **ret_rule);

/* The target of a symbolic link that lies `depth` directories below the root of the tree: relative,
 * inside the tree, and not into a .git directory. ".." is taken at the start only: behind a name it
 * would climb from wherever that name leads, which may be another link. */
bool repo_link_is_sane(struct bytes target, unsigned depth, const char **ret_rule);

/* ".gitmodules" in any spelling that a file system takes for it. */
bool repo_name_is_gitmodules(struct bytes name);
