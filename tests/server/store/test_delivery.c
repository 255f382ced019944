/* Deliveries: dedupe, order, deferring, bodies. */
#include <fcntl.h>
#include <unistd.h>

#include "server/limits.h"
#include "tests/server/store/fixture.h"

static int64_t
insert(struct db *db, const char *delivery_id)
{
    struct insertion insertion = {.delivery_id = delivery_id, .body = "{}"};
    struct err err;

    CHECK_OK(fixture_insert(db, &insertion, &err), err);
    return insertion.id;
}

static int64_t
next_id(struct db *db, int64_t now_ms)
{
    AUTO(delivery_free) struct delivery *delivery = NULL;
    struct err err;

    const int code = delivery_next(db, now_ms, &delivery, &err);
    if (code == ERR_NOTFOUND)
        return 0;
    CHECK_INT(code, 0);
    return delivery->id;
}

TEST(state_names)
{
    CHECK_STR(delivery_state_name(DELIVERY_RECEIVED), "received");
    CHECK_STR(delivery_state_name(DELIVERY_DONE), "done");
    CHECK_STR(delivery_state_name(DELIVERY_IGNORED), "ignored");
    CHECK_STR(delivery_state_name(DELIVERY_BAD), "bad");
    CHECK_STR(delivery_state_name((enum delivery_state)77), "unknown");
}

TEST(insert_get_find)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t id = insert(f.db, "72d3162e-cc78-11e3-81ab-4c9367dc0958");
    AUTO(delivery_free) struct delivery *got = NULL;
    CHECK_OK(delivery_get(f.db, id, &got, &err), err);
    CHECK_STR(got->platform, "github");
    CHECK_STR(got->delivery_id, "72d3162e-cc78-11e3-81ab-4c9367dc0958");
    CHECK_STR(got->event, "issues");
    CHECK_INT(got->received_ms, 1);
    CHECK_INT(got->state, DELIVERY_RECEIVED);
    CHECK(!got->reason);
    CHECK_INT(got->task, 0);
    CHECK_INT(got->attempts, 0);
    CHECK_INT(got->next_ms, 0);
    CHECK_INT(got->body_bytes, 2);

    AUTO(delivery_free) struct delivery *found = NULL;
    CHECK_OK(delivery_find(f.db, "72d3162e-cc78-11e3-81ab-4c9367dc0958", &found, &err), err);
    CHECK_INT(found->id, id);
    struct delivery *none = NULL;
    CHECK_INT(delivery_find(f.db, "other", &none, &err), ERR_NOTFOUND);
    CHECK_INT(delivery_get(f.db, id + 1, &none, &err), ERR_NOTFOUND);
    CHECK(!none);
    fixture_done(&f);
}

TEST(a_repeated_id_is_a_conflict_and_changes_nothing)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t id = insert(f.db, "a");
    struct insertion again = {.delivery_id = "a", .body = "another body", .id = -1};
    CHECK_INT(fixture_insert(f.db, &again, &err), ERR_CONFLICT);
    CHECK_CONTAINS(err.msg, "stored already");
    CHECK_INT(again.id, -1);

    struct strbuf body = STRBUF_INIT(100);
    CHECK_OK(delivery_body(f.db, id, &body, &err), err);
    CHECK_STR(strbuf_str(&body), "{}");
    strbuf_done(&body);

    /* The same id of another platform is another delivery. */
    const struct delivery_new other = {
        .platform = "linear", .delivery_id = "a", .event = "Issue", .spool_fd = -1};
    int64_t other_id = 0;
    CHECK_OK(delivery_insert(f.db, &other, &other_id, &err), err);
    CHECK(other_id > id);
    fixture_done(&f);
}

