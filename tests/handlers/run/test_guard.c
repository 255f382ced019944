/* The guard on real repositories: what is held, what is flagged, what passes. Credentials are put
 * together at run time, so that this file holds none. */
#include "handlers/run/guard.h"
#include "integrations/git/repo.h"
#include "server/base/fs.h"
#include "server/base/str.h"
#include "tests/harness/test.h"

#include <git2.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MIB (1024U * 1024)
#define TOKEN_BODY "0123456789abcdefghij0123456789abcdef"

/* ---- a repository in the making ---- */

struct place {
    char *dir;
    git_repository *git;
    git_index *index;
    struct repo *repo;
    char base[REPO_COMMIT_BYTES];
    char head[REPO_COMMIT_BYTES];
    struct guard_settings settings;
};

static void
check_git(int result)
{
    if (result < 0)
        TEST_FAIL("libgit2: %s", git_error_last() ? git_error_last()->message : "?");
}

static void
put_bytes(struct place *place, const char *path, const void *contents, size_t len)
{
    const git_index_entry entry = {.path = path, .mode = GIT_FILEMODE_BLOB};

    check_git(git_index_add_from_buffer(place->index, &entry, contents, len));
}

static void
put(struct place *place, const char *path, const char *contents)
{
    put_bytes(place, path, contents, strlen(contents));
}

static void
take_away(struct place *place, const char *path)
{
    check_git(git_index_remove(place->index, path, 0));
}

/* Commit what was put; the new head. */
static void
commit(struct place *place, const char *message)
{
    git_commit *parent = NULL;
    git_signature *who = NULL;
    git_tree *tree = NULL;
    git_oid id;

    check_git(git_index_write_tree(&id, place->index));
    check_git(git_tree_lookup(&tree, place->git, &id));
    check_git(git_signature_new(&who, "Ann", "ann@example.org", 1700000000, 0));
    if (place->head[0]) {
        check_git(git_oid_fromstr(&id, place->head));
        check_git(git_commit_lookup(&parent, place->git, &id));
    }
    const git_commit *parents[] = {parent};
    check_git(git_commit_create(&id, place->git, NULL, who, who, NULL, message, tree,
                                parent != NULL, parents));
    git_oid_tostr(place->head, sizeof(place->head), &id);
    git_commit_free(parent);
    git_signature_free(who);
    git_tree_free(tree);
}

static char *const default_protect[] = {(char[]){".github/**"}, (char[]){".draftd.yml"}};

static void
place_done(struct place *place)
{
    struct err err;

    repo_free(place->repo);
    git_index_free(place->index);
    git_repository_free(place->git);
    if (place->dir && fs_remove_tree(place->dir, &err))
        printf("# %s\n", err.msg);
    free(place->dir);
}

static void
place_init(struct place *place)
{
    static char *protect[COUNT(default_protect)];
    struct err err;

    memcpy(protect, default_protect, sizeof(protect));
    *place = (struct place){.settings = {.max_files = 50,
                                         .max_lines = 2000,
                                         .protect = {.items = protect, .count = COUNT(protect)}}};
    CHECK_OK(repo_init(NULL, &err), err);
    CHECK_OK(fs_make_temp_dir("/tmp", "guard-", &place->dir, &err), err);
    check_git(git_repository_init(&place->git, place->dir, 0));
    check_git(git_repository_index(&place->index, place->git));
    put(place, "README.md", "one\ntwo\nthree\n");
    put(place, ".github/workflows/ci.yml", "on: push\njobs: {}\n# a comment\n# and another one\n");
    put(place, "tests/test_sum.py",
        "def test_sum():\n    assert 1 + 1 == 2\n    assert 2 + 2 == 4\n");
    put(place, "src/sum.c", "int sum(int a, int b) { return a + b; }\n");
    commit(place, "Begin");
    memcpy(place->base, place->head, sizeof(place->base));
    CHECK_OK(repo_open(place->dir, &place->repo, &err), err);
}

