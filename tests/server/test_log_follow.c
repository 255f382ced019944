/* Following a task's output: everything once, in order, from whatever point on. */
#include "tests/harness/test.h"

#include "server/base/fs.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "server/log_follow.h"
#include "server/store/db.h"
#include "server/store/run.h"
#include "server/store/step.h"
#include "server/store/store.h"
#include "server/store/task.h"

struct fixture {
    char *dir;
    struct store *store;
    int64_t step; /* the newest */
};

static struct strbuf shown = STRBUF_INIT(64U << 20);

static void
show(const char *text)
{
    strbuf_add_str(&shown, text);
}

/* What was shown since the last call. */
#define CHECK_SHOWN(expected)                                                                      \
    do {                                                                                           \
        CHECK_STR(strbuf_str(&shown), expected);                                                   \
        strbuf_reset(&shown);                                                                      \
    } while (0)

static int
insert_task(struct db *db, void *ctx, struct err *err)
{
    char text[] = "x";
    int64_t id;

    (void)ctx;
    return task_insert(db,
                       &(struct task){.platform = text,
                                      .origin = text,
                                      .thread = text,
                                      .repository = text,
                                      .title = text,
                                      .text = text,
                                      .requested_by = text},
                       1, &id, err);
}

static int
exec(struct db *db, void *ctx, struct err *err)
{
    return db_exec(db, ctx, err);
}

static void
sql(struct fixture *f, const char *text)
{
    struct err err;

    CHECK_OK(store_transact(f->store, exec, (void *)(uintptr_t)text, &err), err);
}

static int
insert_run(struct db *db, void *ctx, struct err *err)
{
    int64_t id;

    (void)ctx;
    return run_insert(db,
                      &(struct run_new){.task = 1, .trigger_kind = "label", .trigger_actor = "ann"},
                      1, &id, err);
}

static void
begin_run(struct fixture *f)
{
    struct err err;

    sql(f, "UPDATE run SET state = 2");
    CHECK_OK(store_transact(f->store, insert_run, NULL, &err), err);
    sql(f, "UPDATE task SET state = 1");
}

static void
open_store(struct fixture *f)
{
    struct err err;

    *f = (struct fixture){0};
    strbuf_reset(&shown);
    CHECK_OK(fs_make_temp_dir(P_tmpdir, "test-follow-", &f->dir, &err), err);
    auto_free char *path = str_printf("%s/store.db", f->dir);
    CHECK_OK(store_open(path, &f->store, &err), err);
    CHECK_OK(store_transact(f->store, insert_task, NULL, &err), err);
    begin_run(f);
}

static void
close_store(struct fixture *f)
{
    store_close(f->store);
    CHECK_INT(fs_remove_tree(f->dir, NULL), 0);
    free(f->dir);
    strbuf_done(&shown);
}

struct stepping {
    int64_t run;
    enum step_kind kind;
    int64_t round;
    const char *name;
    struct bytes output;
    enum step_end end;
    int64_t status;
    int64_t id;
};

static int
begin_step_in(struct db *db, void *ctx, struct err *err)
{
    struct stepping *s = ctx;
    char command[] = "make";
    auto_free char *name = str_dup(s->name);

    return step_insert(
        db,
        &(struct step){
            .run = s->run, .kind = s->kind, .round = s->round, .name = name, .command = command},
        &s->id, err);
}

static void
begin_step(struct fixture *f, int64_t run, enum step_kind kind, int64_t round, const char *name)
{
    struct stepping s = {.run = run, .kind = kind, .round = round, .name = name};
    struct err err;

    CHECK_OK(store_transact(f->store, begin_step_in, &s, &err), err);
    f->step = s.id;
}

static int
append_in(struct db *db, void *ctx, struct err *err)
{
    const struct stepping *s = ctx;
    return step_append(db, s->id, s->output, err);
}

static void
print_bytes(struct fixture *f, struct bytes output)
{
    struct stepping s = {.id = f->step, .output = output};
    struct err err;

    CHECK_OK(store_transact(f->store, append_in, &s, &err), err);
}

static void
print(struct fixture *f, const char *text)
{
    print_bytes(f, bytes_of_str(text));
}

static int
end_step_in(struct db *db, void *ctx, struct err *err)
{
    const struct stepping *s = ctx;
    return step_finish(db, s->id, s->end, s->status, 1500, 0, err);
}

static void
end_step(struct fixture *f, enum step_end end, int64_t status)
{
    struct stepping s = {.id = f->step, .end = end, .status = status};
    struct err err;

    CHECK_OK(store_transact(f->store, end_step_in, &s, &err), err);
}

