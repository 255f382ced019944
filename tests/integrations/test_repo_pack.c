/* Packs from a sandbox that lies: each rule of repo_import_pack(), and that a refused pack leaves
 * the mirror as it was. */
#include "tests/integrations/repo_fixture.h"

#include <fcntl.h>

static struct err err;
static struct pack pack = PACK_INIT;
static struct repo *mirror;
static char base[65]; /* tip of the mirror's main */
static char base_tree[65];
static char older[65];     /* its parent */
static git_oid sub_module; /* some commit id that is nowhere */

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

static const struct repo_import_limits ordinary = {
    .max_commits = 10, .max_blob_bytes = 1 << 20, .max_files = 1000};

/* Import the pack in the making as it is. */
static int
import_raw(git_oid commit, const struct repo_import_limits *limits)
{
    auto_close int fd = pack_open(&pack);
    char id[GIT_OID_HEXSZ + 1];

    git_oid_tostr(id, sizeof id, &commit);
    return repo_import_pack(mirror, fd, base, id, "refs/draftd/run-1", limits, &err);
}

static int
import(git_oid commit)
{
    pack_end(&pack);
    return import_raw(commit, &ordinary);
}

/* Nothing of a refused pack may be left. */
static void
check_untouched(void)
{
    RUN("cd mirror.git; test -z \"$(git for-each-ref refs/draftd)\"; test -z \"$(ls quarantine)\";"
        "test \"$(ls objects/pack/*.pack | wc -l)\" = 1; git fsck --full --strict");
}

#define CHECK_REFUSED(commit, code, part)                                                          \
    do {                                                                                           \
        CHECK_INT(import(commit), code);                                                           \
        CHECK_CONTAINS(err.msg, part);                                                             \
        check_untouched();                                                                         \
    } while (0)

static void
begin_pack(void)
{
    begin();
    pack_begin(&pack);
}

/* A commit on the base whose tree is this. */
static git_oid
on_base(git_oid tree)
{
    return pack_add_commit(&pack, tree, base, NULL);
}

TEST(an_entry_name_that_is_hostile_is_refused)
{
    static const char *const names[] = {
        "..",      ".",   ".git", ".GIT", "git~1", ".g\xe2\x80\x8cit",        ".git ",
        ".git...", "a/b", "../x", "/etc", "a\nb",  ".git::$INDEX_ALLOCATION", "x\\.git",
        ""};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        begin_pack();
        const git_oid blob = pack_add_text(&pack, "hook");
        CHECK_REFUSED(on_base(pack_add_tree(&pack, "100644", names[i], blob)), ERR_INVALID, "name");
    }
}

TEST(a_directory_with_a_hostile_name_is_refused_also_deep_down)
{
    begin_pack();
    git_oid tree = pack_add_tree(&pack, "100755", "pre-commit", pack_add_text(&pack, "hook"));
    tree = pack_add_tree(&pack, "40000", ".Git", tree);
    tree = pack_add_tree(&pack, "40000", "b", tree);
    tree = pack_add_tree(&pack, "40000", "a", tree);
    CHECK_REFUSED(on_base(tree), ERR_INVALID, "in 'a/b/': '.Git'");
}

TEST(links_out_of_the_tree_are_refused)
{
    static const char *const targets[] = {"/etc/passwd", "..",           "../x",
                                          "a/../../x",   ".git/hooks/x", ""};

    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        begin_pack();
        const git_oid blob = pack_add_text(&pack, targets[i]);
        CHECK_REFUSED(on_base(pack_add_tree(&pack, "120000", "link", blob)), ERR_INVALID,
                      "'link': a symbolic link");
    }
}

TEST(an_enormous_link_is_refused)
{
    auto_free char *target = malloc(5001);

    memset(target, 'x', 5000);
    target[5000] = '\0';
    begin_pack();
    const git_oid blob = pack_add_text(&pack, target);
    CHECK_REFUSED(on_base(pack_add_tree(&pack, "120000", "link", blob)), ERR_LIMIT, "link");
}

