/* Remarks on drafts, and what becomes of a draft. */
#include "server/store/remark.h"
#include "tests/server/store/fixture.h"

/* Insert a remark of a task. */
static int64_t
add(struct db *db, int64_t task, enum remark_kind kind, const char *ref)
{
    char actor[] = "bea";
    char text[] = "Why?";
    const struct remark remark = {
        .task = task, .kind = kind, .ref = (char *)(uintptr_t)ref, .actor = actor, .text = text};
    struct err err;
    int64_t id = 0;

    CHECK_OK(remark_insert(db, &remark, 5000, &id, &err), err);
    return id;
}

static int64_t
queue_run(struct db *db, int64_t task)
{
    struct err err;
    int64_t id = 0;

    CHECK_OK(run_insert(
                 db,
                 &(struct run_new){.task = task, .trigger_kind = "review", .trigger_actor = "bea"},
                 1, &id, &err),
             err);
    return id;
}

static size_t
count_open(struct db *db, int64_t task)
{
    struct err err;
    AUTO_DONE(remark_list_done) struct remark_list list = {0};
    size_t count = 0;

    CHECK_OK(remark_list_of_task(db, task, &list, &err), err);
    for (size_t i = 0; i < list.count; i++)
        count += list.items[i]->run == 0;
    return count;
}

TEST(all_fields_come_back)
{
    struct fixture f;
    struct err err;
    AUTO_DONE(remark_list_done) struct remark_list list = {0};
    int64_t id = 0;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "github:acme/api#42");
    const struct remark remark = {
        .task = task,
        .kind = REMARK_LINE,
        .ref = (char[]){"line:7"},
        .batch = (char[]){"review:3"},
        .target = (char[]){"6"},
        .actor = (char[]){"bea"},
        .path = (char[]){"src/calc.c"},
        .line = 12,
        .hunk = (char[]){"@@ -1 +1 @@\n-a\n+b"},
        .text = (char[]){"Why?"},
        .agent = (char[]){"other"},
        .branch = (char[]){"next"},
        .draft = 5,
        .happened_ms = 77,
    };
    CHECK_OK(remark_insert(f.db, &remark, 5000, &id, &err), err);
    CHECK_OK(remark_list_of_task(f.db, task, &list, &err), err);
    CHECK_INT(list.count, 1);
    const struct remark *got = list.items[0];
    CHECK_INT(got->id, id);
    CHECK_INT(got->task, task);
    CHECK_INT(got->run, 0);
    CHECK_INT(got->kind, REMARK_LINE);
    CHECK_STR(got->ref, "line:7");
    CHECK_STR(got->batch, "review:3");
    CHECK_STR(got->target, "6");
    CHECK_STR(got->actor, "bea");
    CHECK_STR(got->path, "src/calc.c");
    CHECK_INT(got->line, 12);
    CHECK_STR(got->hunk, "@@ -1 +1 @@\n-a\n+b");
    CHECK_STR(got->text, "Why?");
    CHECK_STR(got->agent, "other");
    CHECK_STR(got->branch, "next");
    CHECK(!got->answer);
    CHECK_INT(got->draft, 5);
    CHECK_INT(got->happened_ms, 77);
    CHECK_INT(got->created_ms, 5000);
    fixture_done(&f);
}

TEST(the_same_remark_is_known_once_in_a_task)
{
    struct fixture f;
    struct err err;
    int64_t id = -1;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "o");
    const int64_t other = fixture_task(f.db, "p");
    add(f.db, task, REMARK_COMMENT, "comment:1");
    add(f.db, other, REMARK_COMMENT, "comment:1");
    const struct remark again = {
        .task = task, .ref = (char[]){"comment:1"}, .actor = (char[]){"x"}, .text = (char[]){"y"}};
    CHECK_INT(remark_insert(f.db, &again, 1, &id, &err), ERR_CONFLICT);
    CHECK_CONTAINS(err.msg, "comment:1");
    CHECK_INT(id, -1);
    CHECK_INT(count_open(f.db, task), 1);
    fixture_done(&f);
}

