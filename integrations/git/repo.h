/* Git through libgit2: mirrors, hostile packs, diffs, branches.
 *
 * A mirror is a bare repository of ours per repository that is served; it holds only the refs that
 * are needed (the base branch, and refs/draftd/ for commits of runs). No configuration, hook,
 * filter or attribute that came out of a sandbox is ever read: sandboxes hand out packs, and packs
 * hold objects only. The libgit2 search paths for global and system configuration are emptied by
 * repo_init(). */
#pragma once

#include "server/base/bytes.h"
#include "server/base/err.h"
#include "server/base/secret.h"
#include "server/base/stop.h"
#include "server/base/strbuf.h"

#include <stddef.h>
#include <stdint.h>

#define REPO_COMMIT_BYTES 65 /* hexadecimal object id and terminator */

/* Once per process, before any other call and before threads. `ca_file`: certificates to be trusted
 * beside the system's, in PEM; or NULL (copied).   Errors: ERR_INVALID it cannot be read. */
MUST_CHECK int repo_init(const char *ca_file, struct err *err);

/* Where a repository is fetched from and pushed to. Borrowed. */
struct repo_remote {
    const char *url;  /* https://..., or an absolute path */
    const char *user; /* for HTTPS; NULL: none */
    const struct secret *password;
    const struct stop *stop; /* gives up when raised; or NULL */
    int64_t timeout_ms;      /* without any progress; 0: 60 seconds */
};

/* How long a look at what a sandbox handed out may take. */
struct repo_watch {
    const struct stop *stop; /* gives up when raised; or NULL */
    int64_t deadline_ms;     /* by clock_mono_ms(); 0: none */
};

/* Errors: ERR_CANCELED asked to stop; ERR_TIMEOUT the deadline is over. `watch` may be NULL. */
MUST_CHECK int repo_watch_check(const struct repo_watch *watch, struct err *err);

struct repo;

/* Open a mirror, creating it when it is not there.   Thread: the caller's only. Two threads may
 * have the same mirror open. Owns: *ret_repo is the caller's.   Errors: ERR_IO. */
MUST_CHECK int repo_open_mirror(const char *path, struct repo **ret_repo, struct err *err);

/* Open a repository that people work with (bare or not).  Errors: ERR_NOTFOUND no repository there.
 */
MUST_CHECK int repo_open(const char *path, struct repo **ret_repo, struct err *err);
void repo_free(struct repo *repo);
AUTO_DEFINE(struct repo *, repo_free)

/* The directory of its objects, to be mounted read-only as alternates. Borrowed. */
const char *repo_objects_dir(const struct repo *repo);

/* Bring one branch up to date (NULL: the remote's default branch, HEAD).
 * *ret_branch: its name, the caller's, free(); ret_commit: its commit.
 * Errors: ERR_AUTH credentials refused; ERR_DENIED not with these; ERR_NOTFOUND no such repository
 * or branch, or it is empty; ERR_UNAVAILABLE no connection; ERR_TIMEOUT; ERR_CANCELED; ERR_REMOTE. */
MUST_CHECK int repo_fetch(struct repo *repo,
                          const struct repo_remote *remote,
                          const char *branch,
                          char **ret_branch,
                          char ret_commit[REPO_COMMIT_BYTES],
                          struct err *err);

/* The commit of a local branch or full ref name.  Errors: ERR_NOTFOUND. */
MUST_CHECK int repo_resolve(struct repo *repo,
                            const char *ref,
                            char ret_commit[REPO_COMMIT_BYTES],
                            struct err *err);

/* The branch that HEAD names.  Errors: ERR_NOTFOUND detached or unborn. */
MUST_CHECK int repo_head_branch(struct repo *repo, char **ret_branch, struct err *err);

/* Append a file of a commit to `buf`.  Errors: ERR_NOTFOUND; ERR_LIMIT over the buffer's maximum;
 * ERR_INVALID it is a symbolic link, directory or submodule. */
MUST_CHECK int repo_read_file(
    struct repo *repo, const char *commit, const char *path, struct strbuf *buf, struct err *err);

/* Append a blob to `buf`.  Errors: ERR_NOTFOUND; ERR_LIMIT over the buffer's maximum; ERR_INVALID no
 * blob. */
MUST_CHECK int
repo_read_blob(struct repo *repo, const char *id, struct strbuf *buf, struct err *err);

/* What an exported pack may hold. */
struct repo_import_limits {
    int64_t max_commits; /* above the base */
    int64_t max_blob_bytes;
    int64_t max_files;     /* in one tree walk of what changed */
    bool allow_submodules; /* changes of gitlinks or .gitmodules */
    const char *merged;    /* a commit of ours whose history may be merged in; or NULL */
    struct repo_watch watch;
};

/* A hostile pack in quarantine. */
struct repo_import;

