/* See permissions.h. A fixed table addressed by hash: a collision only forgets the older entry. */
#include "handlers/intake/permissions.h"

#include "handlers/platform.h"
#include "server/base/bytes.h"
#include "server/base/clock.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"

#include <pthread.h>
#include <stdlib.h>

#define SLOTS 1024
#define ALLOWED_FOR_MS (5 * MS_PER_MINUTE)
#define REFUSED_FOR_MS (30 * MS_PER_SECOND)

struct slot {
    char *key; /* "github acme/api octocat"; NULL: empty */
    bool allowed;
    int64_t until_ms;
};

struct permissions {
    pthread_mutex_t lock;
    struct slot slots[SLOTS]; /* under lock */
};

int
permissions_new(struct permissions **ret_permissions, struct err *err)
{
    struct permissions *permissions = calloc(1, sizeof(*permissions));

    if (!permissions)
        return err_set(err, ERR_NOMEM, "out of memory");
    (void)pthread_mutex_init(&permissions->lock, NULL);
    *ret_permissions = permissions;
    return 0;
}

void
permissions_free(struct permissions *permissions)
{
    if (!permissions)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        free(permissions->slots[i].key);
    (void)pthread_mutex_destroy(&permissions->lock);
    free(permissions);
}

static struct slot *
slot_of(struct permissions *permissions, const char *key)
{
    return &permissions->slots[bytes_hash(bytes_of_str(key)) % SLOTS];
}

static bool
recall(struct permissions *permissions, const char *key, int64_t now_ms, bool *ret_allowed)
{
    (void)pthread_mutex_lock(&permissions->lock);
    const struct slot *slot = slot_of(permissions, key);
    const bool known = str_equal(slot->key, key) && now_ms < slot->until_ms;
    if (known)
        *ret_allowed = slot->allowed;
    (void)pthread_mutex_unlock(&permissions->lock);
    return known;
}

int
permissions_ask(struct permissions *permissions,
                struct session *session,
                const char *repository,
                const char *actor,
                int64_t now_ms,
                bool *ret_yes,
                struct err *err)
{
    auto_free char *key = str_printf("%s %s %s", session->platform->name, repository, actor);
    bool allowed;

    if (!key)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (recall(permissions, key, now_ms, ret_yes))
        return 0;
    const int r = session->platform->may(session, repository, actor, &allowed, err);
    if (r)
        return r;

    (void)pthread_mutex_lock(&permissions->lock);
    struct slot *slot = slot_of(permissions, key);
    free(slot->key);
    slot->key = TAKE(key);
    slot->allowed = allowed;
    slot->until_ms = now_ms + (allowed ? ALLOWED_FOR_MS : REFUSED_FOR_MS);
    (void)pthread_mutex_unlock(&permissions->lock);
    *ret_yes = allowed;
    return 0;
}
