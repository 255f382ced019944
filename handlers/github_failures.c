/* Why GitHub's checks failed, for a run that is to mend it: declared in github_session.h. */
#include "handlers/github_session.h"
#include "integrations/github/github_actions.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "server/store/task.h"

#define SUITE "suite:"
#define MOST_CHECKS 8U
#define LOG_BYTES (4U * 1024)   /* of each check */
#define WORDS_BYTES (2U * 1024) /* likewise, of what it says itself */

struct reading_failures {
    struct github *client;
    const struct task *task;
    struct strbuf text;
    size_t count;
};

static void
failures_done(struct reading_failures *reading)
{
    strbuf_done(&reading->text);
}

static void
append_cut(struct strbuf *buf, const char *text)
{
    if (!*text)
        return;
    strbuf_add(buf, text, utf8_cut(text, strlen(text), WORDS_BYTES));
    strbuf_add_char(buf, '\n');
}

/* A log that is gone, or that we may not read, is done without. */
static void
append_log(struct reading_failures *reading, int64_t job)
{
    auto_free char *log = NULL;
    struct err fault;

    if (github_job_log(reading->client, reading->task->repository, job, LOG_BYTES, &log, &fault)) {
        log_warning("log_not_read", kv_int("task", reading->task->id), kv_str("reason", fault.msg));
        strbuf_addf(&reading->text, "(its log could not be read: %s)\n", fault.msg);
        return;
    }
    strbuf_addf(&reading->text, "The end of its log:\n%s\n", log);
}

static int
take_check(void *ctx, const struct github_failed_check *check, struct err *err)
{
    struct reading_failures *reading = ctx;

    (void)err;
    if (reading->count++ >= MOST_CHECKS)
        return 0;
    strbuf_addf(&reading->text, "## %s: %s\n", check->name, check->conclusion);
    append_cut(&reading->text, check->title);
    append_cut(&reading->text, check->summary);
    append_cut(&reading->text, check->text);
    if (str_equal(check->app, "github-actions"))
        append_log(reading, check->id);
    strbuf_add_char(&reading->text, '\n');
    return 0;
}

int
github_read_failures(struct session *session,
                     const struct task *task,
                     const char *batch,
                     char **ret_text,
                     struct err *err)
{
    AUTO_DONE(failures_done)
    struct reading_failures reading = {
        .client = github_client(session), .task = task, .text = STRBUF_INIT(256U * 1024)};
    int64_t suite = 0;
    int r;

    if (!str_starts_with(batch, SUITE) || str_to_i64(batch + strlen(SUITE), &suite, err))
        return err_set(err, ERR_INVALID, "not the name of a check suite");
    r = github_each_failed_check(reading.client, task->repository, suite, take_check, &reading,
                                 err);
    if (r)
        return r;
    if (reading.count > MOST_CHECKS)
        strbuf_addf(&reading.text, "... and %zu more\n", reading.count - MOST_CHECKS);
    return strbuf_take(&reading.text, ret_text, err);
}
