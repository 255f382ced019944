/* Deliveries of hooks, against the stand-in. Each test ends by asking for violations: there must be
 * none. */
#include "integrations/github/github_deliveries.h"

#include "server/base/clock.h"
#include "server/base/js.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "tests/harness/test.h"
#include "tests/integrations/github/github_fixture.h"
#include "tests/integrations/github/github_world.h"

#define HOOK_URL "https://bot.example.org/webhooks/github"
#define T0 "2026-11-21T05:00:0"

/* As an App, whose hook is one; or as a machine user, who administers the repository. */
static struct github *
begin(enum mode mode, struct github_hook *ret_hook)
{
    world_begin();
    world_control("POST", "setup",
                  json_pack("{s:[{s:s, s:{s:s}}]}", "repositories", "full_name", REPO,
                            "collaborators", "draftd-bot", "admin"));
    json_t *const made =
        github_control(world_stand_in(), "POST", "hooks",
                       json_pack("{s:o, s:n}", "repository",
                                 mode == AS_USER ? json_string(REPO) : json_null(), "url"));
    *ret_hook = (struct github_hook){.repository = mode == AS_USER ? REPO : NULL,
                                     .id = js_int(made, "id", 0)};
    json_decref(made);
    return world_client(mode);
}

/* Returns its id. */
static int64_t
add_delivery(const struct github_hook *hook, json_t *delivery)
{
    auto_free char *path = str_printf("hooks/%lld/deliveries", (long long)hook->id);
    json_t *const made = github_control(world_stand_in(), "POST", path, delivery);
    const int64_t id = js_int(made, "id", 0);

    json_decref(made);
    return id;
}

static int
note_delivery(void *ctx, const struct github_delivery *delivery, struct err *err)
{
    struct strbuf *const notes = ctx;
    char text[CLOCK_TEXT_BYTES];

    CHECK(delivery->id > 0);
    strbuf_addf(notes, "%s %s.%s %s%s%s %lld\n", delivery->guid, delivery->event,
                delivery->action ? delivery->action : "-",
                clock_format(delivery->delivered_ms, text), delivery->ok ? "" : " failed",
                delivery->redelivery ? " again" : "", (long long)delivery->repository_id);
    return str_equal(delivery->guid, "enough") ? err_set(err, ERR_CANCELED, "enough") : 0;
}

TEST(deliveries_are_read_newest_first_until_a_time)
{
    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        struct github_hook hook;
        struct github *github = begin((enum mode)mode, &hook);
        AUTO_DONE(strbuf_done) struct strbuf notes = STRBUF_INIT(4096);
        struct err err;

        CHECK_OK(github_each_delivery(github, &hook, 0, note_delivery, &notes, &err), err);
        CHECK_STR(strbuf_str(&notes), "");
        (void)add_delivery(&hook, json_pack("{s:s, s:s}", "guid", "a", "delivered_at", T0 "0Z"));
        (void)add_delivery(&hook, json_pack("{s:s, s:s, s:s, s:s, s:i}", "guid", "b",
                                            "delivered_at", T0 "1Z", "action", "opened", "status",
                                            "timed out", "status_code", 504));
        (void)add_delivery(&hook, json_pack("{s:s, s:s, s:s, s:b, s:{s:{s:i}}}", "guid", "b",
                                            "event", "push", "delivered_at", T0 "2Z", "redelivery",
                                            1, "payload", "repository", "id", 456));
        CHECK_OK(github_each_delivery(github, &hook, clock_parse(T0 "1Z", 0), note_delivery, &notes,
                                      &err),
                 err);
        CHECK_STR(strbuf_str(&notes), "b push.- " T0 "2.000Z again 456\n"
                                      "b issues.opened " T0 "1.000Z failed 0\n");
        (void)add_delivery(&hook, json_pack("{s:s}", "guid", "enough"));
        CHECK_INT(github_each_delivery(github, &hook, 0, note_delivery, &notes, &err),
                  ERR_CANCELED);
        CHECK_INT(world_end(github), 0);
    }
}

static int
count_delivery(void *ctx, const struct github_delivery *delivery, struct err *err)
{
    (void)err;
    CHECK_STR(delivery->event, "issues");
    *(size_t *)ctx += 1;
    return 0;
}

