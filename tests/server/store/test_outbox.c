/* The outbox: coalescing, order within a thread, retries. */
#include "server/store/outbox.h"
#include "tests/server/store/fixture.h"

static int64_t put_at_ms = 1000;

static void
put(struct db *db, const char *thread, enum outbox_kind kind, int64_t task, const char *body)
{
    const struct outbox_new message = {
        .platform = "github", .thread = thread, .kind = kind, .task = task, .body = body};
    struct err err;

    CHECK_OK(outbox_put(db, &message, put_at_ms, &err), err);
}

static struct outbox_message *
next(struct db *db, int64_t now_ms)
{
    struct outbox_message *message = NULL;
    struct err err;

    const int code = outbox_next(db, now_ms, &message, &err);
    CHECK(code == 0 || code == ERR_NOTFOUND);
    return message;
}

static void
check_next(struct db *db, int64_t now_ms, const char *body)
{
    AUTO(outbox_message_free) struct outbox_message *message = next(db, now_ms);

    CHECK(message);
    CHECK_STR(message->body, body);
}

static void
send_next(struct db *db, int64_t now_ms, const char *body)
{
    AUTO(outbox_message_free) struct outbox_message *message = next(db, now_ms);
    struct err err;

    CHECK(message);
    CHECK_STR(message->body, body);
    CHECK_OK(outbox_sent(db, message->id, message->body, &err), err);
}

/* Nobody sees a difference. */
TEST(a_status_that_was_sent_is_not_owed_again)
{
    struct fixture f;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "a");
    put(f.db, "a", OUTBOX_STATUS, task, "working");
    send_next(f.db, 2000, "working");
    put(f.db, "a", OUTBOX_STATUS, task, "working");
    CHECK_INT(fixture_int(f.db, "SELECT count(*) FROM outbox"), 1);
    put(f.db, "a", OUTBOX_STATUS, task, "waiting");
    send_next(f.db, 2000, "waiting");
    put(f.db, "a", OUTBOX_STATUS, task, "working");
    send_next(f.db, 2000, "working");
    fixture_done(&f);
}

/* Else the last word would be given up for the age of the text that it replaced. */
TEST(a_replaced_status_is_as_old_as_its_text)
{
    struct fixture f;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "a");
    put(f.db, "a", OUTBOX_STATUS, task, "working");
    put_at_ms = 90000000;
    put(f.db, "a", OUTBOX_STATUS, task, "failed");
    put_at_ms = 1000;
    CHECK_INT(fixture_int(f.db, "SELECT created_ms FROM outbox WHERE body = 'failed'"), 90000000);
    fixture_done(&f);
}

TEST(state_names)
{
    CHECK_STR(outbox_state_name(OUTBOX_PENDING), "pending");
    CHECK_STR(outbox_state_name(OUTBOX_SENT), "sent");
    CHECK_STR(outbox_state_name(OUTBOX_FAILED), "failed");
}

TEST(a_pending_status_takes_the_newest_text)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t a = fixture_task(f.db, "a");
    const int64_t b = fixture_task(f.db, "b");
    put(f.db, "a", OUTBOX_STATUS, a, "queued");
    put(f.db, "b", OUTBOX_STATUS, b, "b queued");
    put(f.db, "a", OUTBOX_COMMENT, a, "a comment");
    put(f.db, "a", OUTBOX_STATUS, a, "running");
    CHECK_INT(fixture_int(f.db, "SELECT count(*) FROM outbox"), 3);
    send_next(f.db, 1000, "running"); /* in its old place: before the comment, before b */
    put(f.db, "a", OUTBOX_STATUS, a, "done");
    CHECK_INT(fixture_int(f.db, "SELECT count(*) FROM outbox"), 4); /* what was sent stays */

    struct outbox_list list = {0};
    CHECK_OK(outbox_list(f.db, a, &list, &err), err);
    CHECK_INT(list.count, 3);
    CHECK_STR(list.items[0]->body, "running");
    CHECK_INT(list.items[0]->state, OUTBOX_SENT);
    CHECK_STR(list.items[1]->body, "a comment");
    CHECK_STR(list.items[2]->body, "done");
    CHECK_INT(list.items[2]->state, OUTBOX_PENDING);
    CHECK_INT(list.items[2]->task, a);
    outbox_list_done(&list);
    fixture_done(&f);
}

TEST(a_text_replaced_while_it_is_sent_goes_out_as_well)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "a");
    put(f.db, "a", OUTBOX_STATUS, task, "queued");
    AUTO(outbox_message_free) struct outbox_message *message = next(f.db, 1000);
    CHECK_INT(message->attempts, 1);
    CHECK_INT(message->kind, OUTBOX_STATUS);
    CHECK_INT(message->created_ms, 1000);
    put(f.db, "a", OUTBOX_STATUS, task, "running");
    CHECK_OK(outbox_sent(f.db, message->id, message->body, &err), err);

    AUTO(outbox_message_free) struct outbox_message *again = next(f.db, 1000);
    CHECK_INT(again->attempts, 2); /* an earlier one may have arrived */
    CHECK_STR(again->body, "running");
    CHECK_OK(outbox_sent(f.db, again->id, again->body, &err), err);
    CHECK(!next(f.db, 1000));
    CHECK_INT(outbox_sent(f.db, again->id, again->body, &err), ERR_NOTFOUND); /* not pending */

    /* Both went out, and both are known to have been ours, the newer one last. */
    struct outbox_list list = {0};
    CHECK_OK(outbox_list(f.db, task, &list, &err), err);
    CHECK_INT(list.count, 2);
    CHECK_STR(list.items[0]->body, "queued");
    CHECK_INT(list.items[0]->state, OUTBOX_SENT);
    CHECK_STR(list.items[1]->body, "running");
    CHECK_INT(list.items[1]->state, OUTBOX_SENT);
    outbox_list_done(&list);
    fixture_done(&f);
}

