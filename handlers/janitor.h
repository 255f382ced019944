/* The janitor: orphaned containers are removed. Apart from the timer, for an engine that hangs
 * makes it wait. */
#pragma once

#include <stdint.h>

/* A turn of its service. `ctx` is the struct app. */
int64_t janitor_turn(void *ctx);
