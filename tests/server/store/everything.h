/* Every typed operation of the store once, telling the first failure instead of ending the test:
 * for tests in which memory, disk or lock fail somewhere on the way. */
#pragma once

#include "server/store/draft.h"
#include "server/store/identity.h"
#include "server/store/outbox.h"
#include "server/store/past_draft.h"
#include "server/store/remark.h"
#include "server/store/repository.h"
#include "server/store/retention.h"
#include "server/store/step.h"
#include "server/store/withdrawal.h"
#include "tests/server/store/fixture.h"

#define EVERYTHING_OWNER "worker"

/* What is written carries `key`, so that it may be done again in the same store. */
struct everything {
    char *key;
    int64_t delivery;
    int64_t task;
    int64_t run;
    int64_t step;
};

#define TRY(call)                                                                                  \
    do {                                                                                           \
        const int try_ = (call);                                                                   \
        if (try_)                                                                                  \
            return try_;                                                                           \
    } while (0)

static inline int
everything_deliveries(struct db *db, struct everything *e, struct err *err)
{
    struct insertion insertion = {.delivery_id = e->key, .body = "{}"};
    AUTO(delivery_free) struct delivery *next = NULL;
    bool blocked;

    TRY(fixture_insert(db, &insertion, err));
    e->delivery = insertion.id;
    TRY(delivery_next(db, 1, &next, err));
    TRY(delivery_defer(db, e->delivery, e->key, "later", 5, err));
    TRY(delivery_is_blocked(db, e->delivery, e->key, &blocked, err));
    TRY(delivery_finish(db, e->delivery, DELIVERY_DONE, "done", e->task, err));
    TRY(delivery_reopen(db, e->delivery, 7, err));
    TRY(delivery_mark_set(db, e->key, e->key, 1, err));
    return delivery_finish(db, e->delivery, DELIVERY_IGNORED, NULL, 0, err);
}

static inline int
everything_names(struct db *db, const struct everything *e, struct err *err)
{
    struct repository_name told = {.platform = e->key, .id = 7, .name = "acme/old"};
    auto_free char *former = NULL;

    TRY(repository_keep_name(db, &told, &former, err));
    told.name = "acme/new";
    return repository_keep_name(db, &told, &former, err);
}

static inline int
everything_task(struct db *db, struct everything *e, struct err *err)
{
    const struct task task = {.platform = e->key,
                              .origin = e->key,
                              .thread = e->key,
                              .repository = e->key,
                              .title = e->key,
                              .text = e->key,
                              .requested_by = e->key};
    const struct run_new run = {.trigger_kind = "label", .trigger_actor = "ann"};

    TRY(task_insert(db, &task, 1, &e->task, err));
    TRY(task_set_request(db, e->task, "title", "text", "ann", 1, err));
    TRY(task_set_branch(db, e->task, "branch", "main", err));
    TRY(task_set_draft(db, e->task, 2, "url", 1, err));
    TRY(task_set_draft(db, e->task, 1, "url", 1, err)); /* and 2 is a past one */
    TRY(task_set_draft_seen(db, e->task, true, "seen", err));
    TRY(task_set_draft_state(db, e->task, DRAFT_CLOSED, 1, err));
    TRY(task_set_follow_ci(db, e->task, false, err));
    TRY(task_set_status_ref(db, e->task, "ref", err));
    const struct draft draft = {.number = e->task,
                                .repository = e->key,
                                .branch = e->key,
                                .base_branch = e->key,
                                .head_commit = e->key,
                                .title = e->key,
                                .body = e->key};
    TRY(draft_put(db, &draft, 1, err));
    struct run_new first = run;
    first.task = e->task;
    return run_insert(db, &first, 1, &e->run, err);
}

