/* What a worker does about a run that cannot go on: waits, gives back, gives up, ends; without any
 * container, for the engine is away or says nothing. */
#include "tests/integrations/git/repo_fixture.h"

#include <signal.h>

#include "handlers/worker.h"
#include "server/limits.h"
#include "tests/handlers/world.h"

#define RUN_NOW "SELECT state || ' ' || outcome || ' ' || attempts FROM run"
#define HELD                                                                                       \
    "SELECT state || ' ' || lease_owner || ' ' || lease_number || ' ' || attempts FROM run"        \
    " WHERE id = 1"
#define NOT_BEFORE "SELECT not_before_ms FROM run"
#define LAST_STATUS "SELECT body FROM outbox WHERE kind = 0 ORDER BY id DESC LIMIT 1"
#define QUEUED_UNSPENT "0 0 0"
#define FAILED_AFTER_ONE_TRY "2 4 1"

static struct agent_profile agent = {.timeout_minutes = 1};

/* A world with an agent, a repository that holds `settings_file` (NULL: none), and no engine. */
static void
open_bench(struct world *w, const char *settings_file)
{
    world_open(w, NULL, 0);
    fixture_begin();
    log_set_level(LOG_ERROR);
    agent.name = borrowed("script");
    agent.command = borrowed("true");
    w->settings.agents = (struct agents_settings){
        .default_profile = borrowed("script"), .profiles = &agent, .profile_count = 1};
    w->settings.github.git_url = borrowed("https://127.0.0.1:9");
    w->settings.sandbox.image = borrowed("draftd-work");
    w->settings.sandbox.timeout_minutes = 1;
    w->settings.runs = (struct run_settings){.rounds = 3, .max_rounds = 10};
    w->app.sandbox = (struct sandbox_host){.engine = "unix:///nonexistent/engine.sock",
                                           .runner_path = "/nonexistent/runner",
                                           .doors_dir = w->dir,
                                           .instance = "ab12",
                                           .memory_mib = 64,
                                           .cpus = 1,
                                           .processes = 64,
                                           .disk_mib = 64,
                                           .tmp_mib = 64};
    RUN("rm -rf seed && git init -q -b main seed && cd seed && echo 1 >sum && git add sum &&"
        " git commit -qm first");
    if (settings_file)
        RUN("cd seed && printf '%s' >.draftd.yml && git add .draftd.yml && git commit -qm settings",
            settings_file);
    RUN("git clone -q --bare seed %s", w->repository.path);
}

static int64_t
turn(struct world *w)
{
    struct worker *worker = NULL;
    struct err err;

    CHECK_OK(worker_new(&w->app, &worker, &err), err);
    const int64_t pause_ms = worker_turn(worker);
    worker_free(worker);
    return pause_ms;
}

static void
local_task(struct world *w)
{
    world_make_task(w, "local", "local:demo/calc#msg_1");
}

static void
hub_task(struct world *w)
{
    world_make_task(w, "github", "github:acme/api#42");
}

TEST(nothing_to_do_is_looked_for_again_soon)
{
    struct world w;

    open_bench(&w, NULL);
    CHECK_INT(turn(&w), POLL_MS);
    world_close(&w);
}

/* ---- something is away ---- */

TEST(while_the_engine_is_away_the_run_waits)
{
    struct world w;

    open_bench(&w, NULL);
    local_task(&w);
    const int64_t before_ms = clock_now_ms();
    CHECK_INT(turn(&w), 0);
    CHECK_STORED(&w, RUN_NOW, QUEUED_UNSPENT);
    CHECK_INT(world_int(&w, "SELECT state FROM task"), TASK_QUEUED);
    CHECK(world_int(&w, "SELECT waiting_since_ms FROM run") >= before_ms);
    CHECK(world_int(&w, NOT_BEFORE) >= before_ms + 5 * MS_PER_SECOND);
    CHECK_STORED(&w, "SELECT branch FROM task", "draftd/42-sum-is-wrong");
    CHECK_INT(turn(&w), POLL_MS); /* not due */
    size_t live;
    auto_free int64_t *runs = NULL;
    struct err err;
    CHECK_OK(live_list(w.app.live, &runs, &live, &err), err);
    CHECK_INT(live, 0);
    world_close(&w);
}

