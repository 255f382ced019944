/* The part of guard.h that knows how tests are named and skipped in the usual languages.
 * Heuristics: they flag for a reviewer and hold nothing back, so each pattern is one that rarely
 * means anything else. */
#include "handlers/run/guard.h"

#include "server/base/str.h"

static bool
is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool
ends_with(struct bytes text, const char *suffix)
{
    const size_t len = strlen(suffix);

    return text.len >= len && memcmp(text.ptr + text.len - len, suffix, len) == 0;
}

static bool
is_one_of(struct bytes text, const char *const *words)
{
    for (; *words; words++) {
        if (text.len == strlen(*words) && strncasecmp(text.ptr, *words, text.len) == 0)
            return true;
    }
    return false;
}

static bool
ends_with_one_of(struct bytes text, const char *const *suffixes)
{
    for (; *suffixes; suffixes++) {
        if (text.len > strlen(*suffixes) && ends_with(text, *suffixes))
            return true;
    }
    return false;
}

/* tests/, src/test/, __tests__/, Acme.Tests/, AppTests/ */
static bool
is_test_folder(struct bytes name)
{
    static const char *const names[] = {"test", "tests",   "__tests__", "spec",      "specs",
                                        "e2e",  "testing", "testdata",  "unittests", NULL};
    static const char *const suffixes[] = {"Tests", ".Test", "-tests", "_tests",
                                           "-test", "_test", NULL};

    return is_one_of(name, names) || ends_with_one_of(name, suffixes);
}

/* `name` is a file's name; the extensions are looked at one by one ("x.spec.ts"). */
static bool
is_test_file(struct bytes name)
{
    static const char *const names[] = {"test", "tests", "spec", "conftest", NULL};
    static const char *const suffixes[] = {"_test", "_tests", "_spec", "-test",    "-tests",
                                           "-spec", ".test",  ".spec", "Test",     "Tests",
                                           "Spec",  "Specs",  ".cy",   "TestCase", NULL};
    static const char *const extensions[] = {".bats", ".t", ".test", ".feature", NULL};
    const char *dot = name.len ? memrchr(name.ptr, '.', name.len) : NULL;

    if (ends_with_one_of(name, extensions))
        return true;
    if (!dot || dot == name.ptr)
        return false;
    const struct bytes stem = bytes_of(name.ptr, (size_t)(dot - name.ptr));
    if (is_one_of(stem, names) || ends_with_one_of(stem, suffixes))
        return true;
    if (stem.len > 5 && memcmp(stem.ptr, "test", 4) == 0 &&
        (stem.ptr[4] == '_' || stem.ptr[4] == '-'))
        return true;
    return stem.len > 4 && memcmp(stem.ptr, "Test", 4) == 0 && is_upper(stem.ptr[4]);
}

bool
guard_is_test_path(const char *path)
{
    for (;;) {
        const char *slash = strchr(path, '/');
        if (!slash)
            return is_test_file(bytes_of_str(path));
        if (is_test_folder(bytes_of(path, (size_t)(slash - path))))
            return true;
        path = slash + 1;
    }
}

static const char *
name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* With its dot; "": none. */
static const char *
extension_of(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && dot != name ? dot : "";
}

bool
guard_is_test_data(const char *path)
{
    static const char *const extensions[] = {
        ".bin",  ".csv",  ".dat",  ".gif", ".golden", ".gz",  ".html", ".ico",  ".jpeg", ".jpg",
        ".json", ".log",  ".lock", ".md",  ".out",    ".pdf", ".png",  ".snap", ".sql",  ".svg",
        ".txt",  ".wasm", ".webp", ".xml", ".yaml",   ".yml", ".zip",  NULL};
    const char *name = name_of(path);

    return !is_test_file(bytes_of_str(name)) &&
           is_one_of(bytes_of_str(extension_of(name)), extensions);
}

/* Dialects of one language: what runs the one usually finds the other. */
static bool
are_alike(const char *extension, const char *other)
{
    static const char *const dialects[][9] = {
        {".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", NULL},
        {".c", ".cc", ".cpp", ".cxx", NULL},
        {".yml", ".yaml", NULL},
    };

    for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++) {
        if (is_one_of(bytes_of_str(extension), dialects[i]) &&
            is_one_of(bytes_of_str(other), dialects[i]))
            return true;
    }
    return str_equal(extension, other);
}

bool
guard_keeps_test_name(const char *old_path, const char *path)
{
    const char *old_name = name_of(old_path);
    const char *name = name_of(path);

    if (is_test_file(bytes_of_str(old_name)) && !is_test_file(bytes_of_str(name)))
        return false;
    return guard_is_test_data(old_path) || are_alike(extension_of(old_name), extension_of(name));
}

