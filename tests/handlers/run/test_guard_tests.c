/* What the guard takes for a test, and for the removal of one. */
#include "tests/handlers/run/guard_fixture.h"

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

#define SUM_TEST "def test_sum():\n    assert 1 + 1 == 2\n    assert 2 + 2 == 4\n"

/* Rename tests/test_sum.py (as `path` first) to `other`; is that flagged? */
static void
check_rename(const char *path, const char *other, bool flagged)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};
    auto_free char *hit = str_printf("%s: test was renamed to what may not be run as one", path);

    place_init(&place);
    take_away(&place, "tests/test_sum.py");
    put(&place, path, SUM_TEST);
    commit(&place, "Begin");
    memcpy(place.base, place.head, sizeof(place.base));
    take_away(&place, path);
    put(&place, other, SUM_TEST);
    commit(&place, "Move");
    look(&place, &report);
    CHECK_INT(report.diff.items[0].kind, REPO_RENAMED);
    CHECK_INT(report.count, flagged);
    if (flagged)
        CHECK_STR(report.items[0].text, hit);
    CHECK(!report.held);
}

TEST(renames_that_stop_a_test_are_flagged)
{
    check_rename("tests/test_sum.py", "tests/test_sum.py.disabled", true);
    check_rename("tests/test_sum.py", "tests/test_sum.txt", true);
    check_rename("tests/test_sum.py", "tests/sum.py", true);
    check_rename("tests/sum.c", "tests/sum.c.orig", true);
    check_rename("tests/run", "tests/run.off", true);
    check_rename("src/a.spec.ts", "src/test/a.ts", true);
}

TEST(renames_that_keep_a_test_pass)
{
    check_rename("tests/test_sum.py", "tests/more/test_total.py", false);
    check_rename("tests/sum.c", "tests/total.c", false);
    check_rename("tests/sum.c", "tests/sum.cc", false);
    check_rename("tests/sum.py", "tests/test_sum.py", false);
    check_rename("src/a.test.js", "src/a.test.ts", false);
    check_rename("src/a.spec.ts", "src/test/a.test.tsx", false);
    check_rename("tests/data/list.txt", "tests/data/list.csv", false);
}

TEST(tests_of_another_type_are_flagged)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};

    place_init(&place);
    put_link(&place, "tests/test_sum.py", "../README.md");
    check_one(&place, GUARD_TEST_DELETED,
              "tests/test_sum.py: test is now of another type (file, link or submodule)");
}

/* A text of `lines` lines; the caller's. */
static char *
lines_of(int lines)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(4U * MIB);
    struct err err;
    char *text;

    for (int i = 0; i < lines; i++)
        strbuf_addf(&buf, "assert sum(%d, 0) == %d\n", i, i);
    CHECK_OK(strbuf_take(&buf, &text, &err), err);
    return text;
}

/* A file of so many lines becomes one of so many. */
static void
check_shrink(const char *path, int before, int after, const char *hit)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};
    auto_free char *old = lines_of(before);
    auto_free char *new = lines_of(after);

    place_init(&place);
    place.settings.max_lines = 100000;
    put(&place, path, old);
    commit(&place, "Begin");
    memcpy(place.base, place.head, sizeof(place.base));
    put(&place, path, new);
    commit(&place, "Change");
    look(&place, &report);
    const char *found = find_hit(&report, GUARD_TEST_DELETED);
    CHECK_STR(found ? found : "", hit);
    CHECK(!report.held);
}

TEST(tests_that_lose_most_of_their_lines_are_flagged)
{
    check_shrink("tests/sum.py", 80, 1, "tests/sum.py: test lost 79 of its 80 lines");
    check_shrink("tests/sum.py", 80, 39, "tests/sum.py: test lost 41 of its 80 lines");
    check_shrink("tests/sum.py", 80, 40, "");
    check_shrink("tests/sum.py", 11, 0, "tests/sum.py: test was emptied");
    check_shrink("tests/sum.py", 12, 1, "tests/sum.py: test lost 11 of its 12 lines");
    check_shrink("tests/sum.py", 11, 1, "");
    check_shrink("tests/sum.py", 40, 80, "");
    check_shrink("src/sum.py", 80, 1, "");
    check_shrink("tests/sum.json", 80, 1, "");
    check_shrink("tests/test_sum.json", 80, 1, "tests/test_sum.json: test lost 79 of its 80 lines");
    check_shrink("tests/sum.py", 40000, 1, "tests/sum.py: test lost most of its contents");
    check_shrink("tests/sum.py", 40000, 39000, "");
}

TEST(a_test_that_is_renamed_and_cut_is_flagged)
{
    AUTO_DONE(place_done) struct place place = {.dir = NULL};
    AUTO_DONE(guard_report_done) struct guard_report report = {.held = false};
    auto_free char *old = lines_of(100);
    auto_free char *new = lines_of(48);

    place_init(&place);
    put(&place, "tests/a.py", old);
    commit(&place, "Begin");
    memcpy(place.base, place.head, sizeof(place.base));
    take_away(&place, "tests/a.py");
    put(&place, "tests/b.py", new);
    commit(&place, "Change");
    look(&place, &report);
    CHECK(find_hit(&report, GUARD_TEST_DELETED));
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
