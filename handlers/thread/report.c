/* See report.h and report_parts.h: what the status comment and the draft's body have in common, but
 * for the checks. */
#include "handlers/thread/report.h"

#include "handlers/run/commits.h"
#include "handlers/thread/report_parts.h"
#include "handlers/thread/text.h"
#include "server/base/clock.h"
#include "server/base/js.h"
#include "server/base/str.h"
#include "server/limits.h"

#include <inttypes.h>

#define TITLE_BYTES 200
#define LINES_SHOWN 30
#define LINES_BYTES 6000
#define LINE_BYTES 400
#define ACTOR_BYTES 100
#define URL_BYTES 1000
#define OUTPUT_LINES 40

static const char marker_start[] = "<!-- draftd:";

void
report_append_marker(struct strbuf *buf, int64_t task, const char *instance)
{
    strbuf_add_str(buf, marker_start);
    if (task)
        strbuf_addf(buf, "task=%" PRId64 " ", task);
    strbuf_add_str(buf, "instance=");
    for (const char *p = instance; *p; p++) {
        if ((*p >= '0' && *p <= '9') || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z'))
            strbuf_add_char(buf, *p);
    }
    strbuf_add_str(buf, " -->\n");
}

int
report_marker(int64_t task, const char *instance, char **ret_marker, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(REPORT_BYTES);

    report_append_marker(&buf, task, instance);
    strbuf_truncate(&buf, buf.len ? buf.len - 1 : 0);
    return strbuf_take(&buf, ret_marker, err);
}

bool
report_is_ours(const char *text)
{
    return text && str_starts_with(text, marker_start);
}

int
report_draft_title(const struct task *task, bool ordinary, char **ret_title, struct err *err)
{
    AUTO_DONE(strbuf_done)
    struct strbuf buf = STRBUF_INIT(TITLE_BYTES + sizeof(REPORT_ORDINARY_TITLE));
    const size_t begin = ordinary ? strlen(REPORT_ORDINARY_TITLE) : 0;
    AUTO_DONE(strbuf_done) struct strbuf line = STRBUF_INIT(TITLE_BYTES);
    AUTO_DONE(strbuf_done) struct strbuf plain = STRBUF_INIT(2 * TITLE_BYTES);

    text_append_line(&line, task->title, TITLE_BYTES);
    commits_append_plain(&plain, strbuf_str(&line)); /* merged, it is a commit's message */
    strbuf_add(&buf, REPORT_ORDINARY_TITLE, begin);
    text_append_line(&buf, strbuf_str(&plain), TITLE_BYTES);
    if (buf.len == begin)
        strbuf_addf(&buf, "Task %" PRId64, task->id);
    return strbuf_take(&buf, ret_title, err);
}

/* ---- words ---- */

void
report_append_inline(struct strbuf *buf, const char *text, size_t max_bytes)
{
    AUTO_DONE(strbuf_done) struct strbuf line = STRBUF_INIT(max_bytes);

    text_append_line(&line, text, max_bytes);
    text_append_inline(buf, bytes_of(line.ptr, line.len));
}

void
report_append_code(struct strbuf *buf, const char *name, size_t max_bytes)
{
    AUTO_DONE(strbuf_done) struct strbuf line = STRBUF_INIT(max_bytes);

    text_append_line(&line, name, max_bytes);
    text_append_code(buf, bytes_of(line.ptr, line.len));
}

static bool
is_ordinary_url(const char *url)
{
    if (!url || !(str_starts_with(url, "https://") || str_starts_with(url, "http://")))
        return false;
    for (const char *p = url; *p; p++) {
        const bool word = (*p >= '0' && *p <= '9') || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z');
        if (!word && !strchr("-._~:/?#&=%+,;", *p))
            return false;
    }
    return strlen(url) <= URL_BYTES;
}

void
report_append_link(struct strbuf *buf, const char *text, const char *url)
{
    const bool linked = is_ordinary_url(url);

    if (linked)
        strbuf_add_char(buf, '[');
    report_append_inline(buf, text, TITLE_BYTES);
    if (linked)
        strbuf_addf(buf, "](%s)", url);
}

void
report_append_past(struct strbuf *buf, const char *name, const struct past_draft *past)
{
    auto_free char *text = str_printf("%s %" PRId64, name, past->number);

    report_append_link(buf, text ? text : name, past->url);
    switch (past->state) {
    case DRAFT_MERGED:
        strbuf_add_str(buf, " was merged");
        return;
    case DRAFT_CLOSED:
        strbuf_add_str(buf, " was closed");
        return;
    case DRAFT_NONE:
    case DRAFT_OPEN: /* again */
        strbuf_add_str(buf, " was left for another");
        return;
    }
}

void
report_append_asker(struct strbuf *buf, const struct task *task, const struct run *run)
{
    const char *actor = run && run->trigger_actor ? run->trigger_actor : task->requested_by;

    report_append_inline(buf, actor && *actor ? actor : "somebody", ACTOR_BYTES);
    if (run && run->trigger_kind) {
        strbuf_add_str(buf, " (");
        report_append_inline(buf, run->trigger_kind, LIMIT_EVENT_NAME_BYTES / 4);
        strbuf_add_char(buf, ')');
    }
}

void
report_append_effort(struct strbuf *buf, const struct run *run, int64_t now_ms)
{
    char duration[CLOCK_TEXT_BYTES];

    if (!run || run->started_ms == 0)
        return;
    const int64_t end_ms = run->finished_ms ? run->finished_ms : now_ms;
    const int64_t took_ms = end_ms > run->started_ms ? end_ms - run->started_ms : 0;
    strbuf_addf(buf, "took %s", clock_format_duration(took_ms, duration));
    if (run->round > 0)
        strbuf_addf(buf, ", %" PRId64 " round%s", run->round, run->round == 1 ? "" : "s");
}

/* ---- lists, output, summary ---- */

/* One item of a list; false when the share is used up. */
static bool
append_item(struct strbuf *buf, const char *prefix, const char *line, size_t begin, size_t index)
{
    if (index == LINES_SHOWN || buf->len - begin + 6 * LINE_BYTES > LINES_BYTES) {
        strbuf_addf(buf, "%s... and more\n", prefix);
        return false;
    }
    strbuf_add_str(buf, prefix);
    report_append_inline(buf, line, LINE_BYTES);
    strbuf_add_char(buf, '\n');
    return true;
}

void
report_append_lines(struct strbuf *buf, const char *prefix, const char *text)
{
    const size_t begin = buf->len;
    size_t index = 0;

    while (*text) {
        const size_t len = strcspn(text, "\n");
        AUTO_DONE(strbuf_done) struct strbuf line = STRBUF_INIT(len);
        strbuf_add(&line, text, len);
        if (len > 0 && !append_item(buf, prefix, strbuf_str(&line), begin, index++))
            return;
        text += len + (text[len] == '\n');
    }
}

int
report_append_flags(struct strbuf *buf, const char *flags, struct err *err)
{
    AUTO(js_free) json_t *list = NULL;
    const size_t begin = buf->len;
    const int r = flags ? js_parse(bytes_of_str(flags), &list, err) : 0;

    if (r)
        return err_wrap(err, "reading a run's flags");
    if (json_array_size(list) == 0)
        return 0;
    strbuf_add_str(buf, "\n> [!WARNING]\n");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *flag = json_string_value(json_array_get(list, i));
        if (!append_item(buf, "> - ", flag ? flag : "?", begin, i))
            break;
    }
    return 0;
}

