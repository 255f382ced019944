/* GitHub's deliveries: which ask for work, which ask to stop, why the others do neither, and that
 * nothing a payload holds or lacks is taken for more than it is. */
#include "tests/harness/test.h"

#include "handlers/github.h"
#include "handlers/intake/event.h"
#include "handlers/settings/settings.h"
#include "server/base/clock.h"
#include "server/base/js.h"
#include "server/base/str.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char issue[] =
    "{\"action\":\"labeled\",\"label\":{\"name\":\"draftd\"},\"assignee\":{\"login\":\"draftd-"
    "bot\"},"
    "\"issue\":{\"number\":42,\"title\":\"Sum is wrong\",\"body\":\"1 + 1 gives 3.\","
    "\"state\":\"open\",\"html_url\":\"https://github.com/acme/api/issues/42\","
    "\"updated_at\":\"2026-11-21T05:00:00Z\"},"
    "\"repository\":{\"full_name\":\"acme/api\"},"
    "\"sender\":{\"login\":\"octocat\",\"type\":\"User\"}}";

#define COMMENT(body)                                                                              \
    "{\"action\":\"created\",\"comment\":{\"id\":77,\"created_at\":\"2026-11-21T06:00:00Z\","      \
    "\"body\":\"" body "\"}}"

static struct settings
make_settings(void)
{
    return (struct settings){
        .bot = {.name = (char *)(uintptr_t) "draftd", .label = (char *)(uintptr_t) "draftd"},
        .github = {.present = true, .login = (char *)(uintptr_t) "draftd-bot"},
    };
}

static int
read_json(const struct settings *settings,
          const char *name,
          const json_t *json,
          struct event **ret_event,
          struct err *err)
{
    auto_free char *text = NULL;

    CHECK_OK(js_dump(json, &text, err), *err);
    return github_read_event(settings, name, bytes_of_str(text), ret_event, err);
}

/* The issue above with `patch` laid over it. */
static json_t *
make_payload(const char *patch)
{
    json_t *json = json_loads(issue, 0, NULL);
    json_t *over = json_loads(patch, 0, NULL);

    CHECK(json && over);
    CHECK_INT(json_object_update_recursive(json, over), 0);
    json_decref(over);
    return json;
}

static int
read_patched(const char *name, const char *patch, struct event **ret_event, struct err *err)
{
    const struct settings settings = make_settings();
    AUTO(js_free) json_t *json = make_payload(patch);

    return read_json(&settings, name, json, ret_event, err);
}

struct reading_case {
    const char *name;
    const char *patch;
    enum event_kind kind;
    const char *says; /* the trigger, or the beginning of the reason */
};

