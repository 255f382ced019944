/* Packs from a sandbox that are in order, and that an accepted one opens no way around the rules.
 */
#include "server/base/clock.h"
#include "tests/integrations/git/repo_import_fixture.h"

/* Every pack goes into a mirror of its own. */
static struct repo *
fresh_mirror(const char *name)
{
    struct repo *repo = NULL;

    begin_pack();
    RUN("cp -r mirror.git %s", name);
    CHECK_OK(repo_open_mirror(fixture_path(0, name), &repo, &err), err);
    return repo;
}

static int
import_into(struct repo *repo, git_oid commit, const struct repo_import_limits *limits)
{
    auto_close int fd = pack_open(&pack);
    char id[GIT_OID_HEXSZ + 1];

    git_oid_tostr(id, sizeof id, &commit);
    return import_pack(repo, fd, id, "refs/draftd/run-1", limits);
}

static void
check_ref(struct repo *repo, git_oid commit)
{
    char id[REPO_COMMIT_BYTES];

    CHECK_OK(repo_resolve(repo, "refs/draftd/run-1", id, &err), err);
    CHECK_STR(id, git_oid_tostr_s(&commit));
}

TEST(what_git_packs_is_taken)
{
    AUTO(repo_free) struct repo *repo = fresh_mirror("good.git");
    char id[65];

    RUN("cd work; git checkout -q -b good; echo more >>a; mkdir -p new/deep; echo n >new/deep/n; "
        "ln -s ../dir/b new/l;"
        "printf '#!/bin/sh\\n' >run; chmod +x run; git add .; git commit -qm one; git mv dir "
        "moved; git commit -qm two;"
        "git checkout -q -b side main; echo s >side; git add .; git commit -qm side; git checkout "
        "-q good;"
        "git merge -q -m merge side; git rev-parse HEAD >../good;"
        "printf '%%s\\n^%s\\n' $(git rev-parse HEAD) | git pack-objects --revs --stdout -q "
        ">../good.pack",
        base);
    snprintf(id, sizeof id, "%s", fixture_text("good"));
    auto_close int fd = open(fixture_path(0, "good.pack"), O_RDONLY);
    CHECK_OK(import_pack(repo, fd, id, "refs/draftd/run-1", &ordinary), err);
    check_ref(repo, id_of(id));
    RUN("cd good.git; git fsck --full --strict; test -z \"$(ls quarantine)\"; git log --oneline "
        "refs/draftd/run-1;"
        "git diff --quiet refs/draftd/run-1 %s || test $? = 1; git cat-file -e "
        "refs/draftd/run-1:new/deep/n",
        base);
    /* Again, as after a crash between import and its record. */
    CHECK_OK(import_pack(repo, fd, id, "refs/draftd/run-1", &ordinary), err);
    RUN("cd good.git; git fsck --full --strict; test \"$(ls objects/pack/*.pack | wc -l)\" = 2");
}

TEST(a_pack_may_come_through_a_pipe)
{
    AUTO(repo_free) struct repo *repo = fresh_mirror("pipe.git");
    int ends[2];

    const git_oid commit = on_base(id_of(base_tree));
    pack_end(&pack);
    CHECK_INT(pipe(ends), 0);
    CHECK_OK(fs_write_all(ends[1], bytes_of(pack.bytes.ptr, pack.bytes.len), &err), err);
    close(ends[1]);
    char id[65];
    git_oid_tostr(id, sizeof id, &commit);
    CHECK_OK(import_pack(repo, ends[0], id, "refs/draftd/run-1", &ordinary), err);
    close(ends[0]);
    check_ref(repo, commit);
}

TEST(more_commits_on_accepted_ones_are_taken)
{
    AUTO(repo_free) struct repo *repo = fresh_mirror("twice.git");
    char id[65];

    const git_oid one =
        on_base(pack_add_tree(&pack, "40000", "dir", id_of(fixture_text("dir_tree"))));
    struct repo_import_limits limits = ordinary;
    limits.allow_submodules = true;
    pack_end(&pack);
    CHECK_OK(import_into(repo, one, &limits), err);
    pack_begin(&pack);
    git_oid_tostr(id, sizeof id, &one);
    const git_oid tree = pack_add_tree(&pack, "100644", "x", pack_add_text(&pack, "x"));
    const git_oid two = pack_add_commit(&pack, tree, id, older);
    pack_end(&pack);
    CHECK_OK(import_into(repo, two, &limits), err);
    check_ref(repo, two);
    RUN("git -C twice.git fsck --full --strict");
}

