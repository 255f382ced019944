/* Messages reach GitHub in order, once, also when an answer is lost; what fails is tried again or
 * given up with a reason. */
#include "tests/handlers/world.h"

#include "handlers/thread/sender.h"
#include "server/limits.h"

#define ISSUE "/repos/acme/api/issues/42"
#define MADE ANSWER("201 Created", "{\"id\":501}")
#define EDITED ANSWER("200 OK", "{\"id\":501}")
#define STATES "SELECT group_concat(state, ' ') FROM (SELECT state FROM outbox ORDER BY id)"
#define MARKER "<!-- draftd:task=1 instance=ab12 -->"

static void
send_all(struct world *w)
{
    struct sender *sender = NULL;
    struct err err;
    int64_t pause_ms = 0;

    CHECK_OK(sender_new(&w->app, &sender, &err), err);
    for (int i = 0; i < 50 && pause_ms == 0; i++)
        pause_ms = sender_turn(sender);
    sender_free(sender);
    CHECK_INT(pause_ms, POLL_MS);
}

struct owing {
    enum outbox_kind kind;
    int64_t task;
    const char *thread;
    const char *target;
    const char *body;
};

static int
owe_in(struct db *db, void *ctx, struct err *err)
{
    const struct owing *owing = ctx;
    return outbox_put(db,
                      &(struct outbox_new){.platform = "github",
                                           .thread = owing->thread,
                                           .kind = owing->kind,
                                           .task = owing->task,
                                           .target = owing->target,
                                           .body = owing->body},
                      clock_now_ms(), err);
}

static void
owe(struct world *w, enum outbox_kind kind, const char *target, const char *body)
{
    struct owing owing = {
        .kind = kind, .task = 1, .thread = "github:acme/api#42", .target = target, .body = body};
    struct err err;

    CHECK_OK(store_transact(w->app.store, owe_in, &owing, &err), err);
}

static void
open_with_task(struct world *w, const struct fake_exchange *script, size_t count)
{
    world_open(w, script, count);
    world_make_task(w, "github", "github:acme/api#42");
}

static void
let_time_pass(struct world *w)
{
    world_exec(w, "UPDATE outbox SET next_ms = 1 WHERE next_ms > 0");
}

TEST(a_sign_a_comment_and_a_status_arrive_in_order)
{
    static const struct fake_exchange script[] = {
        {.expect = "POST " ISSUE "/reactions ", MADE},
        {.expect = "POST /repos/acme/api/issues/comments/77/reactions ", MADE},
        {.expect = "POST " ISSUE "/comments ", MADE},
        {.expect = "POST " ISSUE "/comments ", ANSWER("201 Created", "{\"id\":502}")},
    };
    struct world w;

    open_with_task(&w, script, COUNT(script));
    owe(&w, OUTBOX_REACTION, NULL, "eyes");
    owe(&w, OUTBOX_REACTION, "77", "eyes");
    owe(&w, OUTBOX_COMMENT, NULL, "a word");
    owe(&w, OUTBOX_STATUS, NULL, MARKER "\nqueued");
    send_all(&w);
    world_check_api(&w);
    CHECK_CONTAINS(fake_http_request(w.api, 0), "{\"content\":\"eyes\"}");
    CHECK_CONTAINS(fake_http_request(w.api, 2), "{\"body\":\"a word\"}");
    CHECK_CONTAINS(fake_http_request(w.api, 3), "queued");
    CHECK_STORED(&w, STATES, "1 1 1 1");
    CHECK_STORED(&w, "SELECT status_ref FROM task", "502");
    world_close(&w);
}

TEST(the_status_is_edited_in_place)
{
    static const struct fake_exchange script[] = {
        {.expect = "POST " ISSUE "/comments ", MADE},
        {.expect = "PATCH /repos/acme/api/issues/comments/501 ", EDITED},
    };
    struct world w;

    open_with_task(&w, script, COUNT(script));
    owe(&w, OUTBOX_STATUS, NULL, MARKER "\nqueued");
    send_all(&w);
    owe(&w, OUTBOX_STATUS, NULL, MARKER "\nworking");
    send_all(&w);
    world_check_api(&w);
    CHECK_CONTAINS(fake_http_request(w.api, 1), "working");
    world_close(&w);
}