TEST(gitmodules_as_a_link_is_refused_even_where_submodules_may_change)
{
    struct repo_import_limits limits = ordinary;

    limits.allow_submodules = true;
    begin_pack();
    const git_oid commit =
        on_base(pack_add_tree(&pack, "120000", ".gitmodules", pack_add_text(&pack, "a")));
    pack_end(&pack);
    CHECK_INT(import_raw(commit, &limits), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "must not be a symbolic link");
    check_untouched();
}

TEST(submodules_may_not_come_change_or_go)
{
    struct strbuf tree = STRBUF_INIT(4096);

    begin_pack();
    CHECK_REFUSED(on_base(pack_add_tree(&pack, "160000", "new", sub_module)), ERR_INVALID,
                  "'new': changes to submodules");
    begin_pack();
    CHECK_REFUSED(on_base(pack_add_tree(&pack, "160000", "module", id_of(base))), ERR_INVALID,
                  "submodules");
    begin_pack();
    CHECK_REFUSED(on_base(pack_add_tree(&pack, "100644", ".gitmodules", pack_add_text(&pack, "x"))),
                  ERR_INVALID, "'.gitmodules': changes");
    begin_pack();
    CHECK_REFUSED(on_base(pack_add_tree(&pack, "100644", "gitmod~1", pack_add_text(&pack, "x"))),
                  ERR_INVALID, "'gitmod~1': changes");
    begin_pack(); /* everything but one file removed */
    CHECK_REFUSED(on_base(pack_add_tree(&pack, "100644", "a", pack_add_text(&pack, "x"))),
                  ERR_INVALID, "changes to submodules");
    strbuf_done(&tree);
}

TEST(extraordinary_modes_are_refused)
{
    static const char *const modes[] = {
        "100600", "100666", "0100644", "040000", "100664",          "0",
        "777",    "60000",  "99999",   "",       "4000000000000000"};

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        begin_pack();
        const git_oid blob = pack_add_text(&pack, "x");
        CHECK_REFUSED(on_base(pack_add_tree(&pack, modes[i], "x", blob)), ERR_INVALID, "mode");
    }
}

TEST(duplicate_and_unordered_entries_are_refused)
{
    struct strbuf tree = STRBUF_INIT(4096);

    begin_pack();
    git_oid blob = pack_add_text(&pack, "x");
    tree_add(&tree, "100644", "a", blob);
    tree_add(&tree, "100644", "a", blob);
    CHECK_REFUSED(on_base(pack_add(&pack, GIT_OBJECT_TREE, bytes_of(tree.ptr, tree.len))),
                  ERR_INVALID, "'a': a directory holds this name twice");

    begin_pack();
    blob = pack_add_text(&pack, "x");
    const git_oid sub = pack_add_tree(&pack, "100644", "y", blob);
    strbuf_reset(&tree);
    tree_add(&tree, "100644", "a", blob);
    tree_add(&tree, "100644", "a.b",
             blob); /* sorts between the file and the directory of one name */
    tree_add(&tree, "40000", "a", sub);
    CHECK_REFUSED(on_base(pack_add(&pack, GIT_OBJECT_TREE, bytes_of(tree.ptr, tree.len))),
                  ERR_INVALID, "twice");

    begin_pack();
    blob = pack_add_text(&pack, "x");
    strbuf_reset(&tree);
    tree_add(&tree, "100644", "b", blob);
    tree_add(&tree, "100644", "a", blob);
    CHECK_REFUSED(on_base(pack_add(&pack, GIT_OBJECT_TREE, bytes_of(tree.ptr, tree.len))),
                  ERR_INVALID, "order");
    strbuf_done(&tree);
}

TEST(a_tree_cut_short_is_refused)
{
    static const char *const trees[] = {"100644", "100644 a", "x", "100644 a\0short"};
    static const size_t sizes[] = {6, 8, 1, 14};

    for (size_t i = 0; i < 4; i++) {
        begin_pack();
        CHECK_REFUSED(on_base(pack_add(&pack, GIT_OBJECT_TREE, bytes_of(trees[i], sizes[i]))),
                      ERR_INVALID, "cut short");
    }
}