void
report_append_output(struct strbuf *buf, const char *output, size_t max_bytes)
{
    AUTO_DONE(strbuf_done) struct strbuf tail = STRBUF_INIT(max_bytes);

    text_append_tail(&tail, bytes_of_str(output), OUTPUT_LINES, max_bytes);
    /* A fence grows with what it holds: take less until it fits. */
    for (size_t share = max_bytes; share > 0; share /= 2) {
        AUTO_DONE(strbuf_done) struct strbuf part = STRBUF_INIT(share);
        AUTO_DONE(strbuf_done) struct strbuf fenced = STRBUF_INIT(max_bytes);
        text_append_tail(&part, bytes_of(tail.ptr, tail.len), OUTPUT_LINES, share);
        text_append_fenced(&fenced, "text", bytes_of(part.ptr, part.len));
        if (!strbuf_ok(&fenced))
            continue;
        strbuf_add_bytes(buf, bytes_of(fenced.ptr, fenced.len));
        return;
    }
}

void
report_append_summary(struct strbuf *buf, const char *summary, size_t max_bytes)
{
    static const char heading[] = "\n### What the agent says (not verified by draftd)\n\n";

    strbuf_add_str(buf, heading);
    text_append_quote(buf, bytes_of_str(summary), max_bytes - sizeof(heading));
}