/* Found as they stand, but not in the middle of a longer word. */
static const char *const skip_patterns[] = {
    /* JavaScript, TypeScript */
    "it.skip(",
    "test.skip(",
    "describe.skip(",
    "context.skip(",
    "suite.skip(",
    "it.only(",
    "test.only(",
    "describe.only(",
    "context.only(",
    "suite.only(",
    "it.skipIf(",
    "test.skipIf(",
    "describe.skipIf(",
    "it.todo(",
    "test.todo(",
    "test.fixme(",
    "xit(",
    "xtest(",
    "xdescribe(",
    "xcontext(",
    "fdescribe(",
    "fcontext(",
    "fit('",
    "fit(\"",
    "fit(`",
    "this.skip()",
    "it.fails(",
    "test.fails(",
    "it.each.skip",
    "{ skip: true",
    "{skip: true",
    "{ only: true",
    "{ todo: true",
    /* Python */
    "pytest.mark.skip",
    "pytest.mark.xfail",
    "mark.skipif(",
    "pytest.skip(",
    "pytest.xfail(",
    "unittest.skip",
    "@skip(",
    "@skipIf(",
    "@skipUnless(",
    "self.skipTest(",
    "unittest.SkipTest",
    "raise SkipTest",
    "unittest.expectedFailure",
    "@expectedFailure",
    "__test__ = False",
    /* Go */
    "t.Skip(",
    "t.Skipf(",
    "t.SkipNow(",
    "b.Skip(",
    "b.SkipNow(",
    "f.Skip(",
    /* Java, Kotlin, Scala, Groovy */
    "@Disabled",
    "@Ignore",
    "Assumptions.abort(",
    "@PendingFeature",
    "enabled = false",
    /* C# */
    "[Ignore",
    "[Explicit",
    "Skip = \"",
    "Skip=\"",
    "Assert.Ignore(",
    "Assert.Inconclusive(",
    /* Rust */
    "#[ignore",
    /* Ruby, Elixir */
    "xit \"",
    "xit '",
    "xdescribe \"",
    "xdescribe '",
    "xcontext \"",
    "xcontext '",
    "fit \"",
    "fit '",
    "fdescribe \"",
    "fdescribe '",
    "focus: true",
    "skip: true",
    "skip: \"",
    "skip: '",
    "@tag :skip",
    "@tag skip:",
    "@moduletag :skip",
    "pending \"",
    "pending '",
    "pending(",
    /* PHP */
    "markTestSkipped(",
    "markTestIncomplete(",
    "->skip(",
    "->todo(",
    /* C, C++ */
    "GTEST_SKIP(",
    "DISABLED_",
    "TEST_IGNORE(",
    "TEST_IGNORE_MESSAGE(",
    "[!mayfail]",
    "[!shouldfail]",
    "BOOST_TEST_IGNORE",
    "doctest::skip(",
    "unit_test::disabled()",
    "QSKIP(",
    /* Swift, Perl */
    "XCTSkip",
    "skip_all",
};

/* What a line must begin with: these words mean other things elsewhere. */
static const char *const skip_beginnings[] = {
    "skip \"",  "skip '",       "skip(\"", "skip('",  "skip()",
    "skip if ", "skip unless ", "SKIP: {", "TODO: {",
};

static bool
contains_pattern(struct bytes line, const char *pattern)
{
    const size_t len = strlen(pattern);
    size_t from = 0;

    while (from < line.len) {
        const char *found = memmem(line.ptr + from, line.len - from, pattern, len);
        if (!found)
            return false;
        /* "exit(", "model.fit('" and "my_it.only(" are none. */
        if (found == line.ptr || !is_word(pattern[0]) || (!is_word(found[-1]) && found[-1] != '.'))
            return true;
        const bool qualified = found[-1] == '.' && is_upper(pattern[0]);
        if (qualified)
            return true;
        from = (size_t)(found - line.ptr) + 1;
    }
    return false;
}

bool
guard_skips_test(struct bytes line)
{
    while (line.len > 0 && strchr(" \t", line.ptr[0]))
        line = bytes_of(line.ptr + 1, line.len - 1);
    while (line.len > 0 && strchr(" \t\r\n", line.ptr[line.len - 1]))
        line.len--;
    if (bytes_equal_str(line, "skip"))
        return true;
    for (size_t i = 0; i < sizeof(skip_beginnings) / sizeof(skip_beginnings[0]); i++) {
        const size_t len = strlen(skip_beginnings[i]);
        if (line.len >= len && memcmp(line.ptr, skip_beginnings[i], len) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof(skip_patterns) / sizeof(skip_patterns[0]); i++) {
        if (contains_pattern(line, skip_patterns[i]))
            return true;
    }
    return false;
}