static void
follow(struct log_follow *follow)
{
    struct err err;

    CHECK_OK(log_follow_turn(follow, &err), err);
}

TEST(a_task_that_waits_shows_nothing)
{
    struct fixture f;
    struct log_follow log;

    open_store(&f);
    log_follow_init(&log, f.store, 1, show);
    follow(&log);
    CHECK_SHOWN("");
    CHECK(!log.ended && !log.succeeded);
    close_store(&f);
}

TEST(output_is_shown_as_it_comes_and_once)
{
    struct fixture f;
    struct log_follow log;

    open_store(&f);
    log_follow_init(&log, f.store, 1, show);
    begin_step(&f, 1, STEP_AGENT, 2, "claude");
    follow(&log);
    CHECK_SHOWN("\n--- work, agent (round 2): claude\n");
    follow(&log);
    CHECK_SHOWN("");
    print(&f, "one\n");
    print(&f, "two");
    follow(&log);
    CHECK_SHOWN("one\ntwo");
    print(&f, " and a half\n");
    follow(&log);
    CHECK_SHOWN(" and a half\n");
    end_step(&f, STEP_EXITED, 0);
    follow(&log);
    CHECK_SHOWN("--- exited 0 after 1.5 s\n");
    follow(&log);
    CHECK_SHOWN("");
    CHECK(!log.ended);
    close_store(&f);
}

TEST(steps_follow_each_other_also_those_without_output)
{
    struct fixture f;
    struct log_follow log;

    open_store(&f);
    begin_step(&f, 1, STEP_SETUP, 0, "setup 1");
    end_step(&f, STEP_EXITED, 3);
    begin_step(&f, 1, STEP_BASELINE, 0, "test");
    print(&f, "no\n");
    end_step(&f, STEP_SIGNALED, 9);
    begin_step(&f, 1, STEP_CHECK, 1, "lint");
    end_step(&f, STEP_TIMED_OUT, 0);
    log_follow_init(&log, f.store, 1, show);
    follow(&log);
    CHECK_SHOWN("\n--- work, setup: setup 1\n--- exited 3 after 1.5 s\n"
                "\n--- work, baseline: test\nno\n--- signaled 9 after 1.5 s\n"
                "\n--- work, check (round 1): lint\n--- timed out after 1.5 s\n");
    begin_step(&f, 1, STEP_CHECK, 1, "more");
    follow(&log);
    CHECK_SHOWN("\n--- work, check (round 1): more\n");
    close_store(&f);
}

TEST(a_step_under_which_draftd_died_holds_nothing_up)
{
    struct fixture f;
    struct log_follow log;

    open_store(&f);
    begin_step(&f, 1, STEP_AGENT, 1, "first try");
    print(&f, "half");
    end_step(&f, STEP_DRAFTD_DIED, 0);
    begin_step(&f, 1, STEP_AGENT, 1, "older"); /* whose end no older version stored */
    print(&f, "text\n");
    log_follow_init(&log, f.store, 1, show);
    follow(&log);
    CHECK_SHOWN("\n--- work, agent (round 1): first try\nhalf--- draftd died\n"
                "\n--- work, agent (round 1): older\ntext\n");
    begin_step(&f, 1, STEP_AGENT, 1, "again");
    end_step(&f, STEP_EXITED, 0);
    sql(&f, "UPDATE task SET state = 2");
    follow(&log);
    CHECK_SHOWN("--- draftd died\n"
                "\n--- work, agent (round 1): again\n--- exited 0 after 1.5 s\n");
    CHECK(log.ended && log.succeeded);
    close_store(&f);
}

/* Much more than one look takes, in segments of odd sizes. */
TEST(long_output_arrives_whole)
{
    enum { PIECES = 40, PIECE_BYTES = 7919 };
    struct fixture f;
    struct log_follow log;
    AUTO_DONE(strbuf_done) struct strbuf expected = STRBUF_INIT(1U << 20);
    char piece[PIECE_BYTES + 1];

    open_store(&f);
    begin_step(&f, 1, STEP_AGENT, 1, "claude");
    strbuf_add_str(&expected, "\n--- work, agent (round 1): claude\n");
    for (int i = 0; i < PIECES; i++) {
        memset(piece, 'a' + i % 26, PIECE_BYTES);
        piece[PIECE_BYTES] = '\0';
        print(&f, piece);
        strbuf_add_str(&expected, piece);
    }
    log_follow_init(&log, f.store, 1, show);
    follow(&log);
    CHECK_SHOWN(strbuf_str(&expected));
    close_store(&f);
}

