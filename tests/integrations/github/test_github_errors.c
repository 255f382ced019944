/* What GitHub's answers mean. */
#include "integrations/github/github_errors.h"

#include "server/base/clock.h"
#include "tests/harness/test.h"

#define NOW_MS INT64_C(1795237200000)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char *
text(const char *literal)
{
    return (char *)(uintptr_t)literal; /* an answer's members are not const; these are not freed */
}

static int
check(const struct web_answer *head, const char *body, int64_t *ret_wait_ms, struct err *err)
{
    struct web_answer answer = *head;

    answer.body = (struct strbuf){.ptr = text(body), .len = strlen(body)};
    return github_check_answer(&answer, NOW_MS, ret_wait_ms, err);
}

TEST(statuses_have_their_codes)
{
    static const struct {
        long status;
        const char *body;
        int code;
        const char *words;
    } cases[] = {
        {200, "{}", 0, NULL},
        {201, "{}", 0, NULL},
        {301, "{\"message\":\"Moved Permanently\"}", ERR_NOTFOUND, "renamed or moved (301)"},
        {307, "{\"message\":\"Temporary Redirect\"}", ERR_NOTFOUND, "use its new name"},
        {400, "{\"message\":\"Problems parsing JSON\"}", ERR_INVALID, "Problems parsing JSON"},
        {401, "{\"message\":\"Bad credentials\"}", ERR_AUTH, "Bad credentials"},
        {403, "{\"message\":\"Repository was archived so is read-only.\"}", ERR_DENIED, "archived"},
        {404, "{\"message\":\"Not Found\"}", ERR_NOTFOUND, "404: Not Found"},
        {410, "{\"message\":\"This issue was deleted\"}", ERR_NOTFOUND, "deleted"},
        {422,
         "{\"message\":\"Validation "
         "Failed\",\"errors\":[{\"field\":\"head\",\"code\":\"invalid\"}]}",
         ERR_INVALID, "Validation Failed; head: invalid"},
        {422,
         "{\"message\":\"Validation Failed\",\"errors\":[{\"message\":\"No commits between a and "
         "b\"},\"x\"]}",
         ERR_INVALID, "Validation Failed; No commits between a and b; x"},
        {422, "{\"message\":7,\"errors\":{\"a\":1}}", ERR_INVALID, "no reason given"},
        {418, "", ERR_INVALID, "418"},
        {500, "<html>Unicorn!</html>", ERR_REMOTE, "500: no reason given"},
        {502, "", ERR_REMOTE, "502"},
        {504, "{\"message\":\"We couldn't respond to your request in time.\"}", ERR_REMOTE,
         "in time"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct web_answer head = {.status = cases[i].status};
        struct err err = {0};
        int64_t wait_ms = 77;
        const int code = check(&head, cases[i].body, &wait_ms, &err);

        if (code != cases[i].code)
            TEST_FAIL("case %zu: %d (%s)", i, code, err.msg);
        CHECK_INT(wait_ms, 0);
        if (cases[i].words)
            CHECK_CONTAINS(err.msg, cases[i].words);
    }
}

TEST(a_missing_permission_is_named)
{
    const struct web_answer head = {.status = 403,
                                    .accepted_permissions = text("pull_requests=write")};
    struct err err;
    int64_t wait_ms;

    CHECK_INT(
        check(&head, "{\"message\":\"Resource not accessible by integration\"}", &wait_ms, &err),
        ERR_DENIED);
    CHECK_CONTAINS(err.msg, "the token lacks pull_requests=write");
}

TEST(rate_limits_say_how_long)
{
    static const char secondary[] = "{\"message\":\"You have exceeded a secondary rate limit.\"}";

    static const struct {
        struct web_answer head;
        const char *body;
        int64_t wait_ms;
    } cases[] = {
        {{.status = 429, .retry_after = (char *)(uintptr_t) "30"}, "{}", 30000},
        {{.status = 403, .retry_after = (char *)(uintptr_t) "5"}, secondary, 5000},
        {{.status = 403, .retry_after = (char *)(uintptr_t) "0"}, "{}", 1000},
        {{.status = 403, .retry_after = (char *)(uintptr_t) "99999999999999999999"}, "{}", 60000},
        {{.status = 403, .retry_after = (char *)(uintptr_t) "999999999"}, "{}", MS_PER_DAY},
        {{.status = 403}, secondary, 60000},
        {{.status = 429}, "busy", 60000},
        {{.status = 403,
          .rate_remaining = (char *)(uintptr_t) "0",
          .rate_reset = (char *)(uintptr_t) "1795237290"},
         "{\"message\":\"API rate limit exceeded\"}",
         90000},
        {{.status = 403,
          .rate_remaining = (char *)(uintptr_t) "0",
          .rate_reset = (char *)(uintptr_t) "1795237000"},
         "{}",
         1000},
        {{.status = 403,
          .rate_remaining = (char *)(uintptr_t) "0",
          .rate_reset = (char *)(uintptr_t) "soon"},
         "{}",
         60000},
        {{.status = 429,
          .rate_remaining = (char *)(uintptr_t) "12",
          .rate_reset = (char *)(uintptr_t) "1795239999"},
         "{}",
         60000},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err;
        int64_t wait_ms = 0;

        CHECK_INT(check(&cases[i].head, cases[i].body, &wait_ms, &err), ERR_LIMIT);
        if (wait_ms != cases[i].wait_ms)
            TEST_FAIL("case %zu: %lld ms", i, (long long)wait_ms);
    }
}

TEST(errors_of_graphql_have_their_codes)
{
    static const struct {
        const char *body;
        int code;
        const char *words;
    } cases[] = {
        {"{\"data\":{}}", 0, NULL},
        {"{\"data\":{},\"errors\":[]}", 0, NULL},
        {"{\"errors\":[{\"type\":\"NOT_FOUND\",\"message\":\"no such\"}]}", ERR_NOTFOUND,
         "no such"},
        {"{\"errors\":[{\"type\":\"FORBIDDEN\",\"message\":\"no\"}]}", ERR_DENIED, "no"},
        {"{\"errors\":[{\"type\":\"INSUFFICIENT_SCOPES\",\"message\":\"no\"}]}", ERR_DENIED, "no"},
        {"{\"errors\":[{\"type\":\"RATE_LIMITED\",\"message\":\"slow\"}]}", ERR_LIMIT, "slow"},
        {"{\"errors\":[{\"type\":\"SOME_DAY\",\"message\":\"x\"}]}", ERR_REMOTE, "x"},
        {"{\"errors\":[{\"message\":\"Field 'a' doesn't exist\"}]}", ERR_INVALID, "doesn't exist"},
        {"{\"errors\":[7]}", ERR_INVALID, "no reason"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct web_answer answer = {
            .status = 200, .rate_remaining = text("0"), .rate_reset = text("1795237290")};
        struct err err = {0};
        int64_t wait_ms = 77;
        json_t *json;

        CHECK_OK(js_parse(bytes_of_str(cases[i].body), &json, &err), err);
        const int code = github_check_graphql(&answer, json, NOW_MS, &wait_ms, &err);
        json_decref(json);
        if (code != cases[i].code)
            TEST_FAIL("case %zu: %d (%s)", i, code, err.msg);
        CHECK_INT(wait_ms, code == ERR_LIMIT ? 90000 : 0);
        if (cases[i].words)
            CHECK_CONTAINS(err.msg, cases[i].words);
    }
}

TEST(an_endless_explanation_is_cut)
{
    static char body[40000];
    const struct web_answer head = {.status = 422};
    struct err err;
    int64_t wait_ms;

    memset(body, 'x', sizeof(body) - 1);
    memcpy(body, "{\"message\":\"", 12);
    memcpy(body + sizeof(body) - 3, "\"}", 2);
    CHECK_INT(check(&head, body, &wait_ms, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "xxxx)");
}

TEST(next_pages_are_found)
{
    static const struct {
        const char *link, *next;
    } cases[] = {
        {NULL, NULL},
        {"", NULL},
        {"<https://h/a?page=2>; rel=\"next\", <https://h/a?page=9>; rel=\"last\"",
         "https://h/a?page=2"},
        {"<https://h/a?page=1>; rel=\"prev\", <https://h/a?p=1,2>; rel=\"next\"",
         "https://h/a?p=1,2"},
        {"<https://h/a>; rel=next", "https://h/a"},
        {"<https://h/a?page=1>; rel=\"prev\"", NULL},
        {"<https://h/a", NULL},
        {"rel=\"next\"", NULL},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char *next = text("unset");
        struct err err;
        CHECK_OK(github_next_page(cases[i].link, "https://h", &next, &err), err);
        if (cases[i].next)
            CHECK_STR(next, cases[i].next);
        else
            CHECK(!next);
        free(next);
    }
}

TEST(next_pages_of_other_hosts_are_refused)
{
    static const char *const links[] = {
        "<https://evil/a>; rel=\"next\"",
        "<https://h.evil/a>; rel=\"next\"",
        "<https://h@evil/a>; rel=\"next\"",
        "<http://h/a>; rel=\"next\"",
        "</a>; rel=\"next\"",
    };

    for (size_t i = 0; i < COUNT(links); i++) {
        char *next;
        struct err err;
        CHECK_INT(github_next_page(links[i], "https://h", &next, &err), ERR_REMOTE);
    }
}

TEST_MAIN()