static const struct reading_case issue_cases[] = {
    {"issues", "{}", EVENT_START, "label"},
    {"issues", "{\"label\":{\"name\":\"DRAFTD\"}}", EVENT_START, "label"},
    {"issues", "{\"action\":\"unlabeled\"}", EVENT_CANCEL, "label"},
    {"issues", "{\"action\":\"unlabeled\",\"issue\":{\"state\":\"closed\"}}", EVENT_CANCEL,
     "label"},
    {"issues", "{\"label\":{\"name\":\"bug\"}}", EVENT_IGNORED, "not the label"},
    {"issues", "{\"label\":{\"name\":\"draftd2\"}}", EVENT_IGNORED, "not the label"},
    {"issues", "{\"label\":null}", EVENT_IGNORED, "not the label"},
    {"issues", "{\"action\":\"unlabeled\",\"label\":{\"name\":\"bug\"}}", EVENT_IGNORED,
     "not the label"},
    /* the issue's own list does not count: each of its labels comes as an event of its own */
    {"issues", "{\"label\":{\"name\":\"bug\"},\"issue\":{\"labels\":[{\"name\":\"draftd\"}]}}",
     EVENT_IGNORED, "not the label"},
    {"issues", "{\"issue\":{\"state\":\"closed\"}}", EVENT_IGNORED, "the issue is closed"},
    {"issues", "{\"issue\":{\"state\":null}}", EVENT_START, "label"},
    {"issues", "{\"action\":\"assigned\"}", EVENT_START, "assignment"},
    {"issues", "{\"action\":\"assigned\",\"assignee\":{\"login\":\"Draftd-Bot\"}}", EVENT_START,
     "assignment"},
    {"issues", "{\"action\":\"assigned\",\"assignee\":{\"login\":\"octocat\"}}", EVENT_IGNORED,
     "assigned to somebody else"},
    {"issues", "{\"action\":\"assigned\",\"assignee\":null}", EVENT_IGNORED,
     "assigned to somebody else"},
    {"issues", "{\"action\":\"assigned\",\"issue\":{\"state\":\"closed\"}}", EVENT_IGNORED,
     "the issue is closed"},
    {"issues", "{\"action\":\"unassigned\"}", EVENT_CANCEL, "assignment"},
    {"issues", "{\"action\":\"unassigned\",\"assignee\":{\"login\":\"octocat\"}}", EVENT_IGNORED,
     "assigned to somebody else"},
    {"issues", "{\"action\":\"opened\"}", EVENT_IGNORED, "the bot is not mentioned"},
    {"issues", "{\"action\":\"opened\",\"issue\":{\"body\":null}}", EVENT_IGNORED,
     "the bot is not mentioned"},
    {"issues", "{\"action\":\"opened\",\"issue\":{\"body\":\"@draftd please\"}}", EVENT_START,
     "mention"},
    {"issues", "{\"action\":\"opened\",\"issue\":{\"body\":\"@draftd cancel\"}}", EVENT_CANCEL,
     "mention"},
    {"issues", "{\"action\":\"closed\",\"issue\":{\"state\":\"closed\"}}", EVENT_CANCEL, "closed"},
    {"issues", "{\"action\":\"deleted\"}", EVENT_CANCEL, "deleted"},
    {"issues", "{\"action\":\"transferred\"}", EVENT_CANCEL, "transferred"},
    {"issues", "{\"action\":\"edited\",\"issue\":{\"body\":\"@draftd please\"}}", EVENT_IGNORED,
     "this action on an issue means nothing"},
    {"issues", "{\"action\":\"reopened\"}", EVENT_IGNORED, "this action on an issue means nothing"},
    {"issues", "{\"action\":\"\"}", EVENT_IGNORED, "this action on an issue means nothing"},
    {"push", "{}", EVENT_IGNORED, "draftd does not use events of this kind"},
    {"issues2", "{}", EVENT_IGNORED, "draftd does not use events of this kind"},
    {"Issues", "{}", EVENT_IGNORED, "draftd does not use events of this kind"},
    {"ping", "{\"action\":null,\"issue\":null}", EVENT_IGNORED, "draftd does not use events"},
};

static const struct reading_case comment_cases[] = {
    {"issue_comment", COMMENT("@draftd again, please"), EVENT_START, "mention"},
    {"issue_comment", COMMENT("@draftd"), EVENT_START, "mention"},
    {"issue_comment", COMMENT("@draftd cancel"), EVENT_CANCEL, "mention"},
    {"issue_comment", COMMENT("@draftd retry"), EVENT_START, "retry"},
    {"issue_comment", COMMENT("@draftd rebase"), EVENT_REMARK, "rebase"},
    {"issue_comment", COMMENT("@draftd status"), EVENT_ASK, "mention"},
    {"issue_comment", COMMENT("@draftd help"), EVENT_ASK, "mention"},
    {"issue_comment", COMMENT("@draftd use it"), EVENT_START, "mention"},
    {"issue_comment", COMMENT("what a sum"), EVENT_IGNORED, "the bot is not mentioned"},
    {"issue_comment", COMMENT("> @draftd again"), EVENT_IGNORED, "the bot is not mentioned"},
    {"issue_comment", COMMENT("@draftdx again"), EVENT_IGNORED, "the bot is not mentioned"},
    {"issue_comment", "{\"action\":\"created\"}", EVENT_IGNORED, "the bot is not mentioned"},
    {"issue_comment", "{\"action\":\"edited\",\"comment\":{\"id\":77,\"body\":\"@draftd\"}}",
     EVENT_IGNORED, "only new comments are read"},
    {"issue_comment", "{\"action\":\"deleted\",\"comment\":{\"id\":77,\"body\":\"@draftd\"}}",
     EVENT_IGNORED, "only new comments are read"},
    {"issue_comment",
     "{\"action\":\"created\",\"issue\":{\"pull_request\":{\"url\":\"u\"}},"
     "\"comment\":{\"id\":77,\"body\":\"@draftd\"}}",
     EVENT_REMARK, "mention"},
    {"issue_comment",
     "{\"action\":\"created\",\"comment\":{\"id\":77,\"body\":\"@draftd\","
     "\"performed_via_github_app\":{\"slug\":\"other\"}}}",
     EVENT_IGNORED, "written by an App"},
    {"issue_comment",
     "{\"action\":\"created\",\"comment\":{\"id\":77,\"body\":\"@draftd\","
     "\"performed_via_github_app\":null}}",
     EVENT_START, "mention"},
    {"issue_comment",
     "{\"action\":\"created\",\"issue\":{\"state\":\"closed\"},"
     "\"comment\":{\"id\":77,\"body\":\"@draftd\"}}",
     EVENT_IGNORED, "the issue is closed"},
    /* whoever closed it may still want the work to end */
    {"issue_comment",
     "{\"action\":\"created\",\"issue\":{\"state\":\"closed\"},"
     "\"comment\":{\"id\":77,\"body\":\"@draftd stop\"}}",
     EVENT_CANCEL, "mention"},
};

