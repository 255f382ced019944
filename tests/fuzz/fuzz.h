/* One fuzz target: a file of its own, linked with libFuzzer to look for new inputs (-Dfuzz=true),
 * or with replay.c to try the known ones again as an ordinary test. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* A property that must hold for every input. */
#define ALWAYS(condition)                                                                          \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
