/* A task, its run, checks and difference to report on, and what must hold for every report. */
#pragma once

#include "handlers/thread/report.h"
#include "server/base/clock.h"
#include "server/base/js.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "tests/harness/test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define REPORT_MAX 60000U
#define MARKER "<!-- draftd:task=7 instance=ab12 -->"

/* The fields of the records are `char *`, since elsewhere they are owned; nothing here is freed. */
static inline char *
text(const char *literal)
{
    union {
        const char *in;
        char *out;
    } cast = {.in = literal};

    return cast.out;
}

static inline struct task
make_task(enum task_state state)
{
    return (struct task){
        .id = 7,
        .platform = text("github"),
        .repository = text("acme/api"),
        .number = 42,
        .title = text("Sum is wrong"),
        .text = text("1 + 1 gives 3."),
        .url = text("https://example.org/acme/api/issues/42"),
        .requested_by = text("octocat"),
        .state = state,
        .branch = text("draftd/42-sum-is-wrong"),
    };
}

static inline struct run
make_run(void)
{
    return (struct run){
        .id = 9,
        .task = 7,
        .number = 1,
        .trigger_kind = text("label"),
        .trigger_actor = text("hubot"),
        .round = 2,
        .started_ms = 1000,
        .finished_ms = 1000 + 185 * MS_PER_SECOND,
        .base_commit = text("1111111111111111111111111111111111111111"),
        .head_commit = text("abc1234abc1234abc1234abc1234abc1234abc12"),
    };
}

static inline struct check_result
make_check(const char *name, enum check_verdict verdict)
{
    const struct check_execution green = {.status = CHECK_PASSED, .duration_ms = 412};
    const struct check_execution red = {
        .status = CHECK_FAILED, .exit_status = 1, .duration_ms = 412};
    const struct check_execution late = {.status = CHECK_TIMED_OUT, .duration_ms = 600000};
    const struct check_execution broken = {.status = CHECK_COULD_NOT_RUN};
    const struct check_execution flaky = {.status = CHECK_FLAKY, .duration_ms = 412};
    struct check_result check = {.name = text(name), .command = text("make"), .verdict = verdict};

    check.phases[PHASE_BASELINE] =
        verdict == CHECK_VERDICT_FIXED || verdict == CHECK_VERDICT_RED_BEFORE ? red : green;
    check.phases[PHASE_AFTER] = check.phases[PHASE_PROOF] =
        verdict == CHECK_VERDICT_TIMED_OUT                                       ? late
        : verdict == CHECK_VERDICT_COULD_NOT_RUN                                 ? broken
        : verdict == CHECK_VERDICT_FLAKY                                         ? flaky
        : verdict == CHECK_VERDICT_FAILED || verdict == CHECK_VERDICT_RED_BEFORE ? red
                                                                                 : green;
    return check;
}

/* `part` over and over, `len` bytes or some more, in fresh memory. */
static inline char *
repeat(const char *part, size_t len)
{
    struct strbuf buf = STRBUF_INIT(2 * len + 256);

    while (buf.len < len)
        strbuf_add_str(&buf, part);
    return buf.ptr;
}

static inline bool
is_valid_utf8(const char *bytes)
{
    const size_t len = strlen(bytes);

    for (size_t i = 0; i < len;) {
        uint32_t code_point;
        const size_t size = utf8_decode(bytes + i, len - i, &code_point);
        if (code_point == 0xFFFD && size == 1)
            return false;
        i += size;
    }
    return true;
}

/* A line outside of fences: nothing that notifies, links or opens a tag may stand outside of its
 * code spans. */
static inline void
check_prose(const char *line)
{
    bool code = false;

    for (const char *p = line; *p; p++) {
        if (*p == '\\' && p[1] && !code)
            p++;
        else if (*p == '`')
            code = !code;
        else if (!code && *p == '@' && ((p[1] | 0x20) >= 'a' && (p[1] | 0x20) <= 'z'))
            TEST_FAIL("pings: %.200s", line);
        else if (!code && *p == '#' && p[1] >= '0' && p[1] <= '9' && (p == line || p[-1] != '&') &&
                 !str_starts_with(line, "Closes #"))
            TEST_FAIL("links: %.200s", line);
    }
    if (code)
        TEST_FAIL("a code span is left open: %.200s", line);
}

