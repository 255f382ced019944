/* Stored deliveries become tasks, runs and cancellations: once, in order, by those who may; and
 * what is away is waited for. */
#include "tests/handlers/world.h"

#include "handlers/intake/dispatch.h"
#include "server/limits.h"

#define MAY_WRITE                                                                                  \
    {                                                                                              \
        .expect = ASKED_FOR_OCTOCAT, ANSWER("200 OK", "{\"permission\":\"write\"}")                \
    }
#define STATES "SELECT group_concat(state, ' ') FROM (SELECT state FROM delivery ORDER BY id)"

static struct dispatcher *
make_dispatcher(struct world *w)
{
    struct dispatcher *dispatcher = NULL;
    struct err err;

    CHECK_OK(dispatcher_new(&w->app, &dispatcher, &err), err);
    return dispatcher;
}

/* Turns until there is nothing to do now. */
static void
dispatch(struct world *w)
{
    AUTO(dispatcher_free) struct dispatcher *dispatcher = make_dispatcher(w);

    for (int i = 0; i < 50; i++)
        if (dispatcher_turn(dispatcher) == POLL_MS)
            return;
    TEST_FAIL("there is always something to do");
}

/* As if everything deferred were due. */
static void
let_time_pass(struct world *w)
{
    world_exec(w, "UPDATE delivery SET next_ms = 1 WHERE next_ms > 0");
}

static char *
make_issue(const char *action, int number, const char *sender, const char *sender_type)
{
    char *text = str_printf(
        "{\"action\":\"%s\",\"label\":{\"name\":\"draftd\"},\"comment\":{\"id\":77,"
        "\"body\":\"@draftd cancel\",\"created_at\":\"2026-01-01T00:00:00Z\"},\"issue\":{"
        "\"number\":%d,\"title\":\"Sum is wrong\",\"body\":\"1 + 1 gives 3.\",\"state\":\"open\","
        "\"updated_at\":\"2026-01-01T00:00:00Z\"},\"repository\":{\"full_name\":\"acme/api\"},"
        "\"sender\":{\"login\":\"%s\",\"type\":\"%s\"}}",
        action, number, sender, sender_type);

    CHECK(text);
    return text;
}

static int64_t
deliver_issue(struct world *w, const char *id, const char *action, int number)
{
    auto_free char *body = make_issue(action, number, "octocat", "User");

    return world_deliver(w, "github", id, "issues", body);
}

/* ---- what becomes a task ---- */

TEST(a_local_request_becomes_a_task)
{
    struct world w;

    world_open(&w, NULL, 0);
    world_deliver(&w, "local", "msg_1", "task",
                  "{\"repository\":\"demo/calc\",\"title\":\"Add up\",\"text\":\"Please\"}");
    dispatch(&w);
    CHECK_STORED(&w, "SELECT state || ' ' || task FROM delivery", "1 1");
    CHECK_STORED(&w, "SELECT platform || ' ' || origin || ' ' || title || ' ' || text FROM task",
                 "local local:demo/calc#msg_1 Add up Please");
    CHECK_STORED(&w, "SELECT trigger_kind || ' ' || trigger_actor FROM run", "webhook local");
    world_close(&w);
}

TEST(a_label_of_somebody_with_write_permission_becomes_a_task)
{
    static const struct fake_exchange script[] = {MAY_WRITE};
    struct world w;

    world_open(&w, script, COUNT(script));
    deliver_issue(&w, "d1", "labeled", 42);
    deliver_issue(&w, "d2", "labeled", 43); /* the permission is remembered */
    dispatch(&w);
    world_check_api(&w);
    CHECK_STORED(&w, STATES, "1 1");
    CHECK_STORED(&w, "SELECT group_concat(origin, ' ') FROM task",
                 "github:acme/api#42 github:acme/api#43");
    world_close(&w);
}

TEST(nothing_to_do_is_looked_for_again_soon)
{
    struct world w;

    world_open(&w, NULL, 0);
    AUTO(dispatcher_free) struct dispatcher *dispatcher = make_dispatcher(&w);
    CHECK_INT(dispatcher_turn(dispatcher), POLL_MS);
    world_deliver(&w, "github", "d1", "push", "{}");
    CHECK_INT(dispatcher_turn(dispatcher), 0);
    CHECK_INT(dispatcher_turn(dispatcher), POLL_MS);
    world_close(&w);
}

