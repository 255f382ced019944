/* Runs: claiming, leases and their fencing, cancelling. */
#include "tests/server/store/run_fixture.h"

static enum task_state
task_state(struct db *db, int64_t id)
{
    AUTO(task_free) struct task *task = NULL;
    struct err err;

    CHECK_OK(task_get(db, id, &task, &err), err);
    return task->state;
}

static struct run *
get(struct db *db, int64_t id)
{
    struct run *run = NULL;
    struct err err;

    CHECK_OK(run_get(db, id, &run, &err), err);
    return run;
}

TEST(names)
{
    CHECK_STR(run_state_name(RUN_QUEUED), "queued");
    CHECK_STR(run_state_name(RUN_RUNNING), "running");
    CHECK_STR(run_state_name(RUN_ENDED), "ended");
    CHECK_STR(run_stage_name(STAGE_FETCH), "fetch");
    CHECK_STR(run_stage_name(STAGE_PROOF), "proof");
    CHECK_STR(run_stage_name(STAGE_END), "end");
    CHECK_STR(run_outcome_name(OUTCOME_NONE), "none");
    CHECK_STR(run_outcome_name(OUTCOME_CANCELED), "canceled");
    CHECK_STR(run_verdict_name(VERDICT_NOT_VERIFIED), "not_verified");
    CHECK_STR(run_verdict_name(VERDICT_NO_CHECKS), "no_checks");
    CHECK_STR(run_stage_name((enum run_stage)99), "unknown");
}

TEST(one_live_run_for_each_task)
{
    struct fixture f;
    struct err err;
    int64_t other = -1;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "o");
    const int64_t id = fixture_run(f.db, task);
    AUTO(run_free) struct run *run = get(f.db, id);
    CHECK_INT(run->task, task);
    CHECK_INT(run->number, 1);
    CHECK_STR(run->trigger_kind, "label");
    CHECK_STR(run->trigger_actor, "ann");
    CHECK_INT(run->trigger_ms, 900);
    CHECK(!run->instruction && !run->lease_owner && !run->cancel_requested && !run->head_commit);
    CHECK_INT(run->state, RUN_QUEUED);
    CHECK_INT(run->created_ms, 1000);
    CHECK_INT(task_state(f.db, task), TASK_QUEUED);

    const struct run_new again = {.task = task,
                                  .trigger_kind = "retry",
                                  .trigger_actor = "bob",
                                  .instruction = "use a table"};
    CHECK_INT(run_insert(f.db, &again, 2000, &other, &err), ERR_CONFLICT);
    AUTO(run_free) struct run *claimed = claim(f.db, "w", 2000);
    CHECK_INT(claimed->id, id);
    CHECK_INT(run_insert(f.db, &again, 2000, &other, &err), ERR_CONFLICT);
    CHECK_INT(other, -1);
    CHECK_OK(run_finish(f.db, lease_of(claimed), OUTCOME_FAILED, "no", 3000, &err), err);
    CHECK_OK(run_insert(f.db, &again, 4000, &other, &err), err);

    AUTO(run_free) struct run *latest = NULL;
    CHECK_OK(run_latest(f.db, task, &latest, &err), err);
    CHECK_INT(latest->id, other);
    CHECK_INT(latest->number, 2);
    CHECK_STR(latest->instruction, "use a table");
    struct run_list list = {0};
    CHECK_OK(run_list(f.db, task, &list, &err), err);
    CHECK_INT(list.count, 2);
    CHECK_INT(list.items[0]->id, id);
    CHECK_INT(list.items[1]->id, other);
    run_list_done(&list);

    AUTO(run_free) struct run *earlier = NULL;
    CHECK_OK(run_find(f.db, task, 1, &earlier, &err), err);
    CHECK_INT(earlier->id, id);

    struct run *none = NULL;
    CHECK_INT(run_find(f.db, task, 3, &none, &err), ERR_NOTFOUND);
    CHECK_INT(run_find(f.db, 999, 1, &none, &err), ERR_NOTFOUND);
    CHECK_STR(err.msg, "task 999 has no run 1");
    CHECK_INT(run_get(f.db, 999, &none, &err), ERR_NOTFOUND);
    CHECK_INT(run_latest(f.db, 999, &none, &err), ERR_NOTFOUND);
    CHECK(run_insert(f.db,
                     &(struct run_new){.task = 999, .trigger_kind = "x", .trigger_actor = "y"}, 1,
                     &other, &err) < 0);
    fixture_done(&f);
}