TEST(deliveries_are_read_from_all_pages)
{
    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        struct github_hook hook;
        struct github *github = begin((enum mode)mode, &hook);
        size_t count = 0;
        struct err err;

        (void)add_delivery(&hook, json_pack("{s:s}", "delivered_at", T0 "0Z"));
        for (int i = 0; i < 201; i++)
            (void)add_delivery(&hook, json_pack("{s:s}", "delivered_at", T0 "5Z"));
        CHECK_OK(github_each_delivery(github, &hook, clock_parse(T0 "3Z", 0), count_delivery,
                                      &count, &err),
                 err);
        CHECK_INT(count, 201);
        CHECK_INT(world_calls("apps/list-webhook-deliveries") +
                      world_calls("repos/list-webhook-deliveries"),
                  3);
        CHECK_INT(world_end(github), 0);
    }
}

TEST(a_delivery_is_asked_for_again)
{
    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        struct github_hook hook;
        struct github *github = begin((enum mode)mode, &hook);
        AUTO_DONE(strbuf_done) struct strbuf notes = STRBUF_INIT(4096);
        struct err err;

        const int64_t id = add_delivery(&hook, json_pack("{s:s, s:s, s:i}", "guid", "g", "status",
                                                         "timed out", "status_code", 504));
        CHECK_OK(github_redeliver(github, &hook, id, &err), err);
        CHECK_OK(github_each_delivery(github, &hook, 0, note_delivery, &notes, &err), err);
        CHECK_CONTAINS(strbuf_str(&notes), " again 0\ng issues.- ");
        CHECK_INT(github_redeliver(github, &hook, 1, &err), ERR_NOTFOUND);
        CHECK_CONTAINS(err.msg, "asking for delivery 1 again");
        CHECK_INT(world_end(github), 0);
    }
}

TEST(our_hook_of_a_repository_is_found_by_its_url)
{
    struct github_hook hook;
    struct github *github = begin(AS_USER, &hook);
    struct err err;
    int64_t id;

    for (int i = 0; i < 100; i++)
        github_control_do(world_stand_in(), "POST", "hooks",
                          json_pack("{s:s, s:s}", "repository", REPO, "url", HOOK_URL "/other"));
    CHECK_INT(github_find_hook(github, REPO, HOOK_URL, &id, &err), ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "no hook of " REPO " sends to " HOOK_URL);
    json_t *const made =
        github_control(world_stand_in(), "POST", "hooks",
                       json_pack("{s:s, s:s}", "repository", REPO, "url", HOOK_URL));
    CHECK_OK(github_find_hook(github, REPO, HOOK_URL, &id, &err), err);
    CHECK_INT(id, js_int(made, "id", 0));
    json_decref(made);
    CHECK_INT(world_end(github), 0);
}

TEST(who_may_not_see_hooks_is_told_so)
{
    const struct github_hook hook = {.repository = REPO, .id = 1};
    struct err err;
    int64_t id;
    size_t count = 0;

    world_begin();
    struct github *github = world_client(AS_USER); /* who may write, no more */
    CHECK_INT(github_find_hook(github, REPO, HOOK_URL, &id, &err), ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "reading the hooks of " REPO);
    CHECK_INT(github_each_delivery(github, &hook, 0, count_delivery, &count, &err), ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "reading GitHub's deliveries");
    CHECK_INT(world_end(github), 0);
}

TEST(what_is_no_list_of_deliveries_is_told)
{
    struct github_hook hook;
    struct github *github = begin(AS_APP, &hook);
    struct err err;
    size_t count = 0;

    world_inject("deliveries", json_pack("{s:i, s:[{s:i}]}", "status", 200, "body", "id", 7));
    CHECK_INT(github_each_delivery(github, &hook, 0, count_delivery, &count, &err), ERR_REMOTE);
    world_inject("deliveries", json_pack("{s:i, s:{}}", "status", 200, "body"));
    CHECK_INT(github_each_delivery(github, &hook, 0, count_delivery, &count, &err), ERR_REMOTE);
    CHECK_CONTAINS(err.msg, "not a list");
    CHECK_INT(count, 0);
    CHECK_INT(world_end(github), 0);
}

int
main(int argc, char **argv)
{
    const int failed = test_run_all(argc, argv);

    world_done();
    return failed;
}