static void
look(struct place *place, struct guard_report *ret_report)
{
    struct err err;

    CHECK_OK(guard_check(place->repo, place->base, place->head, &place->settings, ret_report, &err),
             err);
}

/* The text of the first hit of the rule, NULL when there is none. */
static const char *
find_hit(const struct guard_report *report, enum guard_rule rule)
{
    for (size_t i = 0; i < report->count; i++) {
        if (report->items[i].rule == rule)
            return report->items[i].text;
    }
    return NULL;
}

/* Commit, look, and expect this one hit. */
static void
check_one(struct place *place, enum guard_rule rule, const char *hit)
{
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    commit(place, "Change");
    look(place, &report);
    CHECK_INT(report.count, 1);
    CHECK_INT(report.items[0].rule, rule);
    CHECK_STR(report.items[0].text, hit);
    CHECK_INT(report.held, rule == GUARD_PROTECTED || rule == GUARD_SECRET);
}

/* ---- what passes ---- */

TEST(an_ordinary_change_passes)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    put(&place, "src/sum.c", "int sum(int a, int b)\n{\n    return b + a;\n}\n");
    put(&place, "tests/test_more.py", "def test_more():\n    exit(0)\n");
    commit(&place, "Mend the sum");
    put(&place, "README.md", "one\ntwo\nthree\nfour\n");
    commit(&place, "Tell of it");
    look(&place, &report);
    CHECK_INT(report.count, 0);
    CHECK(!report.held);
    CHECK_INT(report.diff.count, 3);
    CHECK_INT(report.diff.added_lines, 7);
}

/* ---- protected paths ---- */

TEST(protected_paths_are_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};

    place_init(&place);
    put(&place, ".github/workflows/ci.yml", "on: push\n");
    check_one(&place, GUARD_PROTECTED,
              ".github/workflows/ci.yml: protected by \".github/**\", was changed");
}

TEST(new_and_deleted_protected_paths_are_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    put(&place, ".draftd.yml", "checks: []\n");
    take_away(&place, ".github/workflows/ci.yml");
    commit(&place, "Change");
    look(&place, &report);
    CHECK(report.held);
    CHECK_INT(report.count, 2);
}

TEST(a_file_in_a_protected_folders_place_is_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};

    place_init(&place);
    take_away(&place, ".github/workflows/ci.yml");
    commit(&place, "Free the place");
    memcpy(place.base, place.head, sizeof(place.base));
    put(&place, ".github", "elsewhere");
    check_one(&place, GUARD_PROTECTED, ".github: protected by \".github/**\", was changed");
}

TEST(a_rename_away_from_protection_is_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    take_away(&place, ".github/workflows/ci.yml");
    put(&place, "ci.yml", "on: push\njobs: {}\n# a comment\n# and another one\n");
    commit(&place, "Move");
    look(&place, &report);
    CHECK_INT(report.diff.count, 1);
    CHECK_INT(report.diff.items[0].kind, REPO_RENAMED);
    CHECK(report.held);
    CHECK_CONTAINS(find_hit(&report, GUARD_PROTECTED), ".github/workflows/ci.yml: protected");
}

TEST(a_protected_change_taken_back_is_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    put(&place, ".draftd.yml", "checks: []\n");
    commit(&place, "In");
    take_away(&place, ".draftd.yml");
    put(&place, "README.md", "one\n");
    commit(&place, "Out");
    look(&place, &report);
    CHECK_INT(report.diff.count, 1);
    CHECK(report.held);
    CHECK_INT(report.count, 1);
    CHECK_CONTAINS(report.items[0].text,
                   ".draftd.yml: protected by \".draftd.yml\", was changed (in commit ");
}

/* ---- credentials ---- */

