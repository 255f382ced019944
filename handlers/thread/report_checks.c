/* The evidence, as the status comment and the draft's body show it: the verdict in one line and the
 * table of checks. */
#include "handlers/thread/report_parts.h"

#include "handlers/thread/text.h"
#include "server/base/clock.h"

#include <inttypes.h>

#define CHECK_NAME_BYTES 60
#define CHECKS_SHOWN 50
#define CHECKS_BYTES 11000
#define NAMES_SHOWN 4
#define REASON_BYTES 400
#define SHORT_ID 7

static const char *const phase_titles[CHECK_PHASE_COUNT] = {"Before", "After", "Fresh container"};

/* The execution that says most: the last that took place. */
static enum check_phase
last_phase(const struct check_result *check)
{
    if (check->phases[PHASE_PROOF].status != CHECK_NOT_RUN)
        return PHASE_PROOF;
    return check->phases[PHASE_AFTER].status != CHECK_NOT_RUN ? PHASE_AFTER : PHASE_BASELINE;
}

static bool
is_green(const struct check_result *check)
{
    return check->verdict == CHECK_VERDICT_PASSED || check->verdict == CHECK_VERDICT_FIXED ||
           check->verdict == CHECK_VERDICT_FLAKY;
}

static bool
is_red(const struct check_result *check)
{
    return check->verdict == CHECK_VERDICT_FAILED || check->verdict == CHECK_VERDICT_TIMED_OUT ||
           check->verdict == CHECK_VERDICT_COULD_NOT_RUN;
}

static bool
was_red(const struct check_result *check)
{
    return check->verdict == CHECK_VERDICT_RED_BEFORE;
}

static size_t
count_checks(const struct check_result_list *checks, bool (*is_such)(const struct check_result *))
{
    size_t count = 0;

    for (size_t i = 0; checks && i < checks->count; i++)
        count += is_such(&checks->items[i]);
    return count;
}

/* "`test` failed (exit status 1)" */
static void
append_red(struct strbuf *buf, const struct check_result *check)
{
    const struct check_execution *execution = &check->phases[last_phase(check)];
    char duration[CLOCK_TEXT_BYTES];

    report_append_code(buf, check->name, CHECK_NAME_BYTES);
    if (check->verdict == CHECK_VERDICT_TIMED_OUT)
        strbuf_addf(buf, " timed out (after %s)",
                    clock_format_duration(execution->duration_ms, duration));
    else if (check->verdict == CHECK_VERDICT_COULD_NOT_RUN)
        strbuf_add_str(buf, " could not be run");
    else
        strbuf_addf(buf, " failed (exit status %" PRId64 ")", execution->exit_status);
}

/* "`a`, `b` and 3 more": the checks with that verdict; returns how many there are. */
static size_t
append_names(struct strbuf *buf, const struct check_result_list *checks, enum check_verdict verdict)
{
    size_t count = 0;

    for (size_t i = 0; checks && i < checks->count; i++) {
        if (checks->items[i].verdict != verdict || ++count > NAMES_SHOWN)
            continue;
        strbuf_add_str(buf, count > 1 ? ", " : "");
        report_append_code(buf, checks->items[i].name, CHECK_NAME_BYTES);
    }
    if (count > NAMES_SHOWN)
        strbuf_addf(buf, " and %zu more", count - NAMES_SHOWN);
    return count;
}

/* " `a`, `b` TEXT", when there is any with that verdict. */
static void
append_remark(struct strbuf *buf,
              const struct check_result_list *checks,
              enum check_verdict verdict,
              const char *one,
              const char *several)
{
    AUTO_DONE(strbuf_done) struct strbuf names = STRBUF_INIT(2000);
    const size_t count = append_names(&names, checks, verdict);

    if (count > 0)
        strbuf_addf(buf, " %s %s.", strbuf_str(&names), count == 1 ? one : several);
}

static void
append_remarks(struct strbuf *buf, const struct check_result_list *checks)
{
    append_remark(buf, checks, CHECK_VERDICT_FIXED, "was red before and is green now",
                  "were red before and are green now");
    append_remark(buf, checks, CHECK_VERDICT_RED_BEFORE, "was red before this change and still is",
                  "were red before this change and still are");
    append_remark(buf, checks, CHECK_VERDICT_FLAKY, "is flaky: red, then green on one more try",
                  "are flaky: red, then green on one more try");
}

