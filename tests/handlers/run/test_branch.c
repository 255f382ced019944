/* Where a run starts, what its branch is called, whose its commits are: on real repositories. */
#include "tests/integrations/git/repo_fixture.h"

#include "handlers/platform.h"
#include "handlers/run/branch.h"
#include "tests/handlers/world.h"

#define BRANCH "SELECT branch || ' ' || base_branch FROM task"

struct bench {
    struct world world;
    struct sessions sessions;
    struct work work;
};

/* A repository with one commit, served as demo/calc. */
static void
make_repository(struct world *w)
{
    fixture_begin();
    RUN("rm -rf seed && git init -q -b main seed && cd seed && echo 1 >sum && git add sum &&"
        " git commit -qm first && git clone -q --bare . %s",
        w->repository.path);
}

static int
load_work(struct db *db, void *ctx, struct err *err)
{
    struct work *work = ctx;
    const int r = task_get(db, 1, &work->task, err);
    return r ? r : run_get(db, 1, &work->run, err);
}

static int
claim(struct db *db, void *ctx, struct err *err)
{
    AUTO(run_free) struct run *run = NULL;

    (void)ctx;
    const struct run_claim claim = {
        .owner = "ab12", .now_ms = clock_now_ms(), .lease_until_ms = INT64_MAX};
    return run_claim(db, &claim, &run, err);
}

/* A run's work, as a worker has it, on the task that the store has. */
static void
begin_work(struct bench *b)
{
    struct work *work = &b->work;
    struct err err;

    work_done(work);
    work->app = &b->world.app;
    CHECK_OK(store_read(b->world.app.store, load_work, work, &err), err);
    work->lease = (struct run_lease){.run = 1, .number = work->run->lease_number};
    CHECK_OK(sessions_get(&b->sessions, platform_find("local"), &work->session, &err), err);
    CHECK_OK(work_open_mirror(work, &err), err);
}

static void
bench_open(struct bench *b)
{
    struct err err;

    *b = (struct bench){0};
    world_open(&b->world, NULL, 0);
    b->sessions = (struct sessions){.app = &b->world.app};
    world_make_task(&b->world, "local", "local:demo/calc#msg_1");
    CHECK_OK(store_transact(b->world.app.store, claim, NULL, &err), err);
}

static void
bench_close(struct bench *b)
{
    work_done(&b->work);
    sessions_done(&b->sessions);
    world_close(&b->world);
}

#define CHECK_GIT(b, revision, commit)                                                             \
    do {                                                                                           \
        RUN("git -C %s rev-parse %s >id", (b)->world.repository.path, revision);                   \
        CHECK_STR(fixture_text("id"), commit);                                                     \
    } while (0)

TEST(the_first_run_starts_at_the_default_branch_and_names_its_own)
{
    struct bench b;
    struct err err;

    bench_open(&b);
    make_repository(&b.world);
    begin_work(&b);
    CHECK_OK(branch_fetch(&b.work, &err), err);
    CHECK(work_goes_on(&b.work));
    CHECK_STR(b.work.task->branch, "draftd/42-sum-is-wrong");
    CHECK_STR(b.work.task->base_branch, "main");
    CHECK_STORED(&b.world, BRANCH, "draftd/42-sum-is-wrong main");
    CHECK_GIT(&b, "main", b.work.base);
    CHECK_STR(b.work.trunk, b.work.base);
    CHECK_STR(b.work.origin, b.work.base);
    bench_close(&b);
}

#define SETTINGS(text)                                                                             \
    "cd seed && git checkout -q main && echo '" text "' >.draftd.yml && git add . && "             \
    "git commit -qm settings && git push -q %s main && "

TEST(the_settings_may_name_another_branch_to_start_from)
{
    struct bench b;
    struct err err;

    bench_open(&b);
    make_repository(&b.world);
    RUN(SETTINGS("branch: develop") "git checkout -q -b develop HEAD~ && echo 2 >sum &&"
                                    " echo \"branch: elsewhere\" >.draftd.yml && git add . &&"
                                    " git commit -qm second && git push -q %s develop",
        b.world.repository.path, b.world.repository.path);
    begin_work(&b);
    CHECK_OK(branch_fetch(&b.work, &err), err);
    CHECK(work_goes_on(&b.work));
    CHECK_STORED(&b.world, BRANCH, "draftd/42-sum-is-wrong develop");
    CHECK_GIT(&b, "main", b.work.settings_commit);
    CHECK_GIT(&b, "develop", b.work.base);
    CHECK_GIT(&b, "develop", b.work.trunk);
    CHECK_GIT(&b, "develop", b.work.origin);
    bench_close(&b);
}