TEST(three_labels_of_one_issue_start_one_task)
{
    static const struct fake_exchange script[] = {MAY_WRITE};
    struct world w;

    world_open(&w, script, COUNT(script));
    deliver_issue(&w, "d1", "labeled", 42);
    deliver_issue(&w, "d2", "labeled", 42);
    dispatch(&w);
    world_check_api(&w);
    CHECK_STORED(&w, STATES, "1 2");
    CHECK_STORED(&w, "SELECT reason FROM delivery WHERE id = 2", "task 1 is under way");
    CHECK_INT(world_int(&w, "SELECT count(*) FROM run"), 1);
    world_close(&w);
}

/* ---- what ends the process ---- */

TEST(what_ended_the_process_each_time_is_set_aside)
{
    struct world w;

    world_open(&w, NULL, 0);
    world_deliver(&w, "local", "m1", "task", "{\"repository\":\"demo/calc\",\"title\":\"Add\"}");
    world_deliver(&w, "local", "m2", "task", "{\"repository\":\"demo/calc\",\"title\":\"Add\"}");
    world_exec(&w, "UPDATE delivery SET begun = 3 + id");
    dispatch(&w);
    CHECK_STORED(&w, STATES, "1 3");
    CHECK_STORED_CONTAINS(&w, "SELECT reason FROM delivery WHERE id = 2", "ended without a word");
    CHECK_INT(world_int(&w, "SELECT sum(begun) FROM delivery"), 0);
    world_close(&w);
}

/* ---- what does not ---- */

static void
check_refused(const char *reply, const char *state, const char *reason)
{
    const struct fake_exchange script[] = {
        {.expect = ASKED_FOR_OCTOCAT, .reply = reply, .then = FAKE_CLOSE}};
    struct world w;

    world_open(&w, script, 1);
    deliver_issue(&w, "d1", "labeled", 42);
    dispatch(&w);
    world_check_api(&w);
    CHECK_STORED(&w, STATES, state);
    CHECK_STORED_CONTAINS(&w, "SELECT reason FROM delivery", reason);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM task"), 0);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM outbox"), 0);
    world_close(&w);
}

TEST(who_may_not_write_starts_nothing)
{
    static const char *const permissions[] = {"read", "none", "triage", "", "WRITE", "writer"};

    for (size_t i = 0; i < COUNT(permissions); i++) {
        auto_free char *reply = str_printf("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
                                           "{\"permission\":\"%s\"}",
                                           permissions[i]);
        check_refused(reply, "2", "has no write permission on the repository");
    }
}

TEST(somebody_unknown_starts_nothing)
{
    check_refused("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n{\"message\":\"Not Found\"}",
                  "2", "has no write permission on the repository");
}

/* The operator mends it, and then the task is made. */
TEST(a_refused_credential_is_waited_for)
{
    check_refused("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n"
                  "{\"message\":\"Bad credentials\"}",
                  "0", "Bad credentials");
    check_refused("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n"
                  "{\"message\":\"Resource not accessible by integration\"}",
                  "0", "Resource not accessible");
}

struct refusal {
    const char *platform;
    const char *event;
    const char *body;
    int state;
    const char *reason;
};

static const struct refusal refusals[] = {
    {"github", "push", "{}", DELIVERY_IGNORED, "draftd does not use events of this kind"},
    {"github", "issues", "{}", DELIVERY_BAD, "no \"action\""},
    {"github", "issues", "", DELIVERY_BAD, ""},
    {"github", "issues", "\xff\xfe", DELIVERY_BAD, ""},
    {"local", "task", "{}", DELIVERY_BAD, "\"repository\" must be a string OWNER/NAME"},
    {"local", "task", "{\"repository\":\"demo/other\",\"title\":\"T\"}", DELIVERY_IGNORED,
     "the repository is not in the configuration"},
    {"teletype", "task", "{}", DELIVERY_BAD, "this program knows no such platform"},
    {"github", "issues",
     "{\"action\":\"labeled\",\"label\":{\"name\":\"draftd\"},\"issue\":{\"number\":1,"
     "\"title\":\"T\"},\"repository\":{\"full_name\":\"other/api\"},"
     "\"sender\":{\"login\":\"octocat\"}}",
     DELIVERY_IGNORED, "the repository is not in the configuration"},
    {"github", "issues",
     "{\"action\":\"labeled\",\"label\":{\"name\":\"draftd\"},\"issue\":{\"number\":1,"
     "\"title\":\"T\"},\"repository\":{\"full_name\":\"acme/api\"},"
     "\"sender\":{\"login\":\"ci[bot]\",\"type\":\"Bot\"}}",
     DELIVERY_IGNORED, "bots start nothing"},
};