TEST(claims_go_oldest_first)
{
    struct fixture f;

    fixture_begin(&f);
    CHECK(!claim(f.db, "w", 1000));
    const int64_t task_a = fixture_task(f.db, "a");
    const int64_t task_b = fixture_task(f.db, "b");
    const int64_t a = fixture_run(f.db, task_a);
    const int64_t b = fixture_run(f.db, task_b);
    AUTO(run_free) struct run *first = claim(f.db, "w1", 2000);
    CHECK_INT(first->id, a);
    CHECK_INT(first->state, RUN_RUNNING);
    CHECK_STR(first->lease_owner, "w1");
    CHECK_INT(first->lease_number, 1);
    CHECK_INT(first->lease_until_ms, 62000);
    CHECK_INT(first->attempts, 1);
    CHECK_INT(first->started_ms, 2000);
    CHECK_INT(task_state(f.db, task_a), TASK_RUNNING);
    CHECK_INT(task_state(f.db, task_b), TASK_QUEUED);
    AUTO(run_free) struct run *second = claim(f.db, "w2", 2000);
    CHECK_INT(second->id, b);
    CHECK(!claim(f.db, "w3", 2000));
    fixture_done(&f);
}

/* Every function that needs the lease, by one that was lost. */
static int
cancel(struct db *db, int64_t task, const char *who, int64_t now_ms, bool *ended, struct err *err)
{
    return run_request_cancel(db, task, &(struct run_cancel){.who = who}, now_ms, ended, err);
}

static void
check_fenced(struct db *db, struct run_lease lease)
{
    struct err err;

    CHECK_INT(run_check_lease(db, lease, &err), ERR_CONFLICT);
    CHECK_INT(run_give_back(db, lease, &(struct run_return){.not_before_ms = 1}, 1, &err),
              ERR_CONFLICT);
    CHECK_INT(run_rewind(db, lease, &err), ERR_CONFLICT);
    CHECK_INT(run_set_stage(db, lease, STAGE_PUBLISH, 9, &err), ERR_CONFLICT);
    CHECK_INT(run_set_base(db, lease, "bad", "bad", &err), ERR_CONFLICT);
    CHECK_INT(run_set_head(db, lease, "bad", "bad", "[]", &err), ERR_CONFLICT);
    CHECK_INT(run_set_verdict(db, lease, VERDICT_VERIFIED, &err), ERR_CONFLICT);
    CHECK_INT(run_finish(db, lease, OUTCOME_DRAFT, "bad", 1, &err), ERR_CONFLICT);
    CHECK_CONTAINS(err.msg, "not held under lease");
}

TEST(a_passed_lease_is_taken_over_and_the_old_holder_changes_nothing)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "o");
    (void)fixture_run(f.db, task);
    AUTO(run_free) struct run *old = claim(f.db, "w1", 1000);
    CHECK_OK(run_set_stage(f.db, lease_of(old), STAGE_AGENT, 2, &err), err);
    CHECK(!claim(f.db, "w2", 60999));
    AUTO(run_free) struct run *taken = claim(f.db, "w2", 61000);
    CHECK_INT(taken->id, old->id);
    CHECK_INT(taken->lease_number, 2);
    CHECK_INT(taken->attempts, 2);
    CHECK_INT(taken->stage, STAGE_AGENT); /* goes on from there */
    CHECK_INT(taken->round, 2);
    CHECK_INT(taken->started_ms, 1000);
    CHECK_INT(task_state(f.db, task), TASK_RUNNING);

    check_fenced(f.db, lease_of(old));
    AUTO(run_free) struct run *now = get(f.db, old->id);
    CHECK_INT(now->state, RUN_RUNNING);
    CHECK_INT(now->stage, STAGE_AGENT);
    CHECK(!now->base_commit && !now->head_commit && !now->reason);
    CHECK_STR(now->lease_owner, "w2");
    CHECK_OK(run_check_lease(f.db, lease_of(taken), &err), err);

    CHECK_OK(run_finish(f.db, lease_of(taken), OUTCOME_DRAFT, "draft", 70000, &err), err);
    check_fenced(f.db, lease_of(taken)); /* nor after the end */
    check_fenced(f.db, (struct run_lease){.run = 999, .number = 1});
    fixture_done(&f);
}