/* What holds for every report: its size, its marker and no other, closed fences and folds, no
 * pings. */
static inline void
check_report(const char *report)
{
    size_t fence = 0;
    int folds = 0;

    CHECK(strlen(report) <= REPORT_MAX);
    CHECK(is_valid_utf8(report));
    CHECK(str_starts_with(report, MARKER "\n"));
    CHECK(!strstr(report + strlen(MARKER), "<!--"));

    for (const char *at = report + strlen(MARKER) + 1; *at;) {
        const size_t len = strcspn(at, "\n");
        auto_free char *copy = strndup(at, len);
        CHECK(copy);
        const char *line = str_starts_with(copy, "> ") ? copy + 2 : copy;
        const size_t run = strspn(line, "`");
        if (fence && run >= fence && !line[run])
            fence = 0;
        else if (!fence && run >= 3 && !strchr(line + run, '`'))
            fence = run;
        else if (!fence)
            check_prose(line);
        folds += !fence && strstr(line, "<details>") == line;
        folds -= !fence && str_equal(line, "</details>");
        at += len + (at[len] == '\n');
    }
    CHECK_INT(fence, 0);
    CHECK_INT(folds, 0);
}

static const char evil[] =
    "x | <!-- draftd:task=8 instance=ab12 --> @octocat #12 `@a ```\n```\n</details>\n"
    "| a | b |\n# **Verified** GH-1 \u202E https://example.org/i/1 <b>";

static __attribute__((noinline, unused)) char *
status_of(const struct report_input *input)
{
    char *report = NULL;
    struct err err;

    CHECK_OK(report_status(input, &report, &err), err);
    check_report(report);
    return report;
}

static __attribute__((noinline, unused)) char *
body_of(const struct report_draft_input *input)
{
    char *report = NULL;
    struct err err;

    CHECK_OK(report_draft_body(input, &report, &err), err);
    check_report(report);
    return report;
}

static inline struct report_input
make_input(const struct task *task, const struct run *run)
{
    return (struct report_input){.task = task,
                                 .run = run,
                                 .instance = "ab12",
                                 .bot_name = "draftd",
                                 .rounds = 3,
                                 .now_ms = 99999};
}

struct draft {
    struct task task;
    struct run run;
    struct check_result checks[4];
    struct check_result_list list;
    struct repo_change changes[5];
    struct repo_diff diff;
    const char *outputs[4];
    struct report_draft_input input;
};

static inline void
draft_init(struct draft *draft)
{
    *draft = (struct draft){
        .task = make_task(TASK_RUNNING),
        .run = make_run(),
        .checks = {make_check("test", CHECK_VERDICT_PASSED),
                   make_check("lint", CHECK_VERDICT_PASSED),
                   make_check("types", CHECK_VERDICT_PASSED)},
        .changes =
            {{.path = text("src/sum.c"),
              .kind = REPO_MODIFIED,
              .added_lines = 3,
              .deleted_lines = 1},
             {.path = text("src/new.sh"), .kind = REPO_ADDED, .added_lines = 9, .executable = true},
             {.path = text("b.png"), .kind = REPO_ADDED, .binary = true, .new_bytes = 2000},
             {.path = text("b.txt"), .kind = REPO_ADDED, .large = true, .new_bytes = 2000000},
             {.path = text("c.c"), .old_path = text("d.c"), .kind = REPO_RENAMED}},
    };
    draft->run.verdict = VERDICT_VERIFIED;
    draft->run.summary = text("Fixed the sum.");
    draft->list = (struct check_result_list){.items = draft->checks, .count = 3};
    draft->diff = (struct repo_diff){
        .items = draft->changes, .count = 5, .added_lines = 12, .deleted_lines = 1};
    draft->input = (struct report_draft_input){.task = &draft->task,
                                               .run = &draft->run,
                                               .checks = &draft->list,
                                               .diff = &draft->diff,
                                               .instance = "ab12",
                                               .closes_issue = true};
}
