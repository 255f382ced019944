/* For tests of runs: one in the hands of a worker. */
#pragma once

#include "tests/server/store/fixture.h"

static inline struct run *
claim(struct db *db, const char *owner, int64_t now_ms)
{
    struct run *run = NULL;
    struct err err;

    const struct run_claim claim = {
        .owner = owner, .now_ms = now_ms, .lease_until_ms = now_ms + 60000};
    const int code = run_claim(db, &claim, &run, &err);
    CHECK(code == 0 || code == ERR_NOTFOUND);
    return run;
}

static inline struct run_lease
lease_of(const struct run *run)
{
    return (struct run_lease){.run = run->id, .number = run->lease_number};
}