/* As on a full disk: the log does not say that it waits for seconds when it waits for its lease. */
TEST(a_run_that_cannot_be_given_back_waits_for_its_lease)
{
    struct world w;
    char said[2000] = "";

    open_bench(&w, NULL);
    local_task(&w);
    world_exec(&w, "CREATE TRIGGER full BEFORE UPDATE OF waiting_since_ms ON run BEGIN"
                   " SELECT RAISE(FAIL, 'database or disk is full'); END");
    FILE *log = tmpfile();
    CHECK(log);
    log_set_level(LOG_WARNING);
    log_set_fd(fileno(log));
    CHECK_INT(turn(&w), 0);
    log_set_fd(STDERR_FILENO);
    rewind(log);
    const size_t got = fread(said, 1, sizeof(said) - 1, log);
    CHECK(got > 0);
    CHECK_CONTAINS(
        said,
        "event=run_not_ended task=1 run=1 again_within_ms=60000 reason=\"no container engine ");
    CHECK_CONTAINS(said, "database or disk is full");
    CHECK(!strstr(said, "run_waits"));
    (void)fclose(log);
    world_close(&w);
}

TEST(the_longer_it_waits_the_less_often_it_tries)
{
    static const struct {
        int64_t waited_ms;
        int64_t pause_ms;
    } cases[] = {{10 * MS_PER_SECOND, 5 * MS_PER_SECOND},
                 {2 * MS_PER_MINUTE, 30 * MS_PER_SECOND},
                 {4 * MS_PER_HOUR, 5 * MS_PER_MINUTE},
                 {23 * MS_PER_HOUR, 5 * MS_PER_MINUTE}};
    struct world w;

    open_bench(&w, NULL);
    local_task(&w);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const int64_t now_ms = clock_now_ms();
        auto_free char *sql =
            str_printf("UPDATE run SET not_before_ms = 0, waiting_since_ms = %lld",
                       (long long)(now_ms - cases[i].waited_ms));
        world_exec(&w, sql);
        CHECK_INT(turn(&w), 0);
        const int64_t pause_ms = world_int(&w, NOT_BEFORE) - now_ms;
        if (pause_ms < cases[i].pause_ms || pause_ms > cases[i].pause_ms + 20 * MS_PER_SECOND)
            TEST_FAIL("after %lld ms it pauses %lld ms", (long long)cases[i].waited_ms,
                      (long long)pause_ms);
        CHECK_INT(world_int(&w, "SELECT waiting_since_ms FROM run"), now_ms - cases[i].waited_ms);
    }
    world_close(&w);
}

TEST(the_thread_is_told_of_what_lasts)
{
    struct world w;

    open_bench(&w, NULL);
    hub_task(&w);
    CHECK_INT(turn(&w), 0); /* nobody listens at git's address */
    CHECK_STORED(&w, RUN_NOW, QUEUED_UNSPENT);
    CHECK_INT(world_int(&w, "SELECT count(*) FROM outbox WHERE body LIKE '%Waiting%'"), 0);
    world_exec(&w, "UPDATE run SET not_before_ms = 0,"
                   " waiting_since_ms = waiting_since_ms - 5 * 60000");
    CHECK_INT(turn(&w), 0);
    CHECK_STORED_CONTAINS(&w, LAST_STATUS, "**Waiting** for ");
    CHECK_INT(world_int(&w, "SELECT count(*) FROM outbox"), 1);
    world_close(&w);
}

/* Trying again is no news: the status is not edited to and fro. */
TEST(what_lasts_is_told_once)
{
    struct world w;

    open_bench(&w, NULL);
    hub_task(&w);
    world_exec(
        &w, "UPDATE run SET trigger_kind = 'retry'"); /* nothing but the repository is asked for */
    CHECK_INT(turn(&w), 0);
    for (int i = 0; i < 3; i++) {
        world_exec(&w, "UPDATE run SET not_before_ms = 0,"
                       " waiting_since_ms = waiting_since_ms - 5 * 60000");
        CHECK_INT(turn(&w), 0);
        CHECK_STORED_CONTAINS(&w, LAST_STATUS, "**Waiting** for ");
        CHECK_INT(world_int(&w, "SELECT count(*) FROM outbox"), 1);
        world_exec(&w, "UPDATE outbox SET state = 1"); /* sent */
    }
    world_close(&w);
}