TEST(next_is_the_oldest_that_is_due)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    CHECK_INT(next_id(f.db, 1000), 0);
    const int64_t a = insert(f.db, "a");
    const int64_t b = insert(f.db, "b");
    const int64_t c = insert(f.db, "c");
    CHECK_INT(next_id(f.db, 1000), a);

    CHECK_OK(delivery_defer(f.db, a, "acme/api#1", "GitHub is away", 2000, &err), err);
    CHECK_INT(next_id(f.db, 1999), b);
    CHECK_INT(next_id(f.db, 2000), a); /* due again, and older than b */
    CHECK_OK(delivery_finish(f.db, b, DELIVERY_IGNORED, "not for us", 0, &err), err);
    CHECK_INT(next_id(f.db, 1000), c);
    CHECK_OK(delivery_finish(f.db, c, DELIVERY_BAD, "truncated JSON", 0, &err), err);
    CHECK_INT(next_id(f.db, 1000), 0);
    CHECK_INT(next_id(f.db, 5000), a);

    const int64_t task = fixture_task(f.db, "github:acme/api#1");
    CHECK_OK(delivery_finish(f.db, a, DELIVERY_DONE, NULL, task, &err), err);
    CHECK_INT(next_id(f.db, 5000), 0);

    AUTO(delivery_free) struct delivery *got = NULL;
    CHECK_OK(delivery_get(f.db, a, &got, &err), err);
    CHECK_INT(got->state, DELIVERY_DONE);
    CHECK_INT(got->task, task);
    CHECK_INT(got->attempts, 1);
    CHECK(!got->reason);
    CHECK_INT(delivery_finish(f.db, 999, DELIVERY_DONE, NULL, 0, &err), ERR_NOTFOUND);
    CHECK_INT(delivery_defer(f.db, a, "k", NULL, 1, &err), ERR_NOTFOUND); /* done already */
    fixture_done(&f);
}

TEST(a_deferred_one_blocks_later_ones_with_its_key)
{
    struct fixture f;
    struct err err;
    bool blocked = true;

    fixture_begin(&f);
    const int64_t a = insert(f.db, "a");
    const int64_t b = insert(f.db, "b");
    CHECK_OK(delivery_is_blocked(f.db, b, "acme/api#1", &blocked, &err), err);
    CHECK(!blocked);
    CHECK_OK(delivery_defer(f.db, a, "acme/api#1", "away", 2000, &err), err);
    CHECK_OK(delivery_is_blocked(f.db, b, "acme/api#1", &blocked, &err), err);
    CHECK(blocked);
    CHECK_OK(delivery_is_blocked(f.db, b, "acme/api#2", &blocked, &err), err);
    CHECK(!blocked);
    CHECK_OK(delivery_is_blocked(f.db, a, "acme/api#1", &blocked, &err), err);
    CHECK(!blocked); /* not by itself */
    CHECK_OK(delivery_finish(f.db, a, DELIVERY_IGNORED, "x", 0, &err), err);
    CHECK_OK(delivery_is_blocked(f.db, b, "acme/api#1", &blocked, &err), err);
    CHECK(!blocked);
    fixture_done(&f);
}

/* A body whose bytes depend on their place, so that chunks in a wrong order are seen. */
static char *
make_body(size_t len)
{
    char *body = malloc(len);

    CHECK(body);
    for (size_t i = 0; i < len; i++)
        body[i] = (char)(i * 31 + i / LIMIT_BODY_CHUNK_BYTES);
    return body;
}

static void
check_body(struct db *db, int64_t id, const char *expected, size_t len)
{
    struct strbuf got = STRBUF_INIT(LIMIT_BODY_BYTES);
    struct err err;

    CHECK_OK(delivery_body(db, id, &got, &err), err);
    CHECK_INT(got.len, len);
    CHECK(len == 0 || memcmp(got.ptr, expected, len) == 0);
    strbuf_done(&got);
}

TEST(bodies_from_memory_and_from_a_file)
{
    static const size_t sizes[] = {0, 1, LIMIT_BODY_CHUNK_BYTES, LIMIT_BODY_CHUNK_BYTES + 1,
                                   3 * LIMIT_BODY_CHUNK_BYTES - 7};
    struct fixture f;
    struct err err;
    char name[32];

    fixture_begin(&f);
    for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
        const size_t len = sizes[i / 2];
        char *body = make_body(len + 1);
        struct delivery_new delivery = {.platform = "github", .event = "push", .spool_fd = -1};
        (void)snprintf(name, sizeof(name), "body-%zu", i);
        delivery.delivery_id = name;
        if (i % 2) {
            delivery.spool_fd = open(f.dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
            CHECK(delivery.spool_fd >= 0);
            CHECK_OK(fs_write_all(delivery.spool_fd, bytes_of(body, len + 1), &err), err);
            delivery.spool_bytes = (int64_t)len; /* the file may be longer */
        } else {
            delivery.memory = bytes_of(body, len);
        }
        int64_t id = 0;
        CHECK_OK(delivery_insert(f.db, &delivery, &id, &err), err);
        check_body(f.db, id, body, len);
        if (delivery.spool_fd >= 0)
            close(delivery.spool_fd);
        free(body);
    }
    fixture_done(&f);
}

