/* Any bytes as the body of a local request: a task's origin in its place, or a refusal. */
#include "handlers/intake/event.h"
#include "handlers/platform.h"
#include "server/base/str.h"
#include "server/limits.h"
#include "server/store/delivery.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct delivery delivery = {.delivery_id = (char *)(uintptr_t) "msg_1"};
    AUTO(event_free) struct event *event = NULL;
    const int r = platform_find("local")->read(NULL, &delivery, bytes_of(data, size), &event, NULL);

    ALWAYS(r == 0 || r == ERR_INVALID);
    ALWAYS((r == 0) == (event != NULL));
    if (!event)
        return 0;
    ALWAYS(event->kind == EVENT_START && event->actor);
    ALWAYS(repository_name_is_sane(event->repository));
    ALWAYS(*event->title && strlen(event->title) <= LIMIT_TITLE_BYTES);
    auto_free char *origin = str_printf("local:%s#msg_1", event->repository);
    ALWAYS(str_equal(event->origin, origin));
    return 0;
}
