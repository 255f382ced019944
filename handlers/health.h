/* GET /healthz (the process lives), /readyz (the store can commit) and /metrics. */
#pragma once

#include "server/http/http.h"

#include <stddef.h>

struct app;

#define HEALTH_ROUTE_COUNT 3

/* Write the routes.  Borrows: app. */
void health_routes(struct app *app, struct http_route routes[HEALTH_ROUTE_COUNT]);