TEST(an_accepted_pack_is_no_way_around_the_rules)
{
    AUTO(repo_free) struct repo *repo = fresh_mirror("smuggle.git");
    struct repo_import_limits limits = ordinary;

    limits.allow_submodules = true;
    /* A hostile tree that no commit names comes along with a good commit ... */
    const git_oid evil = pack_add_tree(&pack, "100644", "..", pack_add_text(&pack, "x"));
    const git_oid good = on_base(id_of(base_tree));
    pack_end(&pack);
    CHECK_OK(import_into(repo, good, &limits), err);
    /* ... and is there when the next pack refers to it. */
    pack_begin(&pack);
    const git_oid commit = on_base(pack_add_tree(&pack, "40000", "d", evil));
    pack_end(&pack);
    CHECK_INT(import_into(repo, commit, &limits), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "in 'd/': '..'");
}

TEST(an_import_ends_when_it_is_asked_to)
{
    AUTO(repo_free) struct repo *repo = fresh_mirror("asked.git");
    AUTO(stop_free) struct stop *stop = NULL;
    struct repo_import_limits limits = ordinary;
    char id[REPO_COMMIT_BYTES];

    limits.allow_submodules = true;
    CHECK_OK(stop_new(&stop, &err), err);
    const git_oid commit = on_base(id_of(base_tree));
    pack_end(&pack);
    limits.watch = (struct repo_watch){.stop = stop, .deadline_ms = clock_mono_ms() - 1};
    CHECK_INT(import_into(repo, commit, &limits), ERR_TIMEOUT);
    limits.watch.deadline_ms = clock_mono_ms() + MS_PER_MINUTE;
    stop_raise(stop);
    CHECK_INT(import_into(repo, commit, &limits), ERR_CANCELED);
    CHECK_INT(repo_resolve(repo, "refs/draftd/run-1", id, &err), ERR_NOTFOUND);
    RUN("test -z \"$(ls asked.git/quarantine)\"");
    limits.watch.stop = NULL;
    CHECK_OK(import_into(repo, commit, &limits), err);
    check_ref(repo, commit);
}

TEST(commits_that_git_would_write_are_taken)
{
#define WHO "Ada <a@b> 1 +0000\n"
    static const char *const texts[] = {
        "author " WHO "committer " WHO "\nx",
        "author " WHO "committer " WHO "\n",
        "author " WHO "committer " WHO "encoding ISO-8859-1\n\nx",
        "author " WHO "committer " WHO "gpgsig -----BEGIN x\n \n x\n -----END x\n\nx",
        "author " WHO "committer " WHO "encoding a\ngpgsig b\n c\n\nx-note x",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        AUTO(repo_free) struct repo *repo = fresh_mirror("odd.git");
        const git_oid commit = odd_commit(texts[i], strlen(texts[i]));
        pack_end(&pack);
        CHECK_OK(import_into(repo, commit, &ordinary), err);
        check_ref(repo, commit);
        RUN("rm -rf odd.git");
    }
#undef WHO
}

TEST(submodules_may_change_where_allowed)
{
    AUTO(repo_free) struct repo *repo = fresh_mirror("modules.git");
    struct repo_import_limits limits = ordinary;

    limits.allow_submodules = true;
    const git_oid commit = on_base(pack_add_tree(&pack, "160000", "module", id_of(base)));
    pack_end(&pack);
    CHECK_OK(import_into(repo, commit, &limits), err);
    check_ref(repo, commit);
}

TEST(a_very_large_directory_is_taken)
{
    AUTO(repo_free) struct repo *repo = fresh_mirror("large.git");
    const struct repo_import_limits limits = {.max_commits = 10,
                                              .max_blob_bytes = 1 << 20,
                                              .max_files = 100001,
                                              .allow_submodules = true};
    struct strbuf tree = STRBUF_INIT(8 << 20);
    char name[32];

    const git_oid blob = pack_add_text(&pack, "x");
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof name, "file-%06d", i);
        tree_add(&tree, "100644", name, blob);
    }
    const git_oid commit = on_base(pack_add(&pack, GIT_OBJECT_TREE, bytes_of(tree.ptr, tree.len)));
    pack_end(&pack);
    CHECK_OK(import_into(repo, commit, &limits), err);
    /* One more file in it is one change, not 100 001. */
    pack_begin(&pack);
    const git_oid other = pack_add_text(&pack, "y");
    tree_add(&tree, "100644", "last", other);
    char id[65];
    git_oid_tostr(id, sizeof id, &commit);
    const git_oid next = pack_add_commit(
        &pack, pack_add(&pack, GIT_OBJECT_TREE, bytes_of(tree.ptr, tree.len)), id, NULL);
    pack_end(&pack);
    CHECK_OK(import_into(repo, next, &limits), err);
    strbuf_done(&tree);
    check_ref(repo, next);
}

TEST_MAIN()
