/* Steps that a run has left running: they end with it, or with who ran them. */
#include "server/store/step.h"
#include "tests/server/store/run_fixture.h"

static int64_t
begin_step(struct db *db, int64_t run)
{
    char text[] = "x";
    struct err err;
    int64_t id = 0;

    CHECK_OK(step_insert(db, &(struct step){.run = run, .name = text, .command = text}, &id, &err),
             err);
    return id;
}

static enum step_end
step_end(struct db *db, int64_t id)
{
    AUTO(step_free) struct step *step = NULL;
    struct err err;

    CHECK_OK(step_get(db, id, &step, &err), err);
    return step->end;
}

TEST(a_run_claimed_again_or_ended_leaves_no_step_running)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t run = fixture_run(f.db, fixture_task(f.db, "o"));
    const int64_t other = begin_step(f.db, fixture_run(f.db, fixture_task(f.db, "p")));
    AUTO(run_free) struct run *first = claim(f.db, "w1", 1000);
    CHECK_INT(first->id, run);
    const int64_t done = begin_step(f.db, run);
    CHECK_OK(step_finish(f.db, done, STEP_EXITED, 1, 5, 0, &err), err);
    const int64_t left = begin_step(f.db, run);
    CHECK_OK(run_renew(f.db, "w1", &run, 1, 61000, &err), err);
    CHECK_INT(step_end(f.db, left), STEP_RUNNING);

    AUTO(run_free) struct run *second = claim(f.db, "w2", 61000);
    CHECK_INT(second->id, run);
    CHECK_INT(step_end(f.db, left), STEP_DRAFTD_DIED);
    CHECK_INT(step_end(f.db, done), STEP_EXITED);
    CHECK_INT(step_end(f.db, other), STEP_RUNNING);

    const int64_t last = begin_step(f.db, run);
    CHECK_INT(run_finish(f.db, lease_of(first), OUTCOME_FAILED, "x", 1, &err), ERR_CONFLICT);
    CHECK_INT(step_end(f.db, last), STEP_RUNNING);
    CHECK_OK(run_finish(f.db, lease_of(second), OUTCOME_FAILED, "x", 70000, &err), err);
    CHECK_INT(step_end(f.db, last), STEP_DRAFTD_DIED);
    CHECK_INT(step_end(f.db, other), STEP_RUNNING);
    fixture_done(&f);
}

TEST(a_queued_run_that_is_cancelled_leaves_no_step_running)
{
    struct fixture f;
    struct err err;
    bool ended;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "o");
    const int64_t step = begin_step(f.db, fixture_run(f.db, task));
    CHECK_OK(run_request_cancel(f.db, task, &(struct run_cancel){.who = "ann"}, 1, &ended, &err),
             err);
    CHECK(ended);
    CHECK_INT(step_end(f.db, step), STEP_DRAFTD_DIED);
    fixture_done(&f);
}

TEST(steps_end_with_the_process_that_ran_them)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t mine = begin_step(f.db, fixture_run(f.db, fixture_task(f.db, "a")));
    const int64_t other = begin_step(f.db, fixture_run(f.db, fixture_task(f.db, "b")));
    AUTO(run_free) struct run *first = claim(f.db, "me", 1000);
    AUTO(run_free) struct run *second = claim(f.db, "other", 1000);
    CHECK(first && second);
    CHECK_OK(db_exec(f.db, "UPDATE step SET ended_as = 0", &err), err); /* claimed: they ended */
    CHECK_OK(run_release_all(f.db, "me", &err), err);
    CHECK_INT(step_end(f.db, mine), STEP_DRAFTD_DIED);
    CHECK_INT(step_end(f.db, other), STEP_RUNNING);
    CHECK_OK(run_cancel_all(f.db, "gone", 2000, &err), err);
    CHECK_INT(step_end(f.db, other), STEP_DRAFTD_DIED);
    fixture_done(&f);
}

TEST_MAIN()
