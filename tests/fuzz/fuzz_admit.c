/* Any three lines as the heads of both platforms' webhooks: what is admitted is an id that can be
 * shown, with signatures to compare. */
#include "handlers/platform.h"
#include "server/base/clock.h"
#include "server/base/str.h"
#include "server/http/http.h"
#include "tests/fuzz/fuzz.h"

#define LINES 3
#define NOW_MS (INT64_C(1614265330) * MS_PER_SECOND)

/* The server's own, were there one: this program has none. */
struct http_request {
    char *lines[LINES];
    const char *const *names;
};

const char *
http_request_header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < LINES; i++)
        if (str_equal_nocase(request->names[i], name))
            return request->lines[i];
    return NULL;
}

static void
admit(struct http_request *request, const char *platform, const char *const *names)
{
    struct admission admission;

    request->names = names;
    const int r = platform_find(platform)->admit(request, NOW_MS, &admission, NULL);
    ALWAYS(r == 0 || r == ERR_AUTH || r == ERR_INVALID);
    if (r)
        return;
    ALWAYS(admission.mac_count > 0 && admission.mac_count <= ADMISSION_MACS);
    ALWAYS(admission.delivery_id[0] && admission.event[0]);
    for (const char *p = admission.delivery_id; *p; p++)
        ALWAYS(*p > ' ' && *p <= '~');
    ALWAYS(strlen(admission.prefix) < sizeof(admission.prefix));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const hub[LINES] = {"X-GitHub-Delivery", "X-GitHub-Event",
                                           "X-Hub-Signature-256"};
    static const char *const local[LINES] = {"webhook-id", "webhook-timestamp",
                                             "webhook-signature"};
    auto_free char *text = strndup((const char *)data, size);
    struct http_request request = {0};
    char *rest = text;

    for (size_t i = 0; i < LINES && rest; i++)
        request.lines[i] = strsep(&rest, "\n");
    admit(&request, "github", hub);
    admit(&request, "local", local);
    return 0;
}