TEST(a_branch_of_the_settings_that_is_not_there_ends_the_run)
{
    struct bench b;
    struct err err;

    bench_open(&b);
    make_repository(&b.world);
    RUN(SETTINGS("branch: gone") "true", b.world.repository.path);
    begin_work(&b);
    CHECK_OK(branch_fetch(&b.work, &err), err);
    CHECK_INT(b.work.ending.outcome, OUTCOME_FAILED);
    CHECK_STR(b.work.ending.reason,
              ".draftd.yml names the branch \"gone\", which is not there; no agent was run");
    CHECK_STORED(&b.world, "SELECT branch FROM task", "(null)");
    bench_close(&b);
}

TEST(a_branch_that_somebody_has_is_not_ours)
{
    struct bench b;
    struct err err;

    bench_open(&b);
    make_repository(&b.world);
    RUN("cd %s && git branch draftd/42-sum-is-wrong && git branch draftd/42-sum-is-wrong-2",
        b.world.repository.path);
    begin_work(&b);
    CHECK_OK(branch_fetch(&b.work, &err), err);
    CHECK_STORED(&b.world, BRANCH, "draftd/42-sum-is-wrong-3 main");
    bench_close(&b);
}

TEST(so_many_names_are_tried_and_no_more)
{
    struct bench b;
    struct err err;

    bench_open(&b);
    make_repository(&b.world);
    RUN("cd %s && git branch draftd/42-sum-is-wrong && for i in $(seq 2 50); do"
        " git branch draftd/42-sum-is-wrong-$i; done",
        b.world.repository.path);
    begin_work(&b);
    CHECK_INT(branch_fetch(&b.work, &err), ERR_CONFLICT);
    CHECK_CONTAINS(err.msg, "50 branches named as this task's would be; remove old ones");
    CHECK_STORED(&b.world, "SELECT branch FROM task", "(null)");
    bench_close(&b);
}

struct naming {
    const char *title;
    int number;
    const char *branch;
};

TEST(names_are_made_of_number_and_title)
{
    static const struct naming cases[] = {
        {"", 42, "draftd/42-task"},
        {"..//~^:?*[\\ @{", 42, "draftd/42-task"},
        {"Fix: the \"Thing\" (now!)", 42, "draftd/42-fix-the-thing-now"},
        {"No issue", 0, "draftd/1-no-issue"},
        {"a.lock", 7, "draftd/7-a-lock"},
        {"--force --delete main", 7, "draftd/7-force-delete-main"},
    };
    struct bench b;
    struct err err;

    bench_open(&b);
    make_repository(&b.world);
    for (size_t i = 0; i < COUNT(cases); i++) {
        auto_free char *sql = str_printf("UPDATE task SET number = %d, branch = NULL, title = '%s'",
                                         cases[i].number, cases[i].title);
        world_exec(&b.world, sql);
        begin_work(&b);
        CHECK_OK(branch_fetch(&b.work, &err), err);
        CHECK_STR(b.work.task->branch, cases[i].branch);
        RUN("git check-ref-format 'refs/heads/%s'", b.work.task->branch);
    }
    bench_close(&b);
}

/* An earlier run pushed it, people went on there, and the base branch went on as well. */
static void
make_branch(struct bench *b)
{
    make_repository(&b->world);
    RUN("rm -rf other && git clone -q %s other && cd other && git checkout -qb draftd/42-mine &&"
        " echo 2 >sum && git commit -qam ours && git push -q origin draftd/42-mine &&"
        " git checkout -q main && echo 3 >new && git add new && git commit -qm theirs &&"
        " git push -q origin main",
        b->world.repository.path);
    world_exec(&b->world, "UPDATE task SET branch = 'draftd/42-mine'");
}

