/* `draftd show`: one task with its newest run, checks, draft and what is owed to its thread. */
#include "server/base/clock.h"
#include "server/base/str.h"
#include "server/cli.h"
#include "server/cli_common.h"
#include "server/cli_json.h"
#include "server/cli_result.h"
#include "server/store/draft.h"
#include "server/store/outbox.h"
#include "server/store/past_draft.h"
#include "server/store/remark.h"
#include "server/store/run.h"
#include "server/store/step.h"
#include "server/store/store.h"
#include "server/store/task.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] = "usage: draftd show [--config FILE | --run] [--json] TASK\n"
                            "\n"
                            "One task: its state and runs, what was found, checks and steps of the "
                            "newest run, the draft, and\n"
                            "what could not be delivered.\n"
                            "\n" CLI_JSON_HELP CLI_RUN_HELP CLI_CONFIG_HELP;

struct view {
    int64_t id;
    struct task *task;
    struct run_list runs;
    struct check_result_list checks;
    struct step_list steps;
    struct outbox_list owed;
    struct remark_list remarks;
    struct past_draft_list past;
    struct draft *draft;
};

static void
view_done(struct view *view)
{
    task_free(view->task);
    run_list_done(&view->runs);
    check_result_list_done(&view->checks);
    step_list_done(&view->steps);
    outbox_list_done(&view->owed);
    remark_list_done(&view->remarks);
    past_draft_list_done(&view->past);
    draft_free(view->draft);
}

static const struct run *
newest(const struct view *view)
{
    return view->runs.count ? view->runs.items[view->runs.count - 1] : NULL;
}

static int
load(struct db *db, void *ctx, struct err *err)
{
    struct view *view = ctx;
    int r = task_get(db, view->id, &view->task, err);

    if (r == ERR_NOTFOUND)
        return err_set(err, ERR_NOTFOUND, "there is no task %" PRId64, view->id);
    if (!r)
        r = run_list(db, view->id, &view->runs, err);
    if (!r && newest(view))
        r = check_list(db, newest(view)->id, &view->checks, err);
    if (!r && newest(view))
        r = step_list(db, newest(view)->id, &view->steps, err);
    if (!r)
        r = outbox_list(db, view->id, &view->owed, err);
    if (!r)
        r = remark_list_of_task(db, view->id, &view->remarks, err);
    if (!r)
        r = past_draft_list(db, view->id, &view->past, err);
    if (r)
        return r;
    r = draft_get(db, view->id, &view->draft, err);
    return r == ERR_NOTFOUND ? 0 : r;
}

/* Is this remark of a review none of whose remarks came before it? Those of one review have its
 * name in common. */
static bool
begins_review(const struct remark_list *remarks, size_t at)
{
    const char *batch = remarks->items[at]->batch;
    size_t k = 0;

    while (k < at && !str_equal(remarks->items[k]->batch, batch))
        k++;
    return batch && k == at && str_starts_with(batch, "review:");
}

/* What one draft of the task had of reviews, remarks and runs. `at`: its place among the past ones;
 * their count for the present one, which has what is left. */
static struct cli_draft_tally
tally(const struct view *view, size_t at)
{
    const struct past_draft *before = at ? view->past.items[at - 1] : NULL;
    const struct past_draft *own = at < view->past.count ? view->past.items[at] : NULL;
    struct cli_draft_tally tally = {0};

    for (size_t i = 0; i < view->remarks.count; i++) {
        const int64_t id = view->remarks.items[i]->id;
        const bool counts =
            (!before || id > before->last_remark) && (!own || id <= own->last_remark);
        tally.remarks += counts;
        tally.reviews += counts && begins_review(&view->remarks, i);
    }
    for (size_t i = 0; i < view->runs.count; i++) {
        const int64_t number = view->runs.items[i]->number;
        tally.runs += (!before || number > before->last_run) && (!own || number <= own->last_run);
    }
    return tally;
}

static void
print_tally(const struct cli_draft_tally *tally)
{
    if (tally->remarks > 0)
        (void)printf(", %zu reviews, %zu remarks, %zu runs", tally->reviews, tally->remarks,
                     tally->runs);
}

static void
print_url(const char *url)
{
    if (url && *url) {
        (void)printf(": ");
        cli_print_line(url);
    }
    (void)putchar('\n');
}