static inline int
everything_runs(struct db *db, struct everything *e, struct err *err)
{
    const struct run_claim claim = {.owner = EVERYTHING_OWNER, .now_ms = 1, .lease_until_ms = 2};
    AUTO(run_free) struct run *run = NULL;
    int64_t ids[2];
    size_t count;
    bool ended;

    TRY(run_claim(db, &claim, &run, err));
    const struct run_lease lease = {.run = run->id, .number = run->lease_number};
    TRY(run_check_lease(db, lease, err));
    TRY(run_renew(db, EVERYTHING_OWNER, &lease.run, 1, 3, err));
    TRY(run_set_stage(db, lease, STAGE_AGENT, 1, err));
    TRY(run_rewind(db, lease, err));
    TRY(run_set_base(db, lease, "a", "s", err));
    TRY(run_set_head(db, lease, "b", "summary", "[]", err));
    TRY(run_set_verdict(db, lease, VERDICT_VERIFIED, err));
    TRY(run_set_rival(db, lease, e->key, err));
    TRY(run_request_cancel(db, e->task, &(struct run_cancel){.who = "ann"}, 1, &ended, err));
    TRY(run_list_canceled(db, EVERYTHING_OWNER, ids, 2, &count, err));
    TRY(run_finish(db, lease, OUTCOME_DRAFT, "done", 1, err));
    TRY(task_set_state(db, e->task, TASK_DRAFTED, "done", 1, err));
    TRY(run_release_all(db, EVERYTHING_OWNER, err));
    return run_cancel_all(db, "enough", 1, err);
}

static inline int
everything_steps(struct db *db, struct everything *e, struct err *err)
{
    const struct step step = {.run = e->run, .name = e->key, .command = e->key};
    const struct check_execution execution = {.status = CHECK_PASSED};

    TRY(step_insert(db, &step, &e->step, err));
    TRY(step_append(db, e->step, bytes_of_str("output"), err));
    TRY(step_finish(db, e->step, STEP_EXITED, 0, 1, 0, err));
    TRY(check_record(db, e->run, e->key, "make", PHASE_AFTER, &execution, err));
    TRY(check_remove(db, e->run, err));
    TRY(check_record(db, e->run, e->key, "make", PHASE_AFTER, &execution, err));
    TRY(check_set_verdict(db, e->run, e->key, CHECK_VERDICT_PASSED, err));
    return baseline_put(db, e->key, "test", &execution, 1000000, err);
}

static inline int
everything_remarks(struct db *db, const struct everything *e, struct err *err)
{
    const struct remark remark = {
        .task = e->task, .ref = e->key, .actor = e->key, .text = e->key, .kind = REMARK_LINE};
    size_t count;
    int64_t id;

    TRY(remark_insert(db, &remark, 1, &id, err));
    TRY(remark_take(db, e->task, e->run, 1, &count, err));
    TRY(remark_set_answer(db, id, "done", err));
    TRY(remark_give_again(db, e->run, err));
    TRY(remark_reopen(db, e->run, err));
    TRY(remark_take_back(db, e->task, e->run, 9, err));
    TRY(withdrawal_note(db, e->key, 1, e->key, 1, err));
    return remark_count_kind(db, e->task, 0, REMARK_LINE, &count, err);
}

static inline int
everything_messages(struct db *db, const struct everything *e, struct err *err)
{
    const char *const bodies[] = {"later", "sent", "failed"};

    for (size_t i = 0; i < 3; i++) {
        const struct outbox_new message = {.platform = "p",
                                           .thread = e->key,
                                           .kind = OUTBOX_COMMENT,
                                           .task = e->task,
                                           .body = bodies[i]};
        AUTO(outbox_message_free) struct outbox_message *got = NULL;
        TRY(outbox_put(db, &message, 1000000, err));
        TRY(outbox_next(db, 1, &got, err));
        if (i == 0)
            TRY(outbox_retry(db, got->id, "away", 1, err));
        TRY(i == 2 ? outbox_fail(db, got->id, got->body, "gone", err)
                   : outbox_sent(db, got->id, got->body, err));
    }
    return outbox_distrust(db, err);
}

