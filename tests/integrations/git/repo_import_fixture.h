/* A mirror with a base for packs to be made on: shared by the tests of refused and of accepted
 * ones. */
#pragma once

#include "tests/integrations/git/repo_fixture.h"

#include <fcntl.h>

static struct err err;
static struct pack pack = PACK_INIT;
static struct repo *mirror;
static char base[65]; /* tip of the mirror's main */
static char base_tree[65];
static char older[65];            /* its parent */
UNUSED static git_oid sub_module; /* some commit id that is nowhere */

/* A mirror with a base of two commits: a, dir/b, dir/inner/c, module (a submodule), .gitmodules,
 * out (a link that leaves the tree; the base may). */
static void
begin(void)
{
    if (mirror)
        return;
    fixture_begin();
    sub_module = id_of("1234567890123456789012345678901234567890");
    RUN("git init -q -b main work; cd work; mkdir -p dir/inner module; echo a >a; echo b >dir/b; "
        "echo c "
        ">dir/inner/c;"
        "ln -s /etc out; echo '[submodule \"m\"]' >.gitmodules; git add .;"
        "git update-index --add --cacheinfo 160000,1234567890123456789012345678901234567890,module;"
        "git commit -qm older; git rev-parse HEAD >../older; echo a2 >a; git add a; git commit -qm "
        "base;"
        "git rev-parse HEAD >../base; git rev-parse HEAD^{tree} >../base_tree; git rev-parse "
        "HEAD:dir >../dir_tree;"
        "git rev-parse HEAD:a >../a_blob");
    snprintf(base, sizeof base, "%s", fixture_text("base"));
    snprintf(older, sizeof older, "%s", fixture_text("older"));
    snprintf(base_tree, sizeof base_tree, "%s", fixture_text("base_tree"));
    CHECK_OK(repo_open_mirror(fixture_path(0, "mirror.git"), &mirror, &err), err);
    const struct repo_remote remote = {.url = fixture_path(1, "work")};
    char commit[REPO_COMMIT_BYTES];
    auto_free char *branch = NULL;
    CHECK_OK(repo_fetch(mirror, &remote, NULL, &branch, commit, &err), err);
    CHECK_STR(commit, base);
}

UNUSED static const struct repo_import_limits ordinary = {
    .max_commits = 10, .max_blob_bytes = 1 << 20, .max_files = 1000};

UNUSED static void
begin_pack(void)
{
    begin();
    pack_begin(&pack);
}

/* A commit on the base whose tree is this. */
UNUSED static git_oid
on_base(git_oid tree)
{
    return pack_add_commit(&pack, tree, base, NULL);
}

/* A commit object with this text after its parent. */
UNUSED static git_oid
odd_commit(const char *rest, size_t len)
{
    struct strbuf text = STRBUF_INIT(8192);

    strbuf_addf(&text, "tree %s\nparent %s\n", base_tree, base);
    strbuf_add(&text, rest, len);
    const git_oid id = pack_add(&pack, GIT_OBJECT_COMMIT, bytes_of(text.ptr, text.len));
    strbuf_done(&text);
    return id;
}

/* Take a pack in and accept it at once. */
UNUSED static int
import_pack(struct repo *repo,
            int fd,
            const char *commit,
            const char *ref,
            const struct repo_import_limits *limits)
{
    AUTO(repo_import_free) struct repo_import *import = NULL;
    const int r = repo_import_open(repo, fd, base, commit, limits, &import, &err);

    return r ? r : repo_import_accept(import, ref, &err);
}
