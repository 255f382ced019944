/* Pull requests on GitHub. */
#include "integrations/github/github_pulls.h"

#include "integrations/github/github_errors.h"
#include "integrations/github/github_internal.h"
#include "integrations/github/github_text.h"

#include "server/base/clock.h"
#include "server/base/str.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void
github_pull_done(struct github_pull *pull)
{
    free(pull->url);
    free(pull->title);
    free(pull->body);
    *pull = (struct github_pull){0};
}

static int
read_pull(const json_t *json, struct github_pull *ret_pull, struct err *err)
{
    const char *const body = js_str(json, "body");
    const char *const url = js_str(json, "html_url");
    const char *const title = js_str(json, "title");
    AUTO_DONE(github_pull_done)
    struct github_pull pull = {
        .number = js_int(json, "number", 0),
        .draft = js_bool(json, "draft", false),
    };

    if (pull.number <= 0 || !url)
        return err_set(err, ERR_REMOTE, "GitHub's answer is not a pull request");
    pull.url = str_dup(url);
    pull.title = str_dup(title ? title : "");
    pull.body = str_dup(body ? body : "");
    if (!pull.url || !pull.title || !pull.body)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret_pull = TAKE_STRUCT(pull);
    return 0;
}

/* Is it from this branch of the repository itself?  A fork may have a branch of the same name. */
static bool
is_from_branch(const json_t *json, const char *branch)
{
    const int64_t head = js_int(json, "head.repo.id", 0);

    return head != 0 && head == js_int(json, "base.repo.id", 0) &&
           str_equal(js_str(json, "head.ref"), branch);
}

/* Out of a list, or NULL. */
static const json_t *
choose_pull(const json_t *list, const char *branch)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *const pull = json_array_get(list, i);

        if (is_from_branch(pull, branch))
            return pull;
    }
    return NULL;
}

int
github_find_pull(struct github *github,
                 const char *repository,
                 const char *branch,
                 struct github_pull *ret_pull,
                 struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf rest = STRBUF_INIT(GITHUB_PATH_BYTES);
    auto_free char *owner = strndup(repository, strcspn(repository, "/"));
    AUTO(js_free) json_t *list = NULL;

    if (!owner)
        return err_set(err, ERR_NOMEM, "out of memory");
    strbuf_addf(
        &rest, "/pulls?state=open&sort=created&direction=desc&per_page=%d&head=", GITHUB_PAGE_SIZE);
    web_append_escaped(&rest, owner);
    strbuf_add_str(&rest, ":");
    web_append_escaped(&rest, branch);
    if (!strbuf_ok(&rest))
        return err_set(err, rest.failed, "the branch name is too long");
    if (github_call_repository(github, "GET", repository, strbuf_str(&rest), NULL, &list, err))
        return err_wrap(err, "looking for the pull request of %.200s", branch);
    const json_t *const chosen = choose_pull(list, branch);
    if (!chosen)
        return err_set(err, ERR_NOTFOUND, "no open pull request comes from %.200s", branch);
    return read_pull(chosen, ret_pull, err);
}

/* Send a new pull request; what GitHub refuses for a reason that can be helped is told apart. */
static int
send_pull(struct github *github,
          const char *repository,
          const json_t *object,
          json_t **ret_json,
          struct err *err)
{
    auto_free char *path = NULL;
    AUTO_DONE(web_answer_done) struct web_answer answer = {0};
    int result = github_repository_path(repository, "/pulls", &path, err);

    if (result)
        return result;
    const struct github_call call = {
        .method = "POST", .url = path, .repository = repository, .body = object};
    result = github_exchange(github, &call, &answer, err);
    if (result == ERR_INVALID && github_says(&answer, "A pull request already exists for"))
        return err_set(err, ERR_CONFLICT, "the branch has an open pull request already");
    if (result == ERR_INVALID)
        github->drafts_refused =
            github_says(&answer, "Draft pull requests are not supported in this repository");
    return result ? result : github_parse(&answer, ret_json, err);
}

int
github_create_pull(struct github *github,
                   const char *repository,
                   const struct github_pull_new *pull,
                   struct github_pull *ret_pull,
                   struct err *err)
{
    auto_free char *title = NULL;
    auto_free char *body = NULL;
    AUTO(js_free) json_t *json = NULL;
    int result = github_fit_line(pull->title, GITHUB_TITLE_CHARS, &title, err);

    github->drafts_refused = false;
    if (result == 0)
        result = github_fit_body(pull->body, GITHUB_BODY_CHARS, &body, err);
    if (result)
        return result;
    AUTO(js_free)
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:b}", "title", title, "body", body, "head",
                               pull->head, "base", pull->base, "draft", (int)pull->draft);
    if (!object)
        return err_set(err, ERR_NOMEM, "out of memory");
    result = send_pull(github, repository, object, &json, err);
    if (result)
        return err_wrap(err, "opening a pull request from %.200s", pull->head);
    return read_pull(json, ret_pull, err);
}

bool
github_drafts_refused(const struct github *github)
{
    return github->drafts_refused;
}

