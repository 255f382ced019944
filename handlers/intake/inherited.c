/* See inherited.h. */
#include "handlers/intake/inherited.h"

#include "server/base/log.h"
#include "server/store/delivery.h"
#include "server/store/store.h"

#define MOST_BEGUN 5

static int
find_last(struct db *db, void *ctx, struct err *err)
{
    struct inherited *inherited = ctx;
    return delivery_last(db, &inherited->last, err);
}

struct note_work {
    int64_t delivery;
    int64_t begun;
};

static int
note(struct db *db, void *ctx, struct err *err)
{
    const struct note_work *work = ctx;
    return delivery_set_begun(db, work->delivery, work->begun, err);
}

int
inherited_begin(struct inherited *inherited,
                struct store *store,
                const struct delivery *delivery,
                const char **ret_why,
                struct err *err)
{
    struct note_work work = {.delivery = delivery->id, .begun = delivery->begun + 1};
    int r = inherited->known ? 0 : store_read(store, find_last, inherited, err);

    if (r)
        return r;
    inherited->known = true;
    *ret_why = NULL;
    if (delivery->id > inherited->last)
        return 0;
    if (delivery->begun < MOST_BEGUN)
        return store_transact(store, note, &work, err);
    *ret_why = "draftd ended without a word each time that it handled this; its log, or the "
               "host's, may tell why";
    return 0;
}

void
inherited_give_back(const struct inherited *inherited,
                    struct store *store,
                    const struct delivery *delivery)
{
    struct note_work work = {.delivery = delivery->id, .begun = delivery->begun};
    struct err error;

    if (delivery->id <= inherited->last && store_transact(store, note, &work, &error))
        log_warning("delivery_not_given_back", kv_int("id", delivery->id),
                    kv_str("error", error.msg));
}
