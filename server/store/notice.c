/* See notice.h. Origins and threads begin with "PLATFORM:REPOSITORY#". */
#include "server/store/notice.h"

#include "server/base/strbuf.h"
#include "server/store/row.h"

static int
run(struct db *db, const char *sql, const char *const *texts, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    const int code = db_prepare(db, sql, &stmt, err);

    if (code)
        return code;
    for (int i = 0; texts[i]; i++)
        db_bind_text(stmt, i + 1, texts[i]);
    return db_run(stmt, err);
}

int
notice_moved(struct db *db, const char *platform, const char *from, const char *to, struct err *err)
{
    auto_free char *old = str_printf("%s:%s#", platform, from);
    auto_free char *new = str_printf("%s:%s#", platform, to);
    const char *const prefixes[] = {new, old, platform, NULL};
    const char *const of_tasks[] = {new, old, platform, from, NULL};
    const char *const of_origins[] = {new, old, NULL};
    const char *const names[] = {to, from, platform, NULL};

    if (!old || !new)
        return err_set(err, ERR_NOMEM, "out of memory");
    int r = run(db,
                "UPDATE outbox SET thread = $1 || substr(thread, length($2) + 1)"
                " WHERE state = 0 AND platform = $3 AND substr(thread, 1, length($2)) = $2",
                prefixes, err);
    if (!r)
        r = run(db,
                "UPDATE task SET thread = $1 || substr(thread, length($2) + 1)"
                " WHERE platform = $3 AND repository = $4 AND substr(thread, 1, length($2)) = $2",
                of_tasks, err);
    if (!r)
        r = run(db,
                "UPDATE task SET origin = $1 || substr(origin, length($2) + 1)"
                " WHERE platform = $3 AND repository = $4 AND substr(origin, 1, length($2)) = $2"
                " AND NOT EXISTS (SELECT 1 FROM task AS other"
                " WHERE other.origin = $1 || substr(task.origin, length($2) + 1))",
                of_tasks, err);
    if (!r)
        r = run(db,
                "UPDATE withdrawal SET origin = $1 || substr(origin, length($2) + 1)"
                " WHERE substr(origin, 1, length($2)) = $2 AND NOT EXISTS (SELECT 1"
                " FROM withdrawal AS other"
                " WHERE other.origin = $1 || substr(withdrawal.origin, length($2) + 1))",
                of_origins, err);
    return r ? r
             : run(db, "UPDATE task SET repository = $1 WHERE repository = $2 AND platform = $3",
                   names, err); /* last: the others ask for the old one */
}

static int
wake(struct db *db, const char *sql, const char *platform, int64_t now_ms, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    const int code = db_prepare(db, sql, &stmt, err);

    if (code)
        return code;
    db_bind_int(stmt, 1, now_ms);
    db_bind_text(stmt, 2, platform);
    return db_run(stmt, err);
}

int
notice_back(struct db *db, const char *platform, int64_t now_ms, struct err *err)
{
    const int r = wake(db,
                       "UPDATE run SET not_before_ms = $1"
                       " WHERE state = 0 AND waiting_since_ms > 0 AND not_before_ms > $1"
                       " AND task IN (SELECT id FROM task WHERE platform = $2)",
                       platform, now_ms, err);

    return r ? r
             : wake(db,
                    "UPDATE outbox SET next_ms = $1"
                    " WHERE state = 0 AND next_ms > $1 AND platform = $2",
                    platform, now_ms, err);
}
