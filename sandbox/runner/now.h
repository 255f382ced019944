/* The runner's clock. */
#pragma once

#include <stdint.h>
#include <time.h>

/* Milliseconds since some fixed instant. */
static inline int64_t
runner_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
