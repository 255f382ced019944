/* What is done at GitHub besides messages: drafts, and the pace of it all. */
#include "tests/handlers/world.h"

#include "handlers/github.h"
#include "handlers/platform.h"
#include "handlers/thread/report.h"

#define PERMISSION                                                                                 \
    {                                                                                              \
        .expect = ASKED_FOR_OCTOCAT, ANSWER("200 OK", "{\"permission\":\"write\"}")                \
    }

static struct session *
open_session(struct world *w)
{
    struct session *session = NULL;
    struct err err;

    CHECK_OK(github_platform.open(&w->app, w->app.stop, &session, &err), err);
    return session;
}

/* ---- the pace ---- */

static bool
is_paced(struct world *w, const char *api_url)
{
    AUTO(github_pacer_free) struct github_pacer *pacer = NULL;
    struct err err;

    w->settings.github.api_url = borrowed(api_url);
    CHECK_OK(github_new_pacer(&w->settings, &pacer, &err), err);
    return pacer != NULL;
}

TEST(github_is_paced_and_a_server_of_ones_own_is_not)
{
    struct world w;

    world_open(&w, NULL, 0);
    CHECK(is_paced(&w, "https://api.github.com"));
    CHECK(is_paced(&w, "https://api.acme.ghe.com"));
    CHECK(!is_paced(&w, "https://github.example/api/v3"));
    w.settings.github.present = false;
    CHECK(!is_paced(&w, "https://api.github.com"));
    world_close(&w);
}

/* What one session is told holds for the calls of the others. */
TEST(the_sessions_of_a_process_share_the_pace)
{
    static const struct fake_exchange script[] = {PERMISSION};
    struct world w;
    struct err err;
    bool yes = false;

    world_open(&w, script, COUNT(script));
    CHECK_OK(github_pacer_new(&w.app.pacer, &err), err);
    struct session *one = open_session(&w);
    struct session *other = open_session(&w);
    CHECK_OK(github_platform.may(one, "acme/api", "octocat", &yes, &err), err);
    CHECK(yes);
    CHECK_INT(github_pacer_refused(w.app.pacer, 90 * MS_PER_SECOND, clock_mono_ms()),
              90 * MS_PER_SECOND);
    CHECK_INT(github_platform.may(other, "acme/api", "octocat", &yes, &err), ERR_LIMIT);
    CHECK(github_platform.retry_after_ms(other) > 80 * MS_PER_SECOND);
    github_platform.close(one);
    github_platform.close(other);
    world_check_api(&w);
    world_close(&w);
}

/* ---- drafts ---- */

#define PULLS "/repos/acme/api/pulls"
#define OURS "<!-- draftd:task=1 instance=ab12 -->\\n"
#define PULL(number, title, body, draft)                                                           \
    "{\"number\":" number ",\"html_url\":\"https://github.example/" number "\",\"title\":\"" title \
    "\",\"body\":\"" body "\",\"draft\":" draft                                                    \
    ",\"head\":{\"ref\":\"draftd/42\",\"repo\":{\"id\":9}},\"base\":{\"repo\":{\"id\":9}}}"
#define NO_PULLS                                                                                   \
    {                                                                                              \
        .expect = "GET " PULLS "?", ANSWER("200 OK", "[]")                                         \
    }
#define NO_DRAFTS                                                                                  \
    ANSWER("422 Unprocessable Entity",                                                             \
           "{\"message\":\"Draft pull requests are not supported in this repository.\"}")
#define EXISTS                                                                                     \
    ANSWER("422 Unprocessable Entity",                                                             \
           "{\"message\":\"Validation Failed\",\"errors\":[{\"message\":\"A pull request already " \
           "exists for acme:draftd/42.\"}]}")

static int
put(struct world *w, bool ordinary, struct draft_made *ret_made, struct err *err)
{
    const struct task task = {.id = 1, .repository = borrowed("acme/api")};
    const struct draft_request request = {.title = ordinary ? "[draft] Mend it" : "Mend it",
                                          .body = "text",
                                          .branch = "draftd/42",
                                          .base_branch = "main",
                                          .head_commit = "c0ffee",
                                          .ordinary = ordinary};
    struct session *session = open_session(w);
    const int r = github_platform.put_draft(session, &task, &request, ret_made, err);

    github_platform.close(session);
    return r;
}

/* Put a draft against a script, and look at what came of it. */
#define CHECK_PUT(script, ordinary, expected_refused, expected_number)                             \
    do {                                                                                           \
        AUTO_DONE(draft_made_done) struct draft_made made = {0};                                   \
        struct world w;                                                                            \
        struct err err;                                                                            \
        world_open(&w, script, COUNT(script));                                                     \
        CHECK_OK(put(&w, ordinary, &made, &err), err);                                             \
        world_check_api(&w);                                                                       \
        CHECK_INT(made.refused, expected_refused);                                                 \
        CHECK_INT(made.number, expected_number);                                                   \
        world_close(&w);                                                                           \
    } while (0)

TEST(where_drafts_are_refused_it_is_said_and_nothing_made)
{
    static const struct fake_exchange script[] = {NO_PULLS,
                                                  {.expect = "POST " PULLS " ", NO_DRAFTS}};

    CHECK_PUT(script, false, true, 0);
}