static void
check_cases(const struct reading_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO(event_free) struct event *event = NULL;
        struct err err;
        const struct reading_case *c = &cases[i];
        if (read_patched(c->name, c->patch, &event, &err))
            TEST_FAIL("%s %s: %s", c->name, c->patch, err.msg);
        if (event->kind != c->kind)
            TEST_FAIL("%s %s: kind %u (%s)", c->name, c->patch, event->kind, event->reason);
        const char *said = event->kind == EVENT_IGNORED ? event->reason : event->trigger;
        if (!said || !str_starts_with(said, c->says))
            TEST_FAIL("%s %s says \"%s\"", c->name, c->patch, said);
    }
}

TEST(every_trigger_and_every_reason_to_ignore)
{
    check_cases(issue_cases, COUNT(issue_cases));
    check_cases(comment_cases, COUNT(comment_cases));
}

TEST(who_where_and_what)
{
    AUTO(event_free) struct event *event = NULL;
    struct err err;

    CHECK_OK(read_patched("issues", "{}", &event, &err), err);
    CHECK_STR(event->origin, "github:acme/api#42");
    CHECK_STR(event->order_key, event->origin);
    CHECK_STR(event->repository, "acme/api");
    CHECK_INT(event->number, 42);
    CHECK_STR(event->title, "Sum is wrong");
    CHECK_STR(event->text, "1 + 1 gives 3.");
    CHECK_STR(event->url, "https://github.com/acme/api/issues/42");
    CHECK_STR(event->actor, "octocat");
    CHECK(!event->actor_is_bot);
    CHECK(!event->instruction);
    CHECK(!event->reaction_target);
    CHECK_INT(event->happened_ms, clock_parse("2026-11-21T05:00:00Z", 0));
    CHECK(event->happened_ms > 0);
}

TEST(a_comment_says_what_and_when)
{
    AUTO(event_free) struct event *event = NULL;
    struct err err;

    CHECK_OK(read_patched("issue_comment", COMMENT("@draftd use a table"), &event, &err), err);
    CHECK_STR(event->instruction, "use a table");
    CHECK_STR(event->text, "1 + 1 gives 3.");
    CHECK_STR(event->reaction_target, "77");
    CHECK_INT(event->happened_ms, clock_parse("2026-11-21T06:00:00Z", 0));
}

/* The body is the request: an instruction besides would say it twice. */
TEST(an_issue_that_mentions_the_bot_is_told_once)
{
    AUTO(event_free) struct event *event = NULL;
    struct err err;

    CHECK_OK(read_patched("issues",
                          "{\"action\":\"opened\",\"issue\":{\"body\":\"@draftd fix the sum\"}}",
                          &event, &err),
             err);
    CHECK_INT(event->kind, EVENT_START);
    CHECK_STR(event->text, "@draftd fix the sum");
    CHECK(!event->instruction);
}

