/* Numbers, prefixes, globs and UTF-8. */
#include "server/base/clock.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "tests/harness/test.h"

TEST(unsigned_numbers)
{
    struct err err = {0};
    uint64_t value = 5;

    CHECK_OK(str_to_u64("0", &value, &err), err);
    CHECK(value == 0);
    CHECK_OK(str_to_u64("18446744073709551615", &value, &err), err);
    CHECK(value == UINT64_MAX);
    CHECK_INT(str_to_u64("18446744073709551616", &value, &err), ERR_INVALID);
    CHECK_STR(err.msg, "'18446744073709551616' is too large");
    CHECK_INT(str_to_u64("", &value, &err), ERR_INVALID);
    CHECK_STR(err.msg, "expected a number, found nothing");
    CHECK_INT(str_to_u64("-1", &value, &err), ERR_INVALID);
    CHECK_INT(str_to_u64("+1", &value, &err), ERR_INVALID);
    CHECK_INT(str_to_u64(" 1", &value, &err), ERR_INVALID);
    CHECK_INT(str_to_u64("1x", &value, &err), ERR_INVALID);
    CHECK_STR(err.msg, "'1x' is not a whole number");
    CHECK(value == UINT64_MAX); /* not written on failure */
}

TEST(signed_numbers)
{
    struct err err = {0};
    int64_t value = 5;

    CHECK_OK(str_to_i64("-7", &value, &err), err);
    CHECK_INT(value, -7);
    CHECK_OK(str_to_i64("9223372036854775807", &value, &err), err);
    CHECK(value == INT64_MAX);
    CHECK_INT(str_to_i64("9223372036854775808", &value, &err), ERR_INVALID);
    CHECK_OK(str_to_i64("-9223372036854775807", &value, &err), err);
    CHECK_INT(str_to_i64("-", &value, &err), ERR_INVALID);
    CHECK_INT(str_to_i64("--1", &value, &err), ERR_INVALID);
    CHECK_INT(str_to_i64("", &value, &err), ERR_INVALID);
}

TEST(the_smallest_signed_number)
{
    struct err err = {0};
    int64_t value = 5;

    CHECK_OK(str_to_i64("-9223372036854775808", &value, &err), err);
    CHECK(value == INT64_MIN);
    CHECK_INT(str_to_i64("-9223372036854775809", &value, &err), ERR_INVALID);
}

TEST(comparisons)
{
    CHECK(str_equal("a", "a") && !str_equal("a", "b") && !str_equal("a", NULL));
    CHECK(str_equal(NULL, NULL));
    CHECK(str_equal_nocase("X-Hub", "x-hUB") && !str_equal_nocase("a", "ab"));
    CHECK(str_equal_nocase(NULL, NULL) && !str_equal_nocase(NULL, ""));
    CHECK(!str_equal_nocase("[", "{")); /* letters only */
    CHECK(str_starts_with("abc", "ab") && !str_starts_with("a", "ab") && str_starts_with("a", ""));
    CHECK(str_ends_with("abc", "bc") && !str_ends_with("c", "bc") && str_ends_with("a", ""));
}