TEST(an_ordinary_one_is_made_when_it_is_asked_for)
{
    static const struct fake_exchange script[] = {
        NO_PULLS,
        {.expect = "POST " PULLS " ",
         ANSWER("201 Created", PULL("7", "[draft] Mend it", "text", "false"))}};
    AUTO_DONE(draft_made_done) struct draft_made made = {0};
    struct world w;
    struct err err;

    world_open(&w, script, COUNT(script));
    CHECK_OK(put(&w, true, &made, &err), err);
    world_check_api(&w);
    CHECK_INT(made.number, 7);
    CHECK_STR(made.url, "https://github.example/7");
    CHECK_CONTAINS(fake_http_request(w.api, 1), "\"draft\":false");
    CHECK_CONTAINS(fake_http_request(w.api, 1), "\"title\":\"[draft] Mend it\"");
    world_close(&w);
}

/* What a later run finds: its words are renewed, and keep saying what it is. */
TEST(an_ordinary_one_of_ours_is_kept_up_to_date_as_such)
{
    static const struct fake_exchange first[] = {
        {.expect = "GET " PULLS "?",
         ANSWER("200 OK",
                "[" PULL("7", "[draft] Mend it", OURS "x: " REPORT_ORDINARY_WORDS, "false") "]")}};
    static const struct fake_exchange second[] = {
        {.expect = "GET " PULLS "?",
         ANSWER("200 OK",
                "[" PULL("7", "[draft] Mend it", OURS "x: " REPORT_ORDINARY_WORDS, "false") "]")},
        {.expect = "PATCH " PULLS "/7 ", ANSWER("200 OK", PULL("7", "", "", "false"))}};

    CHECK_PUT(first, false, true, 0);
    CHECK_PUT(second, true, false, 7);
}

/* Marked ready where there are drafts, or given another title where there are none. */
TEST(what_people_made_ready_is_theirs)
{
    static const struct fake_exchange ready[] = {
        {.expect = "GET " PULLS "?",
         ANSWER("200 OK", "[" PULL("7", "[draft] Mend it", OURS, "false") "]")}};
    static const struct fake_exchange named[] = {
        {.expect = "GET " PULLS "?",
         ANSWER("200 OK", "[" PULL("7", "Mend it", OURS REPORT_ORDINARY_WORDS, "false") "]")}};

    CHECK_PUT(ready, false, false, 7);
    CHECK_PUT(named, false, false, 7);
}

TEST(one_that_is_there_already_is_taken_up)
{
    static const struct fake_exchange script[] = {
        NO_PULLS,
        {.expect = "POST " PULLS " ", EXISTS},
        {.expect = "GET " PULLS "?", ANSWER("200 OK", "[" PULL("7", "x", OURS, "true") "]")},
        {.expect = "PATCH " PULLS "/7 ", ANSWER("200 OK", PULL("7", "", "", "true"))}};

    CHECK_PUT(script, false, false, 7);
}

TEST(one_that_is_there_and_not_shown_is_asked_for_again_later)
{
    static const struct fake_exchange script[] = {
        NO_PULLS, {.expect = "POST " PULLS " ", EXISTS}, NO_PULLS};
    AUTO_DONE(draft_made_done) struct draft_made made = {0};
    struct world w;
    struct err err;

    world_open(&w, script, COUNT(script));
    CHECK_INT(put(&w, false, &made, &err), ERR_REMOTE);
    world_check_api(&w);
    world_close(&w);
}

/* ---- evidence ---- */

#define NOTE(conclusion)                                                                           \
    "{\"id\":\"ab12/1/1\",\"conclusion\":\"" conclusion                                            \
    "\",\"title\":\"1 of 1\",\"summary\":\"**So**\",\"url\":\"https://github.example/7\"}"

static int
send_note(struct world *w, const char *note, struct err *err)
{
    const struct task task = {.id = 1, .repository = borrowed("acme/api")};
    const struct outbox_message message = {
        .kind = OUTBOX_EVIDENCE, .target = borrowed("c0ffee"), .body = borrowed(note)};
    struct session *session = open_session(w);
    const int r = github_platform.send(session, &message, &task, err);

    github_platform.close(session);
    return r;
}

#define CHECK_SENT(script, note, expected)                                                         \
    do {                                                                                           \
        struct world w;                                                                            \
        struct err err;                                                                            \
        world_open(&w, script, COUNT(script));                                                     \
        CHECK_INT(send_note(&w, note, &err), expected);                                            \
        world_check_api(&w);                                                                       \
        world_close(&w);                                                                           \
    } while (0)

#define STATUSES                                                                                   \
    {                                                                                              \
        .expect = "POST /repos/acme/api/statuses/c0ffee "

TEST(a_machine_user_sets_a_status){
    static const struct fake_exchange script[] = {STATUSES, ANSWER("201 Created", "{\"id\":1}")}};
struct world w;
struct err err;

world_open(&w, script, COUNT(script));
CHECK_OK(send_note(&w, NOTE("failure"), &err), err);
world_check_api(&w);
CHECK_CONTAINS(fake_http_request(w.api, 0), "\"state\":\"failure\"");
CHECK_CONTAINS(fake_http_request(w.api, 0), "\"context\":\"draftd\"");
world_close(&w);
}

TEST(a_permission_that_is_missing_does_no_harm_and_other_failures_stay){
    static const struct fake_exchange denied[] = {
        STATUSES, ANSWER("403 Forbidden", "{\"message\":\"Resource not accessible\"}")}};
static const struct fake_exchange away[] = {STATUSES, ANSWER("502 Bad Gateway", "")}
}
;

CHECK_SENT(denied, NOTE("success"), 0);
CHECK_SENT(away, NOTE("success"), ERR_REMOTE);
}

TEST(what_is_no_evidence_is_refused)
{
    static const char *const notes[] = {"{}", "x", "{\"conclusion\":\"success\"}", NOTE("fine")};
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    for (size_t i = 0; i < COUNT(notes); i++)
        CHECK_INT(send_note(&w, notes[i], &err), ERR_INVALID);
    world_close(&w);
}

TEST_MAIN()
