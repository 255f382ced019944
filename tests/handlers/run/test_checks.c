/* What the results of checks mean: the tables, entry by entry. */
#include "tests/harness/test.h"

#include "handlers/run/checks.h"

#define STATUSES 6
#define VERDICTS 8

/* Rows: the baseline; columns: the proof. Both in the order of enum check_status. */
static const enum check_verdict judged[STATUSES][STATUSES] = {
    [CHECK_NOT_RUN] = {CHECK_VERDICT_COULD_NOT_RUN, CHECK_VERDICT_PASSED, CHECK_VERDICT_FAILED,
                       CHECK_VERDICT_FLAKY, CHECK_VERDICT_TIMED_OUT, CHECK_VERDICT_COULD_NOT_RUN},
    [CHECK_PASSED] = {CHECK_VERDICT_COULD_NOT_RUN, CHECK_VERDICT_PASSED, CHECK_VERDICT_FAILED,
                      CHECK_VERDICT_FLAKY, CHECK_VERDICT_TIMED_OUT, CHECK_VERDICT_COULD_NOT_RUN},
    [CHECK_FAILED] = {CHECK_VERDICT_COULD_NOT_RUN, CHECK_VERDICT_FIXED, CHECK_VERDICT_RED_BEFORE,
                      CHECK_VERDICT_FLAKY, CHECK_VERDICT_RED_BEFORE, CHECK_VERDICT_COULD_NOT_RUN},
    [CHECK_FLAKY] = {CHECK_VERDICT_COULD_NOT_RUN, CHECK_VERDICT_PASSED, CHECK_VERDICT_FAILED,
                     CHECK_VERDICT_FLAKY, CHECK_VERDICT_TIMED_OUT, CHECK_VERDICT_COULD_NOT_RUN},
    [CHECK_TIMED_OUT] = {CHECK_VERDICT_COULD_NOT_RUN, CHECK_VERDICT_PASSED, CHECK_VERDICT_FAILED,
                         CHECK_VERDICT_FLAKY, CHECK_VERDICT_TIMED_OUT, CHECK_VERDICT_COULD_NOT_RUN},
    [CHECK_COULD_NOT_RUN] = {CHECK_VERDICT_COULD_NOT_RUN, CHECK_VERDICT_PASSED,
                             CHECK_VERDICT_FAILED, CHECK_VERDICT_FLAKY, CHECK_VERDICT_TIMED_OUT,
                             CHECK_VERDICT_COULD_NOT_RUN},
};

TEST(red_is_what_failed_hung_or_did_not_start)
{
    CHECK(!check_status_is_red(CHECK_NOT_RUN));
    CHECK(!check_status_is_red(CHECK_PASSED));
    CHECK(check_status_is_red(CHECK_FAILED));
    CHECK(!check_status_is_red(CHECK_FLAKY));
    CHECK(check_status_is_red(CHECK_TIMED_OUT));
    CHECK(check_status_is_red(CHECK_COULD_NOT_RUN));
}

TEST(only_a_check_that_failed_was_red)
{
    for (unsigned before = 0; before < STATUSES; before++)
        CHECK_INT(check_was_red(before), before == CHECK_FAILED);
}

TEST(a_check_is_judged_by_baseline_and_proof)
{
    for (unsigned before = 0; before < STATUSES; before++)
        for (unsigned proof = 0; proof < STATUSES; proof++)
            if (checks_judge(before, proof) != judged[before][proof])
                TEST_FAIL("%s before, %s in the proof: %s",
                          check_status_name((enum check_status)before),
                          check_status_name((enum check_status)proof),
                          check_verdict_name(checks_judge(before, proof)));
}

/* Green, neutral, or enough to doubt the whole change. */
static const enum run_verdict alone[VERDICTS] = {
    [CHECK_VERDICT_NONE] = VERDICT_NOT_VERIFIED,
    [CHECK_VERDICT_PASSED] = VERDICT_VERIFIED,
    [CHECK_VERDICT_FAILED] = VERDICT_NOT_VERIFIED,
    [CHECK_VERDICT_RED_BEFORE] = VERDICT_NOT_VERIFIED,
    [CHECK_VERDICT_FIXED] = VERDICT_VERIFIED,
    [CHECK_VERDICT_FLAKY] = VERDICT_VERIFIED,
    [CHECK_VERDICT_TIMED_OUT] = VERDICT_NOT_VERIFIED,
    [CHECK_VERDICT_COULD_NOT_RUN] = VERDICT_NOT_VERIFIED,
};

TEST(a_run_with_one_check_is_as_good_as_it)
{
    for (unsigned i = 0; i < VERDICTS; i++) {
        const enum check_verdict verdict = i;
        CHECK_INT(checks_sum_up(&verdict, 1), alone[i]);
    }
}

/* Two checks: verified when none is bad and one at least is green, in either order. */
TEST(a_run_with_two_checks_needs_one_green_and_none_newly_red)
{
    for (unsigned a = 0; a < VERDICTS; a++) {
        for (unsigned b = 0; b < VERDICTS; b++) {
            const enum check_verdict pair[] = {a, b};

            const bool bad = (alone[a] != VERDICT_VERIFIED && a != CHECK_VERDICT_RED_BEFORE) ||
                             (alone[b] != VERDICT_VERIFIED && b != CHECK_VERDICT_RED_BEFORE);
            const bool green = alone[a] == VERDICT_VERIFIED || alone[b] == VERDICT_VERIFIED;
            CHECK_INT(checks_sum_up(pair, 2),
                      green && !bad ? VERDICT_VERIFIED : VERDICT_NOT_VERIFIED);
        }
    }
}

TEST(without_checks_nothing_is_verified)
{
    CHECK_INT(checks_sum_up(NULL, 0), VERDICT_NO_CHECKS);
}

TEST(one_bad_check_among_many_is_enough)
{
    enum check_verdict verdicts[100];

    for (size_t i = 0; i < 100; i++)
        verdicts[i] = CHECK_VERDICT_PASSED;
    CHECK_INT(checks_sum_up(verdicts, 100), VERDICT_VERIFIED);
    verdicts[99] = CHECK_VERDICT_TIMED_OUT;
    CHECK_INT(checks_sum_up(verdicts, 100), VERDICT_NOT_VERIFIED);
}

TEST_MAIN()
