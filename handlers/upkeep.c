/* See upkeep.h. */
#include "handlers/upkeep.h"

#include "handlers/app.h"
#include "handlers/settings/settings.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/limits.h"
#include "server/store/store.h"

#define BUDGET_MS 2 /* of one batch: the writer is ours so long */
#define PAUSE_MS 50 /* between two batches: then it is others' */
#define BASELINES_DAYS 30

/* Longer than any platform can deliver again: GitHub 3 days, its Enterprise Server 7. */
#define IDS_DAYS 90

struct upkeep_work {
    struct retention retention;
    struct retention_result result;
};

static int
remove_old(struct db *db, void *ctx, struct err *err)
{
    struct upkeep_work *work = ctx;
    return retention_remove(db, &work->retention, &work->result, err);
}

static struct retention
retention_now(const struct keep_settings *keep)
{
    const int64_t now_ms = clock_now_ms();

    return (struct retention){
        .before_ms = {[RETENTION_PAYLOADS] = now_ms - keep->payloads_days * MS_PER_DAY,
                      [RETENTION_IDS] = now_ms - IDS_DAYS * MS_PER_DAY,
                      [RETENTION_OUTPUTS] = now_ms - keep->logs_days * MS_PER_DAY,
                      [RETENTION_MESSAGES] = now_ms - keep->payloads_days * MS_PER_DAY,
                      [RETENTION_BASELINES] = now_ms - BASELINES_DAYS * MS_PER_DAY,
                      [RETENTION_WITHDRAWALS] = now_ms - IDS_DAYS * MS_PER_DAY},
        .budget_ms = BUDGET_MS,
    };
}

/* Once for all that was old, not for each batch. */
static void
log_removed(struct upkeep *upkeep)
{
    const int64_t *removed = upkeep->removed;
    int64_t all = 0;

    for (int kind = 0; kind < RETENTION_KINDS; kind++)
        all += removed[kind];
    if (all > 0)
        log_info("old_removed", kv_int("payloads", removed[RETENTION_PAYLOADS]),
                 kv_int("delivery_ids", removed[RETENTION_IDS]),
                 kv_int("step_outputs", removed[RETENTION_OUTPUTS]),
                 kv_int("messages", removed[RETENTION_MESSAGES]),
                 kv_int("baselines", removed[RETENTION_BASELINES]),
                 kv_int("withdrawals", removed[RETENTION_WITHDRAWALS]));
    for (int kind = 0; kind < RETENTION_KINDS; kind++)
        upkeep->removed[kind] = 0;
}

int
upkeep_turn(struct upkeep *upkeep, const struct app *app, int64_t *ret_pause_ms, struct err *err)
{
    const int64_t now_ms = clock_mono_ms();
    struct upkeep_work work = {.retention = retention_now(&app->settings->keep)};

    if (now_ms < upkeep->due_mono_ms) {
        *ret_pause_ms = upkeep->due_mono_ms - now_ms;
        return 0;
    }
    const int r = store_transact(app->store, remove_old, &work, err);
    *ret_pause_ms = r ? MS_PER_MINUTE : work.result.more ? PAUSE_MS : MS_PER_HOUR;
    upkeep->due_mono_ms = clock_mono_ms() + *ret_pause_ms;
    for (int kind = 0; kind < RETENTION_KINDS; kind++)
        upkeep->removed[kind] += work.result.removed[kind];
    if (!r && !work.result.more)
        log_removed(upkeep);
    return r;
}

void
upkeep_put_off(struct upkeep *upkeep, int64_t jumped_mono_ms)
{
    if (jumped_mono_ms + MS_PER_HOUR > upkeep->due_mono_ms)
        upkeep->due_mono_ms = jumped_mono_ms + MS_PER_HOUR;
}