/* Take in a hostile pack: index it in a quarantine directory inside the mirror, verify every
 * object, then walk what lies between `base` and `commit`: only commits that descend from the base,
 * trees with sane names (no "", ".", "..", ".git" in any of its disguises on other file systems, no
 * '/', no control character, no duplicate), no symbolic link that leaves the tree, only ordinary
 * modes, no submodule change unless allowed, every object present. The mirror is as it was: sandboxes
 * see its objects, and so does a push.
 * Owns: *ret_import is the caller's, repo_import_free().   Borrows: repo, until then.
 * Errors: ERR_INVALID with the reason, naming path and rule; ERR_LIMIT; ERR_IO; as repo_watch_check(). */
MUST_CHECK int repo_import_open(struct repo *repo,
                                int pack_fd, /* a pipe, or a file, which is read from its start */
                                const char *base,
                                const char *commit,
                                const struct repo_import_limits *limits,
                                struct repo_import **ret_import,
                                struct err *err);

/* The mirror as it would be with the pack: to be read and compared only. Borrowed from the import. */
struct repo *repo_import_view(struct repo_import *import);

/* Move the pack into the mirror, and point `ref` (below refs/draftd/) at the commit so that it is
 * kept.   Errors: ERR_IO; ERR_INVALID not such a ref. */
MUST_CHECK int repo_import_accept(struct repo_import *import, const char *ref, struct err *err);

/* Remove what is left in quarantine. */
void repo_import_free(struct repo_import *import);
AUTO_DEFINE(struct repo_import *, repo_import_free)

enum repo_change_kind { REPO_ADDED, REPO_MODIFIED, REPO_DELETED, REPO_RENAMED };

struct repo_change {
    char *path;
    char *old_path; /* REPO_RENAMED; else NULL */
    enum repo_change_kind kind;
    int64_t added_lines;
    int64_t deleted_lines;
    bool binary;  /* the contents are no text: not compared line by line */
    bool large;   /* over REPO_TEXT_BYTES before or after: not compared line by line */
    bool retyped; /* a link or submodule became a file, or the like: not compared line by line */
    bool executable;
    int64_t old_bytes;                /* size of the old blob */
    int64_t new_bytes;                /* size of the new blob */
    char old_blob[REPO_COMMIT_BYTES]; /* what a file or link holds; "": there was none */
    char new_blob[REPO_COMMIT_BYTES];
};

struct repo_diff {
    struct repo_change *items; /* by path */
    size_t count;
    int64_t added_lines;
    int64_t deleted_lines;
};

void repo_diff_done(struct repo_diff *diff);

/* A larger file is not compared line by line: comparing costs time and memory out of proportion,
 * and a sandbox chose the contents. */
#define REPO_TEXT_BYTES (512U * 1024)

/* Called for each added line of text (without its end).  Non-zero stops and is returned. */
typedef int (*repo_line_fn)(void *ctx, const char *path, int64_t line, struct bytes text);

struct repo_diff_options {
    repo_line_fn added_line; /* or NULL */
    void *ctx;
    struct repo_watch watch;
};

/* The difference of two commits' trees, renames found (where not more than 1000 files are changed).
 * `added_line` sees every added line, of new files too, but of those only that are compared so.
 * `options`: NULL for none.   Errors: as repo_watch_check(). */
MUST_CHECK int repo_diff(struct repo *repo,
                         const char *base,
                         const char *commit,
                         const struct repo_diff_options *options,
                         struct repo_diff *ret_diff,
                         struct err *err);

/* Append the unified diff as text, cut at `max` bytes with a line saying so. */
MUST_CHECK int repo_diff_text(struct repo *repo,
                              const char *base,
                              const char *commit,
                              size_t max,
                              struct strbuf *buf,
                              struct err *err);

/* The best common ancestor of two commits.  Errors: ERR_NOTFOUND they have none, or
 * one of them is not here. */
MUST_CHECK int repo_merge_base(struct repo *repo,
                               const char *one,
                               const char *other,
                               char ret_commit[REPO_COMMIT_BYTES],
                               struct err *err);

/* Set the branch at the remote to `commit`. `expected` is the commit that the branch must have
 * there now, NULL: it must not exist. Already at `commit` is success. Never forces over anything
 * else. Only what the remote lacks is sent; for that a mirror that fell behind is brought up to
 * date. A path remote is written directly (objects copied, ref created), also when it is not bare,
 * but never below a branch that is checked out there. Errors: ERR_CONFLICT the branch is somewhere
 * else, or checked out; ERR_AUTH; ERR_DENIED; ERR_INVALID the remote declined (its words in the
 * message); ERR_NOTFOUND no such repository; ERR_UNAVAILABLE; ERR_TIMEOUT; ERR_CANCELED; ERR_REMOTE. */
MUST_CHECK int repo_push(struct repo *repo,
                         const struct repo_remote *remote,
                         const char *branch,
                         const char *commit,
                         const char *expected,
                         struct err *err);

/* The commit of a branch at the remote.  Errors: ERR_NOTFOUND no such branch; as repo_fetch(). */
MUST_CHECK int repo_remote_branch(struct repo *repo,
                                  const struct repo_remote *remote,
                                  const char *branch,
                                  char ret_commit[REPO_COMMIT_BYTES],
                                  struct err *err);