TEST(a_body_that_is_shorter_than_said_too_long_or_gone)
{
    struct fixture f;
    struct err err;
    int64_t id = 0;

    fixture_begin(&f);
    const int fd = open(f.dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    CHECK_OK(fs_write_all(fd, bytes_of_str("short"), &err), err);
    const struct delivery_new delivery = {.platform = "github",
                                          .delivery_id = "s",
                                          .event = "push",
                                          .spool_fd = fd,
                                          .spool_bytes = 6};
    CHECK_INT(delivery_insert(f.db, &delivery, &id, &err), ERR_IO);
    close(fd);

    id = insert(f.db, "x");
    struct strbuf small = STRBUF_INIT(1);
    CHECK_INT(delivery_body(f.db, id, &small, &err), ERR_LIMIT);
    strbuf_done(&small);

    struct strbuf buf = STRBUF_INIT(100);
    CHECK_INT(delivery_body(f.db, 999, &buf, &err), ERR_NOTFOUND);
    CHECK_OK(db_exec(f.db, "DELETE FROM delivery_body", &err), err);
    CHECK_INT(delivery_body(f.db, id, &buf, &err), ERR_INTERNAL);
    CHECK_OK(db_exec(f.db, "UPDATE delivery SET body_state = 2", &err), err);
    CHECK_INT(delivery_body(f.db, id, &buf, &err), ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "not kept any more; redeliver it at the platform");
    CHECK_INT(delivery_reopen(f.db, id, 1, &err), ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "not kept any more");
    CHECK_INT(delivery_reopen(f.db, 999, 1, &err), ERR_NOTFOUND);
    strbuf_done(&buf);
    fixture_done(&f);
}

TEST(list_is_newest_first_and_limited)
{
    struct fixture f;
    struct err err;
    char name[16];

    fixture_begin(&f);
    for (int i = 0; i < 10; i++) {
        (void)snprintf(name, sizeof(name), "d%d", i);
        (void)insert(f.db, name);
    }
    struct delivery_list list = {0};
    CHECK_OK(delivery_list(f.db, 3, &list, &err), err);
    CHECK_INT(list.count, 3);
    CHECK_STR(list.items[0]->delivery_id, "d9");
    CHECK_STR(list.items[2]->delivery_id, "d7");
    delivery_list_done(&list);
    CHECK_OK(delivery_list(f.db, 100, &list, &err), err);
    CHECK_INT(list.count, 10);
    delivery_list_done(&list);
    fixture_done(&f);
}

TEST(a_long_reason_is_cut_at_a_character)
{
    struct fixture f;
    struct err err;
    char reason[LIMIT_REASON_BYTES + 100];

    fixture_begin(&f);
    const int64_t id = insert(f.db, "a");
    memset(reason, 'x', sizeof(reason));
    memcpy(reason + LIMIT_REASON_BYTES - 1, "\xc3\xa9", 2); /* a two-byte character over the edge */
    reason[sizeof(reason) - 1] = '\0';
    CHECK_OK(delivery_finish(f.db, id, DELIVERY_BAD, reason, 0, &err), err);
    AUTO(delivery_free) struct delivery *got = NULL;
    CHECK_OK(delivery_get(f.db, id, &got, &err), err);
    CHECK_INT(strlen(got->reason), LIMIT_REASON_BYTES - 1);
    fixture_done(&f);
}

TEST(how_far_a_hook_was_looked_through_is_kept)
{
    struct fixture f;
    struct err err;
    int64_t seen_ms = 9;

    fixture_begin(&f);
    CHECK_OK(delivery_mark_get(f.db, "github", "app", &seen_ms, &err), err);
    CHECK_INT(seen_ms, 0);
    CHECK_OK(delivery_mark_set(f.db, "github", "app", 1000, &err), err);
    CHECK_OK(delivery_mark_set(f.db, "github", "acme/api", 1500, &err), err);
    CHECK_OK(delivery_mark_set(f.db, "github", "app", 2000, &err), err);
    CHECK_OK(delivery_mark_get(f.db, "github", "app", &seen_ms, &err), err);
    CHECK_INT(seen_ms, 2000);
    CHECK_OK(delivery_mark_get(f.db, "github", "acme/api", &seen_ms, &err), err);
    CHECK_INT(seen_ms, 1500);
    fixture_done(&f);
}

TEST_MAIN()