/* Nobody listens at the API's address: none of these asks there. */
TEST(what_is_not_for_us_is_ignored_with_a_reason)
{
    struct world w;

    world_open(&w, NULL, 0);
    for (size_t i = 0; i < COUNT(refusals); i++) {
        auto_free char *id = str_printf("d%zu", i);
        world_deliver(&w, refusals[i].platform, id, refusals[i].event, refusals[i].body);
    }
    dispatch(&w);
    for (size_t i = 0; i < COUNT(refusals); i++) {
        auto_free char *state = str_printf("SELECT state FROM delivery WHERE id = %zu", i + 1);
        auto_free char *reason = str_printf("SELECT reason FROM delivery WHERE id = %zu", i + 1);
        if (world_int(&w, state) != refusals[i].state)
            TEST_FAIL("%s %s became %d", refusals[i].platform, refusals[i].body,
                      (int)world_int(&w, state));
        CHECK_STORED_CONTAINS(&w, reason, refusals[i].reason);
    }
    CHECK_INT(world_int(&w, "SELECT count(*) FROM task"), 0);
    world_close(&w);
}

/* ---- cancelling ---- */

TEST(taking_the_label_off_needs_nobodys_permission)
{
    struct world w;

    world_open(&w, NULL, 0);
    world_make_task(&w, "github", "github:acme/api#42");
    deliver_issue(&w, "d1", "unlabeled", 42);
    deliver_issue(&w, "d2", "unlabeled", 42);
    deliver_issue(&w, "d3", "closed", 43);
    dispatch(&w);
    CHECK_STORED(&w, STATES, "1 2 2");
    CHECK_INT(world_int(&w, "SELECT task FROM delivery WHERE id = 1"), 1);
    CHECK_STORED(&w, "SELECT reason FROM delivery WHERE id = 2", "nothing of task 1 is under way");
    CHECK_STORED(&w, "SELECT reason FROM delivery WHERE id = 3",
                 "there is no task for github:acme/api#43");
    CHECK_STORED(&w, "SELECT state || ' ' || reason FROM task",
                 "6 cancelled by octocat before it began");
    world_close(&w);
}

TEST(a_bot_may_close_what_it_may_not_start)
{
    struct world w;

    world_open(&w, NULL, 0);
    world_make_task(&w, "github", "github:acme/api#42");
    auto_free char *body = make_issue("closed", 42, "stale[bot]", "Bot");
    world_deliver(&w, "github", "d1", "issues", body);
    dispatch(&w);
    CHECK_INT(world_int(&w, "SELECT state FROM task"), TASK_CANCELED);
    world_close(&w);
}

TEST(cancelling_by_a_comment_needs_permission)
{
    static const struct fake_exchange script[] = {
        {.expect = ASKED_FOR_OCTOCAT, ANSWER("200 OK", "{\"permission\":\"read\"}")},
        {.expect = "GET /repos/acme/api/collaborators/ann/permission ",
         ANSWER("200 OK", "{\"permission\":\"admin\"}")}};
    struct world w;

    world_open(&w, script, COUNT(script));
    world_make_task(&w, "github", "github:acme/api#42");
    auto_free char *refused = make_issue("created", 42, "octocat", "User");
    auto_free char *obeyed = make_issue("created", 42, "ann", "User");
    world_deliver(&w, "github", "d1", "issue_comment", refused);
    dispatch(&w);
    CHECK_INT(world_int(&w, "SELECT state FROM task"), TASK_QUEUED);
    world_deliver(&w, "github", "d2", "issue_comment", obeyed);
    dispatch(&w);
    world_check_api(&w);
    CHECK_INT(world_int(&w, "SELECT state FROM task"), TASK_CANCELED);
    CHECK_STORED(&w, STATES, "2 1");
    world_close(&w);
}

/* ---- waiting ---- */

