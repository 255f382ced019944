/* Which route a request belongs to. */
#pragma once

#include "server/http/http.h"

#define ROUTER_ALLOW_BYTES 64

/* The route of exactly this path and method; HEAD is served by the one of GET. NULL: none, and
 * `ret_allow` lists the methods of the path for the Allow header, empty when the path is unknown.
 * Borrowed. */
const struct http_route *router_find(const struct http_route *routes,
                                     size_t count,
                                     const char *method,
                                     const char *path,
                                     char ret_allow[ROUTER_ALLOW_BYTES]);