/* A NUL ends a string, and must not end what is shown. */
TEST(a_nul_in_the_output_hides_nothing)
{
    static const char output[] = "before\0after\n";
    struct fixture f;
    struct log_follow log;

    open_store(&f);
    begin_step(&f, 1, STEP_AGENT, 1, "a");
    log_follow_init(&log, f.store, 1, show);
    follow(&log);
    strbuf_reset(&shown);
    print_bytes(&f, bytes_of(output, sizeof(output) - 1));
    follow(&log);
    CHECK_SHOWN("before?after\n");
    print(&f, "more\n");
    follow(&log);
    CHECK_SHOWN("more\n");
    close_store(&f);
}

TEST(a_new_run_is_shown_from_its_beginning)
{
    struct fixture f;
    struct log_follow log;

    open_store(&f);
    begin_step(&f, 1, STEP_AGENT, 1, "first");
    print(&f, "half");
    log_follow_init(&log, f.store, 1, show);
    follow(&log);
    CHECK_SHOWN("\n--- work, agent (round 1): first\nhalf");
    print(&f, "never shown: its run is over\n");
    begin_run(&f);
    begin_step(&f, 2, STEP_SETUP, 0, "second");
    print(&f, "hello\n");
    follow(&log);
    CHECK_SHOWN("\n--- work, setup: second\nhello\n");
    CHECK_INT(log.run, 2);
    close_store(&f);
}

TEST(an_earlier_run_is_shown_by_its_number)
{
    struct fixture f;
    struct log_follow log;
    struct err err;

    open_store(&f);
    begin_step(&f, 1, STEP_AGENT, 1, "first");
    print(&f, "one\n");
    log_follow_init(&log, f.store, 1, show);
    log.number = 1;
    follow(&log);
    CHECK_SHOWN("\n--- work, agent (round 1): first\none\n");
    CHECK(!log.ended);
    end_step(&f, STEP_EXITED, 0);
    sql(&f, "UPDATE run SET outcome = 1");
    begin_run(&f);
    begin_step(&f, 2, STEP_SETUP, 0, "second");
    follow(&log);
    CHECK_SHOWN("--- exited 0 after 1.5 s\n");
    CHECK(log.ended && log.succeeded); /* the task goes on */
    sql(&f, "UPDATE run SET outcome = 4 WHERE id = 1");
    follow(&log);
    CHECK(log.ended && !log.succeeded);

    log_follow_init(&log, f.store, 1, show);
    log.number = 3;
    CHECK_INT(log_follow_turn(&log, &err), ERR_NOTFOUND);
    CHECK_STR(err.msg, "task 1 has no run 3");
    CHECK_SHOWN("");
    close_store(&f);
}

TEST(it_ends_when_the_task_has_and_all_was_shown)
{
    static const struct {
        enum task_state state;
        bool ended;
        bool succeeded;
    } cases[] = {
        {TASK_QUEUED, false, false},  {TASK_RUNNING, false, false}, {TASK_DRAFTED, true, true},
        {TASK_UNCHANGED, true, true}, {TASK_HELD, true, false},     {TASK_FAILED, true, false},
        {TASK_CANCELED, true, false},
    };
    struct fixture f;

    open_store(&f);
    begin_step(&f, 1, STEP_SETUP, 0, "s");
    print(&f, "text\n");
    end_step(&f, STEP_EXITED, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct log_follow log;
        auto_free char *text = str_printf("UPDATE task SET state = %d", (int)cases[i].state);
        sql(&f, text);
        log_follow_init(&log, f.store, 1, show);
        follow(&log);
        CHECK_SHOWN("\n--- work, setup: s\ntext\n--- exited 0 after 1.5 s\n");
        if (log.ended != cases[i].ended || log.succeeded != cases[i].succeeded)
            TEST_FAIL("%s: ended %d, succeeded %d", task_state_name(cases[i].state), log.ended,
                      log.succeeded);
    }
    close_store(&f);
}

TEST(it_may_only_watch)
{
    struct fixture f;
    struct log_follow log;

    open_store(&f);
    begin_step(&f, 1, STEP_SETUP, 0, "s");
    print(&f, "text\n");
    sql(&f, "UPDATE task SET state = 2");
    log_follow_init(&log, f.store, 1, NULL);
    follow(&log);
    CHECK(log.ended && log.succeeded);
    close_store(&f);
}

TEST(there_is_no_such_task)
{
    struct fixture f;
    struct log_follow log;
    struct err err;

    open_store(&f);
    log_follow_init(&log, f.store, 7, show);
    CHECK_INT(log_follow_turn(&log, &err), ERR_NOTFOUND);
    CHECK_STR(err.msg, "there is no task 7");
    CHECK_SHOWN("");
    close_store(&f);
}

TEST_MAIN()
