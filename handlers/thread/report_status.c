/* The status comment: where a task stands, for the people of its thread. Edited in place, so its
 * text depends on nothing that changes by itself, such as the time, until the task has ended. */
#include "handlers/thread/report_parts.h"

#include "handlers/thread/text.h"
#include "server/base/str.h"

#include <inttypes.h>

#define REASON_BYTES 600
#define NAME_BYTES 60
#define OUTPUT_BYTES 14000
#define SUMMARY_BYTES 6000

/* What the stages are called in the line of stages; several stages may be one step of it. */
static const struct {
    const char *name;
    enum run_stage last; /* the step is over after this stage */
} steps[] = {
    {"fetch", STAGE_FETCH}, {"setup", STAGE_SETUP},  {"checks before", STAGE_BASELINE},
    {"agent", STAGE_AGENT}, {"checks", STAGE_CHECK}, {"guard", STAGE_EXPORT},
    {"proof", STAGE_PROOF}, {"publish", STAGE_END},
};

static void
append_round(struct strbuf *buf, const struct report_input *input)
{
    if (input->run->round < 1)
        return;
    strbuf_addf(buf, "round %" PRId64, input->run->round);
    if (input->rounds > 0)
        strbuf_addf(buf, " of %" PRId64, input->rounds);
    strbuf_add_str(buf, ": ");
}

static void
append_stage(struct strbuf *buf, const struct report_input *input)
{
    switch (input->run->stage) {
    case STAGE_FETCH:
        strbuf_add_str(buf, "fetching the repository");
        return;
    case STAGE_SETUP:
        strbuf_add_str(buf, "setting up");
        return;
    case STAGE_BASELINE:
        strbuf_add_str(buf, "running the checks before any change");
        return;
    case STAGE_AGENT:
        append_round(buf, input);
        strbuf_add_str(buf, "the agent is working");
        return;
    case STAGE_CHECK:
        append_round(buf, input);
        strbuf_add_str(buf, "running checks");
        return;
    case STAGE_EXPORT:
        strbuf_add_str(buf, "looking over the change");
        return;
    case STAGE_PROOF:
        strbuf_add_str(buf, "proving the commit in a fresh container");
        return;
    case STAGE_PUBLISH:
    case STAGE_END:
        strbuf_add_str(buf, "publishing");
        return;
    }
}

/* "fetch ✓ · setup ✓ · **agent** · checks · ..." */
static void
append_steps(struct strbuf *buf, enum run_stage stage)
{
    bool reached = false;

    strbuf_add_char(buf, '\n');
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        const bool current = !reached && stage <= steps[i].last;
        strbuf_add_str(buf, i > 0 ? " · " : "");
        strbuf_addf(buf, current ? "**%s**" : reached ? "%s" : "%s ✓", steps[i].name);
        reached |= current;
    }
    strbuf_add_char(buf, '\n');
}

static void
append_sentence(struct strbuf *buf, const char *text)
{
    const size_t begin = buf->len;

    report_append_inline(buf, text, REASON_BYTES);
    if (begin > 0 && buf->len > begin && buf->ptr[begin - 1] == '\n' && buf->ptr[begin] >= 'a' &&
        buf->ptr[begin] <= 'z')
        buf->ptr[begin] = (char)(buf->ptr[begin] - 'a' + 'A');
    strbuf_add_str(buf, str_ends_with(text, ".") ? "\n" : ".\n");
}

/* The thread has seen another pull request: what is told now is not of that. One from the same
 * branch only takes its place. */
static void
append_past(struct strbuf *buf, const struct report_input *input)
{
    const struct past_draft *past = input->past;

    if (!past)
        return;
    const bool goes_on = past->branch && str_equal(past->branch, input->task->branch);
    strbuf_add_str(buf, "\nBefore: ");
    report_append_past(buf, "pull request", past);
    strbuf_add_str(buf, goes_on ? ".\n" : "; this is new work.\n");
}

/* ---- live ---- */

static void
append_stop_hint(struct strbuf *buf, const struct report_input *input)
{
    if (str_equal(input->task->platform, "local"))
        strbuf_addf(buf, "`draftd cancel %" PRId64 "` stops it.", input->task->id);
    else
        strbuf_addf(buf, "`@%s cancel` stops it.", input->bot_name);
}

