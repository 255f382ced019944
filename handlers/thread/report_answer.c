/* Comments that answer somebody: questions to the bot, and remarks on a draft once their run has
 * ended. Each begins with a marker that no other text has, so that one that was sent already is
 * found. */
#include "handlers/thread/report_parts.h"

#include "handlers/thread/text.h"
#include "server/base/str.h"

#include <inttypes.h>

#define ANSWER_BYTES 12000
#define REASON_BYTES 600
#define SHORT_ID 7

static const char *
or_empty(const char *text)
{
    return text ? text : "";
}

/* "<!-- draftd:task=7 instance=ab12 answer=NAME -->": NAME in letters and digits. */
static void
append_marker(struct strbuf *buf, int64_t task, const char *instance, const char *name)
{
    report_append_marker(buf, task, instance);
    strbuf_truncate(buf, buf->len ? buf->len - strlen("-->\n") : 0);
    strbuf_add_str(buf, "answer=");
    for (const char *p = or_empty(name); *p; p++)
        strbuf_add_char(
            buf, (*p >= '0' && *p <= '9') || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z') ? *p : '.');
    strbuf_add_str(buf, " -->\n");
}

/* The first line of an answer. */
static void
begin_answer(struct strbuf *buf, const struct report_answer_input *input)
{
    append_marker(buf, input->task ? input->task->id : 0, input->instance, input->question);
}

static void
append_not_done(struct strbuf *buf, const char *reason)
{
    strbuf_add_str(buf, "**Not done**: ");
    report_append_inline(buf, reason, REASON_BYTES);
    strbuf_add_str(buf, ".\n");
}

int
report_help(const struct report_answer_input *input, char **ret_text, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(REPORT_BYTES);
    const char *name = input->bot_name;

    begin_answer(&buf, input);
    strbuf_addf(
        &buf,
        "| to | write, at the beginning of a line |\n|---|---|\n"
        "| have work done | `@%s` and what is wanted, or the label `%s` on the issue |\n"
        "| with a certain agent, from a certain branch | `@%s use AGENT on BRANCH: ...` |\n"
        "| have it tried again | `@%s retry` |\n"
        "| take in the base branch | `@%s rebase` |\n"
        "| stop | `@%s cancel` |\n"
        "| know how it stands | `@%s status` |\n\n"
        "On a pull request of draftd's every review comment is work, too. It never merges.\n",
        name, input->bot_label, name, name, name, name, name);
    return strbuf_take(&buf, ret_text, err);
}

/* The status comment stands elsewhere, and is true at every time: this says it here, once. */
int
report_status_answer(const struct report_answer_input *input, char **ret_text, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(REPORT_BYTES);
    const struct task *task = input->task;

    begin_answer(&buf, input);
    if (!task) {
        strbuf_add_str(&buf, "Nothing was asked of draftd here so far.\n");
        return strbuf_take(&buf, ret_text, err);
    }
    strbuf_addf(&buf, "Task %" PRId64 " is **%s**", task->id, task_state_name(task->state));
    if (task->reason && *task->reason) {
        strbuf_add_str(&buf, ": ");
        report_append_inline(&buf, task->reason, REASON_BYTES);
    }
    if (task->draft_number) {
        auto_free char *what = str_printf("Pull request %" PRId64, task->draft_number);
        strbuf_add_str(&buf, ". ");
        report_append_link(&buf, what ? what : "Its pull request", task->draft_url);
        strbuf_addf(&buf, " is %s", draft_state_name(task->draft_state));
    }
    strbuf_add_str(&buf, ".\n");
    report_append_conflicts(&buf, task, input->bot_name);
    return strbuf_take(&buf, ret_text, err);
}

int
report_refusal(const struct report_answer_input *input, char **ret_text, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(REPORT_BYTES);

    begin_answer(&buf, input);
    strbuf_addf(&buf,
                "draftd works on pull requests that it opened itself, and this is not one of them. "
                "To have something done, mention `@%s` in an issue, or give an issue the label "
                "`%s`.\n",
                input->bot_name, input->bot_label);
    return strbuf_take(&buf, ret_text, err);
}

int
report_ended(const struct report_answer_input *input,
             const struct past_draft *ended,
             char **ret_text,
             struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(REPORT_BYTES);
    const struct task *task = input->task;
    auto_free char *present = str_printf("pull request %" PRId64, task->draft_number);

    begin_answer(&buf, input);
    report_append_past(&buf, "Pull request", ended);
    strbuf_addf(&buf, ": draftd does nothing more on it. To have more done, mention `@%s` in ",
                input->bot_name);
    if (task->draft_state == DRAFT_OPEN) {
        report_append_link(&buf, present ? present : "the present pull request", task->draft_url);
        strbuf_add_str(&buf, ", which is open now.\n");
    } else {
        report_append_link(&buf, "the issue", task->url);
        strbuf_add_str(&buf, ", which has to be open.\n");
    }
    return strbuf_take(&buf, ret_text, err);
}

int
report_decline(const struct report_answer_input *input,
               const char *reason,
               char **ret_text,
               struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(REPORT_BYTES);

    begin_answer(&buf, input);
    append_not_done(&buf, reason);
    return strbuf_take(&buf, ret_text, err);
}

static void
append_commit(struct strbuf *buf, const struct run *run)
{
    strbuf_addf(buf, "`%.*s`", SHORT_ID, or_empty(run->head_commit));
}

/* What became of the run that took the remark. */
static void
append_outcome(struct strbuf *buf, const struct run *run)
{
    switch (run->outcome) {
    case OUTCOME_DRAFT:
        strbuf_add_str(buf, "Done in ");
        append_commit(buf, run);
        strbuf_add_str(buf, run->verdict == VERDICT_VERIFIED       ? ", verified.\n"
                            : run->verdict == VERDICT_NOT_VERIFIED ? ", **not verified**.\n"
                                                                   : ", without checks.\n");
        return;
    case OUTCOME_UNCHANGED:
        strbuf_add_str(buf, "Nothing was changed for this");
        if (report_needed_no_agent(run)) {
            strbuf_add_str(buf, ": ");
            report_append_inline(buf, run->reason, REASON_BYTES);
        }
        strbuf_add_str(buf, ".\n");
        return;
    case OUTCOME_NONE:
    case OUTCOME_HELD:
    case OUTCOME_FAILED:
    case OUTCOME_CANCELED:
        append_not_done(buf, run->reason ? run->reason : "the run ended early");
        return;
    }
}

int
report_remark_answer(const struct task *task,
                     const struct run *run,
                     const struct remark *remark,
                     const char *instance,
                     char **ret_text,
                     struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(REPORT_BYTES);
    const char *said = remark->answer ? remark->answer : run->summary;
    auto_free char *name = str_printf("%" PRId64, remark->id);

    append_marker(&buf, task->id, instance, name);
    append_outcome(&buf, run);
    if (said && *said) {
        strbuf_add_str(&buf, "\nThe agent says:\n\n");
        text_append_quote(&buf, bytes_of_str(said), ANSWER_BYTES);
    }
    return strbuf_take(&buf, ret_text, err);
}
