/* See janitor.h. */
#include "handlers/janitor.h"

#include "handlers/app.h"
#include "handlers/thread/live.h"
#include "server/base/clock.h"
#include "server/base/log.h"

static bool
is_live(void *ctx, int64_t run)
{
    return live_has(ctx, run);
}

int64_t
janitor_turn(void *ctx)
{
    struct app *app = ctx;
    struct err error = {0};
    size_t removed = 0;
    const int r = sandbox_remove_orphans(&app->sandbox, is_live, app->live, &removed, &error);

    if (r && r != ERR_CANCELED)
        log_error("orphans_not_removed", kv_str("error", error.msg));
    else if (removed > 0)
        log_warning("orphans_removed", kv_int("containers", (int64_t)removed));
    return MS_PER_MINUTE;
}
