/* A set of names that forgets. */
#include "tests/harness/test.h"

#include "handlers/watch/known.h"

TEST(names_are_known_until_their_time_is_over)
{
    AUTO_DONE(known_done) struct known known = {0};
    static const char *const names[] = {"m", "c", "x", "a", "d"};
    struct err err;

    CHECK(!known_has(&known, "a"));
    for (int64_t i = 0; i < 5; i++)
        CHECK_OK(known_add(&known, names[i], i, &err), err);
    CHECK_OK(known_add(&known, "c", 9, &err), err); /* for longer */
    CHECK_OK(known_add(&known, "d", 1, &err), err); /* no shorter */
    CHECK_INT(known.count, 5);
    CHECK_INT(known_times(&known, "c"), 2);
    CHECK_INT(known_times(&known, "a"), 1);
    CHECK_INT(known_times(&known, "b"), 0);
    for (size_t i = 0; i < 5; i++)
        CHECK(known_has(&known, names[i]));
    CHECK(!known_has(&known, "b") && !known_has(&known, "") && !known_has(&known, "z"));

    known_forget(&known, 3);
    CHECK(!known_has(&known, "m") && !known_has(&known, "x"));
    CHECK(known_has(&known, "a") && known_has(&known, "c") && known_has(&known, "d"));
    known_forget(&known, 100);
    CHECK_INT(known.count, 0);
}

TEST_MAIN()
