/* Reading what GitHub tells about pull requests. */
#include "handlers/github.h"
#include "handlers/intake/event.h"
#include "handlers/settings/settings.h"
#include "server/base/clock.h"
#include "server/base/js.h"
#include "server/base/str.h"
#include "tests/harness/test.h"

#define HEAD "0123456789012345678901234567890123456789"

static const char payload[] =
    "{\"repository\":{\"full_name\":\"acme/api\"},\"sender\":{\"login\":\"bea\",\"type\":\"User\"},"
    "\"pull_request\":{\"number\":12,\"merged\":false,\"updated_at\":\"2026-11-21T05:00:00Z\"},"
    "\"review\":{\"id\":5,\"body\":\"Too long.\",\"state\":\"changes_requested\","
    "\"submitted_at\":\"2026-11-21T06:00:00Z\"},"
    "\"comment\":{\"id\":77,\"body\":\"Why?\",\"path\":\"src/calc.c\",\"line\":9,"
    "\"original_line\":7,\"diff_hunk\":\"@@ -1 +1 @@\\n+x\",\"pull_request_review_id\":5,"
    "\"created_at\":\"2026-11-21T07:00:00Z\"},"
    "\"check_suite\":{\"id\":3,\"head_branch\":\"draftd/1-x\",\"head_sha\":\"" HEAD "\","
    "\"conclusion\":\"failure\",\"app\":{\"id\":15368,\"slug\":\"some-ci\"},\"updated_at\":\"2026-"
    "11-21T08:00:00Z\"},"
    "\"workflow_run\":{\"id\":4,\"check_suite_id\":8,\"head_branch\":\"draftd/"
    "1-x\",\"head_sha\":\"" HEAD "\","
    "\"conclusion\":\"timed_out\"}}";

static int
read_patched(const char *name, const char *patch, struct event **ret_event, struct err *err)
{
    struct agent_profile codex = {.name = (char[]){"codex"}};
    const struct settings settings = {
        .bot = {.name = (char[]){"draftd"}, .label = (char[]){"draftd"}},
        .github = {.present = true, .app_id = 99},
        .agents = {.profiles = &codex, .profile_count = 1},
    };
    AUTO(js_free) json_t *json = json_loads(payload, 0, NULL);
    AUTO(js_free) json_t *over = json_loads(patch, 0, NULL);
    auto_free char *text = NULL;

    CHECK(json && over);
    CHECK_INT(json_object_update_recursive(json, over), 0);
    CHECK_OK(js_dump(json, &text, err), *err);
    return github_read_event(&settings, name, bytes_of_str(text), ret_event, err);
}

static struct event *
read_good(const char *name, const char *patch)
{
    struct event *event = NULL;
    struct err err;

    if (read_patched(name, patch, &event, &err))
        TEST_FAIL("%s %s: %s", name, patch, err.msg);
    return event;
}

#define REVIEW "pull_request_review"
#define LINE "pull_request_review_comment"
#define PULL "pull_request"

