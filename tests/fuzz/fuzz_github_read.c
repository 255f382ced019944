/* Any bytes as the body of a GitHub delivery, after one line with the event's name: an event that
 * is whole, or a refusal. */
#include "handlers/github.h"
#include "handlers/intake/event.h"
#include "handlers/platform.h"
#include "handlers/settings/settings.h"
#include "server/base/str.h"
#include "tests/fuzz/fuzz.h"

static const struct settings settings = {
    .bot = {.name = (char *)(uintptr_t) "draftd", .label = (char *)(uintptr_t) "draftd"},
    .github = {.present = true, .app_id = 4711, .login = (char *)(uintptr_t) "draftd-bot"},
};

static void
check_name(const char *repository)
{
    ALWAYS(!repository || repository_name_is_sane(repository));
}

/* It names a task in one way at least. */
static void
check_task(const struct event *event)
{
    ALWAYS(event->repository);
    ALWAYS(event->origin || event->draft > 0 || event->head_branch);
    ALWAYS(!event->origin || (str_starts_with(event->origin, "github:") && event->number > 0 &&
                              str_equal(event->order_key, event->origin)));
}

static void
check_remark(const struct remark *remark)
{
    ALWAYS(remark && remark->ref && remark->text);
    ALWAYS(remark->kind != REMARK_LINE || (remark->target && remark->batch));
}

static void
check_asks(const struct event *event)
{
    ALWAYS(event->trigger && !event->reason && event->actor);
    ALWAYS(event->order_key && str_starts_with(event->order_key, "github:"));
    check_name(event->repository);
    check_name(event->moved_from);
    if (event->kind != EVENT_NOTICE)
        check_task(event);
    if (event->kind == EVENT_REMARK)
        check_remark(event->remark);
    if (event->kind == EVENT_START)
        ALWAYS(event->draft > 0 || (event->origin && event->title));
    if (event->kind == EVENT_ASK)
        ALWAYS(event->number > 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, '\n', size);
    const size_t len = end ? (size_t)(end - data) : size;
    auto_free char *name = strndup((const char *)data, len);
    const size_t start = end ? len + 1 : size;
    AUTO(event_free) struct event *event = NULL;

    const int r =
        github_read_event(&settings, name, bytes_of(data + start, size - start), &event, NULL);
    ALWAYS(r == 0 || r == ERR_INVALID);
    ALWAYS((r == 0) == (event != NULL));
    if (event && event->kind == EVENT_IGNORED)
        ALWAYS(event->reason);
    else if (event)
        check_asks(event);
    return 0;
}
