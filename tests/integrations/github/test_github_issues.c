/* Open issues, installations and their repositories, against the stand-in. Each test ends by asking
 * for violations: there must be none. */
#include "integrations/github/github_issues.h"

#include "server/base/clock.h"
#include "server/base/js.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "tests/harness/test.h"
#include "tests/integrations/github/github_fixture.h"
#include "tests/integrations/github/github_world.h"

#define OLD "2026-11-20T05:00:00Z"
#define NEW "2026-11-21T05:00:00Z"

static void
add_issue(const char *title, const char *label, const char *assignee, const char *updated_at)
{
    json_decref(world_post("issues", json_pack("{s:s, s:s, s:[s], s:[s], s:s}", "title", title,
                                               "body", "text", "labels", label, "assignees",
                                               assignee, "updated_at", updated_at)));
}

/* What was handed over, a line for each issue. */
static int
note_issue(void *ctx, const struct github_issue *issue, struct err *err)
{
    struct strbuf *const notes = ctx;

    CHECK(issue->created_ms > 0 && issue->updated_ms > 0);
    CHECK(str_starts_with(issue->url, "https://github.com/" REPO "/issues/"));
    strbuf_addf(notes, "%lld %s [%s] by %s%s\n", (long long)issue->number, issue->title,
                issue->body, issue->author, issue->by_program ? " (program)" : "");
    return str_equal(issue->title, "enough") ? err_set(err, ERR_CANCELED, "enough") : 0;
}

TEST(open_issues_are_found_by_label_and_assignee)
{
    const struct {
        struct github_issue_filter filter;
        const char *expected;
    } cases[] = {
        {{.label = "to do, now"}, ""},
        {{.label = "draftd: go!"}, "8 a [text] by ann\n9 b [text] by ann\n"},
        {{.assignee = "draftd-bot"}, "9 b [text] by ann\n10 c [text] by ann\n"},
        {{.label = "draftd: go!", .assignee = "draftd-bot"}, "9 b [text] by ann\n"},
        {{.label = "draftd: go!", .since_ms = clock_parse(NEW, 0) - 1}, "9 b [text] by ann\n"},
        {{.label = "by a bot"}, "13 e [] by other[bot] (program)\n"},
    };

    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        world_begin();
        struct github *github = world_client((enum mode)mode);
        add_issue("a", "draftd: go!", "ann", OLD);
        add_issue("b", "draftd: go!", "draftd-bot", NEW);
        add_issue("c", "other", "draftd-bot", NEW);
        add_issue("closed", "draftd: go!", "draftd-bot", NEW);
        world_control("PATCH", "repos/" REPO "/issues/11", json_pack("{s:s}", "state", "closed"));
        json_decref(world_post("pulls", NULL)); /* an issue as well, for GitHub */
        world_control("PATCH", "repos/" REPO "/issues/12",
                      json_pack("{s:[s]}", "labels", "draftd: go!"));
        json_decref(world_post("issues", json_pack("{s:s, s:s, s:[s]}", "title", "e", "user",
                                                   "other[bot]", "labels", "by a bot")));
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            AUTO_DONE(strbuf_done) struct strbuf notes = STRBUF_INIT(4096);
            struct err err;
            CHECK_OK(github_each_issue(github, REPO, &cases[i].filter, note_issue, &notes, &err),
                     err);
            CHECK_STR(strbuf_str(&notes), cases[i].expected);
        }
        json_t *const requests = github_control(world_stand_in(), "GET", "requests", NULL);
        CHECK_CONTAINS(js_str(json_array_get(requests, json_array_size(requests) - 2), "url"),
                       "&since=2026-11-21T04:59:59Z");
        json_decref(requests);
        CHECK_INT(world_end(github), 0);
    }
}

/* What was handed over, a line for each event. */
static int
note_event(void *ctx, const struct github_issue_event *event, struct err *err)
{
    struct strbuf *const notes = ctx;

    (void)err;
    CHECK(event->created_ms > 0);
    strbuf_addf(notes, "%s %s%s by %s%s\n", event->event, event->label ? event->label : "",
                event->assignee ? event->assignee : "", event->actor,
                event->by_program ? " (program)" : "");
    return 0;
}

