/* See router.h. */
#include "server/http/router.h"

#include <stdio.h>
#include <string.h>

#include "server/base/str.h"

static void
add_method(char allow[ROUTER_ALLOW_BYTES], const char *method)
{
    const size_t len = strlen(allow);

    (void)snprintf(allow + len, ROUTER_ALLOW_BYTES - len, "%s%s%s", len > 0 ? ", " : "", method,
                   str_equal(method, "GET") ? ", HEAD" : "");
}

const struct http_route *
router_find(const struct http_route *routes,
            size_t count,
            const char *method,
            const char *path,
            char ret_allow[ROUTER_ALLOW_BYTES])
{
    const char *wanted = str_equal(method, "HEAD") ? "GET" : method;

    ret_allow[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        if (!str_equal(routes[i].path, path))
            continue;
        if (str_equal(routes[i].method, wanted))
            return &routes[i];
        add_method(ret_allow, routes[i].method);
    }
    return NULL;
}