TEST(commits_must_descend_from_the_base)
{
    begin_pack();
    git_oid tree = pack_add_tree(&pack, "100644", "x", pack_add_text(&pack, "x"));
    CHECK_REFUSED(pack_add_commit(&pack, tree, NULL, NULL), ERR_INVALID, "no parent");

    begin_pack();
    tree = pack_add_tree(&pack, "100644", "x", pack_add_text(&pack, "x"));
    CHECK_REFUSED(pack_add_commit(&pack, tree, older, NULL), ERR_INVALID, "does not descend");

    begin_pack(); /* a second root that is merged in */
    tree = pack_add_tree(&pack, "100644", "x", pack_add_text(&pack, "x"));
    const git_oid root = pack_add_commit(&pack, tree, NULL, NULL);
    char root_id[65];
    git_oid_tostr(root_id, sizeof root_id, &root);
    CHECK_REFUSED(pack_add_commit(&pack, id_of(base_tree), base, root_id), ERR_INVALID,
                  "no parent");

    begin_pack(); /* nothing above the base */
    CHECK_REFUSED(id_of(base), ERR_INVALID, "no commit above");

    begin_pack(); /* a parent that nobody has */
    CHECK_REFUSED(
        pack_add_commit(&pack, id_of(base_tree), base, "00000000000000000000000000000000000000aa"),
        ERR_INVALID, "missing");
}

TEST(what_is_wanted_must_be_a_commit_that_is_there)
{
    begin_pack();
    pack_add_text(&pack, "x");
    CHECK_REFUSED(id_of("00000000000000000000000000000000000000aa"), ERR_INVALID, "missing");
    begin_pack();
    CHECK_REFUSED(pack_add_text(&pack, "x"), ERR_INVALID, "is a blob where a commit belongs");
}

TEST(missing_objects_are_refused)
{
    const git_oid nowhere = id_of("00000000000000000000000000000000000000aa");

    begin_pack();
    CHECK_REFUSED(on_base(pack_add_tree(&pack, "100644", "x", nowhere)), ERR_INVALID,
                  "'x': its contents are missing");
    begin_pack();
    CHECK_REFUSED(on_base(pack_add_tree(&pack, "40000", "x", nowhere)), ERR_INVALID, "tree");
    begin_pack();
    CHECK_REFUSED(on_base(nowhere), ERR_INVALID, "missing");
}

TEST(objects_of_the_wrong_kind_are_refused)
{
    begin_pack();
    CHECK_REFUSED(on_base(pack_add_tree(&pack, "100644", "x", id_of(base_tree))), ERR_INVALID,
                  "not a file's");
    begin_pack();
    CHECK_REFUSED(on_base(pack_add_tree(&pack, "40000", "x", pack_add_text(&pack, "x"))),
                  ERR_INVALID, "is a blob");
    begin_pack();
    CHECK_REFUSED(on_base(pack_add_text(&pack, "x")), ERR_INVALID, "is a blob");
}

/* A commit object with this text after its parent. */
static git_oid
odd_commit(const char *rest, size_t len)
{
    struct strbuf text = STRBUF_INIT(8192);

    strbuf_addf(&text, "tree %s\nparent %s\n", base_tree, base);
    strbuf_add(&text, rest, len);
    const git_oid id = pack_add(&pack, GIT_OBJECT_COMMIT, bytes_of(text.ptr, text.len));
    strbuf_done(&text);
    return id;
}

