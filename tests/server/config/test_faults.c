/* The report of faults: ordered, bounded, and safe to show. */
#include "server/config/faults.h"
#include "tests/harness/test.h"

TEST(no_fault_is_no_report)
{
    AUTO_DONE(faults_done) struct faults faults = {.file = "f.yml"};
    AUTO_DONE(strbuf_done) struct strbuf report = STRBUF_INIT(1024);
    struct err err = {0};

    CHECK_OK(faults_report(&faults, &report, &err), err);
    CHECK_STR(strbuf_str(&report), "");
}

TEST(faults_come_by_line_and_in_order_within_one)
{
    AUTO_DONE(faults_done) struct faults faults = {.file = "f.yml"};
    AUTO_DONE(strbuf_done) struct strbuf report = STRBUF_INIT(1024);
    struct err err = {0};

    faults_add(&faults, 9, "z", "is %s", "last");
    faults_add(&faults, 2, "b", "is second");
    faults_add(&faults, 2, "c", "is third");
    faults_add(&faults, 1, "a", "is first");
    CHECK_INT(faults_report(&faults, &report, &err), ERR_INVALID);
    CHECK_STR(strbuf_str(&report), "f.yml:1: a: is first\n"
                                   "f.yml:2: b: is second\n"
                                   "f.yml:2: c: is third\n"
                                   "f.yml:9: z: is last\n");
    CHECK_STR(err.msg, "f.yml has 4 faults");
}

TEST(one_fault_is_singular)
{
    AUTO_DONE(faults_done) struct faults faults = {.file = "f.yml"};
    AUTO_DONE(strbuf_done) struct strbuf report = STRBUF_INIT(1024);
    struct err err = {0};

    faults_add(&faults, 1, "a", "is wrong");
    CHECK_INT(faults_report(&faults, &report, &err), ERR_INVALID);
    CHECK_STR(err.msg, "f.yml has 1 fault");
}

TEST(texts_from_outside_cannot_forge_lines_or_hide)
{
    AUTO_DONE(faults_done) struct faults faults = {.file = "f.yml"};
    AUTO_DONE(strbuf_done) struct strbuf report = STRBUF_INIT(1024);

    faults_add(
        &faults, 1, "a\nb", "found \"%s\"",
        "x\r\n\x1b[31m\x7f \xC2\x9B \xE2\x80\xAE \xE2\x80\x8B \xF3\xA0\x81\x81 \xFF \xC3\xA4");
    CHECK_INT(faults_report(&faults, &report, NULL), ERR_INVALID);
    CHECK_STR(strbuf_str(&report), "f.yml:1: a?b: found \"x???[31m? ? ? ? ? ? \xC3\xA4\"\n");
}

TEST(credentials_are_redacted)
{
    AUTO_DONE(faults_done) struct faults faults = {.file = "f.yml"};
    AUTO_DONE(strbuf_done) struct strbuf report = STRBUF_INIT(1024);

    faults_add(&faults, 1, "token_file", "reading %s", "ghp_0123456789abcdefghijABCDEFGHIJ012345");
    CHECK_INT(faults_report(&faults, &report, NULL), ERR_INVALID);
    CHECK_STR(strbuf_str(&report), "f.yml:1: token_file: reading [redacted]\n");
}

TEST(a_flood_is_counted)
{
    AUTO_DONE(faults_done) struct faults faults = {.file = "f.yml"};
    AUTO_DONE(strbuf_done) struct strbuf report = STRBUF_INIT(65536);
    struct err err = {0};

    for (unsigned i = 0; i < 1000; i++)
        faults_add(&faults, i + 1, "k", "is wrong");
    CHECK(faults_full(&faults));
    CHECK_INT(faults_report(&faults, &report, &err), ERR_INVALID);
    CHECK_CONTAINS(strbuf_str(&report), "f.yml:64: k: is wrong\nf.yml: and 936 more faults\n");
    CHECK_STR(err.msg, "f.yml has 1000 faults");
}

TEST(a_small_buffer_gets_whole_lines_and_no_failure)
{
    AUTO_DONE(faults_done) struct faults faults = {.file = "f.yml"};
    AUTO_DONE(strbuf_done) struct strbuf report = STRBUF_INIT(50);

    for (unsigned i = 0; i < 5; i++)
        faults_add(&faults, i + 1, "k", "is wrong");
    CHECK_INT(faults_report(&faults, &report, NULL), ERR_INVALID);
    CHECK_STR(strbuf_str(&report), "f.yml:1: k: is wrong\nf.yml:2: k: is wrong\n");
    CHECK(strbuf_ok(&report));
}

TEST(done_makes_it_empty_again)
{
    struct faults faults = {.file = "f.yml"};
    AUTO_DONE(strbuf_done) struct strbuf report = STRBUF_INIT(50);

    faults_add(&faults, 1, "k", "is wrong");
    faults_done(&faults);
    CHECK_INT(faults_report(&faults, &report, NULL), 0);
    faults_done(&faults);
}

TEST_MAIN()