TEST(while_the_api_is_away_the_order_of_an_issue_is_kept)
{
    static const struct fake_exchange script[] = {
        {.expect = ASKED_FOR_OCTOCAT, ANSWER("500 Internal Server Error", "{}")},
        {.expect = ASKED_FOR_OCTOCAT, ANSWER("502 Bad Gateway", "<html>")},
        MAY_WRITE,
    };
    struct world w;

    world_open(&w, script, COUNT(script));
    deliver_issue(&w, "d1", "labeled", 42);
    deliver_issue(&w, "d2", "unlabeled", 42); /* needs no API, and still waits */
    deliver_issue(&w, "d3", "closed", 43);    /* of another issue: does not wait */
    dispatch(&w);
    CHECK_STORED(&w, STATES, "0 0 2");
    CHECK_STORED(&w, "SELECT group_concat(attempts, ' ') FROM delivery", "1 1 0");
    CHECK_STORED_CONTAINS(&w, "SELECT reason FROM delivery WHERE id = 1", "500");
    CHECK_STORED(&w, "SELECT reason FROM delivery WHERE id = 2",
                 "an earlier delivery about the same thing waits");
    CHECK(world_int(&w, "SELECT next_ms FROM delivery WHERE id = 1") > clock_now_ms() + 500);

    let_time_pass(&w);
    dispatch(&w); /* 502 */
    CHECK_STORED(&w, STATES, "0 0 2");
    let_time_pass(&w);
    dispatch(&w);
    world_check_api(&w);
    CHECK_STORED(&w, STATES, "1 1 2");
    CHECK_INT(world_int(&w, "SELECT state FROM task"), TASK_CANCELED);
    world_close(&w);
}

TEST(an_api_that_is_waited_for_in_vain_holds_up_nothing_that_needs_none)
{
    static const struct fake_exchange script[] = {
        {.expect = ASKED_FOR_OCTOCAT,
         .reply = "HTTP/1.1 504 Gateway Timeout\r\nConnection: close\r\n\r\n{}",
         .byte_delay_ms = 25,
         .then = FAKE_CLOSE}};
    struct world w;

    world_open(&w, script, COUNT(script));
    world_make_task(&w, "github", "github:acme/api#44");
    deliver_issue(&w, "d1", "labeled", 42);
    deliver_issue(&w, "d2", "labeled", 43); /* not asked for: the API is silent */
    deliver_issue(&w, "d3", "unlabeled", 44);
    dispatch(&w);
    world_check_api(&w);
    CHECK_STORED(&w, STATES, "0 0 1");
    CHECK_INT(world_int(&w, "SELECT count(DISTINCT reason) FROM delivery WHERE state = 0"), 1);
    CHECK_INT(world_int(&w, "SELECT state FROM task"), TASK_CANCELED);
    world_close(&w);
}

TEST(a_rate_limit_is_waited_for_as_long_as_it_says)
{
    static const struct fake_exchange script[] = {
        {.expect = ASKED_FOR_OCTOCAT,
         .reply =
             "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 77\r\nConnection: close\r\n\r\n{}",
         .then = FAKE_CLOSE}};
    struct world w;

    world_open(&w, script, COUNT(script));
    deliver_issue(&w, "d1", "labeled", 42);
    const int64_t before_ms = clock_now_ms();
    dispatch(&w);
    const int64_t after_ms = clock_now_ms();
    world_check_api(&w);
    const int64_t next_ms = world_int(&w, "SELECT next_ms FROM delivery");
    CHECK(next_ms >= before_ms + 70 * MS_PER_SECOND && next_ms <= after_ms + 77 * MS_PER_SECOND);
    CHECK_STORED(&w, STATES, "0");
    world_close(&w);
}

TEST(waiting_grows_and_ends_after_a_day)
{
    struct world w;
    int64_t last_wait_ms = 0;

    world_open(&w, NULL, 0); /* nobody listens */
    deliver_issue(&w, "d1", "labeled", 42);
    for (int i = 0; i < 12; i++) {
        const int64_t now_ms = clock_now_ms();
        dispatch(&w);
        const int64_t wait_ms = world_int(&w, "SELECT next_ms FROM delivery") - now_ms;
        if (wait_ms < last_wait_ms - 200)
            TEST_FAIL("waits %lld after %lld", (long long)wait_ms, (long long)last_wait_ms);
        CHECK(wait_ms < 10 * MS_PER_MINUTE + MS_PER_MINUTE);
        last_wait_ms = wait_ms;
        let_time_pass(&w);
    }
    CHECK(last_wait_ms > 9 * MS_PER_MINUTE);
    world_exec(&w, "UPDATE delivery SET received_ms = received_ms - 86400001");
    dispatch(&w);
    CHECK_STORED(&w, STATES, "2");
    CHECK_INT(world_int(&w, "SELECT length(reason) > 10 FROM delivery"), 1);
    world_close(&w);
}