static void
append_live(struct strbuf *buf, const struct report_input *input)
{
    const struct run *run = input->run;
    const bool running = run && input->task->state == TASK_RUNNING;
    const bool stopping = run && run->cancel_requested;

    if (stopping) {
        strbuf_add_str(buf, "**Stopping**, as ");
        report_append_inline(buf, run->cancel_requested, NAME_BYTES);
        strbuf_add_str(buf, " asked.\n");
    } else if (input->waiting_for) {
        strbuf_add_str(buf, "**Waiting** for what is away: ");
        append_sentence(buf, input->waiting_for);
        strbuf_add_str(buf, "Work goes on by itself when it is back.\n");
    } else if (running) {
        strbuf_add_str(buf, "**Working**: ");
        append_stage(buf, input);
        strbuf_add_str(buf, ".\n");
    } else {
        strbuf_add_str(buf, "**Queued**: work begins as soon as a worker is free.\n");
    }
    if (running)
        append_steps(buf, run->stage);
    if (report_has_checks(input->checks)) {
        strbuf_add_char(buf, '\n');
        report_append_checks(buf, input->checks);
    }
    if (input->detail) {
        strbuf_add_char(buf, '\n');
        report_append_lines(buf, "- ", input->detail);
    }

    append_past(buf, input);
    strbuf_add_str(buf, "\nAsked by ");
    report_append_asker(buf, input->task, run);
    strbuf_add_str(buf, stopping ? "." : ". ");
    if (!stopping)
        append_stop_hint(buf, input);
    strbuf_add_char(buf, '\n');
}

/* ---- ended ---- */

static void
append_draft_link(struct strbuf *buf, const struct task *task)
{
    if (task->draft_url) {
        auto_free char *name = str_printf("pull request %" PRId64, task->draft_number);
        report_append_link(buf, name ? name : "pull request", task->draft_url);
        return;
    }
    strbuf_addf(buf, "draft %" PRId64, task->draft_number ? task->draft_number : task->id);
    if (task->branch) {
        strbuf_add_str(buf, " on the branch ");
        report_append_code(buf, task->branch, 2 * NAME_BYTES);
    }
}

void
report_append_conflicts(struct strbuf *buf, const struct task *task, const char *bot_name)
{
    if (task->draft_state != DRAFT_OPEN || !task->draft_conflicts)
        return;
    strbuf_add_str(buf, "\nIt conflicts with ");
    report_append_code(buf, task->base_branch ? task->base_branch : "its base", 2 * NAME_BYTES);
    strbuf_addf(buf, "; `@%s rebase` resolves that.\n", bot_name);
}

/* Why it ended: the task's last word, or the run's. */
static const char *
find_reason(const struct report_input *input)
{
    if (input->task->reason && *input->task->reason)
        return input->task->reason;
    return input->run && input->run->reason && *input->run->reason ? input->run->reason : NULL;
}

static void
append_canceled(struct strbuf *buf, const struct report_input *input)
{
    const char *who = input->run ? input->run->cancel_requested : NULL;
    const char *reason = find_reason(input);

    strbuf_add_str(buf, "**Cancelled**");
    if (who) {
        strbuf_add_str(buf, " by ");
        report_append_inline(buf, who, NAME_BYTES);
        strbuf_add_str(buf, ".\n");
    } else {
        strbuf_add_str(buf, reason ? ": " : "");
        append_sentence(buf, reason ? reason : "");
    }
    /* the platform may have done what it was asked for although nobody heard its answer */
    if (input->run && input->run->stage == STAGE_PUBLISH && input->task->branch) {
        strbuf_add_str(buf, "\nIt was being published already: the branch ");
        report_append_code(buf, input->task->branch, 2 * NAME_BYTES);
        strbuf_add_str(buf, " may be there, and a draft from it.\n");
    }
}

static const char *
draft_word(enum draft_state state)
{
    switch (state) {
    case DRAFT_NONE:
    case DRAFT_OPEN:
        return "**Draft ready**: ";
    case DRAFT_MERGED:
        return "**Merged**: ";
    case DRAFT_CLOSED:
        return "**Closed** without being merged: ";
    }
    return "";
}

bool
report_needed_no_agent(const struct run *run)
{
    return run->outcome == OUTCOME_UNCHANGED && run->stage < STAGE_AGENT && run->reason;
}

static bool
gave_way(const struct report_input *input)
{
    return input->task->state == TASK_UNCHANGED && input->run && input->run->rival;
}

static void
append_unchanged(struct strbuf *buf, const struct report_input *input)
{
    if (gave_way(input)) {
        strbuf_add_str(buf, "**Not begun**: ");
        report_append_link(buf, "somebody's pull request", input->run->rival);
        strbuf_add_str(buf, " for this is open already.\n");
        return;
    }
    if (input->run && report_needed_no_agent(input->run)) {
        strbuf_add_str(buf, "**Nothing was changed**: ");
        append_sentence(buf, input->run->reason);
        return;
    }
    strbuf_addf(buf, "**No change needed**: the agent changed nothing%s.\n",
                input->task->draft_number ? "" : ", so there is no pull request");
}