TEST(a_status_that_was_deleted_is_said_again)
{
    static const struct fake_exchange script[] = {
        {.expect = "PATCH /repos/acme/api/issues/comments/400 ", ANSWER("404 Not Found", "{}")},
        {.expect = "POST " ISSUE "/comments ", MADE},
    };
    struct world w;

    open_with_task(&w, script, COUNT(script));
    world_exec(&w, "UPDATE task SET status_ref = '400'");
    owe(&w, OUTBOX_STATUS, NULL, MARKER "\nthe last word");
    send_all(&w);
    world_check_api(&w);
    CHECK_STORED(&w, "SELECT status_ref FROM task", "501");
    CHECK_STORED(&w, STATES, "1");
    world_close(&w);
}

/* The comment was made, and the connection broke before we learnt its number. */
TEST(after_a_lost_answer_the_earlier_comment_is_found)
{
    static const struct fake_exchange script[] = {
        {.expect = "POST " ISSUE "/comments ", .then = FAKE_CLOSE},
        {.expect = "GET " ISSUE "/comments?",
         ANSWER("200 OK", "[{\"id\":7,\"user\":{\"login\":\"mallory\"},\"body\":\"" MARKER "\"},"
                          "{\"id\":8,\"user\":{\"login\":\"draftd-bot\"},\"body\":\"another\"},"
                          "{\"id\":9,\"user\":{\"login\":\"draftd-bot\"},\"body\":\"" MARKER
                          "\\nqueued\"}]")},
        {.expect = "PATCH /repos/acme/api/issues/comments/9 ", EDITED},
    };
    struct world w;

    open_with_task(&w, script, COUNT(script));
    owe(&w, OUTBOX_STATUS, NULL, MARKER "\nqueued");
    send_all(&w);
    CHECK_STORED(&w, STATES, "0");
    let_time_pass(&w);
    send_all(&w);
    world_check_api(&w);
    CHECK_STORED(&w, STATES, "1");
    CHECK_STORED(&w, "SELECT status_ref FROM task", "9");
    world_close(&w);
}

TEST(after_a_try_that_never_arrived_a_comment_is_made)
{
    static const struct fake_exchange script[] = {
        {.expect = "POST " ISSUE "/comments ", ANSWER("502 Bad Gateway", "")},
        {.expect = "GET " ISSUE "/comments?", ANSWER("200 OK", "[]")},
        {.expect = "POST " ISSUE "/comments ", MADE},
    };
    struct world w;

    open_with_task(&w, script, COUNT(script));
    owe(&w, OUTBOX_STATUS, NULL, MARKER "\nqueued");
    send_all(&w);
    CHECK_STORED_CONTAINS(&w, "SELECT reason FROM outbox", "502");
    let_time_pass(&w);
    send_all(&w);
    world_check_api(&w);
    CHECK_STORED(&w, "SELECT status_ref FROM task", "501");
    CHECK_STORED(&w, "SELECT attempts || ' ' || state FROM outbox", "2 1");
    world_close(&w);
}

TEST(a_thread_waits_for_its_first_message_and_others_do_not)
{
    static const struct fake_exchange script[] = {
        {.expect = "POST " ISSUE "/reactions ", ANSWER("500 Internal Server Error", "{}")},
        {.expect = "POST /repos/acme/api/issues/42/comments ", MADE}, /* of the other thread */
        {.expect = "POST " ISSUE "/reactions ", MADE},
        {.expect = "POST " ISSUE "/comments ", MADE},
    };
    struct world w;
    struct err err;

    open_with_task(&w, script, COUNT(script));
    world_make_task(&w, "github", "github:acme/api#43");
    owe(&w, OUTBOX_REACTION, NULL, "eyes");
    owe(&w, OUTBOX_COMMENT, NULL, "after the sign");
    struct owing other = {
        .kind = OUTBOX_COMMENT, .task = 2, .thread = "github:acme/api#43", .body = "elsewhere"};
    CHECK_OK(store_transact(w.app.store, owe_in, &other, &err), err);
    send_all(&w);
    CHECK_STORED(&w, STATES, "0 0 1");
    let_time_pass(&w);
    send_all(&w);
    world_check_api(&w);
    CHECK_CONTAINS(fake_http_request(w.api, 1), "elsewhere");
    CHECK_CONTAINS(fake_http_request(w.api, 3), "after the sign");
    CHECK_STORED(&w, STATES, "1 1 1");
    world_close(&w);
}

TEST(a_rate_limit_is_waited_for_as_long_as_it_says)
{
    static const struct fake_exchange script[] = {
        {.expect = "POST " ISSUE "/reactions ",
         .reply =
             "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 77\r\nConnection: close\r\n\r\n{}",
         .then = FAKE_CLOSE}};
    struct world w;

    open_with_task(&w, script, COUNT(script));
    owe(&w, OUTBOX_REACTION, NULL, "eyes");
    const int64_t before_ms = clock_now_ms();
    send_all(&w);
    world_check_api(&w);
    const int64_t next_ms = world_int(&w, "SELECT next_ms FROM outbox");
    CHECK(next_ms >= before_ms + 70 * MS_PER_SECOND);
    CHECK(next_ms <= clock_now_ms() + 77 * MS_PER_SECOND);
    CHECK_STORED(&w, STATES, "0");
    world_close(&w);
}

