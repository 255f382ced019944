/* The growing buffer: its cap, and that failure sticks. */
#include "server/base/strbuf.h"
#include "tests/harness/test.h"

TEST(appends_of_every_kind)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(100);

    CHECK_STR(strbuf_str(&buf), "");
    strbuf_add(&buf, "ab", 2);
    strbuf_add(&buf, NULL, 0);
    strbuf_add_str(&buf, "cd");
    strbuf_add_char(&buf, 'e');
    strbuf_add_bytes(&buf, bytes_of("fgh", 2));
    strbuf_addf(&buf, "%d%s", 12, "x");
    CHECK_STR(strbuf_str(&buf), "abcdefg12x");
    CHECK_INT(buf.len, 10);
    CHECK(strbuf_ok(&buf));
}

TEST(exactly_the_maximum_fits)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(4);

    strbuf_add_str(&buf, "abcd");
    CHECK(strbuf_ok(&buf));
    CHECK_STR(strbuf_str(&buf), "abcd");
    strbuf_add_char(&buf, 'e');
    CHECK_INT(buf.failed, ERR_LIMIT);
    CHECK_STR(strbuf_str(&buf), "abcd");
}

TEST(failure_sticks_until_reset)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(4);
    struct err err = {0};
    char *text = NULL;

    strbuf_add_str(&buf, "abc");
    strbuf_addf(&buf, "%s", "de");
    strbuf_add_char(&buf, 'd'); /* would fit, but something before it is missing */
    CHECK_STR(strbuf_str(&buf), "abc");
    CHECK_INT(strbuf_take(&buf, &text, &err), ERR_LIMIT);
    CHECK_STR(err.msg, "text is longer than 4 bytes");
    CHECK(!text);
    strbuf_reset(&buf);
    CHECK_STR(strbuf_str(&buf), "");
    strbuf_add_str(&buf, "wxyz");
    CHECK_OK(strbuf_take(&buf, &text, &err), err);
    CHECK_STR(text, "wxyz");
    free(text);
}

TEST(a_huge_append_does_not_overflow)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(100);

    strbuf_add_str(&buf, "a");
    strbuf_add(&buf, "b", SIZE_MAX - 1);
    CHECK_INT(buf.failed, ERR_LIMIT);
}

TEST(taking_nothing_gives_an_empty_text)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(10);
    auto_free char *text = NULL;
    struct err err = {0};

    CHECK_OK(strbuf_take(&buf, &text, &err), err);
    CHECK_STR(text, "");
    CHECK_INT(buf.max, 10);
}

TEST(a_buffer_without_maximum_takes_nothing)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = {0};

    strbuf_add_char(&buf, 'a');
    CHECK_INT(buf.failed, ERR_LIMIT);
}

TEST(truncate_only_shortens)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(10);

    strbuf_truncate(&buf, 0);
    strbuf_add_str(&buf, "abcdef");
    strbuf_truncate(&buf, 9);
    CHECK_STR(strbuf_str(&buf), "abcdef");
    strbuf_truncate(&buf, 2);
    CHECK_STR(strbuf_str(&buf), "ab");
    strbuf_add_str(&buf, "z");
    CHECK_STR(strbuf_str(&buf), "abz");
}

TEST(growth_keeps_everything)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(1000000);

    for (int i = 0; i < 100000; i++)
        strbuf_addf(&buf, "%05d", i);
    CHECK(strbuf_ok(&buf));
    CHECK_INT(buf.len, 500000);
    CHECK(memcmp(buf.ptr + 5 * 77777, "77777", 5) == 0);
}

TEST(bytes_with_nul_are_kept)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(10);

    strbuf_add(&buf, "a\0b", 3);
    CHECK_INT(buf.len, 3);
    CHECK(memcmp(buf.ptr, "a\0b", 4) == 0);
}

TEST(printf_into_fresh_memory)
{
    auto_free char *text = str_printf("%s-%03d", "a", 7);

    CHECK_STR(text, "a-007");
}

TEST_MAIN()
