/* GET /healthz (the process lives), /readyz (the store takes writes) and /metrics. */
#pragma once

#include "server/base/err.h"
#include "server/http/http.h"

#include <stddef.h>

struct app;
struct health;

#define HEALTH_ROUTE_COUNT 3

/* Owns: *ret_health is the caller's, health_free(); like the routes it must stay until the store is
 * closed, which may answer late.   Borrows: app. */
MUST_CHECK int health_new(struct app *app, struct health **ret_health, struct err *err);
void health_free(struct health *health);

/* Write the routes.  Borrows: health. */
void health_routes(struct health *health, struct http_route routes[HEALTH_ROUTE_COUNT]);
