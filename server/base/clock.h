/* The two clocks. Logic takes the time as an argument (`now_ms`); only loops read it here. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MS_PER_SECOND INT64_C(1000)
#define MS_PER_MINUTE (60 * MS_PER_SECOND)
#define MS_PER_HOUR (60 * MS_PER_MINUTE)
#define MS_PER_DAY (24 * MS_PER_HOUR)

/* Unix time in milliseconds. May jump when the machine's clock is set. */
int64_t clock_now_ms(void);

/* Milliseconds since some fixed instant; never jumps. For deadlines and durations. */
int64_t clock_mono_ms(void);

/* Sleep without being cut short by signals. */
void clock_sleep_ms(int64_t duration_ms);

#define CLOCK_TEXT_BYTES 32

/* `unix_ms` as RFC 3339 in UTC with milliseconds, "2026-11-21T05:00:00.000Z", into `buf`; returns
 * `buf`. */
const char *clock_format(int64_t unix_ms, char buf[CLOCK_TEXT_BYTES]);

/* Read an RFC 3339 time, "2026-11-21T05:00:00Z" with or without a fraction, in UTC or with an offset.
 * Returns Unix milliseconds, or `otherwise` when `text` is NULL or not such a time. */
int64_t clock_parse(const char *text, int64_t otherwise);

/* `duration_ms` for people: "0.4 s", "42 s", "3 min 5 s", "2 h 10 min", into `buf`; returns `buf`. */
const char *clock_format_duration(int64_t duration_ms, char buf[CLOCK_TEXT_BYTES]);
