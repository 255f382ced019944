/* What a commit descends from, on a history that git made. */
#include "integrations/git/repo_history.h"
#include "tests/integrations/git/repo_fixture.h"

static struct err err;
static git_repository *git;

/* 3000 commits in a row, one merged branch, and one that was not merged. */
static void
begin(void)
{
    if (git)
        return;
    fixture_begin();
    RUN("git init -q -b main work; cd work; "
        "{ for i in $(seq 3000); do printf 'commit refs/heads/main\\ncommitter A <a@b> %%s +0000\\n"
        "data 1\\nx\\n' $((1700000000 + i)); done; } | git fast-import --quiet; "
        "tree=$(git rev-parse main^{tree}); "
        "git rev-parse main~2999 >../first; git rev-parse main~10 >../older; "
        "git commit-tree -p main~50 -m side $tree >../side; "
        "git commit-tree -p main -p $(cat ../side) -m merge $tree >../tip; "
        "git commit-tree -p $(cat ../tip) -m later $tree >../later; "
        "git commit-tree -m stranger $tree >../stranger");
    if (git_repository_open(&git, fixture_path(0, "work")))
        TEST_FAIL("cannot open the repository");
}

static bool
has(struct repo_history *history, const char *name)
{
    const git_oid id = id_of(fixture_text(name));
    bool found = false;

    CHECK_OK(repo_history_has(history, &id, NULL, &found, &err), err);
    return found;
}

TEST(a_history_has_its_own_commits_only)
{
    AUTO(repo_history_free) struct repo_history *history = NULL;
    const git_oid zero = {0};
    bool found = true;

    begin();
    const git_oid tip = id_of(fixture_text("tip"));
    CHECK_OK(repo_history_new(git, &tip, &history, &err), err);
    for (int i = 0; i < 2; i++) { /* when it is read, and out of memory */
        CHECK(has(history, "tip"));
        CHECK(has(history, "side"));
        CHECK(has(history, "older"));
        CHECK(has(history, "first"));
        CHECK(!has(history, "later"));
        CHECK(!has(history, "stranger"));
    }
    CHECK_OK(repo_history_has(history, &zero, NULL, &found, &err), err);
    CHECK(!found);
}

TEST(an_old_commit_may_come_first)
{
    AUTO(repo_history_free) struct repo_history *history = NULL;

    begin();
    const git_oid tip = id_of(fixture_text("tip"));
    CHECK_OK(repo_history_new(git, &tip, &history, &err), err);
    CHECK(!has(history, "stranger"));
    CHECK(has(history, "older"));
    CHECK(has(history, "tip"));
}

TEST(reading_on_ends_when_it_is_asked_to)
{
    AUTO(repo_history_free) struct repo_history *history = NULL;
    const struct repo_watch over = {.deadline_ms = 1};
    bool found;

    begin();
    const git_oid tip = id_of(fixture_text("tip"));
    const git_oid first = id_of(fixture_text("first"));
    CHECK_OK(repo_history_new(git, &tip, &history, &err), err);
    CHECK_INT(repo_history_has(history, &first, &over, &found, &err), ERR_TIMEOUT);
    CHECK(has(history, "first"));
}

TEST(a_tip_that_is_not_there_is_an_error)
{
    AUTO(repo_history_free) struct repo_history *history = NULL;

    begin();
    const git_oid nowhere = id_of("00000000000000000000000000000000000000aa");
    CHECK(repo_history_new(git, &nowhere, &history, &err) < 0);
    CHECK_CONTAINS(err.msg, "reading the history of 0000");
}

TEST_MAIN()