TEST(a_later_run_goes_on_at_its_own_branch)
{
    struct bench b;
    struct err err;

    bench_open(&b);
    make_branch(&b);
    world_exec(&b.world, "UPDATE task SET draft_number = 7");
    begin_work(&b);
    CHECK_OK(branch_fetch(&b.work, &err), err);
    CHECK_STORED(&b.world, BRANCH, "draftd/42-mine main");
    CHECK_GIT(&b, "draftd/42-mine", b.work.base);
    CHECK_GIT(&b, "main", b.work.trunk);
    CHECK_GIT(&b, "main~1", b.work.origin);
    bench_close(&b);
}

TEST(a_branch_with_what_a_run_made_is_ours_although_no_draft_was_opened)
{
    struct bench b;
    struct err err;

    bench_open(&b);
    make_branch(&b);
    RUN("git -C %s rev-parse draftd/42-mine >id", b.world.repository.path);
    auto_free char *sql = str_printf("UPDATE run SET head_commit = '%.40s'", fixture_text("id"));
    world_exec(&b.world, sql);
    begin_work(&b);
    CHECK_OK(branch_fetch(&b.work, &err), err);
    CHECK_STORED(&b.world, BRANCH, "draftd/42-mine main");
    CHECK_GIT(&b, "draftd/42-mine", b.work.base);
    bench_close(&b);
}

/* No run got as far as to push it. */
TEST(a_branch_that_somebody_made_under_our_name_is_left_alone)
{
    struct bench b;
    struct err err;
    bool ours = true;

    bench_open(&b);
    make_branch(&b);
    begin_work(&b);
    CHECK_OK(branch_fetch(&b.work, &err), err);
    CHECK(!str_equal(b.work.task->branch, "draftd/42-mine"));
    CHECK_GIT(&b, "main", b.work.base);
    CHECK_GIT(&b, "main", b.work.trunk);
    CHECK_OK(branch_is_ours(&b.work, "1234567890123456789012345678901234567890", &ours, &err), err);
    CHECK(!ours);
    world_exec(&b.world, "UPDATE run SET head_commit = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'");
    ours = true;
    CHECK_OK(branch_is_ours(&b.work, b.work.base, &ours, &err), err);
    CHECK(!ours);
    bench_close(&b);
}

TEST(a_branch_that_was_deleted_begins_again_under_its_name)
{
    struct bench b;
    struct err err;

    bench_open(&b);
    make_repository(&b.world);
    world_exec(&b.world, "UPDATE task SET branch = 'draftd/42-gone'");
    begin_work(&b);
    CHECK_OK(branch_fetch(&b.work, &err), err);
    CHECK_STORED(&b.world, BRANCH, "draftd/42-gone main");
    CHECK_GIT(&b, "main", b.work.base);
    bench_close(&b);
}

/* Nothing that waiting would mend: the run is over, and says why. */
static void
check_concluded(struct bench *b, const char *reason)
{
    struct err err;

    begin_work(b);
    CHECK_OK(branch_fetch(&b->work, &err), err);
    CHECK_INT(b->work.ending.outcome, OUTCOME_FAILED);
    CHECK_CONTAINS(b->work.ending.reason, reason);
    CHECK_STORED(&b->world, "SELECT branch FROM task", "(null)");
}

TEST(a_repository_that_is_not_there_ends_the_run)
{
    struct bench b;

    bench_open(&b);
    fixture_begin();
    check_concluded(&b, b.world.repository.path);
    bench_close(&b);
}

TEST(an_empty_repository_ends_the_run)
{
    struct bench b;

    bench_open(&b);
    fixture_begin();
    RUN("git init -q --bare %s", b.world.repository.path);
    check_concluded(&b, "empty");
    bench_close(&b);
}

TEST(a_repository_that_is_not_configured_any_more_ends_the_run)
{
    struct bench b;

    bench_open(&b);
    make_repository(&b.world);
    b.world.settings.local.repository_count = 0;
    check_concluded(&b, "the configuration has no local repository demo/calc");
    bench_close(&b);
}

/* ---- whose commits, and what they say ---- */