TEST(bots_are_told_from_people)
{
    AUTO(event_free) struct event *event = NULL;
    AUTO(event_free) struct event *untyped = NULL;
    struct err err;

    CHECK_OK(read_patched("issues", "{\"sender\":{\"type\":\"Bot\"}}", &event, &err), err);
    CHECK(event->actor_is_bot);
    CHECK_OK(read_patched("issues", "{\"sender\":{\"type\":7}}", &untyped, &err), err);
    CHECK(!untyped->actor_is_bot);
}

/* Else a text of ours that names the bot would start work about our own status. */
TEST(what_draftd_does_itself_is_ignored)
{
    static const struct {
        const char *name, *patch;
    } own[] = {
        {"issues", "{\"sender\":{\"login\":\"Draftd-Bot\",\"type\":\"User\"}}"},
        {"issues", "{\"action\":\"closed\",\"sender\":{\"login\":\"draftd-bot\"}}"},
        {"issue_comment", COMMENT("<!-- draftd:task=7 instance=ab12 -->\\n@draftd cancel")},
    };
    AUTO(event_free) struct event *quoting = NULL;
    struct err err;

    for (size_t i = 0; i < COUNT(own); i++) {
        AUTO(event_free) struct event *event = NULL;
        CHECK_OK(read_patched(own[i].name, own[i].patch, &event, &err), err);
        CHECK_INT(event->kind, EVENT_IGNORED);
        CHECK_STR(event->reason, "draftd's own account did it");
    }
    CHECK_OK(read_patched("issue_comment",
                          COMMENT("@draftd again\\n<!-- draftd:task=7 instance=ab12 -->"),
                          &quoting, &err),
             err);
    CHECK_INT(quoting->kind, EVENT_START);
}

TEST(without_a_login_no_assignment_is_ours)
{
    const struct settings settings = {
        .bot = {.name = (char *)(uintptr_t) "draftd", .label = (char *)(uintptr_t) "draftd"}};
    AUTO(event_free) struct event *event = NULL;
    AUTO(js_free) json_t *json = make_payload("{\"action\":\"assigned\",\"assignee\":null}");
    struct err err;

    CHECK_OK(read_json(&settings, "issues", json, &event, &err), err);
    CHECK_INT(event->kind, EVENT_IGNORED);
    CHECK_CONTAINS(event->reason, "github.login is not configured");
}

/* ---- what no platform should send ---- */

static void
check_invalid(const char *name, const char *text, const char *says)
{
    const struct settings settings = make_settings();
    AUTO(event_free) struct event *event = NULL;
    struct err err = {0};

    if (github_read_event(&settings, name, bytes_of_str(text), &event, &err) != ERR_INVALID)
        TEST_FAIL("%.200s was not refused: %s", text, err.msg);
    CHECK(!event);
    CHECK_CONTAINS(err.msg, says);
}

static void
check_patch_invalid(const char *patch, const char *says)
{
    AUTO(js_free) json_t *json = make_payload(patch);
    auto_free char *text = json_dumps(json, 0);

    check_invalid("issues", text, says);
}

TEST(what_is_not_an_object_is_refused)
{
    check_invalid("issues", "", "");
    check_invalid("issues", "[]", "not a JSON object");
    check_invalid("issues", "null", "not a JSON object");
    check_invalid("issues", "\"action\"", "not a JSON object");
    check_invalid("issues", "42", "not a JSON object");
    check_invalid("issues", "{\"action\":", "");
    check_invalid("issues", "{\"action\":\"labeled\",\"action\":\"opened\"}", "");
    check_invalid("issues", "{\"action\":\"a\\u0000b\"}", "");
    check_invalid("issues", "{\"action\":\"\xff\"}", "");
    check_invalid("push", "[]", "not a JSON object");
    check_invalid("issues", "{}", "no \"action\"");
}

/* What GitHub sends when nobody chose a content type. */
TEST(a_form_is_refused_with_what_to_do)
{
    const struct settings settings = make_settings();
    AUTO(event_free) struct event *event = NULL;
    struct err err = {0};

    CHECK_INT(github_read_event(&settings, "issues", bytes_of_str("payload=%7B%7D"), &event, &err),
              ERR_INVALID);
    CHECK_STR(err.msg, "sent as a form, not as JSON: choose the content type application/json in "
                       "the webhook's settings");
}