TEST(commits_that_git_would_not_write_are_refused)
{
#define WHO "Ada <a@b> 1 +0000\n"
    static const char *const texts[] = {
        "",
        "author " WHO,
        "committer " WHO "author " WHO "\nx",
        "author Ada 1 +0000\ncommitter " WHO "\nx",
        "author Ada <a@b> x +0000\ncommitter " WHO "\nx",
        "author Ada <a@b> 99999999999999999999 +0000\ncommitter " WHO "\nx",
        "author Ada <a@b> 1 0000\ncommitter " WHO "\nx",
        "author Ada <a<b> 1 +0000\ncommitter " WHO "\nx",
        "author Ada<a@b> 1 +0000\ncommitter " WHO "\nx",
        "parent 12\nauthor " WHO "committer " WHO "\nx",
        "author Ada <a@b>\ncommitter " WHO "\nx",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        begin_pack();
        CHECK_REFUSED(odd_commit(texts[i], strlen(texts[i])), ERR_INVALID, "commit ");
    }
    begin_pack();
    CHECK_REFUSED(odd_commit("author " WHO "committer " WHO "\na\0b",
                             sizeof "author " WHO "committer " WHO "\na\0b" - 1),
                  ERR_INVALID, "NUL");
#undef WHO
}

TEST(limits_hold)
{
    struct strbuf tree = STRBUF_INIT(1 << 20);
    auto_free char *zeros = calloc(1, (1 << 20) + 1);
    char name[32];

    begin_pack();
    CHECK_REFUSED(
        on_base(pack_add_tree(&pack, "100644", "big",
                              pack_add(&pack, GIT_OBJECT_BLOB, bytes_of(zeros, (1 << 20) + 1)))),
        ERR_LIMIT, "'big': 1048577 bytes");

    begin_pack();
    const git_oid blob = pack_add_text(&pack, "x");
    for (int i = 0; i < 1001; i++) {
        snprintf(name, sizeof name, "f%04d", i);
        tree_add(&tree, "100644", name, blob);
    }
    CHECK_REFUSED(on_base(pack_add(&pack, GIT_OBJECT_TREE, bytes_of(tree.ptr, tree.len))),
                  ERR_LIMIT, "more than 1000 files");
    strbuf_done(&tree);

    begin_pack();
    git_oid commit = id_of(base);
    for (int i = 0; i < 11; i++) {
        char parent[65];
        git_oid_tostr(parent, sizeof parent, &commit);
        commit = pack_add_commit(&pack, id_of(base_tree), parent, NULL);
    }
    CHECK_REFUSED(commit, ERR_LIMIT, "more than 10 commits");

    begin_pack();
    git_oid deep = pack_add_tree(&pack, "100644", "x", pack_add_text(&pack, "x"));
    for (int i = 0; i < 130; i++)
        deep = pack_add_tree(&pack, "40000", "d", deep);
    CHECK_REFUSED(on_base(deep), ERR_LIMIT, "deeper than");
}

/* Ten directories in ten directories in ...: few objects, 10^12 paths. */
TEST(a_tree_bomb_is_refused_in_time)
{
    struct repo_import_limits limits = ordinary;

    limits.max_files = 100000;
    begin_pack();
    git_oid id = pack_add_text(&pack, "boom");
    for (int level = 0; level < 12; level++) {
        struct strbuf tree = STRBUF_INIT(4096);
        for (char name[2] = "0"; name[0] <= '9'; name[0]++)
            tree_add(&tree, level ? "40000" : "100644", name, id);
        id = pack_add(&pack, GIT_OBJECT_TREE, bytes_of(tree.ptr, tree.len));
        strbuf_done(&tree);
    }
    const git_oid commit = on_base(id);
    pack_end(&pack);
    CHECK_INT(import_raw(commit, &limits), ERR_LIMIT);
    check_untouched();
}