TEST(what_its_owner_has_in_hands_is_passed_over)
{
    struct fixture f;
    struct err err;
    int64_t ids[6];

    fixture_begin(&f);
    for (int i = 0; i < 6; i++) {
        char origin[] = {(char)('a' + i), '\0'};
        ids[i] = fixture_run(f.db, fixture_task(f.db, origin));
    }
    AUTO(run_free) struct run *passed = claim(f.db, "w", 1000);
    AUTO(run_free) struct run *dropped = claim(f.db, "w", 1000);
    AUTO(run_free) struct run *returned = claim(f.db, "w", 1000);
    CHECK_INT(passed->id, ids[0]);
    CHECK_INT(dropped->id, ids[1]);
    CHECK_INT(returned->id, ids[2]);
    CHECK_OK(
        run_give_back(f.db, lease_of(returned), &(struct run_return){.not_before_ms = 5}, 5, &err),
        err);
    const int64_t in_hands[] = {ids[4], ids[0], ids[2], ids[3]};
    const struct run_claim how = {.owner = "w",
                                  .now_ms = 61000,
                                  .lease_until_ms = 99000,
                                  .in_hands = in_hands,
                                  .in_hands_count = 4};
    AUTO(run_free) struct run *first = NULL;
    AUTO(run_free) struct run *second = NULL;
    struct run *none = NULL;
    CHECK_OK(run_claim(f.db, &how, &first, &err), err);
    CHECK_INT(first->id, ids[1]); /* the lease passed, and nobody has it */
    CHECK_INT(first->lease_number, 2);
    CHECK_OK(run_claim(f.db, &how, &second, &err), err);
    CHECK_INT(second->id, ids[5]);
    CHECK_INT(run_claim(f.db, &how, &none, &err), ERR_NOTFOUND);
    CHECK_OK(run_check_lease(f.db, lease_of(passed), &err), err);
    fixture_done(&f);
}

TEST(renewing_prolongs_only_the_owner_s_leases_on_the_runs_named)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t a = fixture_run(f.db, fixture_task(f.db, "a"));
    const int64_t b = fixture_run(f.db, fixture_task(f.db, "b"));
    const int64_t c = fixture_run(f.db, fixture_task(f.db, "c"));
    AUTO(run_free) struct run *first = claim(f.db, "w1", 1000);
    AUTO(run_free) struct run *second = claim(f.db, "w2", 1000);
    AUTO(run_free) struct run *dropped = claim(f.db, "w1", 1000);
    const int64_t named[] = {a, b, 999};
    CHECK_INT(first->id, a);
    CHECK_INT(second->id, b);
    CHECK_INT(dropped->id, c);
    CHECK_OK(run_renew(f.db, "w1", named, 3, 100000, &err), err);
    AUTO(run_free) struct run *taken = claim(f.db, "w3", 61000);
    CHECK_INT(taken->id, b);
    AUTO(run_free) struct run *found = claim(f.db, "w3", 61000);
    CHECK_INT(found->id, c);
    CHECK(!claim(f.db, "w3", 99999));
    fixture_done(&f);
}

