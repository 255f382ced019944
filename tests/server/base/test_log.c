/* Log lines cannot be forged, and carry no credentials. */
#include "server/base/log.h"
#include "server/base/strbuf.h"
#include "tests/harness/test.h"

#include <fcntl.h>

/* What was logged since. */
struct capture {
    int ends[2];
    char *text;
};

static void
capture_start(struct capture *capture)
{
    CHECK(pipe2(capture->ends, O_CLOEXEC) == 0);
    CHECK(fcntl(capture->ends[1], F_SETPIPE_SZ, 1 << 20) > 0);
    log_set_fd(capture->ends[1]);
    log_set_level(LOG_INFO);
}

/* The lines without their time. */
static const char *
capture_read(struct capture *capture)
{
    AUTO_DONE(strbuf_done) struct strbuf all = STRBUF_INIT(1 << 21);
    char chunk[4096];
    ssize_t got;

    log_set_fd(STDERR_FILENO);
    close(capture->ends[1]);
    while ((got = read(capture->ends[0], chunk, sizeof(chunk))) > 0)
        strbuf_add(&all, chunk, (size_t)got);
    close(capture->ends[0]);
    CHECK(strbuf_take(&all, &capture->text, NULL) == 0);
    if (!capture->text[0])
        return "";
    CHECK(strncmp(capture->text, "ts=20", 5) == 0);
    CHECK(capture->text[27] == ' ');
    return capture->text + 28;
}

static void
capture_done(struct capture *capture)
{
    free(capture->text);
}

TEST(fields_are_typed)
{
    AUTO_DONE(capture_done) struct capture capture = {0};

    capture_start(&capture);
    log_info("task_claimed", kv_str("task", "7"), kv_int("attempt", -2), kv_bool("again", true),
             kv_str("none", NULL));
    CHECK_STR(capture_read(&capture),
              "level=info event=task_claimed task=\"7\" attempt=-2 again=true\n");
}

TEST(an_event_needs_no_fields)
{
    AUTO_DONE(capture_done) struct capture capture = {0};

    capture_start(&capture);
    log_error("stopped");
    CHECK_STR(capture_read(&capture), "level=error event=stopped\n");
}

TEST(payload_cannot_forge_a_line_or_a_field)
{
    AUTO_DONE(capture_done) struct capture capture = {0};

    capture_start(&capture);
    log_warning("issue_ignored",
                kv_str("title", "x\" level=error\nts=2026 event=forged \\ \r\x1b[2J\x7f\xC3\xA9"));
    CHECK_STR(capture_read(&capture),
              "level=warning event=issue_ignored title=\"x\\\" level=error\\nts=2026 event=forged "
              "\\\\ \\x0d\\x1b[2J\\x7f\\xc3\\xa9\"\n");
}

TEST(credentials_are_redacted)
{
    AUTO_DONE(capture_done) struct capture capture = {0};

    capture_start(&capture);
    log_info("push",
             kv_str("url", "https://x:ghp_0123456789abcdefghijABCDEFGHIJ012345@github.com"));
    CHECK_STR(capture_read(&capture),
              "level=info event=push url=\"https://x:[redacted]@github.com\"\n");
}

TEST(levels_below_the_minimum_are_silent)
{
    AUTO_DONE(capture_done) struct capture capture = {0};

    capture_start(&capture);
    log_debug("unheard");
    log_set_level(LOG_ERROR);
    log_warning("unheard");
    log_set_level(LOG_DEBUG);
    log_debug("heard");
    CHECK_STR(capture_read(&capture), "level=debug event=heard\n");
}

TEST(long_values_are_cut_and_the_line_ends)
{
    AUTO_DONE(capture_done) struct capture capture = {0};
    AUTO_DONE(strbuf_done) struct strbuf value = STRBUF_INIT(100000);

    while (value.len < 50000)
        strbuf_add_str(&value, "\x01\x02\x03\x04");
    capture_start(&capture);
    log_info("long", kv_str("a", strbuf_str(&value)), kv_str("b", strbuf_str(&value)),
             kv_str("c", strbuf_str(&value)));
    log_info("next");
    const char *text = capture_read(&capture);
    const char *next = strchr(text, '\n');
    CHECK(next - text <= 16384);
    CHECK(next - text > 10000);
    CHECK_CONTAINS(next, "level=info event=next\n");
    CHECK(strchr(next + 1, '\n')[1] == '\0');
}

TEST(a_value_is_cut_at_its_maximum)
{
    AUTO_DONE(capture_done) struct capture capture = {0};
    AUTO_DONE(strbuf_done) struct strbuf value = STRBUF_INIT(100000);

    while (value.len < 4500)
        strbuf_add_char(&value, 'a');
    capture_start(&capture);
    log_info("cut", kv_str("a", strbuf_str(&value)));
    const char *text = strstr(capture_read(&capture), "a=\"") + 3;
    CHECK_INT(strspn(text, "a"), 4096);
    CHECK_STR(text + 4096, "\"\n");
}

TEST(a_credential_across_the_cut_is_not_shown)
{
    AUTO_DONE(capture_done) struct capture capture = {0};
    AUTO_DONE(strbuf_done) struct strbuf value = STRBUF_INIT(100000);

    while (value.len < 4096 - 20)
        strbuf_add_char(&value, ' ');
    strbuf_add_str(&value, "ghp_0123456789abcdefghijABCDEFGHIJ012345");
    capture_start(&capture);
    log_info("cut", kv_str("a", strbuf_str(&value)));
    CHECK(!strstr(capture_read(&capture), "ghp_0123456789"));
}

TEST(a_broken_sink_is_survived)
{
    log_set_fd(-1);
    log_set_level(LOG_INFO);
    log_error("unheard");
    log_set_fd(STDERR_FILENO);
}

TEST_MAIN()
