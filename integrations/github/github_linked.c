/* See github_linked.h. */
#include "integrations/github/github_linked.h"

#include "integrations/github/github_errors.h"
#include "integrations/github/github_internal.h"

#include "server/base/clock.h"
#include "server/base/str.h"

#include <inttypes.h>
#include <string.h>

static const char linked_query[] =
    "query LinkedPulls($owner:String!,$name:String!,$number:Int!){"
    "repository(owner:$owner,name:$name){issue(number:$number){"
    "closedByPullRequestsReferences(first:10,includeClosedPrs:false){"
    "nodes{number url isDraft state body author{login}}}}}}";

/* "https://api.github.com/graphql"; of a server, "https://HOST/api/v3" is REST's alone. */
static char *
graphql_url(const char *api_url)
{
    static const char rest[] = "/v3";
    const size_t len = strlen(api_url);
    const size_t kept = str_ends_with(api_url, "/api/v3") ? len - strlen(rest) : len;

    return str_printf("%.*s/graphql", (int)kept, api_url);
}

/* Ask a query about a repository.  Owns: *ret_json, the whole answer, is the caller's. */
static int
ask(struct github *github,
    const char *repository,
    const json_t *body,
    json_t **ret_json,
    struct err *err)
{
    AUTO_DONE(web_answer_done) struct web_answer answer = {0};
    AUTO(js_free) json_t *json = NULL;
    auto_free char *url = graphql_url(github->options.api_url);

    if (!url || !body)
        return err_set(err, ERR_NOMEM, "out of memory");
    const struct github_call call = {
        .method = "POST", .url = url, .repository = repository, .body = body, .quiet = true};
    int result = github_exchange(github, &call, &answer, err);
    if (result == 0)
        result = github_parse(&answer, &json, err);
    if (result == 0)
        result = github_check_graphql(&answer, json, clock_now_ms(), &github->retry_after_ms, err);
    if (result)
        return result;
    *ret_json = TAKE(json);
    return 0;
}

static int
hand_over(const json_t *nodes, github_linked_fn *each, void *ctx, struct err *err)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < json_array_size(nodes); i++) {
        const json_t *const node = json_array_get(nodes, i);
        const char *const url = js_str(node, "url");

        if (!url || !str_equal(js_str(node, "state"), "OPEN"))
            continue; /* null stands for one that we may not see */
        result = each(ctx,
                      &(struct github_linked_pull){.number = js_int(node, "number", 0),
                                                   .url = url,
                                                   .author = js_str(node, "author.login"),
                                                   .body = github_text_at(node, "body"),
                                                   .draft = js_bool(node, "isDraft", false)},
                      err);
    }
    return result;
}

int
github_each_linked_pull(struct github *github,
                        const char *repository,
                        int64_t issue,
                        github_linked_fn *each,
                        void *ctx,
                        struct err *err)
{
    const char *const slash = strchr(repository, '/');
    AUTO(js_free) json_t *json = NULL;

    if (!slash)
        return err_set(err, ERR_INVALID, "'%.100s' is not a repository: expected OWNER/NAME",
                       repository);
    AUTO(js_free)
    json_t *body =
        json_pack("{s:s, s:{s:s%, s:s, s:I}}", "query", linked_query, "variables", "owner",
                  repository, (size_t)(slash - repository), "name", slash + 1, "number", issue);
    if (ask(github, repository, body, &json, err))
        return err_wrap(err, "asking who works on %.200s#%" PRId64, repository, issue);
    const json_t *const nodes =
        js_at(json, "data.repository.issue.closedByPullRequestsReferences.nodes");
    if (!json_is_array(nodes))
        return err_set(err, ERR_REMOTE, "GitHub's answer names no pull requests");
    return hand_over(nodes, each, ctx, err);
}