TEST(after_a_day_it_is_given_up_with_a_last_word)
{
    struct world w;

    open_bench(&w, NULL);
    hub_task(&w);
    CHECK_INT(turn(&w), 0);
    world_exec(&w, "UPDATE run SET not_before_ms = 0,"
                   " waiting_since_ms = waiting_since_ms - 86400001");
    CHECK_INT(turn(&w), 0);
    CHECK_STORED(&w, RUN_NOW, FAILED_AFTER_ONE_TRY);
    CHECK_STORED_CONTAINS(&w, "SELECT reason FROM task", "gave up after a day: ");
    CHECK_STORED_CONTAINS(&w, "SELECT reason FROM run", "gave up after a day: ");
    CHECK_INT(world_int(&w, "SELECT state FROM task"), TASK_FAILED);
    CHECK_STORED_CONTAINS(&w, LAST_STATUS, "gave up after a day");
    world_close(&w);
}

/* What was noted while the clock was set: nothing waits since before it was asked for. */
TEST(a_clock_that_is_set_makes_no_day_of_waiting)
{
    struct world w;

    open_bench(&w, NULL);
    hub_task(&w);
    CHECK_INT(turn(&w), 0);
    world_exec(&w, "UPDATE run SET not_before_ms = 0, created_ms = waiting_since_ms,"
                   " waiting_since_ms = waiting_since_ms - 86400001");
    CHECK_INT(turn(&w), 0);
    CHECK_INT(world_int(&w, "SELECT state FROM run"), RUN_QUEUED);
    world_close(&w);
}

/* ---- nothing that waiting would mend ---- */

static void
check_fails(struct world *w, const char *reason)
{
    CHECK_INT(turn(w), 0);
    CHECK_STORED(w, RUN_NOW, FAILED_AFTER_ONE_TRY);
    CHECK_INT(world_int(w, "SELECT state FROM task"), TASK_FAILED);
    CHECK_STORED_CONTAINS(w, "SELECT reason FROM task", reason);
    CHECK_STORED_CONTAINS(w, "SELECT reason FROM run", reason);
    CHECK_INT(turn(w), POLL_MS);
}

TEST(an_unknown_platform_ends_the_run)
{
    struct world w;

    open_bench(&w, NULL);
    local_task(&w);
    world_exec(&w, "UPDATE task SET platform = 'teletype'");
    check_fails(&w, "this program knows no platform teletype");
    world_close(&w);
}

TEST(a_missing_repository_ends_the_run)
{
    struct world w;

    open_bench(&w, NULL);
    local_task(&w);
    RUN("rm -rf %s", w.repository.path);
    check_fails(&w, w.repository.path);
    world_close(&w);
}

TEST(faults_in_the_repositorys_settings_end_the_run_before_any_agent)
{
    struct world w;

    open_bench(&w, "cheks: []\\n");
    local_task(&w);
    check_fails(&w, ".draftd.yml has faults; no agent was run");
    CHECK(world_int(&w, "SELECT detail LIKE '.draftd.yml:%' FROM run"));
    CHECK_INT(world_int(&w, "SELECT count(*) FROM step"), 0);
    world_close(&w);
}

TEST(an_agent_that_is_not_configured_ends_the_run)
{
    struct world w;

    open_bench(&w, "agent: other\\n");
    local_task(&w);
    check_fails(&w, "the agent profile \"other\" is not in the operator's configuration");
    world_close(&w);
}

TEST(without_any_agent_the_run_ends)
{
    struct world w;

    open_bench(&w, NULL);
    local_task(&w);
    w.settings.agents = (struct agents_settings){0};
    check_fails(&w, "no agent is configured: add one under agents.profiles");
    world_close(&w);
}

