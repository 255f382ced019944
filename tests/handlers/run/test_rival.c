/* What somebody else works on is not begun, unless it is asked for all the same. */
#include "tests/handlers/world.h"

#include "handlers/platform.h"
#include "handlers/run/rival.h"

#define URL "https://github.example/acme/api/pull/5"
#define RIVAL "SELECT rival FROM run ORDER BY id DESC LIMIT 1"

/* A platform whose answer is made up. */
struct answering {
    struct session base; /* first */
    int code;
    int asked;
};

static int
find_rival(struct session *session,
           const struct task *task,
           char **ret_url,
           char **ret_author,
           struct err *err)
{
    struct answering *answering = (struct answering *)session;

    CHECK_INT(task->number, 42);
    answering->asked++;
    if (answering->code)
        return err_set(err, answering->code, "made up");
    *ret_url = str_dup(URL);
    *ret_author = str_dup("bob");
    return 0;
}

static const struct platform finder = {.name = "github", .find_rival = find_rival};
static const struct platform blind = {.name = "github"};

struct scene {
    struct world w;
    struct answering answering;
    struct work work;
};

static int
claim_in(struct db *db, void *ctx, struct err *err)
{
    struct work *work = ctx;
    const struct run_claim claim = {.owner = "ab12", .now_ms = 5000, .lease_until_ms = 9000};
    int r = run_claim(db, &claim, &work->run, err);

    if (!r)
        r = task_get(db, work->run->task, &work->task, err);
    if (!r)
        work->lease = (struct run_lease){work->run->id, work->run->lease_number};
    return r;
}

/* A run in the hands of a worker, whose platform ends its search with `code`. `sql` is executed
 * before it is claimed; or NULL. */
static void
open_scene(struct scene *s, int code, const char *sql)
{
    struct err err;

    world_open(&s->w, NULL, 0);
    (void)world_make_task(&s->w, "github", "github:acme/api#42");
    if (sql)
        world_exec(&s->w, sql);
    s->answering =
        (struct answering){.base = {.platform = &finder, .app = &s->w.app}, .code = code};
    s->work = (struct work){.app = &s->w.app, .session = &s->answering.base};
    CHECK_OK(store_transact(s->w.app.store, claim_in, &s->work, &err), err);
}

static void
close_scene(struct scene *s)
{
    work_done(&s->work);
    world_close(&s->w);
}

TEST(the_work_of_somebody_else_ends_the_run)
{
    struct scene s;
    struct err err;

    open_scene(&s, 0, NULL);
    CHECK_OK(rival_check(&s.work, &err), err);
    CHECK_INT(s.work.ending.outcome, OUTCOME_UNCHANGED);
    CHECK_STR(s.work.ending.reason, "bob has a pull request open for this already: " URL);
    CHECK_STORED(&s.w, RIVAL, URL);
    close_scene(&s);
}

TEST(nobody_else_and_nobody_to_ask_let_the_run_go_on)
{
    struct scene s;
    struct err err;

    open_scene(&s, ERR_NOTFOUND, NULL);
    CHECK_OK(rival_check(&s.work, &err), err);
    CHECK(work_goes_on(&s.work));
    s.answering.base.platform = &blind;
    CHECK_OK(rival_check(&s.work, &err), err);
    CHECK(work_goes_on(&s.work));
    CHECK_STORED(&s.w, RIVAL, "(null)");
    close_scene(&s);
}

TEST(follow_ups_and_what_is_asked_for_all_the_same_are_not_held_up)
{
    static const char *const all_the_same[] = {
        "UPDATE run SET trigger_kind = 'retry'",
        "UPDATE run SET trigger_kind = 'review'",
        "UPDATE task SET draft_number = 3, draft_state = 1",
        "UPDATE run SET trigger_kind = 'mention', instruction = 'mine, please', number = 2;"
        "INSERT INTO run (task, number, trigger_kind, trigger_actor, trigger_ms, state, rival,"
        " created_ms) VALUES (1, 1, 'label', 'ann', 1, 2, '" URL "', 1)",
    };
    struct err err;

    for (size_t i = 0; i < COUNT(all_the_same); i++) {
        struct scene s;
        open_scene(&s, 0, all_the_same[i]);
        CHECK_OK(rival_check(&s.work, &err), err);
        CHECK(work_goes_on(&s.work));
        CHECK_INT(s.answering.asked, 0);
        close_scene(&s);
    }
}

TEST(words_alone_or_having_been_told_alone_are_not_enough)
{
    static const char *const not_enough[] = {
        "UPDATE run SET trigger_kind = 'mention', instruction = 'mine, please'",
        "UPDATE run SET trigger_kind = 'label', number = 2;"
        "INSERT INTO run (task, number, trigger_kind, trigger_actor, trigger_ms, state, rival,"
        " created_ms) VALUES (1, 1, 'label', 'ann', 1, 2, '" URL "', 1)",
        "UPDATE task SET draft_number = 3, draft_state = 3",
    };
    struct err err;

    for (size_t i = 0; i < COUNT(not_enough); i++) {
        struct scene s;
        open_scene(&s, 0, not_enough[i]);
        CHECK_OK(rival_check(&s.work, &err), err);
        CHECK_INT(s.work.ending.outcome, OUTCOME_UNCHANGED);
        close_scene(&s);
    }
}

TEST(what_passes_is_waited_for_but_not_for_long)
{
    static const int passing[] = {ERR_UNAVAILABLE, ERR_REMOTE, ERR_LIMIT, ERR_TIMEOUT};
    struct scene s;
    struct err err;

    open_scene(&s, 0, NULL);
    for (size_t i = 0; i < COUNT(passing); i++) {
        s.answering.code = passing[i];
        s.work.run->waiting_since_ms = 0;
        CHECK_INT(rival_check(&s.work, &err), passing[i]);
        s.work.run->waiting_since_ms = clock_now_ms() - 9 * MS_PER_MINUTE;
        CHECK_INT(rival_check(&s.work, &err), passing[i]);
        s.work.run->waiting_since_ms = clock_now_ms() - 11 * MS_PER_MINUTE;
        CHECK_OK(rival_check(&s.work, &err), err);
        CHECK(work_goes_on(&s.work));
    }
    s.answering.code = ERR_CANCELED;
    CHECK_INT(rival_check(&s.work, &err), ERR_CANCELED);
    s.work.run->waiting_since_ms = 0;
    s.answering.code = ERR_DENIED; /* it will not pass by itself, and is no reason to do nothing */
    CHECK_OK(rival_check(&s.work, &err), err);
    CHECK(work_goes_on(&s.work));
    close_scene(&s);
}

TEST_MAIN()