TEST(globs)
{
    static const struct {
        const char *text, *pattern;
        bool matches;
    } cases[] = {
        {"acme/api", "acme/*", true},
        {"acme/api/x", "acme/*", false},
        {"acme/", "acme/*", true},
        {"acme", "acme/*", false},
        {"other/api", "acme/*", false},
        {".github/workflows/ci.yml", ".github/**", true},
        {".github/", ".github/**", true},
        {".githubx/a", ".github/**", false},
        {"x.github/a", ".github/**", false},
        {"", "", true},
        {"a", "", false},
        {"", "a", false},
        {"", "*", true},
        {"", "**", true},
        {"a/b/c", "**", true},
        {"a/b/c", "**/c", true},
        {"c", "**/c", false},
        {"a/b/c", "a/**/c", true},
        {"a/c", "a/**/c", false},
        {"a/x/y/c", "a/**/c", true},
        {"a/b", "*", false},
        {"abc", "a*c", true},
        {"abbbc", "a*b*c", true},
        {"abbb", "a*c", false},
        {"src/test_x.c", "*/test_*.c", true},
        {"src/a/test_x.c", "*/test_*.c", false},
        {"src/a/test_x.c", "**/test_*.c", true},
        {"a.b.c/d.c", "**.c", true},
        {"aXbYc/dXe", "a*b**X*e", true},
        {"a*b", "a*b", true},
        {"a?b", "a?b", true},
        {"axb", "a?b", false},
        {"x/y/z.lock", "**z*k", true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (str_matches_glob(cases[i].text, cases[i].pattern) != cases[i].matches)
            TEST_FAIL("\"%s\" against \"%s\"", cases[i].text, cases[i].pattern);
}

/* The definition of a glob, without a thought for what it costs. */
static bool
matches_slowly(const char *text, const char *pattern)
{
    if (!*pattern)
        return !*text;
    if (*pattern != '*')
        return *text == *pattern && matches_slowly(text + 1, pattern + 1);

    const bool deep = pattern[1] == '*';
    const char *rest = pattern + 1 + deep;
    for (;; text++) {
        if (matches_slowly(text, rest))
            return true;
        if (!*text || (!deep && *text == '/'))
            return false;
    }
}

/* The number-th text of at most six characters out of `set`. */
static void
spell(unsigned number, const char *set, char ret_text[8])
{
    const unsigned base = (unsigned)strlen(set) + 1;
    size_t len = 0;

    for (unsigned i = 0; i < 6; i++, number /= base)
        if (number % base > 0)
            ret_text[len++] = set[number % base - 1];
    ret_text[len] = '\0';
}

TEST(globs_agree_with_their_definition)
{
    for (unsigned p = 0; p < 4096; p++) {
        for (unsigned t = 0; t < 729; t++) {
            char pattern[8];
            char text[8];
            spell(p, "*a/", pattern);
            spell(t, "a/", text);
            if (str_matches_glob(text, pattern) != matches_slowly(text, pattern))
                TEST_FAIL("\"%s\" against \"%s\"", text, pattern);
        }
    }
}

TEST(hostile_globs_are_cheap)
{
    AUTO_DONE(strbuf_done) struct strbuf pattern = STRBUF_INIT(1000);
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(10000);
    const int64_t before_ms = clock_mono_ms();

    for (int i = 0; i < 160; i++)
        strbuf_add_str(&pattern, i % 2 ? "*a" : "**a");
    strbuf_add_str(&pattern, "b");
    for (int i = 0; i < 8000; i++)
        strbuf_add_char(&text, 'a');
    CHECK(!str_matches_glob(strbuf_str(&text), strbuf_str(&pattern)));
    CHECK(clock_mono_ms() - before_ms < 5000 * TEST_PATIENCE);
}

TEST(copies)
{
    struct err err = {0};
    char *slot = NULL;
    auto_free char *copy = str_dup("x");

    CHECK_STR(copy, "x");
    CHECK(!str_dup(NULL));
    CHECK_OK(str_set(&slot, "one", &err), err);
    CHECK_OK(str_set(&slot, slot, &err), err); /* its own contents */
    CHECK_STR(slot, "one");
    CHECK_OK(str_set(&slot, NULL, &err), err);
    CHECK(!slot);
}

TEST(utf8_is_decoded_strictly)
{
    static const struct {
        const char *text;
        size_t size;
        uint32_t code_point;
    } cases[] = {
        {"a", 1, 'a'},
        {"\x7F", 1, 0x7F},
        {"\xC2\x80", 2, 0x80},
        {"\xDF\xBF", 2, 0x7FF},
        {"\xE0\xA0\x80", 3, 0x800},
        {"\xEF\xBF\xBD", 3, 0xFFFD},
        {"\xF0\x90\x80\x80", 4, 0x10000},
        {"\xF4\x8F\xBF\xBF", 4, 0x10FFFF},
        {"\xF4\x90\x80\x80", 1, 0xFFFD}, /* beyond Unicode */
        {"\xC0\x80", 1, 0xFFFD},         /* overlong */
        {"\xE0\x9F\xBF", 1, 0xFFFD},
        {"\xF0\x8F\xBF\xBF", 1, 0xFFFD},
        {"\xED\xA0\x80", 1, 0xFFFD}, /* a surrogate */
        {"\x80", 1, 0xFFFD},         /* a continuation alone */
        {"\xE2\x82", 1, 0xFFFD},     /* cut */
        {"\xE2\x28\xA1", 1, 0xFFFD},
        {"\xF8\x88\x80\x80\x80", 1, 0xFFFD},
        {"\xFF", 1, 0xFFFD},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t found = 0;
        const size_t size = utf8_decode(cases[i].text, strlen(cases[i].text), &found);
        if (size != cases[i].size || found != cases[i].code_point)
            TEST_FAIL("case %zu: size %zu, U+%04X", i, size, found);
    }
}

TEST(utf8_is_counted_and_cut_between_characters)
{
    static const char text[] = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"; /* 1 + 2 + 3 + 4 bytes */
    static const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};

    CHECK_INT(utf8_count(text, 10), 4);
    CHECK_INT(utf8_count(text, 9), 6);
    CHECK_INT(utf8_count("\xFF\xFF", 2), 2);
    CHECK_INT(utf8_count("", 0), 0);
    for (size_t max = 0; max < 12; max++)
        CHECK_INT(utf8_cut(text, 10, max), cuts[max]);
}

TEST(cutting_what_is_not_utf8_loses_little)
{
    CHECK(utf8_cut("\x80\x80\x80\x80\x80\x80\x80\x80", 8, 6) >= 3);
}

TEST_MAIN()
