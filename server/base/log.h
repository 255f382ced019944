/* Structured log lines: ts=... level=info event=task_claimed task="7" ...
 *
 * The event is a fixed snake_case literal; every value is typed, escaped and redacted, so that
 * neither payload text can forge a line nor a credential appear in one. Lines go to standard error
 * in one write(2) each. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

enum kv_type { KV_NONE, KV_STR, KV_INT, KV_BOOL };

struct kv {
    const char *key;
    enum kv_type type;
    const char *str;
    int64_t integer;
};

/* NULL: there is nothing to say, and the field is left out. */
static inline struct kv
kv_str(const char *key, const char *value)
{
    return (struct kv){.key = key, .type = KV_STR, .str = value};
}

static inline struct kv
kv_int(const char *key, int64_t value)
{
    return (struct kv){.key = key, .type = KV_INT, .integer = value};
}

static inline struct kv
kv_bool(const char *key, bool value)
{
    return (struct kv){.key = key, .type = KV_BOOL, .integer = value};
}

/* Lines below `level` are not written. Default: LOG_INFO. Call before threads start. */
void log_set_level(enum log_level level);

/* Where lines go. Default: standard error. Call before threads start. */
void log_set_fd(int fd);

/* Used through the macros below. Thread: any. Never fails; a line over 16 KiB is cut. */
void log_write(enum log_level level, const char *event, const struct kv *fields, unsigned count);

#define LOG_AT(level, event, ...)                                                                  \
    log_write(level, event, (const struct kv[]){{.type = KV_NONE}, ##__VA_ARGS__},                 \
              (unsigned)(sizeof((const struct kv[]){{.type = KV_NONE}, ##__VA_ARGS__}) /           \
                         sizeof(struct kv)))

#define log_debug(event, ...) LOG_AT(LOG_DEBUG, event, ##__VA_ARGS__)
#define log_info(event, ...) LOG_AT(LOG_INFO, event, ##__VA_ARGS__)
#define log_warning(event, ...) LOG_AT(LOG_WARNING, event, ##__VA_ARGS__)
#define log_error(event, ...) LOG_AT(LOG_ERROR, event, ##__VA_ARGS__)

/* How many lines of one kind are written a minute; the rest are counted. For lines that strangers
 * can cause. */
struct log_limit {
    int64_t window_mono_ms; /* under the lock of log_limited() */
    int64_t count;
};

/* May another line of this kind be written now? *ret_suppressed: how many were not since the last
 * one that was. Thread: any. */
bool log_limited(struct log_limit *limit, int64_t most_a_minute, int64_t *ret_suppressed);
