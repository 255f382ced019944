/* The environment: an empty variable is none. */
#include "server/base/env.h"
#include "tests/harness/test.h"

TEST(empty_is_not_set)
{
    CHECK(setenv("DRAFTD_TEST", "x", 1) == 0);
    CHECK_STR(env_get("DRAFTD_TEST"), "x");
    CHECK(setenv("DRAFTD_TEST", "", 1) == 0);
    CHECK(!env_get("DRAFTD_TEST"));
    CHECK(unsetenv("DRAFTD_TEST") == 0);
    CHECK(!env_get("DRAFTD_TEST"));
}

TEST_MAIN()
