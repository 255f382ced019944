/* One hostile text in every field of every report: whatever is said, nothing breaks out of its
 * place.
 */
#pragma once

#include "tests/handlers/thread/report_fixture.h"

/* The flags of a run out of one text, as JSON. */
static inline char *
make_flags(const char *flag, size_t count)
{
    AUTO(js_free) json_t *list = json_array();
    char *flags = NULL;
    struct err err;

    for (size_t i = 0; i < count; i++)
        CHECK(json_array_append_new(list, json_string(flag)) == 0);
    CHECK_OK(js_dump(list, &flags, &err), err);
    return flags;
}

static inline void
check_hostile_draft(const char *hostile)
{
    struct check_result checks[200];
    struct repo_change changes[200];
    const char *outputs[200];
    struct draft draft;
    auto_free char *flags = make_flags(hostile, 40);

    draft_init(&draft);
    draft.task.title = draft.task.text = draft.task.url = draft.task.requested_by = text(hostile);
    draft.run.trigger_kind = draft.run.trigger_actor = draft.run.summary = text(hostile);
    draft.run.reason = text(hostile);
    draft.run.flags = flags;
    for (size_t i = 0; i < COUNT(checks); i++) {
        checks[i] = make_check(hostile, (enum check_verdict)(1 + i % CHECK_VERDICT_COULD_NOT_RUN));
        changes[i] = (struct repo_change){
            .path = text(hostile), .old_path = text(hostile), .kind = REPO_RENAMED, .binary = true};
        outputs[i] = hostile;
    }
    draft.list = (struct check_result_list){.items = checks, .count = COUNT(checks)};
    draft.diff = (struct repo_diff){.items = changes, .count = COUNT(changes)};
    draft.input.failed_outputs = outputs;
    for (int verdict = VERDICT_NONE; verdict <= VERDICT_NO_CHECKS; verdict++) {
        draft.run.verdict = (enum run_verdict)verdict;
        auto_free char *body = body_of(&draft.input);
        CHECK(!*hostile || strstr(body, "### What the agent says"));
        CHECK_CONTAINS(body, "\nCloses #42\n");
        CHECK_CONTAINS(body, "It never merges");
        draft.task.url = NULL;
    }
}

static inline void
check_hostile_status(const char *hostile)
{
    struct check_result checks[200];
    struct task task = make_task(TASK_QUEUED);
    struct run run = make_run();
    auto_free char *flags = make_flags(hostile, 40);
    struct report_input input = make_input(&task, &run);

    for (size_t i = 0; i < COUNT(checks); i++)
        checks[i] = make_check(hostile, (enum check_verdict)(1 + i % CHECK_VERDICT_COULD_NOT_RUN));
    const struct check_result_list list = {.items = checks, .count = COUNT(checks)};

    task.requested_by = task.reason = task.branch = text(hostile);
    run.trigger_kind = run.trigger_actor = run.summary = run.reason = text(hostile);
    run.flags = flags;
    run.verdict = VERDICT_NOT_VERIFIED;
    input.checks = &list;
    input.detail = input.output = hostile;
    for (int state = TASK_QUEUED; state < TASK_STATE_COUNT; state++) {
        task.state = (enum task_state)state;
        input.waiting_for = NULL;
        auto_free char *plain = status_of(&input);
        input.waiting_for = hostile;
        run.cancel_requested = state % 2 ? text(hostile) : NULL;
        auto_free char *waiting = status_of(&input);
        CHECK_CONTAINS(plain, "Asked by ");
        CHECK_CONTAINS(waiting, "Asked by ");
    }
}