static void
print_draft(const struct view *view)
{
    const struct task *task = view->task;
    const struct cli_draft_tally had = tally(view, view->past.count);
    char when[CLOCK_TEXT_BYTES];

    if (task->draft_number == 0)
        return;
    (void)printf("%-14s %" PRId64 ", %s", "draft", task->draft_number,
                 draft_state_name(task->draft_state));
    if (task->draft_ended_ms)
        (void)printf(" %s", clock_format(task->draft_ended_ms, when));
    print_tally(&had);
    print_url(task->draft_url);
}

static void
print_past_drafts(const struct view *view)
{
    char when[CLOCK_TEXT_BYTES];

    for (size_t i = 0; i < view->past.count; i++) {
        const struct past_draft *past = view->past.items[i];
        const struct cli_draft_tally had = tally(view, i);
        (void)printf("%-14s %" PRId64 ", %s", i ? "" : "past drafts", past->number,
                     past_draft_state_name(past));
        if (past->ended_ms)
            (void)printf(" %s", clock_format(past->ended_ms, when));
        print_tally(&had);
        print_url(past->url);
    }
}

static void
print_remarks(const struct view *view)
{
    const struct remark_list *remarks = &view->remarks;

    for (size_t i = 0; i < remarks->count; i++) {
        const struct remark *remark = remarks->items[i];
        (void)printf("%-14s %s by ", i ? "" : "remarks", remark_kind_name(remark->kind));
        cli_print_line(remark->actor);
        if (remark->path) {
            (void)printf(" on ");
            cli_print_line(remark->path);
        }
        if (remark->draft && remark->draft != view->task->draft_number)
            (void)printf(" at draft %" PRId64, remark->draft);
        (void)puts(remark->answer ? ": answered" : remark->run ? ": taken" : ": open");
    }
}

static void
print_task(const struct view *view)
{
    const struct task *task = view->task;
    char when[CLOCK_TEXT_BYTES];

    (void)printf("%-14s %" PRId64 " (%s)\n", "task", task->id, task_state_name(task->state));
    cli_print_field("title", task->title);
    cli_print_field("repository", task->repository);
    cli_print_field("asked by", task->requested_by);
    cli_print_field("where", task->url ? task->url : task->origin);
    cli_print_field("created", clock_format(task->created_ms, when));
    cli_print_field("updated", clock_format(task->updated_ms, when));
    cli_print_field("branch", task->branch);
    print_draft(view);
    print_past_drafts(view);
    cli_print_field("last word", task->reason);
}

static void
print_run(const struct run *run)
{
    char when[CLOCK_TEXT_BYTES];

    (void)printf("%-14s %" PRId64 ": %s", "run", run->number, run_state_name(run->state));
    if (run->state == RUN_ENDED) {
        (void)printf(", %s, ", run_outcome_name(run->outcome));
        cli_print_words(run_verdict_name(run->verdict));
    } else {
        (void)printf(", %s, round %" PRId64, run_stage_name(run->stage), run->round);
    }
    if (run->state == RUN_QUEUED && run->waiting_since_ms)
        (void)printf(", waiting since %s", clock_format(run->waiting_since_ms, when));
    (void)printf(" (%s by ", run->trigger_kind);
    cli_print_line(run->trigger_actor);
    (void)puts(")");
}

static void
print_steps(const struct step_list *steps)
{
    for (size_t i = 0; i < steps->count; i++) {
        const struct step *step = steps->items[i];
        char duration[CLOCK_TEXT_BYTES];
        (void)printf("%-14s %s, %s", i ? "" : "steps", step_role_name(step->role),
                     step_kind_name(step->kind));
        if (step->round)
            (void)printf(" (round %" PRId64 ")", step->round);
        (void)printf(": %s: ", step->name);
        cli_print_words(step_end_name(step->end));
        if (step->end == STEP_EXITED || step->end == STEP_SIGNALED)
            (void)printf(" %" PRId64, step->status);
        if (step->end != STEP_DRAFTD_DIED)
            (void)printf(", %s", clock_format_duration(step->duration_ms, duration));
        (void)putchar('\n');
    }
}

/* Only what has not arrived: that is what an operator has to know. Of a status only the newest text
 * counts. */
static bool
is_owed(const struct outbox_list *messages, size_t at)
{
    if (messages->items[at]->state == OUTBOX_SENT)
        return false;
    for (size_t i = at + 1; i < messages->count; i++)
        if (messages->items[at]->kind == OUTBOX_STATUS && messages->items[i]->kind == OUTBOX_STATUS)
            return false;
    return true;
}

