/* Steps and their output, check results, baselines. */
#include "server/store/step.h"
#include "tests/server/store/fixture.h"

static int64_t
make_step(struct db *db, int64_t run, const char *name)
{
    char *copy = str_dup(name);
    char *command = "make test";
    const struct step step = {.run = run,
                              .role = ROLE_PROOF,
                              .kind = STEP_CHECK,
                              .round = 2,
                              .name = copy,
                              .command = command,
                              .started_ms = 5000};
    struct err err;
    int64_t id = 0;

    CHECK_OK(step_insert(db, &step, &id, &err), err);
    free(copy);
    return id;
}

static void
append(struct db *db, int64_t step, const char *text)
{
    struct err err;

    CHECK_OK(step_append(db, step, bytes_of_str(text), &err), err);
}

static void
check_read(struct db *db, int64_t step, int64_t offset, size_t max, const char *expected)
{
    struct strbuf buf = STRBUF_INIT(1000);
    struct err err;

    CHECK_OK(step_read(db, step, offset, max, &buf, &err), err);
    CHECK_STR(strbuf_str(&buf), expected);
    strbuf_done(&buf);
}

static void
check_tail(struct db *db, int64_t step, size_t max, const char *expected)
{
    struct strbuf buf = STRBUF_INIT(1000);
    struct err err;

    CHECK_OK(step_read_tail(db, step, max, &buf, &err), err);
    CHECK_STR(strbuf_str(&buf), expected);
    strbuf_done(&buf);
}

TEST(names)
{
    CHECK_STR(step_kind_name(STEP_INTERNAL), "internal");
    CHECK_STR(step_role_name(ROLE_PROOF), "proof");
    CHECK_STR(step_end_name(STEP_TIMED_OUT), "timed_out");
    CHECK_STR(step_end_name(STEP_NOT_STARTED), "not_started");
    CHECK_STR(step_end_name(STEP_CUT_OFF), "cut_off");
    CHECK_STR(step_end_name(STEP_DRAFTD_DIED), "draftd_died");
    CHECK_STR(check_status_name(CHECK_NOT_RUN), "not_run");
    CHECK_STR(check_status_name(CHECK_COULD_NOT_RUN), "could_not_run");
    CHECK_STR(check_verdict_name(CHECK_VERDICT_RED_BEFORE), "was_red_before");
    CHECK_STR(check_verdict_name(CHECK_VERDICT_FIXED), "fixed");
    CHECK_STR(check_verdict_name((enum check_verdict)50), "unknown");
}

TEST(life_of_a_step)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t run = fixture_run(f.db, fixture_task(f.db, "o"));
    const int64_t id = make_step(f.db, run, "test");
    const int64_t second = make_step(f.db, run, "lint");
    AUTO(step_free) struct step *begun = NULL;
    CHECK_OK(step_get(f.db, id, &begun, &err), err);
    CHECK_INT(begun->run, run);
    CHECK_INT(begun->role, ROLE_PROOF);
    CHECK_INT(begun->kind, STEP_CHECK);
    CHECK_INT(begun->round, 2);
    CHECK_STR(begun->name, "test");
    CHECK_STR(begun->command, "make test");
    CHECK_INT(begun->started_ms, 5000);
    CHECK_INT(begun->end, STEP_RUNNING);

    append(f.db, id, "hello");
    CHECK_OK(step_finish(f.db, id, STEP_EXITED, 3, 1234, 77, &err), err);
    AUTO(step_free) struct step *ended = NULL;
    CHECK_OK(step_get(f.db, id, &ended, &err), err);
    CHECK_INT(ended->end, STEP_EXITED);
    CHECK_INT(ended->status, 3);
    CHECK_INT(ended->duration_ms, 1234);
    CHECK_INT(ended->output_bytes, 5);
    CHECK_INT(ended->dropped_bytes, 77);

    struct step_list list = {0};
    CHECK_OK(step_list(f.db, run, &list, &err), err);
    CHECK_INT(list.count, 2);
    CHECK_INT(list.items[0]->id, id);
    CHECK_INT(list.items[1]->id, second);
    step_list_done(&list);

    struct step *none = NULL;
    CHECK_INT(step_get(f.db, 999, &none, &err), ERR_NOTFOUND);
    CHECK_INT(step_finish(f.db, 999, STEP_EXITED, 0, 0, 0, &err), ERR_NOTFOUND);
    CHECK_INT(step_append(f.db, 999, bytes_of_str("x"), &err), ERR_NOTFOUND);
    fixture_done(&f);
}