static int
set_text(json_t *object, const char *key, const char *text, struct err *err)
{
    return json_object_set_new(object, key, json_string(text)) == 0
               ? 0
               : err_set(err, ERR_NOMEM, "out of memory");
}

int
github_edit_pull(struct github *github,
                 const char *repository,
                 int64_t number,
                 const char *title,
                 const char *body,
                 struct err *err)
{
    auto_free char *rest = str_printf("/pulls/%" PRId64, number);
    auto_free char *fitted_title = NULL;
    auto_free char *fitted_body = NULL;
    AUTO(js_free) json_t *object = json_object();
    AUTO(js_free) json_t *json = NULL;
    int result = 0;

    if (!rest || !object)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (title)
        result = github_fit_line(title, GITHUB_TITLE_CHARS, &fitted_title, err);
    if (result == 0 && title)
        result = set_text(object, "title", fitted_title, err);
    if (result == 0 && body)
        result = github_fit_body(body, GITHUB_BODY_CHARS, &fitted_body, err);
    if (result == 0 && body)
        result = set_text(object, "body", fitted_body, err);
    if (result)
        return result;
    if (github_call_repository(github, "PATCH", repository, rest, object, &json, err))
        return err_wrap(err, "editing pull request %.200s#%" PRId64, repository, number);
    return 0;
}

/* --- One in full */

void
github_pull_state_done(struct github_pull_state *state)
{
    free(state->url);
    free(state->author);
    free(state->mergeable_state);
    free(state->head_ref);
    free(state->head_sha);
    free(state->base_ref);
    free(state->base_sha);
    *state = (struct github_pull_state){0};
}

void
github_seen_done(struct github_seen *seen)
{
    free(seen->etag);
    *seen = (struct github_seen){0};
}

static enum github_mergeable
mergeable_of(const json_t *json)
{
    const json_t *const value = js_at(json, "mergeable");

    if (!json_is_boolean(value))
        return GITHUB_MERGEABLE_UNKNOWN;
    return json_is_true(value) ? GITHUB_MERGEABLE : GITHUB_CONFLICTS;
}

static int
copy_texts(const json_t *json, struct github_pull_state *state, struct err *err)
{
    const struct {
        const char *path;
        char **slot;
    } texts[] = {
        {"html_url", &state->url},
        {"user.login", &state->author},
        {"head.ref", &state->head_ref},
        {"head.sha", &state->head_sha},
        {"base.ref", &state->base_ref},
        {"base.sha", &state->base_sha},
        {"mergeable_state", &state->mergeable_state},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *const text = js_str(json, texts[i].path);
        const int result = str_set(texts[i].slot, text ? text : "", err);
        if (result)
            return result;
    }
    return 0;
}

static int
read_state(const json_t *json, struct github_pull_state *ret_state, struct err *err)
{
    const int64_t head = js_int(json, "head.repo.id", 0);
    AUTO_DONE(github_pull_state_done)
    struct github_pull_state state = {
        .number = js_int(json, "number", 0),
        .open = str_equal(js_str(json, "state"), "open"),
        .draft = js_bool(json, "draft", false),
        .merged = js_bool(json, "merged", false),
        .merged_ms = clock_parse(js_str(json, "merged_at"), 0),
        .closed_ms = clock_parse(js_str(json, "closed_at"), 0),
        .mergeable = mergeable_of(json),
        .from_fork = head == 0 || head != js_int(json, "base.repo.id", 0),
    };
    const int result = copy_texts(json, &state, err);

    if (result)
        return result;
    if (state.number <= 0 || !*state.head_sha || !*state.base_ref)
        return err_set(err, ERR_REMOTE, "GitHub's answer is not a pull request");
    *ret_state = TAKE_STRUCT(state);
    return 0;
}

int
github_get_pull(struct github *github,
                const char *repository,
                int64_t number,
                struct github_seen *seen,
                bool *ret_changed,
                struct github_pull_state *ret_state,
                struct err *err)
{
    auto_free char *rest = str_printf("/pulls/%" PRId64, number);
    auto_free char *path = NULL;
    AUTO_DONE(web_answer_done) struct web_answer answer = {0};
    AUTO(js_free) json_t *json = NULL;

    if (!rest)
        return err_set(err, ERR_NOMEM, "out of memory");
    int result = github_repository_path(repository, rest, &path, err);
    const struct github_call call = {
        .method = "GET", .url = path, .repository = repository, .etag = seen->etag};
    if (result == 0)
        result = github_exchange(github, &call, &answer, err);
    if (result)
        return err_wrap(err, "reading pull request %.200s#%" PRId64, repository, number);
    if (answer.status == GITHUB_UNCHANGED) {
        *ret_changed = false;
        return 0;
    }
    result = github_parse(&answer, &json, err);
    if (result == 0)
        result = read_state(json, ret_state, err);
    if (result)
        return result;
    *ret_changed = true;
    free(seen->etag);
    seen->etag = TAKE(answer.etag);
    return 0;
}
