/* See cli_json.h. */
#include "server/cli_json.h"

#include "server/base/clock.h"
#include "server/cli.h"

#include <stdio.h>

static json_t *
time_json(int64_t unix_ms)
{
    char text[CLOCK_TEXT_BYTES];
    return unix_ms ? json_string(clock_format(unix_ms, text)) : json_null();
}

static json_t *
text_json(const char *text)
{
    return text ? json_string(text) : json_null();
}

json_t *
cli_task_json(const struct task *task)
{
    return json_pack(
        "{s:I,s:s,s:s,s:s,s:o,s:s,s:o,s:o,s:o,s:o,s:I,s:o,s:s,s:o,s:o,s:o,s:o}", "id",
        (json_int_t)task->id, "state", task_state_name(task->state), "platform", task->platform,
        "repository", task->repository, "title", text_json(task->title), "origin", task->origin,
        "url", text_json(task->url), "requested_by", text_json(task->requested_by), "branch",
        text_json(task->branch), "base_branch", text_json(task->base_branch), "draft_number",
        (json_int_t)task->draft_number, "draft_url", text_json(task->draft_url), "draft_state",
        draft_state_name(task->draft_state), "draft_ended", time_json(task->draft_ended_ms),
        "reason", text_json(task->reason), "created", time_json(task->created_ms), "updated",
        time_json(task->updated_ms));
}

json_t *
cli_delivery_json(const struct delivery *delivery)
{
    return json_pack("{s:I,s:s,s:s,s:s,s:s,s:o,s:o,s:I,s:o}", "id", (json_int_t)delivery->id,
                     "state", delivery_state_name(delivery->state), "platform", delivery->platform,
                     "delivery", delivery->delivery_id, "event", delivery->event, "received",
                     time_json(delivery->received_ms), "reason", text_json(delivery->reason),
                     "attempts", (json_int_t)delivery->attempts, "task",
                     delivery->task ? json_integer(delivery->task) : json_null());
}

/* They are stored as JSON. */
static json_t *
flags_json(const char *flags)
{
    json_t *list = NULL;
    return flags && !js_parse(bytes_of_str(flags), &list, NULL) ? list : json_array();
}

json_t *
cli_run_json(const struct run *run)
{
    return json_pack(
        "{s:I,s:I,s:s,s:s,s:I,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "id",
        (json_int_t)run->id, "number", (json_int_t)run->number, "state", run_state_name(run->state),
        "stage", run_stage_name(run->stage), "round", (json_int_t)run->round, "outcome",
        run_outcome_name(run->outcome), "verdict", run_verdict_name(run->verdict), "trigger",
        text_json(run->trigger_kind), "base_commit", text_json(run->base_commit), "head_commit",
        text_json(run->head_commit), "reason", text_json(run->reason), "detail",
        text_json(run->detail), "flags", flags_json(run->flags), "summary", text_json(run->summary),
        "started", time_json(run->started_ms), "finished", time_json(run->finished_ms));
}

static json_t *
execution_json(const struct check_execution *execution)
{
    return json_pack("{s:s,s:I,s:I}", "status", check_status_name(execution->status), "exit_status",
                     (json_int_t)execution->exit_status, "duration_ms",
                     (json_int_t)execution->duration_ms);
}

json_t *
cli_remark_json(const struct remark *remark)
{
    return json_pack(
        "{s:I,s:s,s:s,s:s,s:o,s:I,s:o,s:o,s:I,s:o,s:I}", "id", (json_int_t)remark->id, "kind",
        remark_kind_name(remark->kind), "ref", remark->ref, "actor", remark->actor, "path",
        text_json(remark->path), "line", (json_int_t)remark->line, "text", text_json(remark->text),
        "answer", text_json(remark->answer), "draft", (json_int_t)remark->draft, "run",
        remark->run ? json_integer(remark->run) : json_null(), "round", (json_int_t)remark->round);
}

json_t *
cli_past_draft_json(const struct past_draft *past, const struct cli_draft_tally *tally)
{
    return json_pack("{s:I,s:o,s:o,s:o,s:s,s:o,s:o,s:I,s:I,s:I}", "number",
                     (json_int_t)past->number, "url", text_json(past->url), "branch",
                     text_json(past->branch), "base_branch", text_json(past->base_branch), "state",
                     past_draft_state_name(past), "opened", time_json(past->opened_ms), "ended",
                     time_json(past->ended_ms), "reviews", (json_int_t)tally->reviews, "remarks",
                     (json_int_t)tally->remarks, "runs", (json_int_t)tally->runs);
}

json_t *
cli_check_json(const struct check_result *check)
{
    return json_pack("{s:s,s:s,s:s,s:o,s:o,s:o}", "name", check->name, "command", check->command,
                     "verdict", check_verdict_name(check->verdict), "baseline",
                     execution_json(&check->phases[PHASE_BASELINE]), "after",
                     execution_json(&check->phases[PHASE_AFTER]), "proof",
                     execution_json(&check->phases[PHASE_PROOF]));
}

json_t *
cli_step_json(const struct step *step)
{
    return json_pack("{s:s,s:s,s:I,s:s,s:s,s:s,s:I,s:I}", "role", step_role_name(step->role),
                     "kind", step_kind_name(step->kind), "round", (json_int_t)step->round, "name",
                     step->name, "command", step->command, "end", step_end_name(step->end),
                     "status", (json_int_t)step->status, "duration_ms",
                     (json_int_t)step->duration_ms);
}

json_t *
cli_message_json(const struct outbox_message *message)
{
    return json_pack("{s:I,s:s,s:I,s:o}", "id", (json_int_t)message->id, "state",
                     outbox_state_name(message->state), "attempts", (json_int_t)message->attempts,
                     "reason", text_json(message->reason));
}

int
cli_print_json(const json_t *json)
{
    if (!json || json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY)) {
        (void)fputs("draftd: out of memory\n", stderr);
        return EXIT_WORK_FAILED;
    }
    (void)putchar('\n');
    return EXIT_DONE;
}
