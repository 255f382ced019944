/* See log.h. */
#include "server/base/log.h"

#include "server/base/clock.h"
#include "server/base/redact.h"
#include "server/base/strbuf.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#define MAX_LINE_BYTES 16384
#define MAX_VALUE_BYTES 4096
#define MAX_CREDENTIAL_BYTES 512 /* enough of one across the cut to tell it by */

/* Set once, before threads start; read by all. */
static atomic_int minimum_level = LOG_INFO;
static atomic_int sink_fd = STDERR_FILENO;

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARNING] = "warning", [LOG_ERROR] = "error"};

void
log_set_level(enum log_level level)
{
    atomic_store(&minimum_level, (int)level);
}

void
log_set_fd(int fd)
{
    atomic_store(&sink_fd, fd);
}

/* Quote a value: everything outside printable ASCII is escaped, so that a line stays one line. */
static void
add_quoted(struct strbuf *line, const char *value)
{
    AUTO_DONE(strbuf_done) struct strbuf clean = STRBUF_INIT(2 * MAX_VALUE_BYTES);
    const size_t len = strnlen(value, MAX_VALUE_BYTES + MAX_CREDENTIAL_BYTES);

    redact_append(&clean, bytes_of(value, len));
    strbuf_truncate(&clean, MAX_VALUE_BYTES);
    strbuf_add_char(line, '"');
    for (size_t i = 0; i < clean.len; i++) {
        const unsigned char c = (unsigned char)clean.ptr[i];
        if (c == '"' || c == '\\')
            strbuf_addf(line, "\\%c", c);
        else if (c == '\n')
            strbuf_add_str(line, "\\n");
        else if (c < 0x20 || c >= 0x7F)
            strbuf_addf(line, "\\x%02x", c);
        else
            strbuf_add_char(line, (char)c);
    }
    strbuf_add_char(line, '"');
}

static void
add_field(struct strbuf *line, const struct kv *field)
{
    switch (field->type) {
    case KV_NONE:
        return;
    case KV_STR:
        if (!field->str)
            return;
        strbuf_addf(line, " %s=", field->key);
        add_quoted(line, field->str);
        return;
    case KV_INT:
        strbuf_addf(line, " %s=%" PRId64, field->key, field->integer);
        return;
    case KV_BOOL:
        strbuf_addf(line, " %s=%s", field->key, field->integer ? "true" : "false");
        return;
    }
}

void
log_write(enum log_level level, const char *event, const struct kv *fields, unsigned count)
{
    AUTO_DONE(strbuf_done) struct strbuf line = STRBUF_INIT(MAX_LINE_BYTES);
    char when[CLOCK_TEXT_BYTES];

    if ((int)level < atomic_load(&minimum_level))
        return;
    strbuf_addf(&line, "ts=%s level=%s event=%s", clock_format(clock_now_ms(), when),
                level_names[level], event);
    for (unsigned i = 0; i < count; i++)
        add_field(&line, &fields[i]);
    strbuf_add_char(&line, '\n');
    if (!strbuf_ok(&line) && line.len > 0)
        line.ptr[line.len - 1] = '\n';

    const ssize_t written = write(atomic_load(&sink_fd), strbuf_str(&line), line.len);
    (void)written; /* there is nowhere left to report that the log itself failed */
}

bool
log_limited(struct log_limit *limit, int64_t most_a_minute, int64_t *ret_suppressed)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    const int64_t now_ms = clock_mono_ms();
    bool allowed;

    (void)pthread_mutex_lock(&lock);
    *ret_suppressed = 0;
    if (now_ms - limit->window_mono_ms >= MS_PER_MINUTE || limit->count == 0) {
        *ret_suppressed = limit->count > most_a_minute ? limit->count - most_a_minute : 0;
        limit->window_mono_ms = now_ms;
        limit->count = 0;
    }
    allowed = limit->count++ < most_a_minute;
    (void)pthread_mutex_unlock(&lock);
    return allowed;
}
