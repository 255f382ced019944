/* See janitor.h. */
#include "handlers/janitor.h"

#include "handlers/app.h"
#include "handlers/settings/settings.h"
#include "handlers/thread/live.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/strbuf.h"
#include "server/limits.h"

#include <stdlib.h>
#include <string.h>

struct janitor {
    struct app *app;
    bool host_due;   /* to be tried in the next turn */
    bool host_known; /* it was tried, and what it is like was logged */
};

int
janitor_new(struct app *app, bool host_tried, struct janitor **ret_janitor, struct err *err)
{
    struct janitor *janitor = calloc(1, sizeof(*janitor));

    if (!janitor)
        return err_set(err, ERR_NOMEM, "out of memory");
    janitor->app = app;
    janitor->host_known = host_tried;
    *ret_janitor = janitor;
    return 0;
}

void
janitor_free(struct janitor *janitor)
{
    free(janitor);
}

static bool
is_live(void *ctx, int64_t run)
{
    return live_has(ctx, run);
}

static void
remove_orphans(const struct app *app)
{
    struct err error = {0};
    size_t removed = 0;
    const int r = sandbox_remove_orphans(&app->sandbox, is_live, app->live, &removed, &error);

    if (r && r != ERR_CANCELED)
        log_error("orphans_not_removed", kv_str("error", error.msg));
    else if (removed > 0)
        log_warning("orphans_removed", kv_int("containers", (int64_t)removed));
}

/* One warning per line of what the sandbox host cannot do. */
static void
log_report(const struct strbuf *report)
{
    const char *line = strbuf_str(report);

    while (*line) {
        const size_t len = strcspn(line, "\n");
        auto_free char *copy = strndup(line, len);
        log_warning("sandbox_limit", kv_str("what", copy));
        line += len + (line[len] == '\n');
    }
}

int
janitor_try_host(const struct app *app, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf report = STRBUF_INIT(LIMIT_REASON_BYTES * 8);
    const int r = sandbox_probe(&app->sandbox, app->settings->sandbox.image, &report, err);

    log_report(&report);
    return r;
}

/* Runs wait for an engine that is away, and so does this; what is wrong with the image or the host
 * is said once. */
static void
get_to_know_host(struct janitor *janitor)
{
    const struct app *app = janitor->app;
    struct err error = {0};
    const int r = janitor_try_host(app, &error);

    if (stop_raised(app->stop))
        return;
    janitor->host_known = r != ERR_UNAVAILABLE;
    if (r)
        log_warning("sandbox_not_ready", kv_str("engine", app->sandbox.engine),
                    kv_str("image", app->settings->sandbox.image), kv_str("reason", error.msg));
    else
        log_info("sandbox_ready", kv_str("engine", app->sandbox.engine));
}

int64_t
janitor_turn(void *ctx)
{
    struct janitor *janitor = ctx;

    if (janitor->host_due) {
        janitor->host_due = false;
        get_to_know_host(janitor);
        return MS_PER_MINUTE;
    }
    remove_orphans(janitor->app);
    janitor->host_due = !janitor->host_known;
    return janitor->host_due ? 0 : MS_PER_MINUTE;
}
