/* What a run notes and how it is concluded, whatever bytes go into the words. */
#include "tests/harness/test.h"

#include "handlers/run/work.h"
#include "server/base/redact.h"
#include "server/limits.h"

#define TOKEN                                                                                      \
    "ghp_"                                                                                         \
    "a1B2c3D4e5a1B2c3D4e5a1B2c3D4e5a1B2c3D4e5"

TEST(flags_are_text_whatever_is_in_them)
{
    AUTO_DONE(work_done) struct work work = {0};
    auto_free char *json = NULL;
    struct err err = {0};
    static char large[2 * LIMIT_TEXT_BYTES];

    CHECK_OK(work_flag(&work, &err, "missing: %s", "warning: 'n\377\376/'\nerror: caf\303"), err);
    CHECK_OK(work_flag(&work, &err, "%s", "token " TOKEN), err);
    CHECK_OK(work_flag(&work, &err, "%s", ""), err);
    memset(large, 'x', sizeof(large) - 1);
    CHECK_INT(work_flag(&work, &err, "%s", large), 0);
    CHECK(strlen(work.flags[3]) <= LIMIT_REASON_BYTES);
    work.flags[3][10] = 0;
    CHECK_OK(work_flags_json(&work, &json, &err), err);
    CHECK_STR(json, "[\"missing: warning: 'n\xef\xbf\xbd\xef\xbf\xbd/' error: caf\xef\xbf\xbd\","
                    "\"token [redacted]\",\"\",\"xxxxxxxxxx\"]");
}

TEST(reasons_are_text_whatever_is_in_them)
{
    AUTO_DONE(work_done) struct work work = {0};
    struct err err = {0};

    CHECK_OK(work_conclude(&work, &err, OUTCOME_FAILED, "n\377 %s\n" TOKEN, "x"), err);
    CHECK_OK(work_conclude(&work, &err, OUTCOME_HELD, "later"), err);
    CHECK_STR(work.ending.reason, "n\xef\xbf\xbd x [redacted]");
    CHECK_INT(work.ending.outcome, OUTCOME_FAILED);
}

TEST_MAIN()
