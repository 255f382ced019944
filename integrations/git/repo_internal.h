/* What the repo_*.c files share: the open repository, libgit2's errors in our terms, and scratch
 * directories. Nobody else includes this. */
#pragma once

#include "integrations/git/repo.h"

#include <git2.h>

struct repo {
    git_repository *git;
    char *path;        /* as it was opened, without a slash at its end */
    char *objects_dir; /* absolute */
    bool mirror;       /* ours: has quarantine/ and fetch.lock */
};

AUTO_DEFINE(git_blob *, git_blob_free)
AUTO_DEFINE(git_commit *, git_commit_free)
AUTO_DEFINE(git_diff *, git_diff_free)
AUTO_DEFINE(git_indexer *, git_indexer_free)
AUTO_DEFINE(git_object *, git_object_free)
AUTO_DEFINE(git_odb *, git_odb_free)
AUTO_DEFINE(git_odb_object *, git_odb_object_free)
AUTO_DEFINE(git_packbuilder *, git_packbuilder_free)
AUTO_DEFINE(git_patch *, git_patch_free)
AUTO_DEFINE(git_reference *, git_reference_free)
AUTO_DEFINE(git_reference_iterator *, git_reference_iterator_free)
AUTO_DEFINE(git_repository *, git_repository_free)
AUTO_DEFINE(git_revwalk *, git_revwalk_free)
AUTO_DEFINE(git_tree *, git_tree_free)
AUTO_DEFINE(git_tree_entry *, git_tree_entry_free)

/* Let the making of a difference end when `watch` (borrowed; may be NULL) says so. It then fails in
 * some way; repo_watch_check() tells why. */
void repo_watch_diff(git_diff_options *options, const struct repo_watch *watch);

/* Report a failed call of libgit2 (`result` < 0): our message, then the library's. */
int repo_git_error(struct err *err, int result, const char *format, ...) PRINTF_LIKE(3, 4);

/* Read a whole object id in lower-case hexadecimal.  Errors: ERR_INVALID. */
MUST_CHECK int repo_parse_id(const char *text, git_oid *ret_id, struct err *err);

/* The commit `id`.  Errors: ERR_NOTFOUND not here; ERR_INVALID another kind of object. */
MUST_CHECK int
repo_load_commit(git_repository *git, const char *id, git_commit **ret_commit, struct err *err);

/* "refs/heads/`branch`".  Owns: *ret_name is the caller's, free().
 * Errors: ERR_INVALID not a name that git allows. */
MUST_CHECK int repo_branch_ref(const char *branch, char **ret_name, struct err *err);

/* A fresh directory below the mirror's quarantine/, on the same file system as its objects. What a
 * crash leaves there is removed by a later repo_open_mirror().
 * Owns: *ret_path is the caller's, repo_scratch_free(), which removes the directory too. */
MUST_CHECK int repo_scratch_new(const struct repo *repo, char **ret_path, struct err *err);
void repo_scratch_free(char *path);
AUTO_DEFINE(char *, repo_scratch_free)