/* A transaction function: all that changes something. `ctx` is the struct everything. */
static inline int
everything_write(struct db *db, void *ctx, struct err *err)
{
    const struct retention retention = {
        .before_ms = {[RETENTION_PAYLOADS] = 9, [RETENTION_OUTPUTS] = 9}, .budget_ms = 60000};
    struct everything *e = ctx;
    struct retention_result result;

    TRY(identity_put(db, "ab12", err));
    TRY(everything_task(db, e, err));
    TRY(everything_deliveries(db, e, err));
    TRY(everything_names(db, e, err));
    TRY(everything_runs(db, e, err));
    TRY(everything_steps(db, e, err));
    TRY(everything_remarks(db, e, err));
    TRY(everything_messages(db, e, err));
    return retention_remove(db, &retention, &result, err);
}

static inline int
everything_records(struct db *db, const struct everything *e, struct err *err)
{
    AUTO(delivery_free) struct delivery *delivery = NULL;
    AUTO(delivery_free) struct delivery *same_delivery = NULL;
    AUTO(task_free) struct task *task = NULL;
    AUTO(task_free) struct task *same_task = NULL;
    AUTO(run_free) struct run *run = NULL;
    AUTO(run_free) struct run *same_run = NULL;
    AUTO(step_free) struct step *step = NULL;
    AUTO(draft_free) struct draft *draft = NULL;
    AUTO(past_draft_free) struct past_draft *past = NULL;
    AUTO(past_draft_free) struct past_draft *same_past = NULL;
    auto_free char *instance = NULL;
    struct check_execution baseline;
    int64_t seen_ms;
    bool told;

    TRY(delivery_mark_get(db, e->key, e->key, &seen_ms, err));
    TRY(run_told_of_rival(db, e->task, &told, err));
    TRY(past_draft_latest(db, e->task, &past, err));
    TRY(past_draft_find(db, e->key, e->key, 2, &same_past, err));
    TRY(delivery_get(db, e->delivery, &delivery, err));
    TRY(delivery_find(db, e->key, &same_delivery, err));
    TRY(task_get(db, e->task, &task, err));
    TRY(task_find(db, e->key, &same_task, err));
    TRY(run_get(db, e->run, &run, err));
    TRY(run_latest(db, e->task, &same_run, err));
    TRY(step_get(db, e->step, &step, err));
    TRY(draft_get(db, e->task, &draft, err));
    TRY(baseline_get(db, e->key, "test", &baseline, err));
    return identity_get(db, &instance, err);
}

static inline int
everything_lists(struct db *db, const struct everything *e, struct err *err)
{
    AUTO_DONE(delivery_list_done) struct delivery_list deliveries = {0};
    AUTO_DONE(task_list_done) struct task_list tasks = {0};
    AUTO_DONE(task_list_done) struct task_list live = {0};
    AUTO_DONE(task_list_done) struct task_list drafts = {0};
    AUTO_DONE(past_draft_list_done) struct past_draft_list past = {0};
    AUTO_DONE(run_list_done) struct run_list runs = {0};
    AUTO_DONE(step_list_done) struct step_list steps = {0};
    AUTO_DONE(check_result_list_done) struct check_result_list checks = {0};
    AUTO_DONE(outbox_list_done) struct outbox_list messages = {0};

    TRY(delivery_list(db, 3, &deliveries, err));
    TRY(task_list(db, false, 3, &tasks, err));
    TRY(task_list(db, true, 3, &live, err));
    TRY(task_list_open_drafts(db, INT64_MAX, 3, &drafts, err));
    TRY(past_draft_list(db, e->task, &past, err));
    TRY(run_list(db, e->task, &runs, err));
    TRY(step_list(db, e->run, &steps, err));
    TRY(check_list(db, e->run, &checks, err));
    return outbox_list(db, e->task, &messages, err);
}

/* A reading function: all that was written is there. */
static inline int
everything_read(struct db *db, void *ctx, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(1000);
    const struct everything *e = ctx;

    TRY(everything_records(db, e, err));
    TRY(everything_lists(db, e, err));
    const int body = delivery_body(db, e->delivery, &text, err); /* it was removed as old */
    if (body != ERR_NOTFOUND)
        return body ? body : err_set(err, ERR_INTERNAL, "a removed body was read");
    TRY(step_read(db, e->step, 0, 100, &text, err));
    return step_read_tail(db, e->step, 3, &text, err);
}
