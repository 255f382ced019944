/* Answers to a push, sound and broken. */
#include "tests/harness/test.h"

#include "integrations/git/repo_report.h"

#define REF "refs/heads/x"

static struct err err;
static struct strbuf answer = STRBUF_INIT(1 << 20);
static struct strbuf said = STRBUF_INIT(60);
static bool taken;

static void
add_line(struct strbuf *buf, const char *band, const char *text)
{
    strbuf_addf(buf, "%04zx%s%s", 4 + strlen(band) + strlen(text), band, text);
}

/* The report's lines are packed into band 1 in pieces of `step` bytes. */
static void
make_answer(const char *const *lines, size_t step)
{
    struct strbuf report = STRBUF_INIT(1 << 16);

    strbuf_reset(&answer);
    for (; *lines; lines++)
        add_line(&report, "", *lines);
    strbuf_add_str(&report, "0000");
    for (size_t i = 0; i < report.len; i += step) {
        char piece[256];
        snprintf(piece, sizeof piece, "%.*s", (int)step, report.ptr + i);
        add_line(&answer, "\x01", piece);
    }
    strbuf_add_str(&answer, "0000");
    strbuf_done(&report);
}

static int
parse(void)
{
    taken = false;
    strbuf_reset(&said);
    return repo_report_parse(bytes_of(answer.ptr, answer.len), REF, &taken, &said, &err);
}

TEST(a_taken_ref_is_told_however_it_is_cut)
{
    static const char *const lines[] = {"unpack ok\n", "ok " REF "\n", NULL};

    for (size_t step = 1; step < 40; step++) {
        make_answer(lines, step);
        CHECK_OK(parse(), err);
        CHECK(taken);
        CHECK_STR(strbuf_str(&said), "");
    }
}

TEST(a_declined_ref_is_told_with_the_reason)
{
    static const char *const lines[] = {"unpack ok\n", "ng " REF " hook declined\n", NULL};

    make_answer(lines, 200);
    add_line(&answer, "\x02", "because\n");
    CHECK_OK(parse(), err);
    CHECK(!taken);
    CHECK_CONTAINS(strbuf_str(&said), "hook declined");
    CHECK_CONTAINS(strbuf_str(&said), "because");
}

TEST(only_our_ref_and_an_unpacked_pack_count)
{
    static const char *const other[] = {"unpack ok\n", "ok refs/heads/y\n", NULL};
    static const char *const longer[] = {"unpack ok\n", "ok " REF "y\n", NULL};
    static const char *const broken[] = {"unpack index-pack failed\n", "ok " REF "\n", NULL};

    make_answer(other, 200);
    CHECK_OK(parse(), err);
    CHECK(!taken);
    make_answer(longer, 200);
    CHECK_OK(parse(), err);
    CHECK(!taken);
    make_answer(broken, 200);
    CHECK_OK(parse(), err);
    CHECK(!taken);
    CHECK_CONTAINS(strbuf_str(&said), "index-pack failed");
}

TEST(long_words_are_cut)
{
    strbuf_reset(&answer);
    for (int i = 0; i < 100; i++)
        add_line(&answer, "\x02", "word by word ");
    add_line(&answer, "\x01", "000eunpack ok\n0000");
    CHECK_OK(parse(), err);
    CHECK(!taken);
    CHECK_INT(said.len, 60);
    CHECK(strbuf_ok(&said));
}

TEST(broken_answers_are_refused)
{
    static const char *const texts[] = {"",         "0",    "0003",  "0001", "zzzz",    "0009\x01",
                                        "0005\x04", "-001", "00 5x", "0000", "0005\x02"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        strbuf_reset(&answer);
        strbuf_add_str(&answer, texts[i]);
        CHECK_INT(parse(), ERR_REMOTE);
    }
}

TEST(an_answer_cut_anywhere_takes_nothing_it_should_not)
{
    static const char *const lines[] = {"unpack ok\n", "ok " REF "\n", NULL};
    struct strbuf whole = STRBUF_INIT(4096);

    make_answer(lines, 7);
    strbuf_add(&whole, answer.ptr, answer.len);
    for (size_t len = 0; len < whole.len; len++) {
        auto_free char *part = malloc(len + 1);
        CHECK(part);
        memcpy(part, whole.ptr, len);
        taken = false;
        const int r = repo_report_parse(bytes_of(part, len), REF, &taken, &said, &err);
        if (len + 24 < whole.len) /* the ref's line is not whole yet */
            CHECK(r || !taken);
    }
    strbuf_done(&whole);
}

TEST_MAIN()