TEST(a_round_takes_what_is_open_and_nothing_else)
{
    struct fixture f;
    struct err err;
    AUTO_DONE(remark_list_done) struct remark_list list = {0};
    size_t taken = 0;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "o");
    const int64_t other = fixture_task(f.db, "p");
    const int64_t run = queue_run(f.db, task);
    add(f.db, task, REMARK_COMMENT, "comment:1");
    add(f.db, task, REMARK_LINE, "line:1");
    add(f.db, other, REMARK_LINE, "line:1");
    CHECK_OK(remark_take(f.db, task, run, 1, &taken, &err), err);
    CHECK_INT(taken, 2);
    CHECK_INT(count_open(f.db, task), 0);
    CHECK_INT(count_open(f.db, other), 1);

    add(f.db, task, REMARK_REVIEW, "review:1");
    CHECK_OK(remark_take(f.db, task, run, 2, &taken, &err), err);
    CHECK_INT(taken, 1);
    CHECK_OK(remark_take(f.db, task, run, 3, &taken, &err), err);
    CHECK_INT(taken, 0);

    CHECK_OK(remark_list_of_run(f.db, run, &list, &err), err);
    CHECK_INT(list.count, 3);
    CHECK_INT(list.items[0]->round, 1);
    CHECK_INT(list.items[1]->round, 1);
    CHECK_INT(list.items[2]->round, 2);
    CHECK_STR(list.items[2]->ref, "review:1");
    fixture_done(&f);
}

TEST(what_asks_for_another_agent_or_branch_waits)
{
    struct fixture f;
    struct err err;
    size_t taken = 0;
    int64_t other = 0;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "o");
    const int64_t run = queue_run(f.db, task);
    add(f.db, task, REMARK_COMMENT, "comment:1");
    add(f.db, task, REMARK_COMMENT, "comment:2");
    add(f.db, task, REMARK_COMMENT, "comment:3");
    CHECK_OK(db_exec(f.db,
                     "UPDATE remark SET agent = 'other' WHERE id > 1;"
                     "UPDATE remark SET branch = 'next' WHERE id = 3",
                     &err),
             err);
    CHECK_OK(remark_take(f.db, task, run, 1, &taken, &err), err);
    CHECK_INT(taken, 1);
    CHECK_INT(count_open(f.db, task), 2);

    CHECK_OK(db_exec(f.db, "UPDATE run SET state = 2", &err), err);
    const struct run_new wanted = {
        .task = task, .trigger_kind = "mention", .trigger_actor = "bea", .agent = "other"};
    CHECK_OK(run_insert(f.db, &wanted, 1, &other, &err), err);
    CHECK_OK(remark_take(f.db, task, other, 1, &taken, &err), err);
    CHECK_INT(taken, 1);
    CHECK_OK(db_exec(f.db, "UPDATE run SET branch = 'next'", &err), err);
    CHECK_OK(remark_take(f.db, task, other, 2, &taken, &err), err);
    CHECK_INT(taken, 1);
    fixture_done(&f);
}

TEST(what_was_said_before_a_cancellation_goes_with_it)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "o");
    const int64_t run = queue_run(f.db, task);
    add(f.db, task, REMARK_COMMENT, "comment:1");
    add(f.db, task, REMARK_COMMENT, "comment:2");
    CHECK_OK(db_exec(f.db, "UPDATE remark SET happened_ms = 1000 * id", &err), err);
    CHECK_OK(remark_take_back(f.db, task, run, 1000, &err), err);
    CHECK_INT(count_open(f.db, task), 1);
    CHECK_OK(remark_take_back(f.db, task, run, 0, &err), err);
    CHECK_INT(count_open(f.db, task), 0);
    CHECK_OK(remark_reopen(f.db, run, &err), err); /* a retry asks for it again */
    CHECK_INT(count_open(f.db, task), 2);
    fixture_done(&f);
}

TEST(a_run_that_begins_anew_is_given_them_again)
{
    struct fixture f;
    struct err err;
    AUTO_DONE(remark_list_done) struct remark_list list = {0};
    size_t taken;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "o");
    const int64_t other = fixture_task(f.db, "p");
    const int64_t run = queue_run(f.db, task);
    const int64_t id = add(f.db, task, REMARK_LINE, "line:1");
    CHECK_OK(remark_take(f.db, task, run, 1, &taken, &err), err);
    add(f.db, task, REMARK_LINE, "line:2");
    CHECK_OK(remark_take(f.db, task, run, 2, &taken, &err), err);
    CHECK_OK(remark_set_answer(f.db, id, "Done.", &err), err);
    const int64_t elsewhere = add(f.db, other, REMARK_LINE, "line:1");
    CHECK_OK(remark_take(f.db, other, queue_run(f.db, other), 2, &taken, &err), err);
    CHECK_OK(remark_set_answer(f.db, elsewhere, "Kept.", &err), err);

    CHECK_OK(remark_give_again(f.db, run, &err), err);
    CHECK_INT(count_open(f.db, task), 0);
    CHECK_OK(remark_list_of_run(f.db, run, &list, &err), err);
    CHECK_INT(list.count, 2);
    for (size_t i = 0; i < 2; i++) {
        CHECK_INT(list.items[i]->round, 1);
        CHECK(!list.items[i]->answer);
    }
    remark_list_done(&list);
    CHECK_OK(remark_list_of_task(f.db, other, &list, &err), err);
    CHECK_INT(list.items[0]->round, 2);
    CHECK_STR(list.items[0]->answer, "Kept.");
    fixture_done(&f);
}