static void
check_secret(const char *contents, const char *kind)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    put(&place, "src/config.js", contents);
    commit(&place, "Change");
    look(&place, &report);
    if (!kind) {
        CHECK_INT(report.count, 0);
        return;
    }
    CHECK(report.held);
    CHECK_INT(report.count, 1);
    CHECK_INT(report.items[0].rule, GUARD_SECRET);
    CHECK_CONTAINS(report.items[0].text, "src/config.js:2: looks like a credential (");
    CHECK_CONTAINS(report.items[0].text, kind);
    CHECK(!strstr(report.items[0].text, "0123456789"));
}

TEST(credentials_are_held_and_never_shown)
{
    check_secret("x\nconst t = '"
                 "ghp_" TOKEN_BODY "'\n",
                 "GitHub token");
    check_secret("x\n-----BEGIN RSA "
                 "PRIVATE KEY-----\nMII0123456789\n-----END RSA "
                 "PRIVATE KEY-----\n",
                 "private key");
    check_secret("x\n\"key\": \"-----BEGIN "
                 "PRIVATE KEY-----\\nMII0123456789\"\n",
                 "private key");
    check_secret("x\nconst t = \"ghp_\" + \"" TOKEN_BODY "\"\n", "GitHub token");
    check_secret("x\nconst t = 'ghp_' . \"0123456789\" 'abcdefghij0123456789abcdef'\n",
                 "GitHub token");
    check_secret("x\nconst t = ['ghp_', 'abc'] + \"\"\n", NULL);
    check_secret("x\n-----BEGIN PUBLIC KEY-----\n", NULL);
}

TEST(a_credential_taken_back_is_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    put(&place, "a.txt", "ghp_" TOKEN_BODY "\n");
    commit(&place, "In");
    put(&place, "a.txt", "nothing\n");
    commit(&place, "Out");
    look(&place, &report);
    CHECK(report.held);
    CHECK_INT(report.count, 1);
    CHECK_CONTAINS(report.items[0].text,
                   "a.txt:1: looks like a credential (GitHub token) (in commit ");
    CHECK_CONTAINS(report.items[0].text, " on the way)");
}

TEST(a_credential_in_a_message_is_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    put(&place, "a.txt", "x\n");
    commit(&place, "Found ghp_" TOKEN_BODY);
    look(&place, &report);
    CHECK(report.held);
    CHECK_CONTAINS(find_hit(&report, GUARD_SECRET), "a commit's message holds");
    CHECK(!strstr(find_hit(&report, GUARD_SECRET), TOKEN_BODY));
}

TEST(a_credential_in_a_binary_is_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    static const char contents[] = "\0\0ghp_" TOKEN_BODY "\0";

    place_init(&place);
    put_bytes(&place, "a.bin", contents, sizeof(contents));
    check_one(&place, GUARD_SECRET, "a.bin: looks like a credential (GitHub token)");
}

TEST(a_credential_in_a_path_is_held)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};

    place_init(&place);
    put(&place, "x/ghp_" TOKEN_BODY, "x\n");
    check_one(&place, GUARD_SECRET, "x/[redacted]: looks like a credential (GitHub token)");
}

/* ---- size ---- */

TEST(size_is_flagged)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    place.settings.max_files = 2;
    place.settings.max_lines = 3;
    put(&place, "a", "1\n");
    put(&place, "b", "1\n");
    put(&place, "c", "1\n2\n");
    commit(&place, "Change");
    look(&place, &report);
    CHECK(!report.held);
    CHECK_INT(report.count, 2);
    CHECK_STR(find_hit(&report, GUARD_TOO_MANY_FILES),
              "3 files are changed, more than the 2 that are expected");
    CHECK_STR(find_hit(&report, GUARD_TOO_MANY_LINES),
              "4 lines are changed, more than the 3 that are expected");
}

TEST(size_at_the_limit_passes)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    place.settings.max_files = 1;
    place.settings.max_lines = 2;
    put(&place, "c", "1\n2\n");
    commit(&place, "Change");
    look(&place, &report);
    CHECK_INT(report.count, 0);
}