/* ---- tries that ended with the process ---- */

TEST(a_run_that_ends_the_process_is_not_repeated_forever)
{
    struct world w;

    open_bench(&w, NULL);
    hub_task(&w);
    world_exec(&w, "UPDATE run SET attempts = 4, stage = 3");
    CHECK_INT(turn(&w), 0); /* the fifth try waits for git */
    CHECK_STORED(&w, RUN_NOW, "0 0 4");
    world_exec(&w, "UPDATE run SET attempts = 5, not_before_ms = 0");
    CHECK_INT(turn(&w), 0);
    CHECK_STORED(&w, RUN_NOW, "2 4 6");
    CHECK_INT(world_int(&w, "SELECT state FROM task"), TASK_FAILED);
    CHECK_STORED_CONTAINS(&w, "SELECT reason FROM run",
                          "gave up after 5 tries: the last one ended ");
    CHECK_STORED_CONTAINS(&w, LAST_STATUS, "**Failed**: gave up after 5 tries");
    CHECK_INT(turn(&w), POLL_MS);
    world_close(&w);
}

TEST(a_run_that_ends_the_process_and_was_cancelled_is_cancelled)
{
    struct world w;

    open_bench(&w, NULL);
    local_task(&w);
    world_exec(&w, "UPDATE run SET attempts = 5, cancel_requested = 'ann'");
    CHECK_INT(turn(&w), 0);
    CHECK_STORED(&w, RUN_NOW, "2 5 6");
    CHECK_STORED(&w, "SELECT state || ' ' || reason FROM task", "6 cancelled by ann");
    world_close(&w);
}

/* ---- people push meanwhile ---- */

#define BRANCH "draftd/42-sum-is-wrong"
#define REACHED                                                                                    \
    "SELECT state || ' ' || stage || ' ' || round || ' ' || attempts || ' ' || verdict ||"         \
    " coalesce(base_commit, '') || coalesce(head_commit, '') || coalesce(summary, '') FROM run"

/* A run after `attempts` tries that has proven its commit and is to push it onto its draft's
 * branch; then somebody does in a clone of that what `theirs` says, which knows HEAD. */
static void
open_overtaken(struct world *w, int64_t attempts, const char *theirs)
{
    open_bench(w, NULL);
    local_task(w);
    CHECK_INT(turn(w), 0); /* fetches, and finds no engine */
    RUN("rm -rf made && git clone -q %s made && cd made && git rev-parse HEAD >../base &&"
        " git push -q origin HEAD:refs/heads/" BRANCH " && git commit -q --allow-empty -m Ours &&"
        " git rev-parse HEAD >../head && git push -q %s/local/demo/calc.git HEAD:refs/draftd/1/1",
        w->repository.path, w->dir);
    RUN("HEAD=$(cat head); cd made && git fetch -q && git checkout -q -b theirs"
        " origin/" BRANCH " && %s && git push -qf origin HEAD:refs/heads/" BRANCH " &&"
        " git rev-parse HEAD >../theirs",
        theirs);
    auto_free char *base = str_dup(fixture_text("base"));
    auto_free char *sql = str_printf(
        "UPDATE run SET stage = 7, round = 2, verdict = 1, not_before_ms = 0, waiting_since_ms = 0,"
        " summary = 'Done.', attempts = %lld, base_commit = '%s', head_commit = '%s';"
        "UPDATE task SET draft_number = 1, draft_state = 1;"
        "INSERT INTO check_result (run, name, command, verdict) VALUES (1, 'old', 'make', 1);"
        "INSERT INTO remark (task, run, round, kind, ref, actor, line, text, answer, draft,"
        " happened_ms, created_ms) VALUES (1, 1, 2, 0, 'r', 'ann', 0, 'Red!', 'Done.', 1, 1, 1)",
        (long long)attempts, base, fixture_text("head"));
    world_exec(w, sql);
}

static void
check_theirs_stands(const struct world *w)
{
    RUN("test $(git -C %s rev-parse " BRANCH ") = $(cat theirs)", w->repository.path);
}