TEST(output_is_read_by_offset)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t run = fixture_run(f.db, fixture_task(f.db, "o"));
    const int64_t id = make_step(f.db, run, "test");
    const int64_t other = make_step(f.db, run, "other");
    check_read(f.db, id, 0, 100, "");
    check_tail(f.db, id, 100, "");
    append(f.db, id, "0123");
    append(f.db, other, "other");
    append(f.db, id, "");
    append(f.db, id, "456789");
    append(f.db, id, "ab");

    check_read(f.db, id, 0, 100, "0123456789ab");
    check_read(f.db, id, 0, SIZE_MAX, "0123456789ab");
    check_read(f.db, id, 0, 0, "");
    check_read(f.db, id, 2, 1, "2");
    check_read(f.db, id, 3, 2, "34");
    check_read(f.db, id, 4, 6, "456789");
    check_read(f.db, id, 9, 100, "9ab");
    check_read(f.db, id, 12, 100, "");
    check_read(f.db, id, 500, 100, "");
    check_read(f.db, id, -5, 3, "012");
    check_read(f.db, 999, 0, 100, "");

    check_tail(f.db, id, 100, "0123456789ab");
    check_tail(f.db, id, 12, "0123456789ab");
    check_tail(f.db, id, 3, "9ab");
    check_tail(f.db, id, 0, "");
    check_tail(f.db, other, 2, "er");

    struct strbuf small = STRBUF_INIT(4);
    CHECK_INT(step_read(f.db, id, 0, 100, &small, &err), ERR_LIMIT);
    strbuf_done(&small);
    struct strbuf buf = STRBUF_INIT(4);
    CHECK_INT(step_read_tail(f.db, 999, 4, &buf, &err), ERR_NOTFOUND);
    fixture_done(&f);
}

static void
record(struct db *db,
       int64_t run,
       const char *name,
       enum check_phase phase,
       struct check_execution execution)
{
    struct err err;

    CHECK_OK(check_record(db, run, name, "make", phase, &execution, &err), err);
}

TEST(check_results)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "o");
    const int64_t run = fixture_run(f.db, task);
    const int64_t step = make_step(f.db, run, "test");
    record(f.db, run, "zeta", PHASE_BASELINE,
           (struct check_execution){.status = CHECK_FAILED, .exit_status = 2, .duration_ms = 10});
    record(f.db, run, "alpha", PHASE_PROOF,
           (struct check_execution){.status = CHECK_PASSED, .duration_ms = 30, .step = step});
    record(f.db, run, "zeta", PHASE_AFTER, (struct check_execution){.status = CHECK_TIMED_OUT});
    record(f.db, run, "zeta", PHASE_AFTER,
           (struct check_execution){.status = CHECK_FLAKY, .step = step}); /* again: replaced */
    CHECK_OK(check_set_verdict(f.db, run, "zeta", CHECK_VERDICT_FLAKY, &err), err);
    CHECK_INT(check_set_verdict(f.db, run, "none", CHECK_VERDICT_PASSED, &err), ERR_NOTFOUND);

    struct check_result_list list = {0};
    CHECK_OK(check_list(f.db, run, &list, &err), err);
    CHECK_INT(list.count, 2);
    const struct check_result *zeta = &list.items[0];
    CHECK_STR(zeta->name, "zeta");
    CHECK_STR(zeta->command, "make");
    CHECK_INT(zeta->verdict, CHECK_VERDICT_FLAKY);
    CHECK_INT(zeta->phases[PHASE_BASELINE].status, CHECK_FAILED);
    CHECK_INT(zeta->phases[PHASE_BASELINE].exit_status, 2);
    CHECK_INT(zeta->phases[PHASE_BASELINE].duration_ms, 10);
    CHECK_INT(zeta->phases[PHASE_BASELINE].step, 0);
    CHECK_INT(zeta->phases[PHASE_AFTER].status, CHECK_FLAKY);
    CHECK_INT(zeta->phases[PHASE_AFTER].step, step);
    CHECK_INT(zeta->phases[PHASE_PROOF].status, CHECK_NOT_RUN);
    const struct check_result *alpha = &list.items[1];
    CHECK_STR(alpha->name, "alpha");
    CHECK_INT(alpha->verdict, CHECK_VERDICT_NONE);
    CHECK_INT(alpha->phases[PHASE_BASELINE].status, CHECK_NOT_RUN);
    CHECK_INT(alpha->phases[PHASE_PROOF].status, CHECK_PASSED);
    check_result_list_done(&list);

    CHECK_OK(check_list(f.db, run + 1, &list, &err), err);
    CHECK_INT(list.count, 0);
    fixture_done(&f);
}

