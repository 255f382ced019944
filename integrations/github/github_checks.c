/* See github_checks.h. */
#include "integrations/github/github_checks.h"

#include "integrations/github/github_internal.h"
#include "integrations/github/github_text.h"

#include "server/base/str.h"

#include <inttypes.h>

/* {"title", "summary", "text"?}, each of a length that GitHub takes. */
static int
build_output(const struct github_check *check, json_t **ret_output, struct err *err)
{
    auto_free char *title = NULL;
    auto_free char *summary = NULL;
    auto_free char *text = NULL;
    int result = github_fit_line(check->title, GITHUB_TITLE_CHARS, &title, err);

    if (result == 0)
        result = github_fit_body(check->summary, GITHUB_CHECK_CHARS, &summary, err);
    if (result == 0 && check->text)
        result = github_fit_body(check->text, GITHUB_CHECK_CHARS, &text, err);
    if (result)
        return result;
    *ret_output = json_pack("{s:s, s:s, s:s*}", "title", title, "summary", summary, "text", text);
    return *ret_output ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

/* `head_sha`: NULL for one that exists. */
static int
build_check(const char *head_sha,
            const struct github_check *check,
            json_t **ret_object,
            struct err *err)
{
    AUTO(js_free) json_t *output = NULL;
    const int result = build_output(check, &output, err);

    if (result)
        return result;
    *ret_object =
        json_pack("{s:s, s:s*, s:s, s:s, s:s, s:s*, s:O}", "name", check->name, "head_sha",
                  head_sha, "external_id", check->external_id, "status", "completed", "conclusion",
                  check->conclusion, "details_url", check->url, "output", output);
    return *ret_object ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

int
github_create_check(struct github *github,
                    const char *repository,
                    const char *head_sha,
                    const struct github_check *check,
                    int64_t *ret_id,
                    struct err *err)
{
    AUTO(js_free) json_t *object = NULL;
    AUTO(js_free) json_t *json = NULL;
    int result = build_check(head_sha, check, &object, err);

    if (result == 0)
        result =
            github_call_repository(github, "POST", repository, "/check-runs", object, &json, err);
    if (result)
        return err_wrap(err, "making a check run on %.200s", repository);
    const int64_t id = js_int(json, "id", 0);
    if (id <= 0)
        return err_set(err, ERR_REMOTE, "GitHub's answer does not name the check run");
    *ret_id = id;
    return 0;
}

int
github_edit_check(struct github *github,
                  const char *repository,
                  int64_t id,
                  const struct github_check *check,
                  struct err *err)
{
    auto_free char *rest = str_printf("/check-runs/%" PRId64, id);
    AUTO(js_free) json_t *object = NULL;
    AUTO(js_free) json_t *json = NULL;

    if (!rest)
        return err_set(err, ERR_NOMEM, "out of memory");
    int result = build_check(NULL, check, &object, err);
    if (result == 0)
        result = github_call_repository(github, "PATCH", repository, rest, object, &json, err);
    return result ? err_wrap(err, "editing check run %" PRId64 " of %.200s", id, repository) : 0;
}

/* --- Finding */

/* What github_find_check() was asked for. */
struct search {
    int64_t app_id;
    const char *external_id;
    int64_t id; /* 0: not found yet */
};

static int
look_at(void *ctx, const json_t *check, bool *ret_enough, struct err *err)
{
    struct search *const search = ctx;

    (void)err;
    if (!str_equal(js_str(check, "external_id"), search->external_id) ||
        js_int(check, "app.id", 0) != search->app_id)
        return 0;
    search->id = js_int(check, "id", 0);
    *ret_enough = true;
    return 0;
}

int
github_find_check(struct github *github,
                  const char *repository,
                  const char *head_sha,
                  const char *name,
                  const char *external_id,
                  int64_t *ret_id,
                  struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf path = STRBUF_INIT(GITHUB_PATH_BYTES);
    struct search search = {.app_id = github->options.app_id, .external_id = external_id};
    int result;

    strbuf_add_str(&path, "/commits/");
    result = github_append_segment(&path, head_sha, err);
    strbuf_addf(&path, "/check-runs?filter=all&per_page=%d&check_name=", GITHUB_PAGE_SIZE);
    web_append_escaped(&path, name);
    if (result == 0 && !strbuf_ok(&path))
        result = err_set(err, path.failed, "the path of a call to GitHub is too long");
    const struct github_list list = {
        .repository = repository, .path = strbuf_str(&path), .member = "check_runs"};
    if (result == 0)
        result = github_walk(github, &list, look_at, &search, err);
    if (result)
        return err_wrap(err, "looking for a check run on %.200s", repository);
    if (search.id <= 0)
        return err_set(err, ERR_NOTFOUND, "the commit has no such check run");
    *ret_id = search.id;
    return 0;
}

/* --- Statuses */

int
github_set_status(struct github *github,
                  const char *repository,
                  const char *sha,
                  const struct github_status *status,
                  struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf rest = STRBUF_INIT(GITHUB_PATH_BYTES);
    auto_free char *description = NULL;
    AUTO(js_free) json_t *json = NULL;
    int result;

    strbuf_add_str(&rest, "/statuses/");
    result = github_append_segment(&rest, sha, err);
    if (result == 0)
        result = github_fit_line(status->description, GITHUB_DESCRIPTION_CHARS, &description, err);
    if (result)
        return err_wrap(err, "setting a status on %.200s", repository);
    AUTO(js_free)
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s*}", "state", status->state, "context", status->context,
                  "description", description, "target_url", status->url);
    if (!object || !strbuf_ok(&rest))
        return err_set(err, ERR_NOMEM, "out of memory");
    if (github_call_repository(github, "POST", repository, strbuf_str(&rest), object, &json, err))
        return err_wrap(err, "setting a status on %.200s", repository);
    return 0;
}