TEST(who_labeled_and_who_assigned_is_told)
{
    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        AUTO_DONE(strbuf_done) struct strbuf notes = STRBUF_INIT(4096);
        struct err err;

        world_begin();
        struct github *github = world_client((enum mode)mode);
        add_issue("a", "draftd", "draftd-bot", OLD);
        world_control("PATCH", "repos/" REPO "/issues/8",
                      json_pack("{s:s, s:[]}", "by", "eve", "labels"));
        world_control("PATCH", "repos/" REPO "/issues/8",
                      json_pack("{s:s, s:[s], s:[]}", "by", "other[bot]", "labels", "draftd",
                                "assignees"));
        CHECK_OK(github_each_issue_event(github, REPO, 8, note_event, &notes, &err), err);
        CHECK_STR(strbuf_str(&notes), "labeled draftd by ann\n"
                                      "assigned draftd-bot by ann\n"
                                      "unlabeled draftd by eve\n"
                                      "labeled draftd by other[bot] (program)\n"
                                      "unassigned draftd-bot by other[bot] (program)\n");
        CHECK_INT(github_each_issue_event(github, REPO, 999, note_event, &notes, &err),
                  ERR_NOTFOUND);
        CHECK_CONTAINS(err.msg, "reading what was done to " REPO "#999");
        CHECK_INT(world_end(github), 0);
    }
}

TEST(issues_are_read_from_all_pages)
{
    const struct github_issue_filter filter = {.label = "many"};
    AUTO_DONE(strbuf_done) struct strbuf notes = STRBUF_INIT(65536);
    struct err err;

    world_begin();
    struct github *github = world_client(AS_APP);
    for (int i = 0; i < 101; i++)
        add_issue("x", "many", "ann", NEW);
    CHECK_OK(github_each_issue(github, REPO, &filter, note_issue, &notes, &err), err);
    CHECK_INT(world_calls("issues/list-for-repo"), 2);
    CHECK(str_ends_with(strbuf_str(&notes), "\n108 x [text] by ann\n"));
    add_issue("enough", "other", "ann", NEW);
    CHECK_INT(
        github_each_issue(github, REPO, &(struct github_issue_filter){0}, note_issue, &notes, &err),
        ERR_CANCELED);
    CHECK_CONTAINS(err.msg, "reading the issues of " REPO);
    CHECK_INT(world_end(github), 0);
}

/* --- Installations and repositories */

struct found {
    struct strbuf notes;
    int64_t last; /* installation */
};

static int
note_installation(void *ctx, const struct github_installation *installation, struct err *err)
{
    struct found *const found = ctx;

    (void)err;
    strbuf_addf(&found->notes, "%s%s\n", installation->account,
                installation->suspended ? " suspended" : "");
    found->last = installation->id;
    return 0;
}

static int
note_repository(void *ctx, const struct github_repository *repository, struct err *err)
{
    struct found *const found = ctx;

    CHECK(repository->id > 0);
    strbuf_addf(&found->notes, "%s%s\n", repository->full_name,
                repository->archived ? " archived" : "");
    return str_equal(repository->full_name, "zeta/last") ? err_set(err, ERR_CANCELED, "enough") : 0;
}

static void
add_repositories(void)
{
    world_control("POST", "setup",
                  json_pack("{s:[{s:s, s:b}, {s:s, s:{s:s}}, {s:s, s:b}]}", "repositories",
                            "full_name", "acme/attic", "archived", 1, "full_name", "zeta/last",
                            "collaborators", "draftd-bot", "write", "full_name", "acme/secret",
                            "installed", 0));
}