static void
check_begins_anew(const char *theirs)
{
    struct world w;

    open_overtaken(&w, 1, theirs);
    CHECK_INT(turn(&w), 0);
    CHECK_STORED(&w, REACHED, "0 0 0 2 0");
    CHECK_INT(world_int(&w, "SELECT state FROM task"), TASK_QUEUED);
    CHECK_STORED_CONTAINS(&w, "SELECT detail FROM run",
                          "The branch was pushed to meanwhile: begun anew from there, try 3 of at "
                          "most 3");
    CHECK_INT(world_int(&w, "SELECT count(*) FROM check_result"), 0);
    CHECK_STORED(&w, "SELECT run || ' ' || round || ' ' || coalesce(answer, '') FROM remark",
                 "1 1 ");
    check_theirs_stands(&w);

    CHECK_INT(turn(&w), 0); /* at once, and now the engine is away */
    CHECK_STORED(&w, RUN_NOW, "0 0 2");
    CHECK_STORED(&w, "SELECT base_commit FROM run", fixture_text("theirs"));
    check_theirs_stands(&w);
    world_close(&w);
}

TEST(what_people_pushed_meanwhile_is_where_the_run_begins_anew)
{
    check_begins_anew("git commit -q --allow-empty -m Theirs");
    check_begins_anew("git checkout -q --orphan other && git commit -q -m Forced");
}

TEST(what_is_overtaken_with_every_try_fails)
{
    struct world w;

    open_overtaken(&w, 2, "git commit -q --allow-empty -m Theirs");
    CHECK_INT(turn(&w), 0);
    CHECK_STORED(&w, RUN_NOW, "2 4 3");
    CHECK_STORED_CONTAINS(&w, "SELECT reason FROM task", "the branch could not be pushed: ");
    CHECK_STORED_CONTAINS(&w, "SELECT reason FROM task", "was moved meanwhile by someone else");
    check_theirs_stands(&w);
    world_close(&w);
}

/* As after a process that ended right behind the push. */
TEST(what_an_earlier_try_pushed_is_not_made_again)
{
    struct world w;

    open_overtaken(&w, 1, "git reset -q --hard $HEAD && git commit -q --allow-empty -m Theirs");
    CHECK_INT(turn(&w), 0);
    CHECK_STORED(&w, RUN_NOW, "2 1 2");
    CHECK_STORED(&w, "SELECT head_commit FROM run", fixture_text("head"));
    check_theirs_stands(&w);
    world_close(&w);
}

TEST(a_branch_that_was_deleted_meanwhile_is_made_anew)
{
    struct world w;

    open_overtaken(&w, 1, "true");
    RUN("git -C %s branch -q -D " BRANCH, w.repository.path);
    CHECK_INT(turn(&w), 0);
    CHECK_STORED(&w, RUN_NOW, "2 1 2");
    RUN("test $(git -C %s rev-parse " BRANCH ") = $(cat head)", w.repository.path);
    world_close(&w);
}

/* ---- being stopped ---- */

TEST(a_process_that_ends_gives_the_run_back_at_once)
{
    struct world w;

    open_bench(&w, NULL);
    local_task(&w);
    live_stop_all(w.app.live);
    CHECK_INT(turn(&w), 0);
    CHECK_STORED(&w, RUN_NOW, QUEUED_UNSPENT);
    CHECK_INT(world_int(&w, "SELECT waiting_since_ms FROM run"), 0);
    CHECK(world_int(&w, NOT_BEFORE) <= clock_now_ms());
    CHECK_STORED(&w, "SELECT lease_owner FROM run", "(null)");
    world_close(&w);
}

TEST(a_run_that_was_given_back_waits_until_its_worker_let_go)
{
    struct world w;
    const struct stop *stop;
    struct err err;

    open_bench(&w, NULL);
    local_task(&w);
    CHECK_OK(live_add(w.app.live, 1, &stop, &err), err);
    CHECK_INT(turn(&w), POLL_MS);
    CHECK_STORED(&w, RUN_NOW, QUEUED_UNSPENT);
    CHECK(!stop_raised(stop));
    live_remove(w.app.live, 1);
    CHECK_INT(turn(&w), 0);
    world_close(&w);
}