static void
append_last_word(struct strbuf *buf, const struct report_input *input)
{
    const char *reason = find_reason(input);

    switch (input->task->state) {
    case TASK_QUEUED:
    case TASK_RUNNING:
        return;
    case TASK_DRAFTED:
        strbuf_add_str(buf, draft_word(input->task->draft_state));
        append_draft_link(buf, input->task);
        strbuf_add_str(buf, ".\n");
        report_append_conflicts(buf, input->task, input->bot_name);
        if (input->run && input->run->verdict != VERDICT_NONE) {
            strbuf_add_char(buf, '\n');
            report_append_verdict(buf, input->run, input->checks);
        }
        return;
    case TASK_UNCHANGED:
        append_unchanged(buf, input);
        return;
    case TASK_HELD:
        strbuf_add_str(buf,
                       "**Held back**: nothing was pushed, because of what the change holds or "
                       "touches.\n");
        if (!input->detail && reason) {
            strbuf_add_char(buf, '\n');
            append_sentence(buf, reason);
        }
        return;
    case TASK_FAILED:
        strbuf_add_str(buf, "**Failed**: ");
        append_sentence(buf, reason ? reason : "the cause is not known");
        return;
    case TASK_CANCELED:
        append_canceled(buf, input);
        return;
    }
}

/* Failures but the agent's own are somebody's to mend: of the repository or of this installation.
 */
static bool
is_to_be_mended(const struct report_input *input)
{
    const struct run *run = input->run;
    const bool agents = run && (run->stage == STAGE_AGENT || run->stage == STAGE_CHECK);

    return input->task->state == TASK_FAILED && !agents;
}

static void
append_retry_hint(struct strbuf *buf, const struct report_input *input)
{
    const bool mend = is_to_be_mended(input);

    if (input->task->state == TASK_DRAFTED)
        return;
    if (str_equal(input->task->platform, "local"))
        strbuf_addf(buf, " %s`draftd retry %" PRId64 "` tries again.",
                    mend ? "When that is mended, " : "", input->task->id);
    else if (mend)
        strbuf_addf(buf, " When that is mended, `@%s retry` tries again.", input->bot_name);
    else if (gave_way(input))
        strbuf_addf(buf, " `@%s retry` has it done all the same.", input->bot_name);
    else
        strbuf_addf(buf, " To try again, mention `@%s` and say what %s.", input->bot_name,
                    input->task->state == TASK_HELD ? "the change should leave alone"
                                                    : "should be different");
}

static void
append_footer(struct strbuf *buf, const struct report_input *input)
{
    AUTO_DONE(strbuf_done) struct strbuf effort = STRBUF_INIT(200);

    report_append_effort(&effort, input->run, input->now_ms);
    strbuf_add_str(buf, "\nAsked by ");
    report_append_asker(buf, input->task, input->run);
    strbuf_addf(buf, "%s%s.", effort.len > 0 ? "; " : "", strbuf_str(&effort));
    append_retry_hint(buf, input);
    strbuf_add_char(buf, '\n');
}

/* What a run that made none leaves as it is, the thread should still lead to. */
static void
append_earlier_draft(struct strbuf *buf, const struct task *task)
{
    if (task->state == TASK_DRAFTED || !task->draft_number)
        return;
    strbuf_add_char(buf, '\n');
    const bool ended = draft_state_is_ended(task->draft_state);
    strbuf_add_str(buf, ended ? draft_word(task->draft_state) : "There is already ");
    append_draft_link(buf, task);
    strbuf_add_str(buf, ".\n");
}

static int
append_ended(struct strbuf *buf, const struct report_input *input, struct err *err)
{
    append_last_word(buf, input);
    if (input->detail) {
        strbuf_add_char(buf, '\n');
        report_append_lines(buf, "- ", input->detail);
    }
    append_earlier_draft(buf, input->task);
    append_past(buf, input);
    if (input->task->state == TASK_DRAFTED && input->run) {
        const int r = report_append_flags(buf, input->run->flags, err);
        if (r)
            return r;
    }
    if (report_has_checks(input->checks)) {
        strbuf_add_char(buf, '\n');
        report_append_checks(buf, input->checks);
    }
    if (input->output && *input->output) {
        strbuf_add_str(buf, "\nLast lines of output:\n\n");
        report_append_output(buf, input->output, OUTPUT_BYTES);
    }
    /* A draft shows it itself. */
    if (input->run && input->run->summary && *input->run->summary &&
        input->task->state != TASK_DRAFTED)
        report_append_summary(buf, input->run->summary, SUMMARY_BYTES);
    append_footer(buf, input);
    return 0;
}

int
report_status(const struct report_input *input, char **ret_text, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(REPORT_BYTES);
    int r = 0;

    report_append_marker(&buf, input->task->id, input->instance);
    if (task_state_is_live(input->task->state))
        append_live(&buf, input);
    else
        r = append_ended(&buf, input, err);
    return r ? r : strbuf_take(&buf, ret_text, err);
}