TEST(an_app_sees_its_installations_and_their_repositories)
{
    struct found found = {.notes = STRBUF_INIT(4096)};
    struct err err;

    world_begin();
    add_repositories();
    struct github *github = world_client(AS_APP);
    CHECK_OK(github_each_installation(github, note_installation, &found, &err), err);
    CHECK_STR(strbuf_str(&found.notes), "acme\nzeta\n");
    strbuf_reset(&found.notes);
    CHECK_INT(github_each_repository(github, found.last, note_repository, &found, &err),
              ERR_CANCELED);
    CHECK_STR(strbuf_str(&found.notes), "zeta/last\n");
    strbuf_reset(&found.notes);
    CHECK_OK(github_each_installation(github, note_installation, &found, &err), err);
    json_t *const state = github_control(world_stand_in(), "GET", "state", NULL);
    const json_t *const token = js_at(state, "tokens.2"); /* after the people's */
    CHECK_STR(js_str(token, "permissions.metadata"), "read");
    CHECK_INT(json_object_size(json_object_get(token, "permissions")), 1);
    json_decref(state);
    strbuf_done(&found.notes);
    CHECK_INT(world_end(github), 0);
}

static int
first_installation(void *ctx, const struct github_installation *installation, struct err *err)
{
    int64_t *const id = ctx;

    (void)err;
    if (*id == 0)
        *id = installation->id;
    return 0;
}

TEST(repositories_are_read_from_all_pages_with_one_token)
{
    struct found found = {.notes = STRBUF_INIT(65536)};
    json_t *const many = json_array();
    int64_t id = 0;
    struct err err;

    world_begin();
    for (int i = 0; i < 100; i++)
        json_array_append_new(
            many, json_pack("{s:o}", "full_name", json_sprintf("acme/repository-%d", i)));
    world_control("POST", "setup", json_pack("{s:o}", "repositories", many));
    struct github *github = world_client(AS_APP);
    CHECK_OK(github_each_installation(github, first_installation, &id, &err), err);
    CHECK_OK(github_each_repository(github, id, note_repository, &found, &err), err);
    CHECK(str_starts_with(strbuf_str(&found.notes), REPO "\n"));
    CHECK(str_ends_with(strbuf_str(&found.notes), "\nacme/repository-99\n"));
    CHECK_INT(world_calls("apps/list-repos-accessible-to-installation"), 2);
    CHECK_INT(world_calls("apps/create-installation-access-token"), 1);
    world_control("POST", "tokens/revoke", NULL);
    CHECK_OK(github_each_repository(github, id, note_repository, &found, &err), err);
    CHECK_INT(world_calls("apps/create-installation-access-token"), 2);
    strbuf_done(&found.notes);
    CHECK_INT(world_end(github), 0);
}

TEST(suspended_installations_are_told)
{
    struct found found = {.notes = STRBUF_INIT(4096)};
    struct err err;

    world_begin();
    world_control("POST", "setup",
                  json_pack("{s:{s:i, s:s, s:b}}", "app", "id", 12345, "public_key",
                            world_app_public_key(), "suspended", 1));
    struct github *github = world_client(AS_APP);
    CHECK_OK(github_each_installation(github, note_installation, &found, &err), err);
    CHECK_STR(strbuf_str(&found.notes), "acme suspended\n");
    CHECK_INT(github_each_repository(github, found.last, note_repository, &found, &err),
              ERR_DENIED);
    CHECK_CONTAINS(err.msg, "suspended");
    strbuf_done(&found.notes);
    CHECK_INT(world_end(github), 0);
}

TEST(a_machine_user_sees_what_it_was_given)
{
    struct found found = {.notes = STRBUF_INIT(4096)};
    struct err err;

    world_begin();
    add_repositories();
    struct github *github = world_client(AS_USER);
    CHECK_INT(github_each_repository(github, 0, note_repository, &found, &err), ERR_CANCELED);
    CHECK_STR(strbuf_str(&found.notes), REPO "\nzeta/last\n");
    CHECK_INT(github_each_installation(github, note_installation, &found, &err), ERR_INVALID);
    strbuf_done(&found.notes);
    CHECK_INT(world_end(github), 0);
}

int
main(int argc, char **argv)
{
    const int failed = test_run_all(argc, argv);

    world_done();
    return failed;
}