static void
append_verified(struct strbuf *buf, const struct run *run, const struct check_result_list *checks)
{
    const size_t green = count_checks(checks, is_green);
    const size_t count = checks ? checks->count : 0;

    strbuf_add_str(buf, "**Verified**: ");
    if (count == 1 && green == 1) {
        strbuf_add_str(buf, "the check ");
        report_append_code(buf, checks->items[0].name, CHECK_NAME_BYTES);
    } else if (green == count) {
        strbuf_addf(buf, "all %zu checks", count);
    } else {
        strbuf_addf(buf, "%zu of %zu checks", green, count);
    }
    strbuf_add_str(buf, " passed");
    if (run->head_commit)
        strbuf_addf(buf, " on `%.*s`", SHORT_ID, run->head_commit);
    strbuf_add_str(buf, " in a fresh container.");
    append_remarks(buf, checks);
}

static void
append_not_verified(struct strbuf *buf,
                    const struct run *run,
                    const struct check_result_list *checks)
{
    size_t count = 0;

    strbuf_add_str(buf, "**Not verified**: ");
    for (size_t i = 0; checks && i < checks->count; i++) {
        if (!is_red(&checks->items[i]) || ++count > NAMES_SHOWN)
            continue;
        strbuf_add_str(buf, count > 1 ? ", " : "");
        append_red(buf, &checks->items[i]);
    }
    if (count > NAMES_SHOWN)
        strbuf_addf(buf, " and %zu more", count - NAMES_SHOWN);
    if (checks && checks->count > 0 && count_checks(checks, was_red) == checks->count)
        strbuf_add_str(buf, "no check is green");
    else if (count == 0 && run->reason)
        report_append_inline(buf, run->reason, REASON_BYTES);
    else if (count == 0)
        strbuf_add_str(buf, "the checks were not run to the end in a fresh container");
    if (run->head_commit)
        strbuf_addf(buf, " on `%.*s`", SHORT_ID, run->head_commit);
    strbuf_add_char(buf, '.');
    append_remarks(buf, checks);
}

void
report_append_verdict(struct strbuf *buf,
                      const struct run *run,
                      const struct check_result_list *checks)
{
    switch (run->verdict) {
    case VERDICT_NONE:
        return;
    case VERDICT_VERIFIED:
        append_verified(buf, run, checks);
        break;
    case VERDICT_NOT_VERIFIED:
        append_not_verified(buf, run, checks);
        break;
    case VERDICT_NO_CHECKS:
        strbuf_add_str(buf, "**No checks configured**: nothing was verified. Add `checks` to "
                            "`.draftd.yml` and the next draft comes with evidence.");
        break;
    }
    strbuf_add_char(buf, '\n');
}

static bool
is_phase_used(const struct check_result_list *checks, enum check_phase phase)
{
    for (size_t i = 0; checks && i < checks->count; i++) {
        if (checks->items[i].phases[phase].status != CHECK_NOT_RUN)
            return true;
    }
    return false;
}

bool
report_has_checks(const struct check_result_list *checks)
{
    return is_phase_used(checks, PHASE_BASELINE) || is_phase_used(checks, PHASE_AFTER) ||
           is_phase_used(checks, PHASE_PROOF);
}

static void
append_execution(struct strbuf *buf, const struct check_execution *execution)
{
    char duration[CLOCK_TEXT_BYTES];

    (void)clock_format_duration(execution->duration_ms, duration);
    switch (execution->status) {
    case CHECK_NOT_RUN:
        strbuf_add_str(buf, "–");
        break;
    case CHECK_PASSED:
        strbuf_addf(buf, "✅ exit 0, %s", duration);
        break;
    case CHECK_FAILED:
        strbuf_addf(buf, "❌ exit %" PRId64 ", %s", execution->exit_status, duration);
        break;
    case CHECK_FLAKY:
        strbuf_addf(buf, "🔁 flaky, %s", duration);
        break;
    case CHECK_TIMED_OUT:
        strbuf_addf(buf, "⌛ timed out, %s", duration);
        break;
    case CHECK_COULD_NOT_RUN:
        strbuf_add_str(buf, "⚠️ could not be run");
        break;
    }
}