TEST(commits_are_by_the_bot_and_say_who_asked)
{
    const struct settings settings = {.bot = {.name = borrowed("helper")}};
    struct task task = {.title = borrowed("Sum is\nwrong"),
                        .requested_by = borrowed("octo\x1b[31mcat\n"),
                        .url = borrowed("https://github.example/acme/api/issues/42")};
    auto_free char *identity = NULL;
    auto_free char *first = NULL;
    auto_free char *second = NULL;
    struct err err;

    CHECK_OK(branch_identity(&settings, &identity, &err), err);
    CHECK_STR(identity, "helper <helper@localhost>");
    CHECK_OK(branch_commit_message(&task, 1, &first, &err), err);
    CHECK(str_starts_with(first, "Sum is wrong\n\nRequested by octo"));
    CHECK(!strchr(first, '\x1b'));
    CHECK(str_ends_with(first, "\nhttps://github.example/acme/api/issues/42\n"));
    task.url = NULL;
    task.requested_by = borrowed("ann");
    CHECK_OK(branch_commit_message(&task, 2, &second, &err), err);
    CHECK_STR(second, "Sum is wrong (round 2)\n\nRequested by ann\n");
}

TEST(a_long_title_is_cut_in_the_subject)
{
    auto_free char *title = str_printf("%0300d", 7);
    const struct task task = {.title = title, .requested_by = borrowed("ann")};
    auto_free char *message = NULL;
    struct err err;

    CHECK_OK(branch_commit_message(&task, 1, &message, &err), err);
    CHECK(strcspn(message, "\n") <= 72);
    CHECK(strcspn(message, "\n") >= 60);
}

/* ---- credentials ---- */

static int sources;
static int forgotten;
static int calls;
static int refused_with = ERR_AUTH;

static int
find_source(struct session *session,
            const char *repository,
            struct source *ret_source,
            struct err *err)
{
    (void)session;
    *ret_source = (struct source){.url = str_printf("https://%s/%d", repository, ++sources)};
    return ret_source->url ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

static bool
forget_source(struct session *session, const char *repository, int refusal)
{
    (void)session;
    (void)repository;
    CHECK_INT(refusal, refused_with);
    forgotten++;
    return true;
}

static bool
forget_nothing(struct session *session, const char *repository, int refusal)
{
    (void)session;
    (void)repository;
    (void)refusal;
    return false;
}

/* Refused as often as `ctx` says. */
static int
be_refused(struct work *work, const struct repo_remote *remote, void *ctx, struct err *err)
{
    int *refusals = ctx;

    (void)work;
    calls++;
    if (*refusals <= 0)
        return str_ends_with(remote->url, "/2") || sources == 1 ? 0
                                                                : err_set(err, ERR_INTERNAL, "?");
    --*refusals;
    return err_set(err, refused_with, "refused");
}

static int
call_refused(const struct platform *platform, int refusals)
{
    struct session session = {.platform = platform};
    struct task task = {.repository = borrowed("acme/api")};
    struct work work = {.session = &session, .task = &task};
    struct err err;

    sources = forgotten = calls = 0;
    return branch_with_remote(&work, be_refused, &refusals, &err);
}

TEST(refused_credentials_are_renewed_once)
{
    static const struct platform renews = {.source = find_source, .forget_source = forget_source};
    static const struct platform keeps = {.source = find_source};

    CHECK_INT(call_refused(&renews, 0), 0);
    CHECK_INT(calls, 1);
    CHECK_INT(forgotten, 0);
    CHECK_INT(call_refused(&renews, 1), 0);
    CHECK_INT(calls, 2);
    CHECK_INT(sources, 2);
    CHECK_INT(forgotten, 1);
    CHECK_INT(call_refused(&renews, 9), ERR_AUTH);
    CHECK_INT(calls, 2);
    CHECK_INT(call_refused(&keeps, 1), ERR_AUTH);
    CHECK_INT(calls, 1);
}

TEST(what_is_not_seen_is_looked_for_with_another_credential_once)
{
    static const struct platform renews = {.source = find_source, .forget_source = forget_source};
    static const struct platform cannot = {.source = find_source, .forget_source = forget_nothing};

    refused_with = ERR_NOTFOUND;
    CHECK_INT(call_refused(&renews, 1), 0);
    CHECK_INT(call_refused(&renews, 9), ERR_NOTFOUND);
    CHECK_INT(calls, 2);
    CHECK_INT(call_refused(&cannot, 1), ERR_NOTFOUND);
    CHECK_INT(calls, 1);
    refused_with = ERR_REMOTE;
    CHECK_INT(call_refused(&renews, 1), ERR_REMOTE);
    CHECK_INT(calls, 1);
}

TEST_MAIN()