TEST(large_binaries_are_flagged)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    auto_free char *bytes = calloc(1, 2 * MIB);

    CHECK(bytes);
    place_init(&place);
    put_bytes(&place, "exact.bin", bytes, MIB);
    put_bytes(&place, "large.bin", bytes, MIB + MIB / 2);
    check_one(&place, GUARD_LARGE_BINARY, "large.bin: binary file of 1.5 MiB");
}

/* ---- tests ---- */

TEST(deleted_tests_are_flagged)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};

    place_init(&place);
    take_away(&place, "tests/test_sum.py");
    check_one(&place, GUARD_TEST_DELETED, "tests/test_sum.py: test was deleted");
}

TEST(emptied_tests_are_flagged)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};

    place_init(&place);
    put(&place, "tests/test_sum.py", "");
    check_one(&place, GUARD_TEST_DELETED, "tests/test_sum.py: test was emptied");
}

TEST(renamed_tests_pass_while_they_are_tests)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    take_away(&place, "tests/test_sum.py");
    put(&place, "tests/test_total.py",
        "def test_sum():\n    assert 1 + 1 == 2\n    assert 2 + 2 == 4\n");
    commit(&place, "Move");
    look(&place, &report);
    CHECK_INT(report.diff.items[0].kind, REPO_RENAMED);
    CHECK_INT(report.count, 0);

    take_away(&place, "tests/test_total.py");
    put(&place, "old/sum.txt", "def test_sum():\n    assert 1 + 1 == 2\n    assert 2 + 2 == 4\n");
    check_one(&place, GUARD_TEST_DELETED, "tests/test_sum.py: test was renamed to what is no test");
}

TEST(skipped_tests_are_flagged)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};

    place_init(&place);
    put(&place, "tests/test_sum.py",
        "@pytest.mark.skip\ndef test_sum():\n    assert 1 + 1 == 2\n    assert 2 + 2 == 4\n");
    put(&place, "src/it.js", "it.skip('this is no test file')\n");
    check_one(&place, GUARD_TEST_SKIPPED,
              "tests/test_sum.py:1: skips or narrows tests: @pytest.mark.skip");
}

TEST(skips_among_rust_code_are_flagged)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};

    place_init(&place);
    put(&place, "src/lib.rs", "#[test]\n#[ignore]\nfn sums() {}\n");
    check_one(&place, GUARD_TEST_SKIPPED, "src/lib.rs:2: skips or narrows tests: #[ignore]");
}

/* ---- many hits ---- */

TEST(many_hits_are_cut_but_what_holds_is_told)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};

    place_init(&place);
    for (int i = 0; i < 200; i++) {
        auto_free char *test = str_printf("tests/test_%03d.py", i);
        auto_free char *line = str_printf("pytest.skip('%03d')\n", i);
        CHECK(test && line);
        put(&place, test, line);
    }
    put(&place, ".draftd.yml", "checks: []\n");
    for (int i = 0; i < 200; i++) {
        auto_free char *path = str_printf(".github/%03d", i);
        CHECK(path);
        put(&place, path, "x\n");
    }
    commit(&place, "Change");
    look(&place, &report);
    CHECK_INT(report.count, 100);
    CHECK(report.held);
    CHECK(find_hit(&report, GUARD_PROTECTED));
    CHECK_STR(report.items[99].text, "there is more than is listed here");
}

TEST(paths_are_shown_harmless)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};

    place_init(&place);
    put(&place, ".github/a\nb\u202E<!-- x", "x\n");
    check_one(&place, GUARD_PROTECTED,
              ".github/a b<! -- x: protected by \".github/**\", was changed");
}

TEST(unknown_commits_are_errors)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};
    struct err err;

    place_init(&place);
    CHECK(guard_check(place.repo, place.base, "1111111111111111111111111111111111111111",
                      &place.settings, &report, &err) < 0);
    CHECK_CONTAINS(err.msg, "looking over the change: ");
    CHECK_INT(report.count, 0);
}

