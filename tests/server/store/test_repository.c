/* What repositories are called: the newest that was told counts, and a name is of one alone. */
#include "server/store/repository.h"
#include "tests/server/store/fixture.h"

static struct fixture f;

/* What the repository was called before, "-" where that is not told. Static, until the next. */
static const char *
keep(const char *platform, int64_t id, const char *name, int64_t told_ms)
{
    static char said[64];
    const struct repository_name told = {
        .platform = platform, .id = id, .name = name, .told_ms = told_ms};
    auto_free char *former = NULL;
    struct err err;

    CHECK_OK(repository_keep_name(f.db, &told, &former, &err), err);
    (void)snprintf(said, sizeof(said), "%s", former ? former : "-");
    return said;
}

TEST(another_name_of_a_known_id_is_told_once)
{
    fixture_begin(&f);
    CHECK_STR(keep("github", 7, "acme/old", 1000), "-");
    CHECK_STR(keep("github", 7, "acme/old", 2000), "-");
    CHECK_STR(keep("github", 7, "beta/new", 2000), "acme/old"); /* in the same second */
    CHECK_STR(keep("github", 7, "beta/new", 3000), "-");
    CHECK_STR(keep("github", 7, "acme/old", 4000), "beta/new"); /* and back */
    CHECK_STR(keep("gitlab", 7, "acme/else", 5000), "-");
    fixture_done(&f);
}

TEST(what_is_told_late_changes_nothing)
{
    fixture_begin(&f);
    CHECK_STR(keep("github", 7, "acme/old", 1000), "-");
    CHECK_STR(keep("github", 7, "acme/new", 3000), "acme/old");
    CHECK_STR(keep("github", 7, "acme/old", 2000), "-");
    CHECK_STR(keep("github", 7, "acme/old", 0), "-");
    CHECK_STR(keep("github", 7, "acme/newer", 4000), "acme/new");
    fixture_done(&f);
}

TEST(a_name_is_of_the_id_that_had_it_last)
{
    fixture_begin(&f);
    CHECK_STR(keep("github", 7, "acme/api", 1000), "-");
    CHECK_STR(keep("github", 8, "acme/api", 2000), "-"); /* deleted, and made anew */
    CHECK_STR(keep("github", 7, "acme/api", 1500), "-"); /* late */
    CHECK_STR(keep("github", 8, "acme/other", 3000), "acme/api");
    CHECK_STR(keep("github", 7, "acme/third", 4000), "-"); /* was forgotten with its name */
    fixture_done(&f);
}

TEST_MAIN()
