/* What is kept of drafts that a task had. */
#include "server/store/past_draft.h"
#include "server/store/remark.h"
#include "tests/server/store/fixture.h"

static void
say(struct db *db, int64_t task, const char *ref)
{
    const struct remark remark = {
        .task = task, .ref = borrowed(ref), .actor = borrowed("ann"), .text = borrowed("Why?")};
    struct err err;
    int64_t id;

    CHECK_OK(remark_insert(db, &remark, 1, &id, &err), err);
}

static struct past_draft_list
list_of(struct db *db, int64_t task)
{
    struct past_draft_list list = {0};
    struct err err;

    CHECK_OK(past_draft_list(db, task, &list, &err), err);
    return list;
}

TEST(a_draft_that_is_let_go_of_is_kept)
{
    struct fixture f;
    struct past_draft *past = NULL;
    struct err err;

    fixture_begin(&f);
    const int64_t other = fixture_task(f.db, "p");
    const int64_t id = fixture_task(f.db, "o");
    (void)fixture_run(f.db, id);
    CHECK_OK(task_leave_draft(f.db, id, &err), err); /* it has none */
    CHECK_INT(past_draft_latest(f.db, id, &past, &err), ERR_NOTFOUND);

    say(f.db, other, "comment:1");
    say(f.db, id, "comment:2");
    CHECK_OK(task_set_branch(f.db, id, "draftd/42-new", "main", &err), err);
    CHECK_OK(task_set_draft(f.db, id, 7, "https://example.org/7", 2000, &err), err);
    CHECK_OK(task_set_draft(f.db, id, 7, "https://example.org/7", 3000, &err), err);
    CHECK_OK(task_set_draft_state(f.db, id, DRAFT_MERGED, 4000, &err), err);
    CHECK_INT(past_draft_latest(f.db, id, &past, &err), ERR_NOTFOUND); /* it has that yet */
    CHECK_OK(task_leave_draft(f.db, id, &err), err);
    CHECK_OK(task_leave_draft(f.db, id, &err), err);

    AUTO_DONE(past_draft_list_done) struct past_draft_list list = list_of(f.db, id);
    CHECK_INT(list.count, 1);
    CHECK_INT(list.items[0]->task, id);
    CHECK_INT(list.items[0]->number, 7);
    CHECK_STR(list.items[0]->url, "https://example.org/7");
    CHECK_STR(list.items[0]->branch, "draftd/42-new");
    CHECK_STR(list.items[0]->base_branch, "main");
    CHECK_STR(past_draft_state_name(list.items[0]), "merged");
    CHECK_INT(list.items[0]->opened_ms, 2000);
    CHECK_INT(list.items[0]->ended_ms, 4000);
    CHECK_INT(list.items[0]->last_run, 1);
    CHECK_INT(list.items[0]->last_remark, 2);
    fixture_done(&f);
}

/* It was closed, and nobody told: the next run found none open from the branch, and opened one. */
TEST(a_draft_that_another_takes_the_place_of_is_kept)
{
    struct fixture f;
    struct past_draft *past = NULL;
    struct err err;

    fixture_begin(&f);
    const int64_t id = fixture_task(f.db, "o");
    (void)fixture_run(f.db, id);
    CHECK_OK(task_set_draft(f.db, id, 7, "u", 2000, &err), err);
    CHECK_OK(db_exec(f.db, "UPDATE run SET state = 2", &err), err);
    (void)fixture_run(f.db, id);
    CHECK_OK(task_set_draft(f.db, id, 8, "v", 3000, &err), err);
    CHECK_OK(past_draft_latest(f.db, id, &past, &err), err);
    CHECK_INT(past->number, 7);
    CHECK_STR(past_draft_state_name(past), "ended");
    CHECK_INT(past->last_run, 1);

    CHECK_OK(past_draft_set_state(f.db, past->id, DRAFT_CLOSED, 5000, &err), err);
    CHECK_INT(past_draft_set_state(f.db, 999, DRAFT_CLOSED, 5000, &err), ERR_NOTFOUND);
    past_draft_free(past);
    CHECK_OK(past_draft_latest(f.db, id, &past, &err), err);
    CHECK_STR(past_draft_state_name(past), "closed");
    CHECK_INT(past->ended_ms, 5000);
    past_draft_free(past);
    fixture_done(&f);
}

TEST(past_drafts_are_found_by_their_number)
{
    struct fixture f;
    struct past_draft *past = NULL;
    struct err err;

    fixture_begin(&f);
    const int64_t id = fixture_task(f.db, "o");
    CHECK_OK(task_set_draft(f.db, id, 7, "u", 2000, &err), err);
    CHECK_INT(past_draft_find(f.db, "github", "acme/api", 7, &past, &err), ERR_NOTFOUND);
    CHECK_OK(task_leave_draft(f.db, id, &err), err);
    CHECK_OK(task_set_draft(f.db, id, 8, "v", 3000, &err), err);
    CHECK_OK(task_leave_draft(f.db, id, &err), err);
    CHECK_OK(past_draft_find(f.db, "github", "acme/api", 7, &past, &err), err);
    CHECK_INT(past->task, id);
    CHECK_INT(past->number, 7);
    past_draft_free(past);
    CHECK_OK(past_draft_latest(f.db, id, &past, &err), err);
    CHECK_INT(past->number, 8);
    past_draft_free(past);
    CHECK_INT(past_draft_find(f.db, "github", "acme/api", 9, &past, &err), ERR_NOTFOUND);
    CHECK_INT(past_draft_find(f.db, "github", "acme/web", 7, &past, &err), ERR_NOTFOUND);
    CHECK_INT(past_draft_find(f.db, "local", "acme/api", 7, &past, &err), ERR_NOTFOUND);
    AUTO_DONE(past_draft_list_done) struct past_draft_list list = list_of(f.db, id);
    CHECK_INT(list.count, 2);
    CHECK_INT(list.items[0]->number, 7);
    fixture_done(&f);
}

TEST_MAIN()
