/* Packs from a sandbox that lies: each rule of repo_import_open(), and that a refused pack leaves
 * the mirror as it was. */
#include "integrations/git/repo_list.h"
#include "tests/integrations/git/repo_import_fixture.h"

/* Import the pack in the making as it is. */
static int
import_raw(git_oid commit, const struct repo_import_limits *limits)
{
    auto_close int fd = pack_open(&pack);
    char id[GIT_OID_HEXSZ + 1];

    git_oid_tostr(id, sizeof id, &commit);
    return import_pack(mirror, fd, id, "refs/draftd/run-1", limits);
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
        "author " WHO "committer " WHO "x-note x\n\nx",
        "author " WHO "committer " WHO "mergetag x\n y\n\nx",
        "author " WHO "committer " WHO "encoding a\nencoding b\n\nx",
        "author " WHO "committer " WHO "encoding a\n b\n\nx",
        "author " WHO "committer " WHO "gpgsig a\n b\ngpgsig c\n\nx",
        "author " WHO "committer " WHO "gpgsig a\nb\n\nx",
        "author " WHO "committer " WHO "gpgsig\n\nx",
        "author " WHO "committer " WHO " x\n\nx",
        "author " WHO "committer " WHO "encoding a",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        begin_pack();
        const git_oid odd = odd_commit(texts[i], strlen(texts[i]));
        CHECK_REFUSED(odd, ERR_INVALID, "commit ");
        CHECK(!strstr(err.msg, git_oid_tostr_s(&odd))); /* people read it: a short one will do */
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
    static const char *const refs[] = {"refs/heads/main", "refs/draftd/../x", "refs/draftd/"};

    begin_pack();
    const git_oid commit = on_base(id_of(base_tree));
    pack_end(&pack);
    auto_close int fd = pack_open(&pack);
    char id[GIT_OID_HEXSZ + 1];
    git_oid_tostr(id, sizeof id, &commit);
    for (size_t i = 0; i < sizeof refs / sizeof refs[0]; i++) {
        CHECK_INT(import_pack(mirror, fd, id, refs[i], &ordinary), ERR_INVALID);
        CHECK_CONTAINS(err.msg, "is not a ref below refs/draftd/");
        check_untouched();
    }
}

TEST(base_and_commit_must_be_ids)
{
    AUTO(repo_import_free) struct repo_import *import = NULL;

    begin_pack();
    pack_end(&pack);
    auto_close int fd = pack_open(&pack);
    CHECK_INT(import_pack(mirror, fd, "HEAD", "refs/draftd/x", &ordinary), ERR_INVALID);
    CHECK_INT(repo_import_open(mirror, fd, "00000000000000000000000000000000000000aa", base,
                               &ordinary, &import, &err),
              ERR_NOTFOUND);
}

TEST(what_is_not_accepted_leaves_nothing)
{
    AUTO(repo_import_free) struct repo_import *import = NULL;
    AUTO_DONE(repo_diff_done) struct repo_diff diff = {0};
    AUTO_DONE(repo_commit_list_done) struct repo_commit_list list = {0};
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(64);
    char id[GIT_OID_HEXSZ + 1];
    struct repo_import_limits limits = ordinary;

    limits.allow_submodules = true;
    begin_pack();
    const git_oid commit =
        on_base(pack_add_tree(&pack, "100644", "a", pack_add_text(&pack, "a3\nb\n")));
    pack_end(&pack);
    auto_close int fd = pack_open(&pack);
    git_oid_tostr(id, sizeof id, &commit);
    CHECK_OK(repo_import_open(mirror, fd, base, id, &limits, &import, &err), err);
    struct repo *view = repo_import_view(import);
    CHECK_OK(repo_diff(view, base, id, NULL, &diff, &err), err);
    CHECK_INT(diff.added_lines, 2);
    CHECK_OK(repo_list_commits(view, base, NULL, id, 10, &list, &err), err);
    CHECK_INT(list.count, 1);
    CHECK_OK(repo_read_file(view, id, "a", &buf, &err), err);
    CHECK_STR(strbuf_str(&buf), "a3\nb\n");
    CHECK_INT(repo_read_file(mirror, id, "a", &buf, &err), ERR_NOTFOUND);
    RUN("test -z \"$(git -C mirror.git for-each-ref refs/draftd)\"");
    repo_import_free(TAKE(import));
    check_untouched();
    CHECK_INT(repo_read_file(mirror, id, "a", &buf, &err), ERR_NOTFOUND);
}

TEST_MAIN()