static const char *
verdict_words(enum check_verdict verdict)
{
    switch (verdict) {
    case CHECK_VERDICT_NONE:
        break;
    case CHECK_VERDICT_PASSED:
        return "passed";
    case CHECK_VERDICT_FAILED:
        return "**failed**";
    case CHECK_VERDICT_RED_BEFORE:
        return "red before";
    case CHECK_VERDICT_FIXED:
        return "**fixed**";
    case CHECK_VERDICT_FLAKY:
        return "flaky";
    case CHECK_VERDICT_TIMED_OUT:
        return "**timed out**";
    case CHECK_VERDICT_COULD_NOT_RUN:
        return "**could not be run**";
    }
    return "–";
}

static void
append_check_row(struct strbuf *buf,
                 const struct check_result *check,
                 const bool used[CHECK_PHASE_COUNT],
                 bool judged)
{
    strbuf_add_str(buf, "| ");
    report_append_code(buf, check->name, CHECK_NAME_BYTES);
    for (int phase = 0; phase < CHECK_PHASE_COUNT; phase++) {
        if (!used[phase])
            continue;
        strbuf_add_str(buf, " | ");
        append_execution(buf, &check->phases[phase]);
    }
    strbuf_addf(buf, "%s%s |\n", judged ? " | " : "", judged ? verdict_words(check->verdict) : "");
}

static bool
is_judged(const struct check_result *check)
{
    return check->verdict != CHECK_VERDICT_NONE;
}

void
report_append_checks(struct strbuf *buf, const struct check_result_list *checks)
{
    const size_t begin = buf->len;
    const bool judged = count_checks(checks, is_judged) > 0;
    bool used[CHECK_PHASE_COUNT];
    size_t shown = 0;

    strbuf_add_str(buf, "| Check |");
    for (int phase = 0; phase < CHECK_PHASE_COUNT; phase++) {
        used[phase] = is_phase_used(checks, (enum check_phase)phase);
        if (used[phase])
            strbuf_addf(buf, " %s |", phase_titles[phase]);
    }
    strbuf_addf(buf, "%s\n|---|%s", judged ? " Verdict |" : "", judged ? "---|" : "");
    for (int phase = 0; phase < CHECK_PHASE_COUNT; phase++)
        strbuf_add_str(buf, used[phase] ? "---|" : "");
    strbuf_add_char(buf, '\n');

    while (shown < checks->count && shown < CHECKS_SHOWN && buf->len - begin < CHECKS_BYTES)
        append_check_row(buf, &checks->items[shown++], used, judged);
    if (shown < checks->count) {
        const struct check_result_list rest = {.items = checks->items + shown,
                                               .count = checks->count - shown};
        strbuf_addf(buf, "\n%zu more checks are not listed, %zu of them red.\n", rest.count,
                    count_checks(&rest, is_red));
    }
}

static void
append_evidence_title(struct strbuf *buf,
                      enum run_verdict verdict,
                      const struct check_result_list *checks)
{
    const size_t green = count_checks(checks, is_green);

    switch (verdict) {
    case VERDICT_VERIFIED:
        strbuf_addf(buf, "Verified: %zu of %zu checks passed", green, checks->count);
        return;
    case VERDICT_NOT_VERIFIED:
        strbuf_addf(buf, "Not verified: %zu of %zu checks passed", green, checks->count);
        return;
    case VERDICT_NONE:
    case VERDICT_NO_CHECKS:
        strbuf_add_str(buf, "No checks configured: nothing was verified");
        return;
    }
}

int
report_evidence(const struct run *run,
                const struct check_result_list *checks,
                char **ret_title,
                char **ret_summary,
                char **ret_text,
                struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf title = STRBUF_INIT(REPORT_BYTES);
    AUTO_DONE(strbuf_done) struct strbuf summary = STRBUF_INIT(REPORT_BYTES);
    AUTO_DONE(strbuf_done) struct strbuf text = STRBUF_INIT(REPORT_BYTES);
    int r = 0;

    append_evidence_title(&title, run->verdict, checks);
    report_append_verdict(&summary, run, checks);
    if (report_has_checks(checks)) {
        report_append_checks(&text, checks);
        r = strbuf_take(&text, ret_text, err);
    }
    if (!r)
        r = strbuf_take(&title, ret_title, err);
    return r ? r : strbuf_take(&summary, ret_summary, err);
}