TEST(a_run_given_back_after_it_was_cancelled_is_due_at_once)
{
    struct fixture f;
    struct err err;
    bool ended;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "a");
    (void)fixture_run(f.db, task);
    AUTO(run_free) struct run *first = claim(f.db, "w", 1000);
    CHECK_OK(cancel(f.db, task, "ann", 1500, &ended, &err), err);
    CHECK(!ended);
    CHECK_OK(run_give_back(f.db, lease_of(first), &(struct run_return){.not_before_ms = 300000},
                           2000, &err),
             err);
    AUTO(run_free) struct run *again = claim(f.db, "w", 2000);
    CHECK_STR(again->cancel_requested, "ann");
    fixture_done(&f);
}

TEST(release_all_frees_what_an_earlier_process_held)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t task_a = fixture_task(f.db, "a");
    const int64_t task_b = fixture_task(f.db, "b");
    const int64_t a = fixture_run(f.db, task_a);
    const int64_t b = fixture_run(f.db, task_b);
    AUTO(run_free) struct run *mine = claim(f.db, "me", 1000);
    AUTO(run_free) struct run *other = claim(f.db, "other", 1000);
    CHECK_OK(run_release_all(f.db, "me", &err), err);
    CHECK_INT(task_state(f.db, task_a), TASK_QUEUED);
    CHECK_INT(task_state(f.db, task_b), TASK_RUNNING);
    check_fenced(f.db, lease_of(mine));
    CHECK_OK(run_check_lease(f.db, lease_of(other), &err), err);
    AUTO(run_free) struct run *again = claim(f.db, "me", 1001);
    CHECK_INT(again->id, a);
    CHECK_INT(again->lease_number, 2);
    CHECK(!claim(f.db, "me", 1001));
    (void)b;
    fixture_done(&f);
}

TEST(cancel_all_ends_what_is_queued_or_running)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t tasks[] = {fixture_task(f.db, "a"), fixture_task(f.db, "b"),
                             fixture_task(f.db, "c")};
    for (size_t i = 0; i < 3; i++)
        (void)fixture_run(f.db, tasks[i]);
    AUTO(run_free) struct run *ended = claim(f.db, "w", 1000);
    AUTO(run_free) struct run *running = claim(f.db, "w", 1000);
    CHECK_OK(run_finish(f.db, lease_of(ended), OUTCOME_DRAFT, "draft", 2000, &err), err);
    CHECK_OK(task_set_state(f.db, tasks[0], TASK_DRAFTED, "draft", 2000, &err), err);
    CHECK_OK(run_cancel_all(f.db, "given up", 3000, &err), err);
    CHECK_INT(task_state(f.db, tasks[0]), TASK_DRAFTED);
    check_fenced(f.db, lease_of(running));
    CHECK(!claim(f.db, "w", 99000));
    for (size_t i = 1; i < 3; i++) {
        AUTO(run_free) struct run *run = NULL;
        AUTO(task_free) struct task *task = NULL;
        CHECK_OK(run_latest(f.db, tasks[i], &run, &err), err);
        CHECK_INT(run->state, RUN_ENDED);
        CHECK_INT(run->outcome, OUTCOME_CANCELED);
        CHECK_STR(run->reason, "given up");
        CHECK_INT(run->finished_ms, 3000);
        CHECK(!run->lease_owner && run->lease_until_ms == 0);
        CHECK_OK(task_get(f.db, tasks[i], &task, &err), err);
        CHECK_INT(task->state, TASK_CANCELED);
        CHECK_STR(task->reason, "given up");
    }
    AUTO(run_free) struct run *kept = get(f.db, ended->id);
    CHECK_INT(kept->outcome, OUTCOME_DRAFT);
    CHECK_INT(kept->finished_ms, 2000);
    fixture_done(&f);
}

