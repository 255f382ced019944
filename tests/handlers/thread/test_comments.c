/* What of a thread is kept for an agent: the newest, within bounds of number and size. */
#include "handlers/thread/comments.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "tests/harness/test.h"

static void
add(struct comments *comments, const char *author, const char *text, int64_t written_ms)
{
    struct err err;

    CHECK_OK(comments_add(comments, author, text, written_ms, &err), err);
}

static char *
make_text(char c, size_t len)
{
    char *text = malloc(len + 1);

    CHECK(text);
    memset(text, c, len);
    text[len] = '\0';
    return text;
}

TEST(comments_are_copied_in_order)
{
    AUTO_DONE(comments_done) struct comments comments = {0};
    char text[] = "first";

    add(&comments, "ann", text, 1000);
    text[0] = '?';
    add(&comments, NULL, "second", 0);
    add(&comments, "eve", "", 3000);
    CHECK_INT(comments.count, 2);
    CHECK_STR(comments.items[0].author, "ann");
    CHECK_STR(comments.items[0].text, "first");
    CHECK_INT(comments.items[0].written_ms, 1000);
    CHECK(!comments.items[1].author);
    CHECK_STR(comments.items[1].text, "second");
    CHECK_INT(comments.left_out, 0);
}

TEST(the_newest_of_many_are_kept)
{
    AUTO_DONE(comments_done) struct comments comments = {0};

    for (int64_t i = 0; i < LIMIT_THREAD_COMMENTS + 7; i++)
        add(&comments, "ann", "x", i);
    CHECK_INT(comments.count, LIMIT_THREAD_COMMENTS);
    CHECK_INT(comments.left_out, 7);
    CHECK_INT(comments.items[0].written_ms, 7);
    CHECK_INT(comments.items[LIMIT_THREAD_COMMENTS - 1].written_ms, LIMIT_THREAD_COMMENTS + 6);
    CHECK_INT(comments.bytes, LIMIT_THREAD_COMMENTS);
}

TEST(the_newest_of_long_ones_are_kept)
{
    AUTO_DONE(comments_done) struct comments comments = {0};
    auto_free char *eighth = make_text('a', LIMIT_THREAD_BYTES / 8);

    for (int64_t i = 0; i < 8; i++)
        add(&comments, "ann", eighth, i);
    CHECK_INT(comments.count, 8);
    CHECK_INT(comments.left_out, 0);
    add(&comments, "ann", "one byte too many makes the oldest go", 8);
    CHECK_INT(comments.count, 8);
    CHECK_INT(comments.left_out, 1);
    CHECK_INT(comments.items[0].written_ms, 1);
    CHECK(comments.bytes <= LIMIT_THREAD_BYTES);
}

/* One alone cannot push out everything else: it counts, and is shown, up to a cap. */
TEST(a_huge_one_leaves_room_for_another)
{
    AUTO_DONE(comments_done) struct comments comments = {0};
    auto_free char *huge = make_text('a', 200000);

    add(&comments, "ann", "oldest", 1);
    add(&comments, "ann", huge, 2);
    CHECK_INT(comments.count, 2);
    add(&comments, "ann", huge, 3);
    CHECK_INT(comments.count, 2);
    CHECK_INT(comments.left_out, 1);
    CHECK_INT(comments.items[0].written_ms, 2);
    CHECK_INT(strlen(comments.items[1].text), 200000);
}

TEST(one_comment_is_taken_out)
{
    AUTO_DONE(comments_done) struct comments comments = {0};

    add(&comments, "ann", "one", 1000);
    add(&comments, "ann", "two", 2000);
    add(&comments, "bob", "three", 2000);
    add(&comments, NULL, "four", 2000);
    comments_remove(&comments, "Ann", 2000);
    comments_remove(&comments, "eve", 1000);
    CHECK_INT(comments.count, 3);
    CHECK_STR(comments.items[0].text, "one");
    CHECK_STR(comments.items[1].text, "three");
    CHECK_STR(comments.items[2].text, "four");
    CHECK_INT(comments.bytes, strlen("onethreefour"));
    CHECK_INT(comments.left_out, 0);
    comments_done(&comments);
    comments_remove(&comments, "ann", 1000);
    CHECK_INT(comments.count, 0);
}

TEST_MAIN()
