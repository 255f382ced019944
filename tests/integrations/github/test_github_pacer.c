/* Keeping below GitHub's secondary limits, with a clock of the test's. */
#include "integrations/github/github_pacer.h"

#include "server/base/clock.h"
#include "tests/harness/test.h"

static struct github_pacer *
new_pacer(void)
{
    struct github_pacer *pacer;
    struct err err;

    CHECK_OK(github_pacer_new(&pacer, &err), err);
    return pacer;
}

TEST(a_second_is_between_changes)
{
    static const struct {
        int64_t now_ms;
        enum github_pace pace;
        int64_t wait_ms;
    } steps[] = {
        {-500, GITHUB_CHANGES, 0},   {-500, GITHUB_READS, 0},   {-500, GITHUB_CREATES, 1000},
        {499, GITHUB_CHANGES, 1},    {500, GITHUB_CREATES, 0},  {501, GITHUB_CREATES, 999},
        {501, GITHUB_READS, 0},      {1499, GITHUB_CHANGES, 1}, {1500, GITHUB_CHANGES, 0},
        {999999, GITHUB_CREATES, 0},
    };
    struct github_pacer *pacer = new_pacer();

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        const int64_t wait_ms = github_pacer_book(pacer, steps[i].pace, steps[i].now_ms);
        if (wait_ms != steps[i].wait_ms)
            TEST_FAIL("step %zu: %lld", i, (long long)wait_ms);
    }
    github_pacer_free(pacer);
}

TEST(no_more_than_500_are_created_in_an_hour)
{
    struct github_pacer *pacer = new_pacer();
    int64_t now_ms = 1000;

    for (int i = 0; i < 500; i++, now_ms += MS_PER_SECOND)
        CHECK_INT(github_pacer_book(pacer, GITHUB_CREATES, now_ms), 0);
    CHECK_INT(github_pacer_book(pacer, GITHUB_CREATES, now_ms), MS_PER_HOUR - 500 * MS_PER_SECOND);
    CHECK_INT(github_pacer_book(pacer, GITHUB_CHANGES, now_ms), 0);
    CHECK_INT(github_pacer_book(pacer, GITHUB_READS, now_ms), 0);
    now_ms = 1000 + MS_PER_HOUR - 1;
    CHECK_INT(github_pacer_book(pacer, GITHUB_CREATES, now_ms), 1);
    CHECK_INT(github_pacer_book(pacer, GITHUB_CREATES, now_ms + 1), 0);
    CHECK_INT(github_pacer_book(pacer, GITHUB_CREATES, now_ms + 2), 999); /* the second of 500 */
    github_pacer_free(pacer);
}

TEST(silence_is_kept_as_long_as_github_says)
{
    struct github_pacer *pacer = new_pacer();

    CHECK_INT(github_pacer_refused(pacer, 5000, 1000), 5000);
    CHECK_INT(github_pacer_book(pacer, GITHUB_READS, 1000), 5000);
    CHECK_INT(github_pacer_book(pacer, GITHUB_CREATES, 5999), 1);
    CHECK_INT(github_pacer_refused(pacer, 1000, 2000), 1000); /* shortens nothing */
    CHECK_INT(github_pacer_book(pacer, GITHUB_READS, 5999), 1);
    CHECK_INT(github_pacer_book(pacer, GITHUB_CREATES, 6000), 0);
    github_pacer_free(pacer);
}

TEST(a_silence_that_is_not_told_doubles)
{
    static const int64_t minutes[] = {1, 2, 4, 8, 16, 32, 60, 60};
    struct github_pacer *pacer = new_pacer();

    for (size_t i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++)
        CHECK_INT(github_pacer_refused(pacer, 0, 0), minutes[i] * MS_PER_MINUTE);
    CHECK_INT(github_pacer_book(pacer, GITHUB_READS, 0), MS_PER_HOUR);
    CHECK_INT(github_pacer_refused(pacer, 7000, 0), 7000);
    CHECK_INT(github_pacer_refused(pacer, 0, 0), MS_PER_HOUR);
    github_pacer_passed(pacer);
    CHECK_INT(github_pacer_refused(pacer, 0, 0), MS_PER_MINUTE);
    github_pacer_free(pacer);
}

TEST_MAIN()