TEST(giving_back_remembers_since_when_it_waits_and_which_tries_count)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "o");
    const int64_t id = fixture_run(f.db, task);
    AUTO(run_free) struct run *first = claim(f.db, "w", 1000);
    const struct run_return waits = {
        .not_before_ms = 5000, .waiting_since_ms = 2000, .detail = "the engine is away"};
    CHECK_OK(run_give_back(f.db, lease_of(first), &waits, 2000, &err), err);
    CHECK_INT(task_state(f.db, task), TASK_QUEUED);
    CHECK(!claim(f.db, "w", 4999));

    AUTO(run_free) struct run *second = claim(f.db, "w", 5000);
    CHECK_INT(second->id, id);
    CHECK_INT(second->waiting_since_ms, 2000);
    CHECK_STR(second->detail, "the engine is away");
    CHECK_INT(second->attempts, 1); /* the first was given back unspent */
    const struct run_return failed = {.not_before_ms = 9000, .spent = true};
    CHECK_OK(run_give_back(f.db, lease_of(second), &failed, 6000, &err), err);
    AUTO(run_free) struct run *third = claim(f.db, "w", 9000);
    CHECK_INT(third->waiting_since_ms, 0);
    CHECK(!third->detail);
    CHECK_INT(third->attempts, 2);
    fixture_done(&f);
}

TEST(a_run_that_begins_anew_has_reached_nothing_and_is_asked_for_the_same)
{
    const struct run_new wish = {.trigger_kind = "mention",
                                 .trigger_actor = "ann",
                                 .instruction = "make it red",
                                 .agent = "other",
                                 .branch = "next"};
    struct run_new asked = wish;
    struct fixture f;
    struct err err;
    int64_t id;

    fixture_begin(&f);
    asked.task = fixture_task(f.db, "o");
    CHECK_OK(run_insert(f.db, &asked, 1000, &id, &err), err);
    AUTO(run_free) struct run *first = claim(f.db, "w", 1000);
    const struct run_lease lease = lease_of(first);
    CHECK_OK(run_set_base(f.db, lease, "a", "s", &err), err);
    CHECK_OK(run_set_head(f.db, lease, "b", "I did it.", "[]", &err), err);
    CHECK_OK(run_set_verdict(f.db, lease, VERDICT_VERIFIED, &err), err);
    CHECK_OK(run_set_stage(f.db, lease, STAGE_PUBLISH, 2, &err), err);
    CHECK_OK(run_rewind(f.db, lease, &err), err);
    CHECK_OK(run_check_lease(f.db, lease, &err), err);

    AUTO(run_free) struct run *now = get(f.db, id);
    CHECK_INT(now->stage, STAGE_FETCH);
    CHECK_INT(now->round, 0);
    CHECK_INT(now->verdict, VERDICT_NONE);
    CHECK(!now->base_commit && !now->settings_commit && !now->head_commit);
    CHECK(!now->summary && !now->flags && !now->detail);
    CHECK_INT(now->attempts, 1);
    CHECK_STR(now->instruction, "make it red");
    CHECK_STR(now->agent, "other");
    CHECK_STR(now->branch, "next");
    fixture_done(&f);
}

TEST(what_was_reached_is_kept)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t id = fixture_run(f.db, fixture_task(f.db, "o"));
    AUTO(run_free) struct run *run = claim(f.db, "w", 1000);
    const struct run_lease lease = lease_of(run);
    CHECK_OK(run_set_base(f.db, lease, "aaaa", "cccc", &err), err);
    CHECK_OK(run_set_head(f.db, lease, "bbbb", "I did it", "[\"large\"]", &err), err);
    CHECK_OK(run_set_verdict(f.db, lease, VERDICT_NOT_VERIFIED, &err), err);
    CHECK_OK(run_set_detail(f.db, lease, "a line\n", &err), err);
    CHECK_OK(run_finish(f.db, lease, OUTCOME_DRAFT, "draft #7", 9000, &err), err);
    AUTO(run_free) struct run *got = get(f.db, id);
    CHECK_INT(got->state, RUN_ENDED);
    CHECK_STR(got->base_commit, "aaaa");
    CHECK_STR(got->settings_commit, "cccc");
    CHECK_STR(got->head_commit, "bbbb");
    CHECK_STR(got->summary, "I did it");
    CHECK_STR(got->flags, "[\"large\"]");
    CHECK_INT(got->verdict, VERDICT_NOT_VERIFIED);
    CHECK_INT(got->outcome, OUTCOME_DRAFT);
    CHECK_STR(got->reason, "draft #7");
    CHECK_STR(got->detail, "a line\n");
    CHECK_INT(got->finished_ms, 9000);
    CHECK(!got->lease_owner);
    fixture_done(&f);
}

