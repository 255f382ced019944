/* See github_deliveries.h. */
#include "integrations/github/github_deliveries.h"

#include "integrations/github/github_internal.h"

#include "server/base/clock.h"
#include "server/base/str.h"

#include <inttypes.h>

/* --- The hook */

/* What github_find_hook() was asked for. */
struct hook_search {
    const char *url;
    int64_t id; /* 0: not found yet */
};

static int
look_at_hook(void *ctx, const json_t *hook, bool *ret_enough, struct err *err)
{
    struct hook_search *const search = ctx;

    (void)err;
    *ret_enough = str_equal(js_str(hook, "config.url"), search->url);
    if (*ret_enough)
        search->id = js_int(hook, "id", 0);
    return 0;
}

int
github_find_hook(struct github *github,
                 const char *repository,
                 const char *url,
                 int64_t *ret_id,
                 struct err *err)
{
    auto_free char *path = str_printf("/hooks?per_page=%d", GITHUB_PAGE_SIZE);
    const struct github_list list = {.repository = repository, .path = path};
    struct hook_search search = {.url = url};

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (github_walk(github, &list, look_at_hook, &search, err))
        return err_wrap(err, "reading the hooks of %.200s", repository);
    if (search.id <= 0)
        return err_set(err, ERR_NOTFOUND, "no hook of %.200s sends to %.200s", repository, url);
    *ret_id = search.id;
    return 0;
}

/* --- Its deliveries */

/* "/app/hook/deliveries", or, below the repository, "/hooks/ID/deliveries".  NULL: no memory. */
static char *
deliveries_path(const struct github_hook *hook)
{
    return hook->repository ? str_printf("/hooks/%" PRId64 "/deliveries", hook->id)
                            : str_dup("/app/hook/deliveries");
}

/* What github_each_delivery() was asked for. */
struct reading {
    int64_t since_ms;
    github_delivery_fn *each;
    void *ctx;
};

static int
hand_over(void *ctx, const json_t *item, bool *ret_enough, struct err *err)
{
    const struct reading *const reading = ctx;
    const char *const guid = js_str(item, "guid");
    const char *const event = js_str(item, "event");
    const struct github_delivery delivery = {
        .id = js_int(item, "id", 0),
        .guid = guid,
        .event = event ? event : "",
        .action = js_str(item, "action"),
        .delivered_ms = clock_parse(js_str(item, "delivered_at"), 0),
        .ok = str_equal(js_str(item, "status"), "OK"),
        .redelivery = js_bool(item, "redelivery", false),
        .repository_id = js_int(item, "repository_id", 0),
    };

    if (delivery.id <= 0 || !guid)
        return err_set(err, ERR_REMOTE, "GitHub's answer is not a list of deliveries");
    *ret_enough = delivery.delivered_ms != 0 && delivery.delivered_ms < reading->since_ms;
    return *ret_enough ? 0 : reading->each(reading->ctx, &delivery, err);
}

int
github_each_delivery(struct github *github,
                     const struct github_hook *hook,
                     int64_t since_ms,
                     github_delivery_fn *each,
                     void *ctx,
                     struct err *err)
{
    auto_free char *deliveries = deliveries_path(hook);
    auto_free char *path =
        deliveries ? str_printf("%s?per_page=%d", deliveries, GITHUB_PAGE_SIZE) : NULL;
    const struct github_list list = {.repository = hook->repository, .path = path};
    struct reading reading = {.since_ms = since_ms, .each = each, .ctx = ctx};

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (github_walk(github, &list, hand_over, &reading, err))
        return err_wrap(err, "reading GitHub's deliveries");
    return 0;
}

int
github_redeliver(struct github *github,
                 const struct github_hook *hook,
                 int64_t delivery,
                 struct err *err)
{
    auto_free char *deliveries = deliveries_path(hook);
    auto_free char *rest =
        deliveries ? str_printf("%s/%" PRId64 "/attempts", deliveries, delivery) : NULL;
    auto_free char *path = NULL;
    AUTO_DONE(web_answer_done) struct web_answer answer = {0}; /* it says nothing but 202 */
    int result;

    if (!rest)
        return err_set(err, ERR_NOMEM, "out of memory");
    result = hook->repository ? github_repository_path(hook->repository, rest, &path, err)
                              : str_set(&path, rest, err);
    const struct github_call call = {.method = "POST", .url = path, .repository = hook->repository};
    if (result == 0)
        result = github_exchange(github, &call, &answer, err);
    return result ? err_wrap(err, "asking for delivery %" PRId64 " again", delivery) : 0;
}
