/* See clock.h. */
#include "server/base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

static int64_t
read_ms(clockid_t id)
{
    struct timespec now = {0};

    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * MS_PER_SECOND + now.tv_nsec / 1000000;
}

int64_t
clock_now_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

int64_t
clock_mono_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

void
clock_sleep_ms(int64_t duration_ms)
{
    struct timespec left = {.tv_sec = (time_t)(duration_ms / MS_PER_SECOND),
                            .tv_nsec = (long)(duration_ms % MS_PER_SECOND) * 1000000L};

    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        continue;
}

const char *
clock_format(int64_t unix_ms, char buf[CLOCK_TEXT_BYTES])
{
    int64_t seconds = unix_ms / MS_PER_SECOND;
    int64_t millis = unix_ms % MS_PER_SECOND;
    struct tm parts = {0};
    char date[24];

    if (millis < 0) {
        millis += MS_PER_SECOND;
        seconds--;
    }
    const time_t when = (time_t)seconds;
    if (!gmtime_r(&when, &parts) || strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts) == 0)
        date[0] = '\0';
    (void)snprintf(buf, CLOCK_TEXT_BYTES, "%s.%03" PRId64 "Z", date, millis);
    return buf;
}

/* "Z" or "+02:00": seconds to subtract; false when it is neither. */
static bool
parse_offset(const char *text, int64_t *ret_seconds)
{
    if (text[0] == 'Z' && !text[1]) {
        *ret_seconds = 0;
        return true;
    }
    for (size_t i = 0; i < 6; i++) {
        const bool fits = i == 0 ? text[i] == '+' || text[i] == '-'
                                 : i == 3 ? text[i] == ':' : text[i] >= '0' && text[i] <= '9';
        if (!fits)
            return false;
    }
    const int64_t hours = (text[1] - '0') * 10 + (text[2] - '0');
    const int64_t minutes = (text[4] - '0') * 10 + (text[5] - '0');
    *ret_seconds = (hours * 3600 + minutes * 60) * (text[0] == '-' ? -1 : 1);
    return !text[6];
}

int64_t
clock_parse(const char *text, int64_t otherwise)
{
    struct tm parts = {0};
    int64_t millis = 0;
    int64_t offset_seconds;
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) : NULL;

    if (!rest)
        return otherwise;
    if (*rest == '.') {
        int64_t scale = 100;
        for (rest++; *rest >= '0' && *rest <= '9'; rest++, scale /= 10)
            millis += (*rest - '0') * scale;
    }
    if (!parse_offset(rest, &offset_seconds))
        return otherwise;
    return ((int64_t)timegm(&parts) - offset_seconds) * MS_PER_SECOND + millis;
}

const char *
clock_format_duration(int64_t duration_ms, char buf[CLOCK_TEXT_BYTES])
{
    const int64_t seconds = duration_ms / MS_PER_SECOND;

    if (duration_ms < 10 * MS_PER_SECOND)
        (void)snprintf(buf, CLOCK_TEXT_BYTES, "%" PRId64 ".%" PRId64 " s", seconds,
                       duration_ms % MS_PER_SECOND / 100);
    else if (duration_ms < MS_PER_MINUTE)
        (void)snprintf(buf, CLOCK_TEXT_BYTES, "%" PRId64 " s", seconds);
    else if (duration_ms < MS_PER_HOUR)
        (void)snprintf(buf, CLOCK_TEXT_BYTES, "%" PRId64 " min %" PRId64 " s", seconds / 60,
                       seconds % 60);
    else
        (void)snprintf(buf, CLOCK_TEXT_BYTES, "%" PRId64 " h %" PRId64 " min", seconds / 3600,
                       seconds / 60 % 60);
    return buf;
}