TEST(what_a_run_did_not_answer_is_open_again)
{
    struct fixture f;
    struct err err;
    AUTO_DONE(remark_list_done) struct remark_list list = {0};
    size_t taken;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "o");
    const int64_t run = queue_run(f.db, task);
    const int64_t id = add(f.db, task, REMARK_LINE, "line:1");
    CHECK_OK(remark_take(f.db, task, run, 1, &taken, &err), err);
    CHECK_OK(remark_set_answer(f.db, id, "Done.", &err), err);
    CHECK_OK(remark_list_of_run(f.db, run, &list, &err), err);
    CHECK_STR(list.items[0]->answer, "Done.");
    CHECK_OK(remark_reopen(f.db, run, &err), err);
    CHECK_INT(count_open(f.db, task), 1);
    remark_list_done(&list);
    CHECK_OK(remark_list_of_task(f.db, task, &list, &err), err);
    CHECK(!list.items[0]->answer);
    CHECK_INT(list.items[0]->round, 0);
    CHECK_INT(remark_set_answer(f.db, 999, "x", &err), ERR_NOTFOUND);
    fixture_done(&f);
}

TEST(kinds_are_counted_for_each_draft)
{
    struct fixture f;
    struct err err;
    size_t count = 99;
    int64_t id;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "o");
    const struct remark red = {.task = task,
                               .kind = REMARK_CI,
                               .ref = (char[]){"ci:abc"},
                               .actor = (char[]){"ci"},
                               .text = (char[]){""},
                               .draft = 5};
    CHECK_OK(remark_insert(f.db, &red, 1, &id, &err), err);
    add(f.db, task, REMARK_COMMENT, "comment:1");
    CHECK_OK(remark_count_kind(f.db, task, 5, REMARK_CI, &count, &err), err);
    CHECK_INT(count, 1);
    CHECK_OK(remark_count_kind(f.db, task, 6, REMARK_CI, &count, &err), err);
    CHECK_INT(count, 0);
    CHECK_STR(remark_kind_name(REMARK_BASE), "base");
    CHECK_STR(remark_kind_name((enum remark_kind)9), "unknown");
    fixture_done(&f);
}

TEST(the_same_failure_is_known_again)
{
    struct fixture f;
    struct err err;
    AUTO_DONE(remark_list_done) struct remark_list list = {0};
    bool known = true;

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "o");
    const int64_t other = fixture_task(f.db, "p");
    const int64_t first = add(f.db, task, REMARK_CI, "ci:a");
    const int64_t second = add(f.db, task, REMARK_CI, "ci:b");
    const int64_t elsewhere = add(f.db, other, REMARK_CI, "ci:a");
    CHECK_OK(remark_set_failure(f.db, elsewhere, "red", "failure:1", &known, &err), err);
    CHECK(!known);
    CHECK_OK(remark_set_failure(f.db, first, "red", "failure:1", &known, &err), err);
    CHECK(!known);
    CHECK_OK(remark_set_failure(f.db, first, "red", "failure:1", &known, &err), err);
    CHECK(!known);
    CHECK_OK(remark_set_failure(f.db, second, "red again", "failure:1", &known, &err), err);
    CHECK(known);
    CHECK_OK(remark_list_of_task(f.db, task, &list, &err), err);
    CHECK_STR(list.items[1]->text, "red again");
    CHECK_STR(list.items[1]->batch, "failure:1");
    CHECK_INT(remark_set_failure(f.db, 999, "x", "y", &known, &err), ERR_NOTFOUND);
    fixture_done(&f);
}

TEST_MAIN()