TEST(a_run_in_hands_is_not_taken_over_when_its_lease_passed)
{
    struct world w;
    const struct stop *stop;
    struct err err;

    open_bench(&w, NULL);
    local_task(&w);
    CHECK_OK(live_add(w.app.live, 1, &stop, &err), err);
    world_exec(&w, "UPDATE task SET state = 1");
    world_exec(&w, "UPDATE run SET state = 1, lease_owner = 'ab12', lease_number = 1,"
                   " lease_until_ms = 7, attempts = 1"); /* as after a suspend */
    CHECK_INT(turn(&w), POLL_MS);
    CHECK_STORED(&w, HELD, "1 ab12 1 1");

    world_make_task(&w, "local", "local:demo/calc#msg_2"); /* which is not held up by it */
    CHECK_INT(turn(&w), 0);
    CHECK_STORED(&w, HELD, "1 ab12 1 1");
    CHECK_INT(world_int(&w, "SELECT lease_number FROM run WHERE id = 2"), 1);
    CHECK(!stop_raised(stop));
    live_remove(w.app.live, 1);
    world_close(&w);
}

/* Somebody acts while the worker waits for an engine that says nothing. */
struct bystander {
    struct world *world;
    const char *sql;
    enum live_reason reason;
};

static void *
act_when_live(void *ctx)
{
    const struct bystander *bystander = ctx;
    struct world *w = bystander->world;
    int64_t stage = 0;

    for (int i = 0; i < 3000 && !(live_has(w->app.live, 1) && stage >= STAGE_SETUP); i++) {
        struct world_query query = {.sql = "SELECT stage + (branch IS NOT NULL) FROM run, task"};
        if (!store_read(w->app.store, world_query_in, &query, NULL))
            stage = query.number;
        free(query.text);
        clock_sleep_ms(5);
    }
    if (store_transact(w->app.store, world_exec_in, borrowed(bystander->sql), NULL))
        abort();
    live_stop(w->app.live, 1, bystander->reason);
    return NULL;
}

static void
turn_beside(struct world *w, const char *sql, enum live_reason reason)
{
    static const struct fake_exchange silence[] = {{.then = FAKE_KEEP}};
    auto_free char *path = str_printf("%s/engine.sock", w->dir);
    auto_free char *address = str_printf("unix://%s", path);
    struct fake_http *engine = fake_http_new(path, silence, 1);
    struct bystander bystander = {.world = w, .sql = sql, .reason = reason};
    pthread_t thread;

    w->app.sandbox.engine = address;
    CHECK_INT(pthread_create(&thread, NULL, act_when_live, &bystander), 0);
    const int64_t pause_ms = turn(w);
    CHECK_INT(pthread_join(thread, NULL), 0);
    fake_http_free(engine);
    CHECK_INT(pause_ms, 0);
}

TEST(who_cancels_is_named_in_the_last_word)
{
    struct world w;

    open_bench(&w, NULL);
    local_task(&w);
    turn_beside(&w, "UPDATE run SET cancel_requested = 'ann'", LIVE_CANCELED);
    CHECK_STORED(&w, RUN_NOW, "2 5 1");
    CHECK_STORED(&w, "SELECT state || ' ' || reason FROM task", "6 cancelled by ann");
    world_close(&w);
}

TEST(who_lost_the_lease_changes_nothing_any_more)
{
    struct world w;

    open_bench(&w, NULL);
    local_task(&w);
    turn_beside(&w,
                "UPDATE run SET lease_number = lease_number + 1, lease_owner = 'other',"
                " lease_until_ms = 99",
                LIVE_SHUTDOWN);
    CHECK_STORED(&w, "SELECT state || ' ' || lease_owner || ' ' || lease_until_ms FROM run",
                 "1 other 99");
    CHECK_INT(world_int(&w, "SELECT state FROM task"), TASK_RUNNING);
    world_close(&w);
}

TEST_MAIN()