TEST(checks_of_a_run_are_removed_and_those_of_others_stay)
{
    const struct check_execution red = {.status = CHECK_FAILED, .exit_status = 2};
    struct fixture f;
    struct err err;
    struct check_result_list list = {0};

    fixture_begin(&f);
    const int64_t run = fixture_run(f.db, fixture_task(f.db, "o"));
    const int64_t other = fixture_run(f.db, fixture_task(f.db, "p"));
    record(f.db, run, "test", PHASE_BASELINE, red);
    record(f.db, run, "test", PHASE_PROOF, red);
    CHECK_OK(check_set_verdict(f.db, run, "test", CHECK_VERDICT_RED_BEFORE, &err), err);
    record(f.db, other, "test", PHASE_PROOF, red);
    CHECK_OK(check_remove(f.db, run, &err), err);
    CHECK_OK(check_list(f.db, run, &list, &err), err);
    CHECK_INT(list.count, 0);
    CHECK_OK(check_list(f.db, other, &list, &err), err);
    CHECK_INT(list.count, 1);
    CHECK_INT(list.items[0].phases[PHASE_PROOF].status, CHECK_FAILED);
    check_result_list_done(&list);

    record(f.db, run, "test", PHASE_AFTER, red);
    CHECK_OK(check_list(f.db, run, &list, &err), err);
    CHECK_INT(list.items[0].verdict, CHECK_VERDICT_NONE);
    CHECK_INT(list.items[0].phases[PHASE_PROOF].status, CHECK_NOT_RUN);
    check_result_list_done(&list);
    fixture_done(&f);
}

TEST(baselines)
{
    struct fixture f;
    struct err err;
    struct check_execution got = {.duration_ms = -1};

    fixture_begin(&f);
    CHECK_INT(baseline_get(f.db, "k", "test", &got, &err), ERR_NOTFOUND);
    CHECK_INT(got.duration_ms, -1);
    struct check_execution execution = {
        .status = CHECK_FAILED, .exit_status = 1, .duration_ms = 5, .step = 12345};
    CHECK_OK(baseline_put(f.db, "k", "test", &execution, 1000, &err), err);
    execution.status = CHECK_PASSED;
    execution.exit_status = 0;
    CHECK_OK(baseline_put(f.db, "k", "test", &execution, 2000, &err), err);
    CHECK_OK(baseline_get(f.db, "k", "test", &got, &err), err);
    CHECK_INT(got.status, CHECK_PASSED);
    CHECK_INT(got.exit_status, 0);
    CHECK_INT(got.duration_ms, 5);
    CHECK_INT(got.step, 0); /* a step of another run explains nothing here */
    CHECK_INT(baseline_get(f.db, "k", "lint", &got, &err), ERR_NOTFOUND);
    CHECK_INT(baseline_get(f.db, "other", "test", &got, &err), ERR_NOTFOUND);
    fixture_done(&f);
}

TEST_MAIN()