TEST(a_clock_that_is_set_forward_makes_no_day_of_tries)
{
    struct world w;

    world_open(&w, NULL, 0); /* nobody listens */
    deliver_issue(&w, "d1", "labeled", 42);
    world_exec(&w, "UPDATE delivery SET received_ms = received_ms - 86400001");
    dispatch(&w);
    CHECK_STORED(&w, STATES, "0");
    world_close(&w);
}

/* A process that ends in the middle of asking decides nothing. */
TEST(a_stop_while_asking_leaves_the_delivery_to_the_next_process)
{
    static const struct fake_exchange script[] = {MAY_WRITE};
    struct world w;
    struct err err;

    world_open(&w, script, COUNT(script));
    deliver_issue(&w, "d1", "labeled", 42);
    AUTO(dispatcher_free) struct dispatcher *dispatcher = make_dispatcher(&w);
    stop_raise(w.app.stop);
    CHECK(dispatcher_turn(dispatcher) > 0);
    CHECK_STORED(&w, STATES, "0");
    CHECK_INT(world_int(&w, "SELECT attempts FROM delivery"), 0);
    dispatcher_free(TAKE(dispatcher));
    stop_free(TAKE(w.app.stop));
    CHECK_OK(stop_new(&w.app.stop, &err), err);
    dispatch(&w); /* the next process */
    world_check_api(&w);
    CHECK_STORED(&w, STATES, "1");
    world_close(&w);
}

TEST(a_delivery_that_cannot_be_decided_holds_up_no_other)
{
    struct world w;

    world_open(&w, NULL, 0);
    world_make_task(&w, "github", "github:acme/api#44");
    const int64_t broken = deliver_issue(&w, "d1", "labeled", 42);
    deliver_issue(&w, "d2", "unlabeled", 44);
    world_exec(&w, "DELETE FROM delivery_body WHERE delivery = 1");
    CHECK_INT(broken, 1);
    dispatch(&w);
    CHECK_STORED(&w, STATES, "0 1");
    for (int i = 0; i < 10; i++) {
        let_time_pass(&w);
        dispatch(&w);
    }
    CHECK_STORED(&w, STATES, "3 1");
    CHECK_STORED_CONTAINS(&w, "SELECT reason FROM delivery WHERE id = 1", "has 0 bytes instead of");
    world_close(&w);
}

TEST(the_label_put_back_waits_for_the_cancelled_run_to_end)
{
    static const struct fake_exchange script[] = {MAY_WRITE};
    struct world w;

    world_open(&w, script, COUNT(script));
    world_make_task(&w, "github", "github:acme/api#42");
    world_exec(&w, "UPDATE run SET state = 1; UPDATE task SET state = 1");
    deliver_issue(&w, "d1", "unlabeled", 42);
    deliver_issue(&w, "d2", "labeled", 42);
    dispatch(&w);
    CHECK_STORED(&w, STATES, "1 0");
    CHECK_STORED(&w, "SELECT reason FROM delivery WHERE id = 2", "task 1 is being cancelled");
    world_exec(&w, "UPDATE run SET state = 2; UPDATE task SET state = 6");
    let_time_pass(&w);
    dispatch(&w);
    world_check_api(&w);
    CHECK_STORED(&w, STATES, "1 1");
    CHECK_INT(world_int(&w, "SELECT state FROM task"), TASK_QUEUED);
    world_close(&w);
}

/* ---- again, by hand ---- */

static int
replay(struct world *w, int64_t delivery, bool dry_run, char **ret_said, struct err *err)
{
    AUTO(dispatcher_free) struct dispatcher *dispatcher = make_dispatcher(w);
    AUTO_DONE(strbuf_done) struct strbuf said = STRBUF_INIT(4096);
    const int r = dispatcher_replay(dispatcher, delivery, dry_run, &said, err);

    return r ? r : strbuf_take(&said, ret_said, err);
}

#define CHECK_REPLAY(w, delivery, dry_run, expected)                                               \
    do {                                                                                           \
        auto_free char *said_ = NULL;                                                              \
        struct err replay_err_;                                                                    \
        CHECK_OK(replay((w), (delivery), (dry_run), &said_, &replay_err_), replay_err_);           \
        CHECK_STR(said_, expected);                                                                \
    } while (0)

