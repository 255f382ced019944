/* Raw git objects, read strictly: what git-fsck(1) would complain about is refused. Pure functions
 * on bytes. libgit2's own readers take much more than a sandbox should be allowed to hand in.
 * Formats: gitformat-pack(5) and "Git Objects" of the Git book. */
#pragma once

#include "server/base/bytes.h"
#include "server/base/err.h"

#include <git2/oid.h>
#include <stdint.h>

#define REPO_COMMIT_PARENTS 16U
#define REPO_COMMIT_OBJECT_BYTES ((size_t)1024 * 1024)
#define REPO_TREE_OBJECT_BYTES ((size_t)16 * 1024 * 1024)

enum repo_mode {
    REPO_MODE_TREE = 0040000,
    REPO_MODE_FILE = 0100644,
    REPO_MODE_EXECUTABLE = 0100755,
    REPO_MODE_LINK = 0120000,
    REPO_MODE_SUBMODULE = 0160000,
};

struct repo_entry {
    enum repo_mode mode;
    struct bytes name; /* followed by NUL */
    git_oid id;
};

struct repo_tree {
    struct repo_entry *entries; /* names borrowed from the object */
    size_t count;
};

void repo_tree_done(struct repo_tree *tree);

/* Read a tree object: names that repo_name_is_sane() takes, in git's order, none twice, ordinary
 * modes only. Borrows `raw`. Errors: ERR_INVALID naming the entry and the rule. */
MUST_CHECK int repo_tree_parse(struct bytes raw, struct repo_tree *ret_tree, struct err *err);

struct repo_commit_head {
    git_oid tree;
    git_oid parents[REPO_COMMIT_PARENTS];
    unsigned parent_count;
};

/* Read a commit object: headers in order, authors as git writes them, no NUL; of further headers
 * only an encoding and a signature, each once.
 * Errors: ERR_INVALID. */
MUST_CHECK int
repo_commit_parse(struct bytes raw, struct repo_commit_head *ret_commit, struct err *err);
