/* Who else works on an issue, against the stand-in, which holds each query against GitHub's schema.
 * Each test ends by asking for violations: there must be none. */
#include "integrations/github/github_linked.h"

#include "server/base/js.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "tests/harness/test.h"
#include "tests/integrations/github/github_world.h"

/* What was handed over, a line for each pull request. */
static int
note_pull(void *ctx, const struct github_linked_pull *pull, struct err *err)
{
    struct strbuf *const notes = ctx;

    strbuf_addf(notes, "%lld %s %s%s\n", (long long)pull->number, pull->url, pull->author,
                pull->draft ? " (draft)" : "");
    return pull->number == 12 ? err_set(err, ERR_CANCELED, "enough") : 0;
}

static void
open_pull(const char *user, const char *body, int draft)
{
    json_decref(world_post(
        "pulls", json_pack("{s:s, s:s, s:b}", "user", user, "body", body, "draft", draft)));
}

static void
check_linked(struct github *github)
{
    AUTO_DONE(strbuf_done) struct strbuf notes = STRBUF_INIT(4096);
    struct err err;

    CHECK_OK(github_each_linked_pull(github, REPO, 7, note_pull, &notes, &err), err);
    CHECK_STR(strbuf_str(&notes), "");
    open_pull("ann", "Fixes #7", 0);
    open_pull("other[bot]", "closes #7", 1);
    open_pull("ann", "like #7", 0);
    open_pull("ann", "resolves #7", 0);
    world_control("PATCH", "repos/" REPO "/pulls/11", json_pack("{s:s}", "state", "closed"));
    CHECK_OK(github_each_linked_pull(github, REPO, 7, note_pull, &notes, &err), err);
    CHECK_STR(strbuf_str(&notes), "8 https://github.com/" REPO "/pull/8 ann\n"
                                  "9 https://github.com/" REPO "/pull/9 other (draft)\n");
    open_pull("ann", "fixed #7", 0);
    CHECK_INT(github_each_linked_pull(github, REPO, 7, note_pull, &notes, &err), ERR_CANCELED);
    CHECK_INT(world_calls("graphql/LinkedPulls"), 3);
}

TEST(open_pull_requests_that_close_an_issue_are_told)
{
    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        world_begin();
        struct github *github = world_client((enum mode)mode);
        check_linked(github);
        CHECK_INT(world_end(github), 0);
    }
}

TEST(a_server_has_another_address)
{
    world_begin();
    struct github *github = world_server_client(AS_APP);

    check_linked(github);
    CHECK_INT(world_end(github), 0);
}

TEST(refusals_come_with_status_200)
{
    static const struct {
        const char *repository;
        int64_t issue;
        const char *fault; /* or NULL */
        int result;
        const char *words;
    } cases[] = {
        {REPO, 99, NULL, ERR_NOTFOUND, "asking who works on " REPO "#99"},
        {"acme/unknown", 7, NULL, ERR_NOTFOUND, "Could not resolve to a Repository"},
        {"acme", 7, NULL, ERR_INVALID, "expected OWNER/NAME"},
        {REPO, 7, "{\"data\": {\"repository\": {\"issue\": null}}}", ERR_REMOTE, "no pull"},
        {REPO, 7,
         "{\"data\": {\"repository\": {\"issue\": {\"closedByPullRequestsReferences\": "
         "{\"nodes\": [null]}}}}}",
         0, ""},
        {REPO, 7, "{\"errors\": [{\"message\": \"Field 'x' doesn't exist\"}]}", ERR_INVALID,
         "doesn't exist"},
        {REPO, 7, "{\"errors\": [{\"type\": \"RATE_LIMITED\", \"message\": \"slow\"}]}", ERR_LIMIT,
         "slow"},
    };

    world_begin();
    struct github *github = world_client(AS_USER);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_DONE(strbuf_done) struct strbuf notes = STRBUF_INIT(4096);
        struct err err = {0};

        if (cases[i].fault) {
            json_t *body;
            CHECK_OK(js_parse(bytes_of_str(cases[i].fault), &body, &err), err);
            world_inject("/graphql$", json_pack("{s:i, s:o}", "status", 200, "body", body));
        }
        const int result = github_each_linked_pull(github, cases[i].repository, cases[i].issue,
                                                   note_pull, &notes, &err);
        if (result != cases[i].result || !strstr(err.msg, cases[i].words))
            TEST_FAIL("case %zu: %d %s", i, result, err.msg);
        CHECK((github_retry_after_ms(github) > 0) == (result == ERR_LIMIT));
    }
    CHECK_INT(world_end(github), 0);
}

int
main(int argc, char **argv)
{
    const int failed = test_run_all(argc, argv);

    world_done();
    return failed;
}