TEST(a_refusal_of_an_older_text_does_not_lose_the_newer_one)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "a");
    put(f.db, "a", OUTBOX_STATUS, task, "working");
    AUTO(outbox_message_free) struct outbox_message *message = next(f.db, 1000);
    put(f.db, "a", OUTBOX_STATUS, task, "the last word");
    CHECK_OK(outbox_fail(f.db, message->id, message->body, "HTTP 422", &err), err);

    AUTO(outbox_message_free) struct outbox_message *again = next(f.db, 1000);
    CHECK_STR(again->body, "the last word");
    CHECK_OK(outbox_fail(f.db, again->id, again->body, "HTTP 422", &err), err);
    CHECK(!next(f.db, 1000));
    fixture_done(&f);
}

TEST(an_equal_reaction_or_comment_is_owed_once)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "a");
    put(f.db, "a", OUTBOX_REACTION, task, "eyes");
    put(f.db, "a", OUTBOX_REACTION, task, "eyes");
    put(f.db, "a", OUTBOX_REACTION, 0, "eyes"); /* of no task: another one */
    put(f.db, "a", OUTBOX_REACTION, 0, "eyes");
    put(f.db, "a", OUTBOX_COMMENT, task, "eyes");
    put(f.db, "b", OUTBOX_COMMENT, task, "eyes");
    CHECK_INT(fixture_int(f.db, "SELECT count(*) FROM outbox"), 4);
    const struct outbox_new on_comment = {.platform = "github",
                                          .thread = "a",
                                          .kind = OUTBOX_REACTION,
                                          .task = task,
                                          .target = "55",
                                          .body = "eyes"};
    CHECK_OK(outbox_put(f.db, &on_comment, 1000, &err), err);
    CHECK_OK(outbox_put(f.db, &on_comment, 1000, &err), err);
    CHECK_INT(fixture_int(f.db, "SELECT count(*) FROM outbox"), 5);

    send_next(f.db, 1000, "eyes");
    put(f.db, "a", OUTBOX_REACTION, task, "eyes"); /* sent before: owed anew */
    CHECK_INT(fixture_int(f.db, "SELECT count(*) FROM outbox"), 6);
    fixture_done(&f);
}

TEST(a_thread_keeps_its_order_and_does_not_hold_up_others)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    CHECK(!next(f.db, 1000));
    put(f.db, "a", OUTBOX_COMMENT, 0, "a1");
    put(f.db, "a", OUTBOX_COMMENT, 0, "a2");
    put(f.db, "b", OUTBOX_COMMENT, 0, "b1");
    AUTO(outbox_message_free) struct outbox_message *a1 = next(f.db, 1000);
    CHECK_STR(a1->body, "a1");
    CHECK_OK(outbox_retry(f.db, a1->id, "HTTP 500", 5000, &err), err);
    check_next(f.db, 4999, "b1"); /* a2 waits for a1 */
    send_next(f.db, 4999, "b1");
    CHECK(!next(f.db, 4999));

    AUTO(outbox_message_free) struct outbox_message *again = next(f.db, 5000);
    CHECK_STR(again->body, "a1");
    CHECK_INT(again->attempts, 2);
    CHECK_STR(again->reason, "HTTP 500");
    CHECK_OK(outbox_fail(f.db, again->id, "a1", "HTTP 403: no permission", &err), err);
    send_next(f.db, 5000, "a2");
    CHECK(!next(f.db, 5000));
    CHECK_INT(outbox_retry(f.db, again->id, "x", 1, &err), ERR_NOTFOUND);
    CHECK_INT(outbox_fail(f.db, 999, "x", "x", &err), ERR_NOTFOUND);
    CHECK_INT(fixture_int(f.db, "SELECT count(*) FROM outbox WHERE state = 2 AND"
                                " reason = 'HTTP 403: no permission'"),
              1);
    fixture_done(&f);
}

TEST(the_same_thread_name_of_two_platforms_is_two_threads)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    put(f.db, "a", OUTBOX_COMMENT, 0, "github");
    AUTO(outbox_message_free) struct outbox_message *first = next(f.db, 1000);
    CHECK_OK(outbox_retry(f.db, first->id, "away", 9000, &err), err);
    const struct outbox_new other = {
        .platform = "slack", .thread = "a", .kind = OUTBOX_COMMENT, .body = "slack"};
    CHECK_OK(outbox_put(f.db, &other, 1000, &err), err);
    check_next(f.db, 1000, "slack");
    fixture_done(&f);
}

TEST_MAIN()