/* ---- words ---- */

static const char *const test_paths[] = {
    "tests/x.c",         "test/x.c",           "src/test/java/A.java",
    "a/__tests__/x.js",  "spec/x_spec.rb",     "x_test.go",
    "pkg/x_test.go",     "test_x.py",          "a/test_x.py",
    "x.spec.ts",         "x.test.tsx",         "FooTest.java",
    "FooTests.cs",       "TestFoo.java",       "foo_test.cc",
    "FooSpec.scala",     "conftest.py",        "tests.py",
    "Acme.Tests/Foo.cs", "AppTests/Foo.swift", "x-test.js",
    "e2e/login.ts",      "a/x.bats",           "t/01.t",
    "x.cy.js",           "test-runner.js",     "Tests/README.md",
    "tests.rs",
};

static const char *const other_paths[] = {
    "src/x.c",   "latest.py",          "contest.py", "attest/x.go", "Contest.java", "testimony.md",
    "README.md", "src/Testament.java", "protest.go", "x.py",        ".test/x",      "inspect.js",
    "test",      "spectest/x",
};

TEST(paths_of_tests)
{
    for (size_t i = 0; i < COUNT(test_paths); i++)
        if (!guard_is_test_path(test_paths[i]))
            TEST_FAIL("%s is a test", test_paths[i]);
    for (size_t i = 0; i < COUNT(other_paths); i++)
        if (guard_is_test_path(other_paths[i]))
            TEST_FAIL("%s is no test", other_paths[i]);
}

static const char *const skip_lines[] = {
    "  it.skip('x', () => {",
    "describe.only(\"x\"",
    "xit('x')",
    "fit('x', f)",
    "test.todo('x')",
    "test('x', { skip: true }, f)",
    "@pytest.mark.skip(reason='x')",
    "@pytest.mark.skipif(True)",
    "@pytest.mark.xfail",
    "    pytest.skip('x')",
    "@unittest.skip('x')",
    "self.skipTest('x')",
    "raise SkipTest",
    "\tt.Skip(\"x\")",
    "t.SkipNow()",
    "t.Skipf(\"x\")",
    "@Disabled",
    "@Ignore(\"x\")",
    "[Ignore(\"x\")]",
    "[Fact(Skip = \"x\")]",
    "#[ignore]",
    "#[ignore = \"x\"]",
    "  skip \"later\"",
    "skip",
    "  skip\r",
    "xdescribe \"x\" do",
    "it \"x\", focus: true do",
    "@tag :skip",
    "$this->markTestSkipped('x');",
    "it('x')->skip();",
    "GTEST_SKIP() << 1;",
    "TEST(Foo, DISABLED_Bar) {",
    "throw XCTSkip()",
    "plan skip_all => 'x';",
};

static const char *const other_lines[] = {
    "",
    "exit(1);",
    "model.fit('x')",
    "clf.fit(X, y)",
    "profit('x')",
    "sit('x')",
    "skip = 3",
    "if (skip) return;",
    "my_it.only(x)",
    "waiter.it.skip(x)",
    "# nothing is skipped here",
    "assert skipped == 0",
    "submit.skip",
    "list.only(x)",
    "t.Run(\"skip\")",
    "unlimit(1)",
};

TEST(lines_that_skip)
{
    for (size_t i = 0; i < COUNT(skip_lines); i++)
        if (!guard_skips_test(bytes_of_str(skip_lines[i])))
            TEST_FAIL("\"%s\" skips", skip_lines[i]);
    for (size_t i = 0; i < COUNT(other_lines); i++)
        if (guard_skips_test(bytes_of_str(other_lines[i])))
            TEST_FAIL("\"%s\" does not skip", other_lines[i]);
    CHECK(!guard_skips_test(bytes_of(NULL, 0)));
}

TEST_MAIN()
