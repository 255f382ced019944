/* Names, paths and links that must not be checked out anywhere. */
#include "tests/harness/test.h"

#include "integrations/git/repo_path.h"

static bool
name_ok(const char *name)
{
    const char *rule = NULL;
    const bool ok = repo_name_is_sane(bytes_of_str(name), &rule);

    return ok && !rule;
}

static bool
link_ok(const char *target, unsigned depth)
{
    const char *rule;
    return repo_link_is_sane(bytes_of_str(target), depth, &rule);
}

TEST(ordinary_names_are_sane)
{
    static const char *const names[] = {
        "a",
        "README.md",
        ".gitignore",
        ".github",
        ".gitmodules",
        "git",
        "git~2",
        "git~10",
        ".git-blame",
        ".gitx",
        "x.git",
        "a b",
        "...a",
        "-rf",
        "\xc3\xa4\xe2\x82\xac",
        "dev-x\\x2dy.swap",
        "\xff\xfe",
        ".g it",
        "con",
        "a:b",
        "g\xe2\x80\x8cit",
        ".git\xc3\xa4",
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!name_ok(names[i]))
            TEST_FAIL("'%s' is refused", names[i]);
    }
}

TEST(names_that_are_or_look_like_git_are_refused)
{
    static const char *const names[] = {
        ".git",
        ".GIT",
        ".Git",
        ".gIt",
        "git~1",
        "GIT~1",
        ".git.",
        ".git ",
        ".git . .",
        "git~1.",
        ".git::$INDEX_ALLOCATION",
        ".git:x",
        "git~1:",
        ".g\xe2\x80\x8cit",
        "\xef\xbb\xbf.git",
        ".git\xe2\x80\x8f",
        ".\xe2\x80\xaagit",
        ".gi\xe2\x81\xaft",
        ".GIT\xe2\x80\xae",
        ".git\\config",
        "a\\.git\\b",
        "a\\git~1",
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (name_ok(names[i]))
            TEST_FAIL("'%s' is taken", names[i]);
    }
}

TEST(names_that_lead_elsewhere_are_refused)
{
    static const char *const names[] = {
        "",  ".",    "..",   "...",   ".. ",   " ",        "a/b",
        "/", "a\nb", "\x01", "a\x7f", "..\\x", "x\\..\\y", "a\tb",
    };
    char longest[257];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (name_ok(names[i]))
            TEST_FAIL("'%s' is taken", names[i]);
    }
    memset(longest, 'n', sizeof longest - 1);
    longest[256] = '\0';
    CHECK(!name_ok(longest));
    longest[255] = '\0';
    CHECK(name_ok(longest));
}

TEST(bytes_with_nul_are_refused)
{
    const char *rule;

    CHECK(!repo_name_is_sane(bytes_of("a\0b", 3), &rule));
    CHECK(!repo_link_is_sane(bytes_of("a\0b", 3), 0, &rule));
}

TEST(paths_are_checked_name_by_name)
{
    const char *rule;

    CHECK(repo_path_is_sane(bytes_of_str("a/b/c.txt"), &rule));
    CHECK(!repo_path_is_sane(bytes_of_str(""), &rule));
    CHECK(!repo_path_is_sane(bytes_of_str("/a"), &rule));
    CHECK(!repo_path_is_sane(bytes_of_str("a/"), &rule));
    CHECK(!repo_path_is_sane(bytes_of_str("a//b"), &rule));
    CHECK(!repo_path_is_sane(bytes_of_str("a/../b"), &rule));
    CHECK(!repo_path_is_sane(bytes_of_str("a/.git/config"), &rule));
    CHECK_CONTAINS(rule, ".git");
}

TEST(links_stay_inside)
{
    CHECK(link_ok("a", 0));
    CHECK(link_ok("./a/b/", 0));
    CHECK(link_ok("../a", 1));
    CHECK(link_ok("../../a/b", 2));
    CHECK(link_ok("..", 1));
    CHECK(!link_ok("..", 0));
    CHECK(!link_ok("../a", 0));
    CHECK(!link_ok("../../a", 1));
    CHECK(!link_ok("a/../../b", 1));
    CHECK(!link_ok("a/..", 3)); /* `a` may be a link: its ".." is not ours */
    CHECK(!link_ok("/etc/passwd", 9));
    CHECK(!link_ok("\\\\host\\share", 9));
    CHECK(!link_ok("C:\\Windows", 9));
    CHECK(!link_ok("..\\..\\x", 1));
    CHECK(!link_ok("", 0));
    CHECK(!link_ok(".git/hooks/pre-commit", 0));
    CHECK(!link_ok("../.GIT", 1));
    CHECK(!link_ok("a\nb", 0));
}

TEST(gitmodules_has_disguises_too)
{
    CHECK(repo_name_is_gitmodules(bytes_of_str(".gitmodules")));
    CHECK(repo_name_is_gitmodules(bytes_of_str(".GitModules")));
    CHECK(repo_name_is_gitmodules(bytes_of_str("gitmod~1")));
    CHECK(repo_name_is_gitmodules(bytes_of_str(".gitmodules ")));
    CHECK(repo_name_is_gitmodules(bytes_of_str(".gitm\xe2\x80\x8codules")));
    CHECK(!repo_name_is_gitmodules(bytes_of_str("gitmodules")));
}

TEST_MAIN()