TEST(cancel_of_a_queued_run_ends_it)
{
    struct fixture f;
    struct err err;
    bool ended = false;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "o");
    CHECK_INT(cancel(f.db, task, "bob", 2000, &ended, &err), ERR_NOTFOUND);
    const int64_t id = fixture_run(f.db, task);
    CHECK_OK(cancel(f.db, task, "bob", 2000, &ended, &err), err);
    CHECK(ended);
    AUTO(run_free) struct run *run = get(f.db, id);
    CHECK_INT(run->state, RUN_ENDED);
    CHECK_INT(run->outcome, OUTCOME_CANCELED);
    CHECK_STR(run->reason, "canceled by bob");
    CHECK_STR(run->cancel_requested, "bob");
    CHECK_INT(run->finished_ms, 2000);
    CHECK(!claim(f.db, "w", 5000));
    (void)fixture_run(f.db, task); /* a new one may be asked for */
    fixture_done(&f);
}

TEST(cancel_of_a_running_run_is_seen_by_its_holder)
{
    struct fixture f;
    struct err err;
    int64_t ids[2] = {0};
    size_t count = 99;
    bool ended = true;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "o");
    const int64_t id = fixture_run(f.db, task);
    AUTO(run_free) struct run *run = claim(f.db, "w", 1000);
    CHECK_OK(run_list_canceled(f.db, "w", ids, 2, &count, &err), err);
    CHECK_INT(count, 0);
    CHECK_OK(cancel(f.db, task, "bob", 2000, &ended, &err), err);
    CHECK(!ended);
    CHECK_OK(cancel(f.db, task, "eve", 3000, &ended, &err), err);
    CHECK_OK(run_list_canceled(f.db, "w", ids, 2, &count, &err), err);
    CHECK_INT(count, 1);
    CHECK_INT(ids[0], id);
    CHECK_OK(run_list_canceled(f.db, "other", ids, 2, &count, &err), err);
    CHECK_INT(count, 0);
    CHECK_OK(run_list_canceled(f.db, "w", ids, 0, &count, &err), err);
    CHECK_INT(count, 0);
    CHECK_OK(run_check_lease(f.db, lease_of(run), &err), err); /* its holder ends it */
    AUTO(run_free) struct run *got = get(f.db, id);
    CHECK_STR(got->cancel_requested, "bob");
    fixture_done(&f);
}

TEST(a_rival_is_told_of_once_its_run_has_ended)
{
    struct fixture f;
    struct err err;
    bool told = true;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "o");
    (void)fixture_run(f.db, task);
    AUTO(run_free) struct run *run = claim(f.db, "w", 1000);
    CHECK(!run->rival);
    CHECK_OK(run_told_of_rival(f.db, task, &told, &err), err);
    CHECK(!told);
    CHECK_OK(run_set_rival(f.db, lease_of(run), "https://x/1", &err), err);
    AUTO(run_free) struct run *got = get(f.db, run->id);
    CHECK_STR(got->rival, "https://x/1");
    CHECK_OK(run_told_of_rival(f.db, task, &told, &err), err);
    CHECK(!told);
    CHECK_OK(run_finish(f.db, lease_of(run), OUTCOME_UNCHANGED, "so", 2000, &err), err);
    CHECK_OK(run_told_of_rival(f.db, task, &told, &err), err);
    CHECK(told);
    fixture_done(&f);
}

TEST_MAIN()