TEST(missing_and_mistyped_members_are_refused)
{
    check_patch_invalid("{\"action\":null}", "no \"action\"");
    check_patch_invalid("{\"action\":[\"labeled\"]}", "no \"action\"");
    check_patch_invalid("{\"repository\":null}", "repository.full_name");
    check_patch_invalid("{\"repository\":\"acme/api\"}", "repository.full_name");
    check_patch_invalid("{\"repository\":{\"full_name\":7}}", "repository.full_name");
    check_patch_invalid("{\"issue\":null}", "issue.number or issue.title");
    check_patch_invalid("{\"issue\":[]}", "issue.number or issue.title");
    check_patch_invalid("{\"issue\":{\"number\":null}}", "issue.number or issue.title");
    check_patch_invalid("{\"issue\":{\"number\":\"42\"}}", "issue.number or issue.title");
    check_patch_invalid("{\"issue\":{\"title\":null}}", "issue.number or issue.title");
    check_patch_invalid("{\"issue\":{\"title\":{}}}", "issue.number or issue.title");
    check_patch_invalid("{\"sender\":null}", "sender.login");
    check_patch_invalid("{\"sender\":{\"login\":1}}", "sender.login");
}

TEST(names_that_would_leave_their_place_are_refused)
{
    static const char *const names[] = {"acme",       "acme/",       "/api",        "/",
                                        "../api",     "acme/..",     "acme/.",      "./api",
                                        "a/b/c",      "acme/api/..", "a b/c",       "acme/a\\u0009",
                                        "",           "..",          "acme//etc",   "acme/ap\\\\i",
                                        "acme/ap?i",  "a/%2e.",      "\\u00e4/api", "acme/api#1",
                                        "acme/api\\n"};

    for (size_t i = 0; i < COUNT(names); i++) {
        auto_free char *patch = str_printf("{\"repository\":{\"full_name\":\"%s\"}}", names[i]);
        check_patch_invalid(patch, "repository.full_name is not OWNER/NAME");
    }
    auto_free char *longest = str_printf("{\"repository\":{\"full_name\":\"a/%0198d\"}}", 1);
    auto_free char *longer = str_printf("{\"repository\":{\"full_name\":\"a/%0199d\"}}", 1);
    AUTO(event_free) struct event *event = NULL;
    struct err err;
    CHECK_OK(read_patched("issues", longest, &event, &err), err);
    check_patch_invalid(longer, "repository.full_name is not OWNER/NAME");
}

TEST(numbers_out_of_range_are_refused)
{
    AUTO(event_free) struct event *event = NULL;
    struct err err;

    check_patch_invalid("{\"issue\":{\"number\":0}}", "issue.number");
    check_patch_invalid("{\"issue\":{\"number\":-1}}", "issue.number");
    check_patch_invalid("{\"issue\":{\"number\":1.5}}", "issue.number");
    check_patch_invalid("{\"issue\":{\"number\":1e300}}", "issue.number");
    check_invalid("issues", "{\"action\":\"labeled\",\"n\":99999999999999999999}", "");
    check_invalid("issues", "{\"action\":\"labeled\",\"n\":1e999}", "");
    CHECK_OK(read_patched("issues", "{\"issue\":{\"number\":9223372036854775807}}", &event, &err),
             err);
    CHECK_STR(event->origin, "github:acme/api#9223372036854775807");
}

TEST(odd_times_count_as_not_told)
{
    static const char *const patches[] = {"{\"issue\":{\"updated_at\":null}}",
                                          "{\"issue\":{\"updated_at\":\"yesterday\"}}",
                                          "{\"issue\":{\"updated_at\":1700000000}}"};

    for (size_t i = 0; i < COUNT(patches); i++) {
        AUTO(event_free) struct event *event = NULL;
        struct err err;
        CHECK_OK(read_patched("issues", patches[i], &event, &err), err);
        CHECK_INT(event->happened_ms, 0);
    }
}

