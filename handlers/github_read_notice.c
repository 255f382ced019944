/* Reading what GitHub says of itself, declared in github_reading.h: repositories that are called
 * otherwise, and whether the App may work at all. */
#include "handlers/github_reading.h"
#include "handlers/platform.h"
#include "server/base/str.h"

/* Its present name stands in the payload as everywhere; of the former only what changed. */
static int
read_move(struct reading *reading, struct err *err)
{
    struct event *event = reading->event;
    const json_t *json = reading->json;
    const char *slash = strchr(event->repository, '/');
    const char *name = js_str(json, "changes.repository.name.from");
    const char *user = js_str(json, "changes.owner.from.user.login");
    const char *owner = user ? user : js_str(json, "changes.owner.from.organization.login");

    if (!name && !owner)
        return reading_ignore(reading, err, "this action on a repository means nothing to draftd");
    event->moved_from =
        owner ? str_printf("%s/%s", owner, name ? name : slash + 1)
              : str_printf("%.*s/%s", (int)(slash - event->repository), event->repository, name);
    if (!event->moved_from)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (!repository_name_is_sane(event->moved_from))
        return err_set(err, ERR_INVALID, "the former name is not OWNER/NAME");
    return reading_set(reading, EVENT_NOTICE, "moved", err);
}

static int
read_access(struct reading *reading, struct err *err)
{
    const char *action = reading->action;

    if (str_equal(action, "suspend"))
        return reading_ignore(reading, err,
                              "the App's installation was suspended: its tasks wait for a day");
    if (str_equal(action, "deleted"))
        return reading_ignore(reading, err, "the App was uninstalled: its tasks wait for a day");
    if (str_equal(action, "removed"))
        return reading_ignore(reading, err,
                              "repositories were taken from the App: their tasks wait for a day");
    return reading_set(reading, EVENT_NOTICE, "access", err);
}

int
reading_notice(struct reading *reading, const char *event_name, struct err *err)
{
    struct event *event = reading->event;

    if (str_equal(event_name, "repository")) {
        const int r = reading_common(reading, 0, "repository.updated_at", err);
        return r ? r : read_move(reading, err);
    }
    event->order_key = str_dup("github:installation");
    if (!event->order_key)
        return err_set(err, ERR_NOMEM, "out of memory");
    const char *sender = js_str(reading->json, "sender.login");
    const int r = str_set(&event->actor, sender ? sender : "GitHub", err);
    return r ? r : read_access(reading, err);
}
