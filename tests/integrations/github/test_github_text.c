/* Texts cut to GitHub's size. */
#include "integrations/github/github_text.h"

#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "tests/harness/test.h"

#define SMALL 200U /* a maximum that tests can look at */
#define ELLIPSIS "\xE2\x80\xA6"

/* `head`, so many times `unit`, then `tail`. */
static char *
text_of(const char *head, const char *unit, size_t times, const char *tail)
{
    struct strbuf buf = STRBUF_INIT(16U * 1024 * 1024);
    char *text;
    struct err err;

    strbuf_add_str(&buf, head);
    for (size_t i = 0; i < times; i++)
        strbuf_add_str(&buf, unit);
    strbuf_add_str(&buf, tail);
    CHECK_OK(strbuf_take(&buf, &text, &err), err);
    return text;
}

/* Fits `text` (freed) into `max` characters and checks that it does. */
static char *
fit(char *text, size_t max)
{
    char *fitted;
    struct err err;

    CHECK_OK(github_fit_body(text, max, &fitted, &err), err);
    CHECK(utf8_count(fitted, strlen(fitted)) <= max);
    free(text);
    return fitted;
}

TEST(what_fits_is_left_alone)
{
    static const char *const texts[] = {"", "short", "```\nopen", "caf\xc3\xa9 \xf0\x9f\x91\x80"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char *const fitted = fit(str_dup(texts[i]), SMALL);
        CHECK_STR(fitted, texts[i]);
        free(fitted);
    }
    char *const exact = fit(text_of("", "\xc3\xa9", GITHUB_BODY_CHARS, ""), GITHUB_BODY_CHARS);
    CHECK_INT(strlen(exact), 2 * GITHUB_BODY_CHARS);
    free(exact);
}

TEST(characters_are_counted_and_not_split)
{
    char *const fitted =
        fit(text_of("", "\xf0\x9f\x91\x80", GITHUB_BODY_CHARS + 1, ""), GITHUB_BODY_CHARS);
    const size_t len = strlen(fitted);

    CHECK(str_ends_with(fitted, "\xf0\x9f\x91\x80" ELLIPSIS));
    CHECK(len > 4 * (GITHUB_BODY_CHARS - 200));
    CHECK_INT((len - strlen(ELLIPSIS)) % 4, 0);
    free(fitted);
}

TEST(open_fences_are_closed)
{
    static const struct {
        const char *head, *unit, *end;
    } cases[] = {
        {"a\n```\n", "x\n", "x\n\n```\n" ELLIPSIS},
        {"a\n```c\n", "x", "xx\n```\n" ELLIPSIS},
        {"~~~~ py\n", "x\n", "\n~~~~\n" ELLIPSIS},
        {"   `````\n```\n", "x\n", "\n`````\n" ELLIPSIS}, /* a shorter row does not close it */
        {"```\n~~~\n", "x\n", "\n```\n" ELLIPSIS},        /* nor does another character */
        {"```\n``` no\n", "x\n", "\n```\n" ELLIPSIS},     /* nor one with words after it */
        {"~~~\n", "``` x\n", "\n~~~\n" ELLIPSIS},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *const fitted = fit(text_of(cases[i].head, cases[i].unit, 300, "end"), SMALL);
        if (!str_ends_with(fitted, cases[i].end))
            TEST_FAIL("case %zu ends in \"%s\"", i, fitted + strlen(fitted) - 12);
        free(fitted);
    }
}

/* What GitHub counts: characters, of whatever length in bytes, with what closes the fence. */
TEST(a_comment_of_emoji_in_a_fence_keeps_to_the_limit_and_is_closed)
{
    char *const fitted = fit(text_of("a\n````text\n", "\xf0\x9f\x91\x80", GITHUB_BODY_CHARS, "end"),
                             GITHUB_BODY_CHARS);
    size_t chars = 0;

    for (const char *p = fitted; *p; p++)
        chars += ((unsigned char)*p & 0xC0U) != 0x80U;
    CHECK(chars <= GITHUB_BODY_CHARS && chars > GITHUB_BODY_CHARS - 200);
    CHECK(str_ends_with(fitted, "\xf0\x9f\x91\x80\n````\n" ELLIPSIS));
    free(fitted);
}

TEST(closed_fences_stay_closed)
{
    static const char *const heads[] = {
        "```\nx\n```\n", "~~~\nx\n~~~~~  \n", "    ```\n",   "``\n",
        "```a`b\n",      "x ```\n",           "```\nx\n```",
    };

    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        char *const fitted = fit(text_of(heads[i], "\nx", 300, ""), SMALL);
        if (strstr(fitted + strlen(heads[i]), "`") || strstr(fitted + strlen(heads[i]), "~"))
            TEST_FAIL("case %zu was closed: %s", i, fitted);
        CHECK(str_ends_with(fitted, ELLIPSIS));
        free(fitted);
    }
}

TEST(a_fence_of_absurd_length_does_not_break_the_limit)
{
    free(fit(text_of("\n", "`", 300, "\nx"), SMALL));
    free(fit(text_of("\n", "`", GITHUB_BODY_CHARS * 2, "\nx"), GITHUB_BODY_CHARS));
}

TEST(what_is_not_utf8_is_replaced)
{
    char *const fitted = fit(str_dup("a\xff"
                                     "b\xc3"),
                             SMALL);

    CHECK_STR(fitted, "a\xEF\xBF\xBD"
                      "b\xEF\xBF\xBD");
    free(fitted);
}

TEST(titles_are_one_line_of_256_characters)
{
    char *const long_title = text_of("", "\xc3\xa9", 257, "");
    char *const exact_title = text_of("", "\xc3\xa9", 256, "");
    char *title;
    struct err err;

    CHECK_OK(github_fit_line("one\r\ntwo", GITHUB_TITLE_CHARS, &title, &err), err);
    CHECK_STR(title, "one  two");
    free(title);
    CHECK_OK(github_fit_line(exact_title, GITHUB_TITLE_CHARS, &title, &err), err);
    CHECK_STR(title, exact_title);
    free(title);
    CHECK_OK(github_fit_line(long_title, GITHUB_TITLE_CHARS, &title, &err), err);
    CHECK_INT(utf8_count(title, strlen(title)), 256);
    CHECK(str_ends_with(title, "\xc3\xa9" ELLIPSIS));
    free(title);
    free(long_title);
    free(exact_title);
}

TEST_MAIN()
