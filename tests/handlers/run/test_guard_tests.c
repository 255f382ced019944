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