TEST(every_kind_and_every_reason_to_ignore)
{
    static const struct {
        const char *name, *patch;
        enum event_kind kind;
        const char *says;
    } cases[] = {
        {REVIEW, "{\"action\":\"submitted\"}", EVENT_REMARK, "review"},
        {REVIEW, "{\"action\":\"edited\"}", EVENT_IGNORED, "only new reviews"},
        {REVIEW, "{\"action\":\"submitted\",\"review\":{\"body\":null}}", EVENT_IGNORED,
         "the review has no text"},
        {REVIEW, "{\"action\":\"submitted\",\"review\":{\"body\":\"\"}}", EVENT_IGNORED,
         "the review has no text"},
        {REVIEW, "{\"action\":\"submitted\",\"review\":{\"state\":\"approved\"}}", EVENT_IGNORED,
         "the review approves"},
        {REVIEW,
         "{\"action\":\"submitted\",\"review\":{\"state\":\"approved\",\"body\":\"@draftd and "
         "docs\"}}",
         EVENT_REMARK, "review"},
        {REVIEW, "{\"action\":\"submitted\",\"review\":{\"body\":\"@draftd cancel\"}}",
         EVENT_CANCEL, "mention"},
        {REVIEW,
         "{\"action\":\"submitted\",\"review\":{\"body\":\"<!-- draftd:task=7 instance=a -->\"}}",
         EVENT_IGNORED, "draftd's own"},
        {LINE, "{\"action\":\"created\"}", EVENT_REMARK, "review"},
        {LINE, "{\"action\":\"edited\"}", EVENT_IGNORED, "only new comments"},
        {LINE, "{\"action\":\"created\",\"comment\":{\"body\":\"@draftd rebase\"}}", EVENT_REMARK,
         "rebase"},
        {LINE, "{\"action\":\"created\",\"comment\":{\"body\":\"@draftd help\"}}", EVENT_ASK,
         "mention"},
        {LINE, "{\"action\":\"created\",\"comment\":{\"body\":\"@draftd retry\"}}", EVENT_START,
         "retry"},
        {LINE,
         "{\"action\":\"created\",\"comment\":{\"performed_via_github_app\":{\"slug\":\"x\"}}}",
         EVENT_IGNORED, "written by an App"},
        {PULL, "{\"action\":\"closed\"}", EVENT_DRAFT, "closed"},
        {PULL, "{\"action\":\"reopened\"}", EVENT_DRAFT, "reopened"},
        {PULL, "{\"action\":\"synchronize\"}", EVENT_IGNORED, "this action on a pull request"},
        {"check_suite", "{\"action\":\"completed\"}", EVENT_REMARK, "ci"},
        {"workflow_run", "{\"action\":\"completed\"}", EVENT_REMARK, "ci"},
        {"check_suite", "{\"action\":\"requested\"}", EVENT_IGNORED, "only checks that ended"},
        {"check_suite", "{\"action\":\"completed\",\"check_suite\":{\"conclusion\":\"success\"}}",
         EVENT_IGNORED, "no check failed"},
        {"check_suite", "{\"action\":\"completed\",\"check_suite\":{\"conclusion\":\"cancelled\"}}",
         EVENT_IGNORED, "no check failed"},
        {"check_suite", "{\"action\":\"completed\",\"check_suite\":{\"app\":{\"id\":99}}}",
         EVENT_IGNORED, "draftd's own check run"},
        {"check_suite", "{\"action\":\"completed\",\"check_suite\":{\"head_branch\":null}}",
         EVENT_IGNORED, "the checks are of no branch"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO(event_free) struct event *event = read_good(cases[i].name, cases[i].patch);
        const char *said = event->kind == EVENT_IGNORED ? event->reason : event->trigger;
        if (event->kind != cases[i].kind || !said || !str_starts_with(said, cases[i].says))
            TEST_FAIL("%s %s: kind %u, \"%s\"", cases[i].name, cases[i].patch, event->kind, said);
    }
}

TEST(a_review_is_a_remark_on_the_draft)
{
    AUTO(event_free) struct event *event = read_good(REVIEW, "{\"action\":\"submitted\"}");
    const struct remark *remark = event->remark;

    CHECK(!event->origin);
    CHECK_INT(event->draft, 12);
    CHECK_STR(event->order_key, "github:acme/api#12");
    CHECK_STR(event->actor, "bea");
    CHECK_INT(remark->kind, REMARK_REVIEW);
    CHECK_STR(remark->ref, "review:5");
    CHECK_STR(remark->batch, "review:5");
    CHECK_STR(remark->target, "pull:12");
    CHECK_STR(remark->text, "Too long.");
    CHECK_INT(remark->happened_ms, clock_parse("2026-11-21T06:00:00Z", 0));
}

TEST(a_comment_on_a_line_says_where)
{
    AUTO(event_free) struct event *event = read_good(LINE, "{\"action\":\"created\"}");
    AUTO(event_free)
    struct event *reply =
        read_good(LINE, "{\"action\":\"created\",\"comment\":{\"in_reply_to_id\":70,\"line\":null,"
                        "\"body\":\"@draftd rename it\"}}");
    const struct remark *remark = event->remark;

    CHECK_INT(remark->kind, REMARK_LINE);
    CHECK_STR(remark->ref, "line:77");
    CHECK_STR(remark->batch, "review:5");
    CHECK_STR(remark->target, "line:12/77");
    CHECK_STR(remark->path, "src/calc.c");
    CHECK_INT(remark->line, 9);
    CHECK_STR(remark->hunk, "@@ -1 +1 @@\n+x");
    CHECK_STR(remark->text, "Why?");
    CHECK_STR(event->reaction_target, "line:12/77");

    CHECK_STR(reply->remark->target, "line:12/70");
    CHECK_INT(reply->remark->line, 7);
    CHECK_STR(reply->remark->text, "rename it");
    CHECK_STR(reply->reaction_target, "line:12/77");
}

TEST(the_end_of_a_pull_request_is_a_drafts_end)
{
    AUTO(event_free) struct event *closed = read_good(PULL, "{\"action\":\"closed\"}");
    AUTO(event_free)
    struct event *merged =
        read_good(PULL, "{\"action\":\"closed\",\"pull_request\":{\"merged\":true}}");
    AUTO(event_free) struct event *reopened = read_good(PULL, "{\"action\":\"reopened\"}");

    CHECK_INT(closed->draft_state, DRAFT_CLOSED);
    CHECK_INT(merged->draft_state, DRAFT_MERGED);
    CHECK_INT(reopened->draft_state, DRAFT_OPEN);
    CHECK_INT(closed->draft, 12);
    CHECK_INT(closed->happened_ms, clock_parse("2026-11-21T05:00:00Z", 0));
}

TEST(red_checks_of_a_head_are_one_remark)
{
    AUTO(event_free) struct event *suite = read_good("check_suite", "{\"action\":\"completed\"}");
    AUTO(event_free) struct event *flow = read_good("workflow_run", "{\"action\":\"completed\"}");

    CHECK_STR(suite->head_branch, "draftd/1-x");
    CHECK_STR(suite->remark->ref, "ci:" HEAD);
    CHECK_STR(flow->remark->ref, suite->remark->ref);
    CHECK_INT(suite->remark->kind, REMARK_CI);
    CHECK(!suite->remark->target);
    CHECK_STR(suite->remark->batch, "suite:3");
    CHECK_STR(flow->remark->batch, "suite:8");
    CHECK_STR(suite->actor, "some-ci");
    CHECK_STR(flow->actor, "github-actions");
}

TEST(what_is_missing_is_refused)
{
    struct event *event = NULL;
    struct err err;

    CHECK_INT(
        read_patched(PULL, "{\"action\":\"closed\",\"pull_request\":{\"number\":0}}", &event, &err),
        ERR_INVALID);
    CHECK_CONTAINS(err.msg, "pull_request.number");
    CHECK_INT(read_patched(PULL, "{\"action\":\"closed\",\"sender\":null}", &event, &err),
              ERR_INVALID);
    CHECK_INT(read_patched("check_suite",
                           "{\"action\":\"completed\",\"repository\":{\"full_name\":1}}", &event,
                           &err),
              ERR_INVALID);
    CHECK(!event);
}

TEST_MAIN()
