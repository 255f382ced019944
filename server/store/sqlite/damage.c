/* See damage.h. */
#include "server/store/sqlite/damage.h"

#include "server/base/str.h"
#include "server/store/sqlite/sqlite.h"

void
damage_init(struct damage *damage)
{
    pthread_mutex_init(&damage->lock, NULL);
}

void
damage_done(struct damage *damage)
{
    if (damage->sqlite) {
        atomic_store(&damage->stop, true);
        sqlite3_interrupt(damage->sqlite->handle);
        pthread_join(damage->thread, NULL);
        sqlite_close(TAKE(damage->sqlite));
    }
    pthread_mutex_destroy(&damage->lock);
}

/* Under lock: whom to tell now; NULL: nobody. */
static store_damage_fn *
take_listener(struct damage *damage)
{
    return atomic_load(&damage->found) ? TAKE(damage->tell) : NULL;
}

void
damage_note(struct damage *damage, const char *what)
{
    pthread_mutex_lock(&damage->lock);
    if (!atomic_load(&damage->found))
        (void)err_set(&damage->cause, ERR_UNAVAILABLE, "%s", what);
    atomic_store(&damage->found, true);
    store_damage_fn *const tell = take_listener(damage);
    pthread_mutex_unlock(&damage->lock);
    if (tell)
        tell(damage->ctx, &damage->cause);
}

int
damage_refuse(struct damage *damage, struct err *err)
{
    if (!atomic_load(&damage->found))
        return 0;
    pthread_mutex_lock(&damage->lock);
    const int code = err_set(err, ERR_UNAVAILABLE, "%s", damage->cause.msg);
    pthread_mutex_unlock(&damage->lock);
    return code;
}

/* Damage is an error of the statement, which is noted by itself, or its first row. Cut short, it
 * says nothing, or that it was. */
static void *
look(void *argument)
{
    struct damage *damage = argument;
    AUTO(db_release) struct db_stmt *stmt = NULL;
    struct err err = {0};
    bool row = false;

    int code = db_prepare(&damage->sqlite->db, "PRAGMA quick_check(1)", &stmt, &err);
    if (!code && !atomic_load(&damage->stop))
        code = db_step(stmt, &row, &err);
    const char *finding = !code && row ? db_column_text(stmt, 0) : NULL;
    if (!finding || str_equal(finding, "ok") || atomic_load(&damage->stop))
        return NULL;
    (void)err_set(&err, ERR_UNAVAILABLE, DAMAGE_ADVICE " (%s: %s)",
                  sqlite3_db_filename(damage->sqlite->handle, "main"), finding);
    damage_note(damage, err.msg);
    return NULL;
}

int
damage_look(
    struct damage *damage, struct sqlite *sqlite, store_damage_fn *tell, void *ctx, struct err *err)
{
    pthread_mutex_lock(&damage->lock);
    damage->tell = tell;
    damage->ctx = ctx;
    store_damage_fn *const now = take_listener(damage);
    pthread_mutex_unlock(&damage->lock);
    if (now)
        now(ctx, &damage->cause);

    damage->sqlite = sqlite;
    const int failed = pthread_create(&damage->thread, NULL, look, damage);
    if (!failed)
        return 0;
    sqlite_close(TAKE(damage->sqlite));
    return err_set_errno(err, ERR_UNAVAILABLE, failed, "starting to look for damage");
}
