/* See rival.h. */
#include "handlers/run/rival.h"

#include "handlers/app.h"
#include "handlers/platform.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/str.h"
#include "server/store/store.h"

#include <stdlib.h>

#define WAIT_MS (10 * MS_PER_MINUTE) /* for an answer, before the run goes on without */

struct asking {
    struct work *work;
    const char *rival;
    bool told;
};

static int
load_told(struct db *db, void *ctx, struct err *err)
{
    struct asking *asking = ctx;
    return run_told_of_rival(db, asking->work->task->id, &asking->told, err);
}

/* Is the run for work that has no other way to be done? */
static int
is_wanted_anyway(struct work *work, bool *ret_wanted, struct err *err)
{
    struct asking asking = {.work = work};
    const struct run *run = work->run;
    const bool first_asked = str_equal(run->trigger_kind, "label") ||
                             str_equal(run->trigger_kind, "assignment") ||
                             str_equal(run->trigger_kind, "mention");
    int r = 0;

    if (first_asked && run->instruction && *run->instruction)
        r = store_read(work->app->store, load_told, &asking, err);
    *ret_wanted = !first_asked || work->task->draft_state == DRAFT_OPEN || asking.told;
    return r;
}

static int
store_rival(struct db *db, void *ctx, struct err *err)
{
    const struct asking *asking = ctx;
    return run_set_rival(db, asking->work->lease, asking->rival, err);
}

static int
conclude(struct work *work, const char *url, const char *author, struct err *err)
{
    struct asking asking = {.work = work, .rival = url};
    const int r = store_transact(work->app->store, store_rival, &asking, err);

    return r ? r
             : work_conclude(work, err, OUTCOME_UNCHANGED,
                             "%s has a pull request open for this already: %s",
                             author ? author : "somebody", url);
}

/* Waiting is for what passes, and not for as long as for what the run cannot do without. */
static int
go_on_without(const struct work *work, const struct err *cause, struct err *err)
{
    const int64_t since_ms = work->run->waiting_since_ms;
    const bool waited = since_ms && clock_now_ms() - since_ms >= WAIT_MS;
    const bool passes = err_retryable(cause->code) || cause->code == ERR_LIMIT;

    if (cause->code == ERR_CANCELED || cause->code == ERR_NOMEM || (passes && !waited)) {
        *err = *cause;
        return err->code;
    }
    log_info("rivals_not_known", kv_int("task", work->task->id), kv_str("reason", cause->msg));
    return 0;
}

int
rival_check(struct work *work, struct err *err)
{
    const struct platform *platform = work->session->platform;
    auto_free char *url = NULL;
    auto_free char *author = NULL;
    struct err cause = {0};
    bool wanted = false;

    if (!platform->find_rival)
        return 0;
    int r = is_wanted_anyway(work, &wanted, err);
    if (r || wanted)
        return r;
    r = platform->find_rival(work->session, work->task, &url, &author, &cause);
    if (r == ERR_NOTFOUND)
        return 0;
    return r ? go_on_without(work, &cause, err) : conclude(work, url, author, err);
}