TEST(what_will_never_pass_is_given_up_at_once)
{
    static const struct fake_exchange script[] = {
        {.expect = "POST " ISSUE "/reactions ",
         ANSWER("422 Unprocessable Entity", "{\"message\":\"Validation Failed\"}")},
        {.expect = "POST " ISSUE "/comments ", ANSWER("403 Forbidden", "{\"message\":\"No.\"}")},
        {.expect = "POST " ISSUE "/comments ", ANSWER("410 Gone", "{\"message\":\"Locked\"}")},
        {.expect = "POST " ISSUE "/comments ", MADE}, /* the thread goes on */
    };
    struct world w;

    open_with_task(&w, script, COUNT(script));
    owe(&w, OUTBOX_REACTION, NULL, "eyes");
    owe(&w, OUTBOX_COMMENT, NULL, "one");
    owe(&w, OUTBOX_COMMENT, NULL, "two");
    owe(&w, OUTBOX_COMMENT, NULL, "three");
    owe(&w, OUTBOX_REACTION, "not a number", "eyes");
    send_all(&w);
    world_check_api(&w);
    CHECK_STORED(&w, STATES, "2 2 2 1 2");
    CHECK_STORED_CONTAINS(&w, "SELECT reason FROM outbox WHERE id = 1", "Validation Failed");
    CHECK_STORED_CONTAINS(&w, "SELECT reason FROM outbox WHERE id = 2", "No.");
    world_close(&w);
}

TEST(retries_grow_and_end_after_a_day)
{
    struct world w;
    int64_t last_wait_ms = 0;

    open_with_task(&w, NULL, 0); /* nobody listens */
    owe(&w, OUTBOX_REACTION, NULL, "eyes");
    for (int i = 0; i < 12; i++) {
        const int64_t now_ms = clock_now_ms();
        send_all(&w);
        const int64_t wait_ms = world_int(&w, "SELECT next_ms FROM outbox") - now_ms;
        CHECK(wait_ms >= last_wait_ms - 200);
        CHECK(wait_ms < 11 * MS_PER_MINUTE);
        last_wait_ms = wait_ms;
        let_time_pass(&w);
    }
    CHECK(last_wait_ms > 9 * MS_PER_MINUTE);
    CHECK_INT(world_int(&w, "SELECT attempts FROM outbox"), 12);
    world_exec(&w, "UPDATE outbox SET created_ms = created_ms - 86400001");
    send_all(&w);
    CHECK_STORED(&w, STATES, "2");
    CHECK_INT(world_int(&w, "SELECT length(reason) > 10 FROM outbox"), 1);
    world_close(&w);
}

TEST(a_clock_that_is_set_forward_makes_no_day_of_tries)
{
    struct world w;

    open_with_task(&w, NULL, 0); /* nobody listens */
    owe(&w, OUTBOX_REACTION, NULL, "eyes");
    world_exec(&w, "UPDATE outbox SET created_ms = created_ms - 86400001");
    send_all(&w);
    CHECK_STORED(&w, STATES, "0");
    world_close(&w);
}

/* A platform that the program or the configuration does not have any more. */
TEST(messages_to_nowhere_are_given_up)
{
    struct world w;

    open_with_task(&w, NULL, 0);
    owe(&w, OUTBOX_REACTION, NULL, "eyes");
    world_exec(&w, "UPDATE outbox SET platform = 'teletype'");
    owe(&w, OUTBOX_COMMENT, NULL, "a word");
    world_exec(&w, "UPDATE outbox SET platform = 'local' WHERE id = 2");
    owe(&w, OUTBOX_COMMENT, NULL, "another");
    struct secret *token = TAKE(w.settings.github.token);
    w.settings.github.present = false;
    send_all(&w);
    w.settings.github.token = token;
    CHECK_STORED(&w, STATES, "2 2 2");
    CHECK_STORED(&w, "SELECT reason FROM outbox WHERE id = 1",
                 "the platform teletype takes no messages");
    CHECK_STORED_CONTAINS(&w, "SELECT reason FROM outbox WHERE id = 3", "needs an App or a token");
    world_close(&w);
}

TEST_MAIN()
