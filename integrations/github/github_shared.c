/* What comments of issues and of reviews have in common, and lists that are read page by page. */
#include "integrations/github/github_internal.h"
#include "integrations/github/github_text.h"

#include "server/base/str.h"

#include <stdlib.h>
#include <string.h>

int
github_send_body(struct github *github,
                 const char *method,
                 const char *repository,
                 const char *rest,
                 const char *body,
                 json_t **ret_json,
                 struct err *err)
{
    auto_free char *fitted = NULL;
    const int result = github_fit_body(body, GITHUB_BODY_CHARS, &fitted, err);

    if (result)
        return result;
    AUTO(js_free) json_t *object = json_pack("{s:s}", "body", fitted);
    if (!rest || !object)
        return err_set(err, ERR_NOMEM, "out of memory");
    return github_call_repository(github, method, repository, rest, object, ret_json, err);
}

const char *
github_text_at(const json_t *json, const char *path)
{
    const char *const text = js_str(json, path);

    return text ? text : "";
}

bool
github_by_program(const json_t *comment)
{
    return str_equal(js_str(comment, "user.type"), "Bot") ||
           js_at(comment, "performed_via_github_app.id");
}

int
github_is_ours(struct github *github, const json_t *comment, bool *ret_ours, struct err *err)
{
    const int64_t app_id = github->options.app_id;
    const char *const author = js_str(comment, "user.login");
    auto_free char *login = NULL;

    if (app_id != 0 && js_int(comment, "performed_via_github_app.id", 0) == app_id) {
        *ret_ours = true;
        return 0;
    }
    const int result = github_login(github, &login, err);
    if (result == 0)
        *ret_ours = author && str_equal_nocase(author, login);
    return result;
}

int
github_look_for(void *ctx, const json_t *comment, bool *ret_enough, struct err *err)
{
    struct github_search *const search = ctx;
    const char *const body = js_str(comment, "body");

    if (!body || !strstr(body, search->marker) ||
        (search->thread && js_int(comment, "in_reply_to_id", 0) != search->thread))
        return 0;
    const int result = github_is_ours(search->github, comment, ret_enough, err);
    if (result == 0 && *ret_enough)
        search->id = js_int(comment, "id", 0);
    return result;
}

/* --- Lists */

/* Read the page at *url; *url becomes the next page's, or NULL. */
static int
read_page(struct github *github,
          const struct github_list *list,
          char **url,
          json_t **ret_page,
          struct err *err)
{
    const struct github_call call = {.method = "GET",
                                     .url = *url,
                                     .repository = list->repository,
                                     .installation = list->installation};
    char *next = NULL;
    const int result = github_call(github, &call, ret_page, &next, err);

    if (result)
        return result;
    free(*url);
    *url = next;
    return 0;
}

int
github_walk(struct github *github,
            const struct github_list *list,
            github_visit_fn *visit,
            void *ctx,
            struct err *err)
{
    auto_free char *url = NULL;
    bool enough = false;
    int result = list->repository ? github_repository_path(list->repository, list->path, &url, err)
                                  : str_set(&url, list->path, err);

    for (int count = 0; result == 0 && url && !enough; count++) {
        AUTO(js_free) json_t *page = NULL;

        if (count == GITHUB_PAGES)
            return err_set(err, ERR_REMOTE, "there are too many to look through");
        result = read_page(github, list, &url, &page, err);
        const json_t *const items = list->member ? js_at(page, list->member) : page;
        if (result == 0 && !json_is_array(items))
            return err_set(err, ERR_REMOTE, "GitHub's answer is not a list");
        for (size_t i = 0; result == 0 && !enough && i < json_array_size(items); i++)
            result = visit(ctx, json_array_get(items, i), &enough, err);
    }
    return result;
}