static void
print_owed(const struct outbox_list *messages)
{
    for (size_t i = 0; i < messages->count; i++) {
        const struct outbox_message *message = messages->items[i];
        if (!is_owed(messages, i))
            continue;
        (void)printf("%-14s message %" PRId64 " %s after %" PRId64 " attempt%s: ", "owed",
                     message->id, outbox_state_name(message->state), message->attempts,
                     message->attempts == 1 ? "" : "s");
        cli_print_line(message->reason ? message->reason : "not tried yet");
        (void)putchar('\n');
    }
}

static void
print_text(const struct view *view)
{
    print_task(view);
    for (size_t i = 0; i < view->runs.count; i++)
        print_run(view->runs.items[i]);
    print_remarks(view);
    if (newest(view))
        cli_print_findings(newest(view));
    cli_print_checks(&view->checks);
    print_steps(&view->steps);
    print_owed(&view->owed);
    if (!view->draft)
        return;
    (void)printf("\n%s -> %s, at %s\n\n# ", view->draft->branch, view->draft->base_branch,
                 view->draft->head_commit);
    cli_print_line(view->draft->title);
    (void)puts("\n");
    cli_print_outside(view->draft->body);
}

static int
print_json(const struct view *view)
{
    AUTO(js_free) json_t *object = cli_task_json(view->task);
    json_t *runs = json_array();
    json_t *checks = json_array();
    json_t *remarks = json_array();
    json_t *steps = json_array();
    json_t *owed = json_array();
    json_t *past = json_array();
    int failed = 0;

    for (size_t i = 0; i < view->runs.count; i++)
        failed |= json_array_append_new(runs, cli_run_json(view->runs.items[i]));
    for (size_t i = 0; i < view->checks.count; i++)
        failed |= json_array_append_new(checks, cli_check_json(&view->checks.items[i]));
    for (size_t i = 0; i < view->steps.count; i++)
        failed |= json_array_append_new(steps, cli_step_json(view->steps.items[i]));
    for (size_t i = 0; i < view->owed.count; i++)
        if (is_owed(&view->owed, i))
            failed |= json_array_append_new(owed, cli_message_json(view->owed.items[i]));
    failed |= json_object_set_new(object, "runs", runs);
    for (size_t i = 0; i < view->remarks.count; i++)
        failed |= json_array_append_new(remarks, cli_remark_json(view->remarks.items[i]));
    for (size_t i = 0; i < view->past.count; i++) {
        const struct cli_draft_tally had = tally(view, i);
        failed |= json_array_append_new(past, cli_past_draft_json(view->past.items[i], &had));
    }
    failed |= json_object_set_new(object, "past_drafts", past);
    failed |= json_object_set_new(object, "checks", checks);
    failed |= json_object_set_new(object, "remarks", remarks);
    failed |= json_object_set_new(object, "steps", steps);
    failed |= json_object_set_new(object, "owed", owed);
    if (view->draft)
        failed |= json_object_set_new(
            object, "draft",
            json_pack("{s:s,s:s,s:s,s:s,s:s}", "branch", view->draft->branch, "base_branch",
                      view->draft->base_branch, "head_commit", view->draft->head_commit, "title",
                      view->draft->title, "body", view->draft->body));
    return cli_print_json(failed ? NULL : object);
}

static int
read_options(int argc, char **argv, struct cli *cli, int64_t *ret_id)
{
    static const struct option known[] = {CLI_COMMON_OPTIONS, CLI_RUN_OPTION, CLI_JSON_OPTION, {0}};
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(usage, stdout);
            return -1;
        }
        if (!cli_take_option(cli, option))
            return cli_misused("show does not know that option");
    }
    if (argc - optind != 1)
        return cli_misused("show takes one task");
    return cli_read_id(argv[optind], ret_id) ? EXIT_DONE : EXIT_USAGE;
}

int
cli_show(int argc, char **argv)
{
    AUTO(store_close) struct store *store = NULL;
    AUTO_DONE(view_done) struct view view = {0};
    struct cli cli = {0};
    struct err error = {0};
    int status = read_options(argc, argv, &cli, &view.id);

    if (status)
        return status < 0 ? EXIT_DONE : status;
    status = cli_open_store(&cli, &store);
    if (status)
        return status;
    if (store_read(store, load, &view, &error))
        return cli_fail(&error);
    if (cli.json)
        return print_json(&view);
    print_text(&view);
    return EXIT_DONE;
}
