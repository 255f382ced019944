/* See moved.h. */
#include "handlers/moved.h"

#include "handlers/app.h"
#include "handlers/platform.h"
#include "server/base/log.h"
#include "server/base/str.h"
#include "server/store/notice.h"
#include "server/store/store.h"

struct move_work {
    const char *platform;
    const char *from;
    const char *to;
};

static int
store_move(struct db *db, void *ctx, struct err *err)
{
    const struct move_work *work = ctx;
    return notice_moved(db, work->platform, work->from, work->to, err);
}

int
moved_follow(struct session *session, const char *repository, char **ret_name, struct err *err)
{
    const struct platform *platform = session->platform;
    const char *to = platform->moved_to ? platform->moved_to(session, repository) : NULL;
    struct move_work work = {.platform = platform->name, .from = repository, .to = to};
    auto_free char *name = NULL;

    if (!to || str_equal(to, repository) || !repository_name_is_sane(to))
        return 0;
    int r = str_set(&name, to, err);
    if (!r)
        r = store_transact(session->app->store, store_move, &work, err);
    if (r)
        return r;
    log_info("repository_moved", kv_str("platform", platform->name), kv_str("from", repository),
             kv_str("to", name));
    *ret_name = TAKE(name);
    return 0;
}