TEST(a_replay_says_what_it_did_or_would_do)
{
    static const struct fake_exchange script[] = {MAY_WRITE};
    struct world w;
    struct err err;
    char *said = NULL;

    world_open(&w, script, COUNT(script));
    const int64_t ignored = world_deliver(&w, "github", "d1", "push", "{}");
    const int64_t labeled = deliver_issue(&w, "d2", "labeled", 42);
    const int64_t closed = deliver_issue(&w, "d3", "closed", 42);
    CHECK_INT(replay(&w, 99, false, &said, &err), ERR_NOTFOUND);
    CHECK_STR(err.msg, "there is no delivery 99");

    CHECK_REPLAY(&w, ignored, true, "ignored: draftd does not use events of this kind\n");
    CHECK_REPLAY(&w, labeled, true, "would start github:acme/api#42 for octocat\n");
    CHECK_STORED(&w, STATES, "0 0 0");
    CHECK_INT(world_int(&w, "SELECT count(*) FROM task"), 0);

    CHECK_REPLAY(&w, labeled, false, "started github:acme/api#42 for octocat\n");
    CHECK_INT(world_int(&w, "SELECT count(*) FROM task"), 1);
    CHECK_REPLAY(&w, closed, false, "cancelled github:acme/api#42 for octocat\n");
    CHECK_INT(world_int(&w, "SELECT state FROM task"), TASK_CANCELED);
    CHECK_STORED(&w, STATES, "0 1 1");
    world_check_api(&w);
    world_close(&w);
}

/* What policy allows may still find nothing to do. */
TEST(a_replay_without_effect_says_why)
{
    static const struct fake_exchange script[] = {MAY_WRITE};
    struct world w;

    world_open(&w, script, COUNT(script));
    const int64_t labeled = deliver_issue(&w, "d1", "labeled", 42);
    const int64_t closed = deliver_issue(&w, "d2", "closed", 43);
    dispatch(&w);
    CHECK_REPLAY(&w, labeled, true, "ignored: task 1 is under way\n");
    CHECK_REPLAY(&w, closed, true, "ignored: there is no task for github:acme/api#43\n");
    CHECK_REPLAY(&w, labeled, false, "ignored: task 1 is under way\n");
    CHECK_REPLAY(&w, closed, false, "ignored: there is no task for github:acme/api#43\n");
    CHECK_INT(world_int(&w, "SELECT count(*) FROM run"), 1);
    CHECK_STORED(&w, STATES, "1 2"); /* what the first did stays on record */
    CHECK_INT(world_int(&w, "SELECT task FROM delivery WHERE id = 1"), 1);
    world_close(&w);
}

TEST(a_replay_waits_like_everything_else)
{
    struct world w;

    world_open(&w, NULL, 0);
    const int64_t labeled = deliver_issue(&w, "d1", "labeled", 42);
    const int64_t closed = deliver_issue(&w, "d2", "closed", 42);
    auto_free char *said = NULL;
    struct err err;
    CHECK_OK(replay(&w, labeled, false, &said, &err), err);
    CHECK(str_starts_with(said, "waits: "));
    CHECK_STORED(&w, STATES, "0 0");
    CHECK_REPLAY(&w, closed, false, "waits: an earlier delivery about the same thing waits\n");

    world_exec(&w, "UPDATE delivery SET state = 2, attempts = 9, received_ms = 1000");
    free(TAKE(said));
    CHECK_OK(replay(&w, labeled, false, &said, &err), err);
    CHECK(str_starts_with(said, "waits: ")); /* however old: it was asked for now */
    CHECK_STORED(&w, STATES, "0 2");
    CHECK(world_int(&w, "SELECT received_ms FROM delivery WHERE id = 1") > 1000);
    world_close(&w);
}

/* Platforms deliver the same comment under two names. */
TEST(a_question_is_answered_once)
{
    static const struct fake_exchange script[] = {MAY_WRITE};
    struct world w;

    world_open(&w, script, COUNT(script));
    world_make_task(&w, "github", "github:acme/api#42");
    auto_free char *cancel = make_issue("created", 42, "octocat", "User");
    char *word = strstr(cancel, "cancel");
    CHECK(word);
    memcpy(word, "status", strlen("status"));
    world_deliver(&w, "github", "d1", "issue_comment", cancel);
    dispatch(&w);
    world_exec(&w, "UPDATE outbox SET state = 1; UPDATE task SET state = 3");
    world_deliver(&w, "github", "d2", "issue_comment", cancel);
    dispatch(&w);
    world_check_api(&w);
    CHECK_STORED(&w, STATES, "1 2");
    CHECK_STORED(&w, "SELECT reason FROM delivery WHERE id = 2", "that was answered already");
    CHECK_INT(world_int(&w, "SELECT count(*) FROM outbox WHERE kind = 2"), 1);
    world_close(&w);
}

TEST_MAIN()