/* Whatever one member is replaced by, the answer is an event or a refusal. */
static void
replace_each(const struct settings *settings, const char *name, json_t *root, json_t *object)
{
    static const char *const others[] = {"null", "true",        "0",    "-1",    "[]",  "{}",
                                         "\"\"", "[[[\"x\"]]]", "1e10", "\"x\"", "[{}]"};
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(object, next, key, value)
    {
        auto_free char *kept_key = str_dup(key);
        json_t *kept = json_incref(value);
        for (size_t i = 0; i < COUNT(others); i++) {
            AUTO(event_free) struct event *event = NULL;
            struct err err;
            json_object_set_new(object, kept_key, json_loads(others[i], JSON_DECODE_ANY, NULL));
            const int r = read_json(settings, name, root, &event, &err);
            if (r != 0 && r != ERR_INVALID)
                TEST_FAIL("%s as %s: %s", kept_key, others[i], err.msg);
            CHECK((r == 0) == (event != NULL));
        }
        json_object_set_new(object, kept_key, kept);
        if (json_is_object(kept))
            replace_each(settings, name, root, kept);
    }
}

TEST(every_member_may_be_anything)
{
    const struct settings settings = make_settings();
    AUTO(js_free) json_t *labeled = make_payload("{}");
    AUTO(js_free) json_t *comment = make_payload(COMMENT("@draftd go"));

    replace_each(&settings, "issues", labeled, labeled);
    replace_each(&settings, "issue_comment", comment, comment);
}

TEST(the_id_of_the_repository_is_read_where_it_is_told)
{
    static const struct {
        const char *patch;
        int64_t id;
    } cases[] = {
        {"{}", 0},
        {"{\"repository\":{\"id\":9007199254740991}}", 9007199254740991},
        {"{\"repository\":{\"id\":\"7\"}}", 0},
        {"{\"repository\":{\"id\":null}}", 0},
    };
    const struct settings settings = make_settings();

    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(js_free) json_t *json = make_payload(cases[i].patch);
        AUTO(event_free) struct event *event = NULL;
        struct err err;
        CHECK_OK(read_json(&settings, "issues", json, &event, &err), err);
        CHECK_INT(event->repository_id, cases[i].id);
    }
}

/* ---- what GitHub says of itself ---- */

#define SENDER "\"sender\":{\"login\":\"ann\",\"type\":\"User\"}"
#define REPOSITORY(changes)                                                                        \
    "\"repository\":{\"full_name\":\"acme/new\"},\"changes\":{" changes "}," SENDER "}"

TEST(moves_and_access_are_taken_note_of)
{
    static const struct {
        const char *name;
        const char *payload;
        enum event_kind kind;
        const char *from;
    } cases[] = {
        {"repository",
         "{\"action\":\"renamed\"," REPOSITORY("\"repository\":{\"name\":{\"from\":\"old\"}}"),
         EVENT_NOTICE, "acme/old"},
        {"repository",
         "{\"action\":\"transferred\"," REPOSITORY(
             "\"owner\":{\"from\":{\"organization\":{\"login\":\"beta\"}}}"),
         EVENT_NOTICE, "beta/new"},
        {"repository",
         "{\"action\":\"transferred\"," REPOSITORY(
             "\"owner\":{\"from\":{\"user\":{\"login\":\"bob\"}}}"),
         EVENT_NOTICE, "bob/new"},
        {"repository", "{\"action\":\"edited\"," REPOSITORY(""), EVENT_IGNORED, NULL},
        {"installation", "{\"action\":\"unsuspend\"," SENDER "}", EVENT_NOTICE, NULL},
        {"installation", "{\"action\":\"created\"," SENDER "}", EVENT_NOTICE, NULL},
        {"installation", "{\"action\":\"suspend\"," SENDER "}", EVENT_IGNORED, NULL},
        {"installation", "{\"action\":\"deleted\"," SENDER "}", EVENT_IGNORED, NULL},
        {"installation_repositories", "{\"action\":\"added\"," SENDER "}", EVENT_NOTICE, NULL},
        {"installation_repositories", "{\"action\":\"removed\"," SENDER "}", EVENT_IGNORED, NULL},
    };
    const struct settings settings = make_settings();

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO(event_free) struct event *event = NULL;
        struct err err;
        CHECK_OK(github_read_event(&settings, cases[i].name, bytes_of_str(cases[i].payload), &event,
                                   &err),
                 err);
        CHECK_INT(event->kind, cases[i].kind);
        CHECK_STR(event->moved_from ? event->moved_from : "-",
                  cases[i].from ? cases[i].from : "-");
    }
}

TEST_MAIN()
