/* Clocks and how times are shown. */
#include "server/base/clock.h"
#include "tests/harness/test.h"

#include <signal.h>
#include <sys/time.h>

TEST(times_are_shown_in_utc)
{
    char buf[CLOCK_TEXT_BYTES];

    setenv("TZ", "Asia/Tokyo", 1);
    CHECK_STR(clock_format(0, buf), "1970-01-01T00:00:00.000Z");
    CHECK_STR(clock_format(INT64_C(1795237200123), buf), "2026-11-21T05:00:00.123Z");
    CHECK_STR(clock_format(INT64_C(951782399999), buf), "2000-02-28T23:59:59.999Z");
    CHECK_STR(clock_format(INT64_C(951782400000), buf), "2000-02-29T00:00:00.000Z");
    CHECK_STR(clock_format(-1, buf), "1969-12-31T23:59:59.999Z");
    CHECK_STR(clock_format(INT64_C(253402300799999), buf), "9999-12-31T23:59:59.999Z");
}

TEST(extreme_times_stay_inside_their_buffer)
{
    char buf[CLOCK_TEXT_BYTES];

    CHECK(strlen(clock_format(INT64_MAX, buf)) < sizeof(buf));
    CHECK(strlen(clock_format(INT64_MIN, buf)) < sizeof(buf));
}

TEST(times_are_read_in_any_zone)
{
    static const struct {
        const char *text;
        int64_t unix_ms;
    } times[] = {
        {"2026-11-21T05:00:00Z", INT64_C(1795237200000)},
        {"2026-11-21T05:00:00.123Z", INT64_C(1795237200123)},
        {"2026-11-21T05:00:00.123456789Z", INT64_C(1795237200123)},
        {"2026-11-21T05:00:00.5+00:00", INT64_C(1795237200500)},
        {"2026-11-21T14:00:00+09:00", INT64_C(1795237200000)},
        {"2026-11-20T23:30:00-05:30", INT64_C(1795237200000)},
        {"1969-12-31T23:59:59Z", -1000},
    };

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        CHECK_INT(clock_parse(times[i].text, -7), times[i].unix_ms);
}

TEST(what_is_no_time_is_the_default)
{
    static const char *const wrong[] = {"",
                                        "yesterday",
                                        "2026-11-21",
                                        "2026-11-21T05:00:00",
                                        "2026-11-21T05:00:00X",
                                        "2026-11-21T05:00:00Zx",
                                        "2026-13-21T05:00:00Z",
                                        "2026-11-21T25:00:00Z",
                                        "2026-11-21T05:00:00+9",
                                        "2026-11-21T05:00:00+0900"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (clock_parse(wrong[i], -7) != -7)
            TEST_FAIL("was read: %s", wrong[i]);
    CHECK_INT(clock_parse(NULL, -7), -7);
}

TEST(durations_are_shown_for_people)
{
    char buf[CLOCK_TEXT_BYTES];

    CHECK_STR(clock_format_duration(0, buf), "0.0 s");
    CHECK_STR(clock_format_duration(449, buf), "0.4 s");
    CHECK_STR(clock_format_duration(9999, buf), "9.9 s");
    CHECK_STR(clock_format_duration(10000, buf), "10 s");
    CHECK_STR(clock_format_duration(59999, buf), "59 s");
    CHECK_STR(clock_format_duration(185 * MS_PER_SECOND, buf), "3 min 5 s");
    CHECK_STR(clock_format_duration(130 * MS_PER_MINUTE, buf), "2 h 10 min");
    CHECK_STR(clock_format_duration(3 * MS_PER_DAY, buf), "72 h 0 min");
}

TEST(the_clocks_run)
{
    const int64_t before = clock_mono_ms();

    CHECK(clock_now_ms() > INT64_C(1700000000000));
    clock_sleep_ms(20);
    CHECK(clock_mono_ms() - before >= 20);
}

static void
ignore_signal(int number)
{
    (void)number;
}

TEST(sleep_is_not_cut_short_by_signals)
{
    struct sigaction action = {.sa_handler = ignore_signal};
    const struct itimerval soon = {.it_value = {.tv_usec = 10000},
                                   .it_interval = {.tv_usec = 10000}};
    const struct itimerval never = {0};
    const int64_t before = clock_mono_ms();

    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    clock_sleep_ms(100);
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    CHECK(clock_mono_ms() - before >= 100);
}

TEST_MAIN()
