/* "Did you mean ...?": near names are offered, far ones are not. */
#include "server/config/suggest.h"
#include "tests/harness/test.h"

static const char *
suggest(const char *wanted)
{
    static const char *const names[] = {"workers", "webhook_secret_file", "port", "store",
                                        "state_dir"};
    struct suggestion suggestion = {.wanted = wanted};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        suggestion_offer(&suggestion, names[i]);
    return suggestion.best;
}

TEST(distance_counts_insertions_deletions_and_replacements)
{
    CHECK_INT(suggest_distance("", ""), 0);
    CHECK_INT(suggest_distance("port", "port"), 0);
    CHECK_INT(suggest_distance("", "port"), 4);
    CHECK_INT(suggest_distance("port", ""), 4);
    CHECK_INT(suggest_distance("kitten", "sitting"), 3);
    CHECK_INT(suggest_distance("prt", "port"), 1);
    CHECK_INT(suggest_distance("flaw", "lawn"), 2);
}

TEST(long_names_are_far_and_cost_nothing)
{
    static const char longest[] = "1234567890123456789012345678901";
    static const char too_long[] = "12345678901234567890123456789012";

    CHECK_INT(suggest_distance(longest, longest), 0);
    CHECK_INT(suggest_distance(too_long, too_long), SUGGEST_FAR);
    CHECK_INT(suggest_distance("a", too_long), SUGGEST_FAR);
}

TEST(near_names_are_suggested)
{
    CHECK_STR(suggest("worker"), "workers");
    CHECK_STR(suggest("wrokers"), "workers");
    CHECK_STR(suggest("prot"), "port");
    CHECK_STR(suggest("statedir"), "state_dir");
    CHECK_STR(suggest("webhook_secret"), "webhook_secret_file"); /* begins with it */
    CHECK_STR(suggest("secret_file"), "webhook_secret_file");    /* ends with it */
}

TEST(far_names_are_not)
{
    CHECK(!suggest("slack"));
    CHECK(!suggest("x"));
    CHECK(!suggest(""));
    CHECK(!suggest("database_connection_url"));
}

TEST(the_nearest_wins_whatever_the_order)
{
    struct suggestion suggestion = {.wanted = "stores"};

    suggestion_offer(&suggestion, "stones");
    suggestion_offer(&suggestion, "store");
    suggestion_offer(&suggestion, "scores");
    CHECK_STR(suggestion.best, "stones"); /* as near as the others, and first */
    suggestion_offer(&suggestion, "stores");
    CHECK_STR(suggestion.best, "stores");
}

TEST_MAIN()
