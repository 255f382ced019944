/* See notice.h. */
#include "handlers/intake/notice.h"

#include "handlers/app.h"
#include "handlers/intake/event.h"
#include "handlers/platform.h"
#include "server/store/notice.h"
#include "server/store/repository.h"

int
notice_name(struct db *db, const char *platform, const struct event *event, struct err *err)
{
    const struct repository_name told = {.platform = platform,
                                         .id = event->repository_id,
                                         .name = event->repository,
                                         .told_ms = event->happened_ms};
    auto_free char *former = NULL;

    if (told.id <= 0 || !told.name)
        return 0;
    const int r = repository_keep_name(db, &told, &former, err);
    return r || !former ? r : notice_moved(db, platform, former, told.name, err);
}

int
notice_take(struct db *db,
            struct app *app,
            const char *platform,
            const struct event *event,
            int64_t now_ms,
            struct err *err)
{
    const struct platform *row = platform_find(platform);

    if (event->moved_from)
        return notice_moved(db, platform, event->moved_from, event->repository, err);
    if (row && row->forget_absence)
        row->forget_absence(app);
    return notice_back(db, platform, now_ms, err);
}
