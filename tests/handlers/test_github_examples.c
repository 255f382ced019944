/* All deliveries that GitHub publishes as examples, of github.com and of GitHub Enterprise Server:
 * each is read or ignored with a reason. Skipped where tests/github/install.sh has not run. */
#include "tests/harness/test.h"

#include "handlers/github.h"
#include "handlers/intake/event.h"
#include "handlers/settings/settings.h"
#include "server/base/env.h"
#include "server/base/js.h"
#include "server/base/str.h"

#define EXAMPLES "npm/node_modules/@octokit/webhooks-examples"

static const char *const editions[] = {"api.github.com", "ghes-31", "ghes-32",
                                       "ghes-33",        "ghes-34", "ghes-35"};

/* The label, the assignee and a word of GitHub's examples, so that all branches are taken. */
static const struct settings settings = {
    .bot = {.name = (char *)(uintptr_t) "Codertocat", .label = (char *)(uintptr_t) "bug"},
    .github = {.present = true, .login = (char *)(uintptr_t) "Codertocat"},
};

struct tally {
    size_t examples;
    size_t kinds[EVENT_NOTICE + 1];
    size_t invalid;
};

static char *
examples_path(const char *edition)
{
    const char *cache = env_get("DRAFTD_TEST_CACHE");
    const char *home = env_get("HOME");

    return cache ? str_printf("%s/" EXAMPLES "/%s/index.json", cache, edition)
                 : str_printf("%s/.cache/draftd-tests/" EXAMPLES "/%s/index.json", home ? home : "",
                              edition);
}

static void
check_event(const char *name, const struct event *event, const struct err *err)
{
    const bool ours = str_equal(name, "issues") || str_equal(name, "issue_comment");
    const bool follows = str_starts_with(name, "pull_request") || str_equal(name, "check_suite") ||
                         str_equal(name, "workflow_run");

    const bool notice = str_starts_with(name, "installation") || str_equal(name, "repository");

    if (!ours && !follows && !notice && event->kind != EVENT_IGNORED)
        TEST_FAIL("an event of the kind %s is not ignored", name);
    CHECK((event->kind == EVENT_IGNORED) == (event->reason != NULL));
    CHECK(event->kind == EVENT_IGNORED || event->trigger);
    CHECK(event->kind != EVENT_REMARK || (event->remark && event->remark->ref));
    CHECK(event->kind == EVENT_IGNORED || event->kind == EVENT_NOTICE || event->origin ||
          event->draft || event->head_branch);
    CHECK((event->kind != EVENT_NOTICE) || (event->order_key && event->actor));
    if (!ours)
        return;
    CHECK(event->origin ? str_starts_with(event->origin, "github:") : event->draft > 0);
    CHECK(event->order_key && event->repository && event->title && event->actor && event->url);
    CHECK(event->number > 0);
    if (event->happened_ms == 0)
        TEST_FAIL("no time in %s of %s: %s", name, event->origin, err->msg);
}

/* In the examples one person does everything; here he is the bot, so somebody else does it. */
static void
read_example(const char *name, json_t *example, struct tally *tally)
{
    json_t *sender = json_object_get(example, "sender");
    AUTO(event_free) struct event *event = NULL;
    auto_free char *text = NULL;
    struct err err = {0};

    if (sender)
        CHECK_INT(json_object_set_new(sender, "login", json_string("somebody-else")), 0);
    CHECK_OK(js_dump(example, &text, &err), err);
    const int r = github_read_event(&settings, name, bytes_of_str(text), &event, &err);
    if (r != 0 && r != ERR_INVALID)
        TEST_FAIL("%s: %s", name, err.msg);
    tally->examples++;
    if (r) {
        tally->invalid++;
        return;
    }
    tally->kinds[event->kind]++;
    check_event(name, event, &err);
}

static void
read_edition(const char *edition, struct tally *tally)
{
    auto_free char *path = examples_path(edition);
    AUTO(js_free) json_t *list = json_load_file(path, 0, NULL);
    size_t place;
    const json_t *group;

    if (!list)
        TEST_FAIL("%s cannot be read", path);
    json_array_foreach(list, place, group)
    {
        const json_t *examples = js_at(group, "examples");
        for (size_t i = 0; i < json_array_size(examples); i++)
            read_example(js_str(group, "name"), json_array_get(examples, i), tally);
    }
}

TEST(every_published_example_is_understood)
{
    struct tally tally = {0};

    for (size_t i = 0; i < sizeof(editions) / sizeof(editions[0]); i++)
        read_edition(editions[i], &tally);
    printf("# %zu examples: %zu start, %zu cancel, %zu ignored, %zu invalid\n", tally.examples,
           tally.kinds[EVENT_START], tally.kinds[EVENT_CANCEL], tally.kinds[EVENT_IGNORED],
           tally.invalid);
    CHECK(tally.examples > 500);
    CHECK(tally.kinds[EVENT_START] > 5);
    CHECK(tally.kinds[EVENT_CANCEL] > 5);
    CHECK(tally.kinds[EVENT_REMARK] > 3);
    CHECK(tally.kinds[EVENT_DRAFT] > 1);
    CHECK(tally.kinds[EVENT_NOTICE] > 3);
    CHECK_INT(tally.invalid, 0);
}

int
main(int argc, char **argv)
{
    auto_free char *path = examples_path(editions[0]);
    FILE *file = path ? fopen(path, "re") : NULL;

    if (!file) {
        printf("1..0 # SKIP GitHub's examples are missing: run tests/github/install.sh\n");
        return 0;
    }
    (void)fclose(file);
    return test_run_all(argc, argv);
}