TEST(broken_packs_are_refused)
{
    begin_pack();
    git_oid commit = on_base(pack_add_tree(&pack, "100644", "x", pack_add_text(&pack, "x")));
    pack_end(&pack);
    strbuf_truncate(&pack.bytes, pack.bytes.len - 7);
    CHECK_INT(import_raw(commit, &ordinary), ERR_INVALID);
    check_untouched();

    begin_pack();
    commit = on_base(pack_add_tree(&pack, "100644", "x", pack_add_text(&pack, "x")));
    pack_end(&pack);
    pack.bytes.ptr[pack.bytes.len - 1] ^= 1;
    CHECK_INT(import_raw(commit, &ordinary), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "trailer");
    check_untouched();

    begin_pack();
    commit = on_base(pack_add_tree(&pack, "100644", "x", pack_add_text(&pack, "x")));
    pack_end(&pack);
    strbuf_add_str(&pack.bytes, "trailing garbage");
    CHECK_INT(import_raw(commit, &ordinary), ERR_INVALID);
    check_untouched();

    strbuf_reset(&pack.bytes);
    CHECK_INT(import_raw(commit, &ordinary), ERR_INVALID);
    check_untouched();
}

TEST(a_thin_pack_is_refused)
{
    begin_pack();
    const git_oid a = id_of(fixture_text("a_blob"));
    /* "a2\n" out of the mirror: sizes 3 and 3, copy 3 bytes. */
    pack_add_raw(&pack, 7, 4, bytes_of(a.id, 20), bytes_of("\x03\x03\x90\x03", 4));
    const git_oid commit = on_base(pack_add_tree(&pack, "100644", "x", a));
    CHECK_INT(import(commit), ERR_INVALID);
    check_untouched();
}

/* 64 MiB out of each delta of seven bytes per copy: small in the pack, terabytes in memory. */
TEST(a_delta_bomb_is_refused)
{
    auto_free char *zeros = calloc(1, 1 << 20);
    struct strbuf delta = STRBUF_INIT(1 << 20);

    begin_pack();
    const git_oid blob = pack_add(&pack, GIT_OBJECT_BLOB, bytes_of(zeros, 1 << 20));
    strbuf_add(&delta, "\x80\x80\x40", 3);         /* base: 1 MiB */
    strbuf_add(&delta, "\x80\x80\x80\x80\x40", 5); /* result: 16 GiB */
    for (int i = 0; i < 16384; i++)
        strbuf_add(&delta, "\xc0\x10", 2);
    pack_add_raw(&pack, 7, delta.len, bytes_of(blob.id, 20), bytes_of(delta.ptr, delta.len));
    CHECK_REFUSED(on_base(id_of(base_tree)), ERR_LIMIT, "limit");
    strbuf_done(&delta);
}

TEST(only_our_own_refs_are_set)
{
    auto_close int fd = -1;

    begin_pack();
    pack_end(&pack);
    fd = pack_open(&pack);
    CHECK_INT(repo_import_pack(mirror, fd, base, base, "refs/heads/main", &ordinary, &err),
              ERR_INVALID);
    CHECK_INT(repo_import_pack(mirror, fd, base, base, "refs/draftd/../x", &ordinary, &err),
              ERR_INVALID);
    CHECK_INT(repo_import_pack(mirror, fd, base, "HEAD", "refs/draftd/x", &ordinary, &err),
              ERR_INVALID);
    CHECK_INT(repo_import_pack(mirror, fd, "00000000000000000000000000000000000000aa", base,
                               "refs/draftd/x", &ordinary, &err),
              ERR_NOTFOUND);
}

/* From here on packs are accepted, each into a mirror of its own. */
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
    return repo_import_pack(repo, fd, base, id, "refs/draftd/run-1", limits, &err);
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
    CHECK_OK(repo_import_pack(repo, fd, base, id, "refs/draftd/run-1", &ordinary, &err), err);
    check_ref(repo, id_of(id));
    RUN("cd good.git; git fsck --full --strict; test -z \"$(ls quarantine)\"; git log --oneline "
        "refs/draftd/run-1;"
        "git diff --quiet refs/draftd/run-1 %s || test $? = 1; git cat-file -e "
        "refs/draftd/run-1:new/deep/n",
        base);
    /* Again, as after a crash between import and its record. */
    CHECK_OK(repo_import_pack(repo, fd, base, id, "refs/draftd/run-1", &ordinary, &err), err);
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
    CHECK_OK(repo_import_pack(repo, ends[0], base, id, "refs/draftd/run-1", &ordinary, &err), err);
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
