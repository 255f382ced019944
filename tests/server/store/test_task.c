/* Tasks and drafts. */
#include "server/store/draft.h"
#include "tests/server/store/fixture.h"

static const enum task_state ended[] = {TASK_DRAFTED, TASK_UNCHANGED, TASK_HELD, TASK_FAILED,
                                        TASK_CANCELED};

#define ENDED_COUNT (sizeof(ended) / sizeof(ended[0]))

TEST(states_and_what_may_follow)
{
    static const char *const names[] = {"queued", "running", "drafted", "unchanged",
                                        "held",   "failed",  "canceled"};

    for (unsigned i = 0; i < TASK_STATE_COUNT; i++) {
        CHECK_STR(task_state_name((enum task_state)i), names[i]);
        CHECK(!task_state_allows((enum task_state)i, (enum task_state)i));
    }
    CHECK_STR(task_state_name((enum task_state)TASK_STATE_COUNT), "unknown");
    CHECK(!task_state_allows((enum task_state)TASK_STATE_COUNT, TASK_QUEUED));
    CHECK(!task_state_allows(TASK_QUEUED, (enum task_state)TASK_STATE_COUNT));

    CHECK(task_state_is_live(TASK_QUEUED) && task_state_is_live(TASK_RUNNING));
    CHECK(task_state_allows(TASK_QUEUED, TASK_RUNNING));
    CHECK(task_state_allows(TASK_RUNNING, TASK_QUEUED));
    for (size_t i = 0; i < ENDED_COUNT; i++) {
        CHECK(!task_state_is_live(ended[i]));
        CHECK(task_state_allows(TASK_QUEUED, ended[i]));
        CHECK(task_state_allows(TASK_RUNNING, ended[i]));
        CHECK(task_state_allows(ended[i], TASK_QUEUED));
        CHECK(!task_state_allows(ended[i], TASK_RUNNING));
        for (size_t j = 0; j < ENDED_COUNT; j++)
            CHECK(!task_state_allows(ended[i], ended[j]));
    }
}

TEST(insert_get_find)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t id = fixture_task(f.db, "github:acme/api#42");
    AUTO(task_free) struct task *got = NULL;
    CHECK_OK(task_get(f.db, id, &got, &err), err);
    CHECK_STR(got->platform, "github");
    CHECK_STR(got->origin, "github:acme/api#42");
    CHECK_STR(got->thread, "github:acme/api#42");
    CHECK_STR(got->repository, "acme/api");
    CHECK_INT(got->number, 42);
    CHECK_STR(got->title, "Title");
    CHECK_STR(got->text, "Text");
    CHECK(!got->url);
    CHECK_STR(got->requested_by, "ann");
    CHECK_INT(got->state, TASK_QUEUED);
    CHECK(!got->branch && !got->base_branch && !got->draft_url && !got->status_ref && !got->reason);
    CHECK_INT(got->created_ms, 1000);
    CHECK_INT(got->updated_ms, 1000);

    AUTO(task_free) struct task *found = NULL;
    CHECK_OK(task_find(f.db, "github:acme/api#42", &found, &err), err);
    CHECK_INT(found->id, id);
    struct task *none = NULL;
    CHECK_INT(task_find(f.db, "github:acme/api#43", &none, &err), ERR_NOTFOUND);
    CHECK_INT(task_get(f.db, id + 1, &none, &err), ERR_NOTFOUND);

    int64_t other = -1;
    CHECK_INT(task_insert(f.db, got, 2000, &other, &err), ERR_CONFLICT);
    CHECK_CONTAINS(err.msg, "github:acme/api#42 has a task");
    CHECK_INT(other, -1);
    fixture_done(&f);
}

TEST(set_state_obeys_the_table)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t id = fixture_task(f.db, "o");
    CHECK_OK(task_set_state(f.db, id, TASK_RUNNING, NULL, 2000, &err), err);
    CHECK_OK(task_set_state(f.db, id, TASK_FAILED, "setup failed", 3000, &err), err);
    CHECK_INT(task_set_state(f.db, id, TASK_RUNNING, NULL, 4000, &err), ERR_CONFLICT);
    CHECK_CONTAINS(err.msg, "is failed and cannot become running");

    AUTO(task_free) struct task *got = NULL;
    CHECK_OK(task_get(f.db, id, &got, &err), err);
    CHECK_INT(got->state, TASK_FAILED);
    CHECK_STR(got->reason, "setup failed");
    CHECK_INT(got->updated_ms, 3000);

    CHECK_OK(task_set_state(f.db, id, TASK_QUEUED, NULL, 5000, &err), err);
    AUTO(task_free) struct task *again = NULL;
    CHECK_OK(task_get(f.db, id, &again, &err), err);
    CHECK(!again->reason);
    CHECK_INT(task_set_state(f.db, 999, TASK_QUEUED, NULL, 1, &err), ERR_NOTFOUND);
    fixture_done(&f);
}

TEST(setters)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t id = fixture_task(f.db, "o");
    CHECK_OK(task_set_request(f.db, id, "New", "Longer", "bob", 2000, &err), err);
    CHECK_OK(task_set_branch(f.db, id, "draftd/42-new", "main", &err), err);
    CHECK_OK(task_set_draft(f.db, id, 7, "https://example.org/7", 2000, &err), err);
    CHECK_OK(task_set_status_ref(f.db, id, "123", &err), err);

    AUTO(task_free) struct task *got = NULL;
    CHECK_OK(task_get(f.db, id, &got, &err), err);
    CHECK_STR(got->title, "New");
    CHECK_STR(got->text, "Longer");
    CHECK_STR(got->requested_by, "bob");
    CHECK_INT(got->updated_ms, 2000);
    CHECK_STR(got->branch, "draftd/42-new");
    CHECK_STR(got->base_branch, "main");
    CHECK_INT(got->draft_number, 7);
    CHECK_STR(got->draft_url, "https://example.org/7");
    CHECK_STR(got->status_ref, "123");
    CHECK_INT(task_set_request(f.db, 999, "", "", "", 1, &err), ERR_NOTFOUND);
    CHECK_INT(task_set_branch(f.db, 999, "", "", &err), ERR_NOTFOUND);
    CHECK_INT(task_set_draft(f.db, 999, 1, "", 2000, &err), ERR_NOTFOUND);
    CHECK_INT(task_set_status_ref(f.db, 999, "", &err), ERR_NOTFOUND);
    fixture_done(&f);
}

static struct task *
get(struct db *db, int64_t id)
{
    struct task *task = NULL;
    struct err err;

    CHECK_OK(task_get(db, id, &task, &err), err);
    return task;
}

TEST(a_draft_is_opened_ended_and_left)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t id = fixture_task(f.db, "o");
    AUTO(task_free) struct task *none = get(f.db, id);
    CHECK_INT(none->draft_state, DRAFT_NONE);
    CHECK(none->follow_ci);

    CHECK_OK(task_set_branch(f.db, id, "draftd/42-new", "main", &err), err);
    CHECK_OK(task_set_draft(f.db, id, 7, "u", 2000, &err), err);
    CHECK_OK(task_set_draft(f.db, id, 7, "u", 3000, &err), err);
    AUTO(task_free) struct task *open = get(f.db, id);
    CHECK_INT(open->draft_state, DRAFT_OPEN);
    CHECK_INT(open->draft_opened_ms, 2000);

    CHECK_OK(task_set_draft_state(f.db, id, DRAFT_MERGED, 4000, &err), err);
    CHECK_OK(task_set_follow_ci(f.db, id, false, &err), err);
    AUTO(task_free) struct task *merged = get(f.db, id);
    CHECK_INT(merged->draft_state, DRAFT_MERGED);
    CHECK_INT(merged->draft_ended_ms, 4000);
    CHECK(!merged->follow_ci);

    CHECK_OK(task_leave_draft(f.db, id, &err), err);
    AUTO(task_free) struct task *left = get(f.db, id);
    CHECK_INT(left->draft_state, DRAFT_NONE);
    CHECK_INT(left->draft_number, 0);
    CHECK_INT(left->draft_ended_ms, 0);
    CHECK(!left->branch && !left->base_branch && !left->draft_url);
    CHECK_STR(draft_state_name(DRAFT_MERGED), "merged");
    CHECK_STR(draft_state_name((enum draft_state)9), "unknown");
    fixture_done(&f);
}

TEST(tasks_are_found_by_draft_and_by_branch)
{
    struct fixture f;
    struct err err;
    struct task *task = NULL;

    fixture_begin(&f);
    const int64_t id = fixture_task(f.db, "o");
    fixture_task(f.db, "p");
    CHECK_OK(task_set_branch(f.db, id, "draftd/42-new", "main", &err), err);
    CHECK_OK(task_set_draft(f.db, id, 7, "u", 2000, &err), err);
    CHECK_OK(task_find_draft(f.db, "github", "acme/api", 7, &task, &err), err);
    CHECK_INT(task->id, id);
    task_free(task);
    CHECK_OK(task_find_branch(f.db, "github", "acme/api", "draftd/42-new", &task, &err), err);
    CHECK_INT(task->id, id);
    task_free(task);
    CHECK_INT(task_find_draft(f.db, "github", "acme/api", 8, &task, &err), ERR_NOTFOUND);
    CHECK_INT(task_find_draft(f.db, "github", "acme/web", 7, &task, &err), ERR_NOTFOUND);
    CHECK_INT(task_find_draft(f.db, "local", "acme/api", 7, &task, &err), ERR_NOTFOUND);
    CHECK_INT(task_find_draft(f.db, "github", "acme/api", 0, &task, &err), ERR_NOTFOUND);
    CHECK_INT(task_find_branch(f.db, "github", "acme/api", "main", &task, &err), ERR_NOTFOUND);
    fixture_done(&f);
}

TEST(list_newest_first_and_live_only)
{
    struct fixture f;
    struct err err;
    int64_t ids[6];
    char name[16];

    fixture_begin(&f);
    for (int i = 0; i < 6; i++) {
        (void)snprintf(name, sizeof(name), "o%d", i);
        ids[i] = fixture_task(f.db, name);
        if (i % 2)
            CHECK_OK(task_set_state(f.db, ids[i], TASK_CANCELED, "no", 1, &err), err);
    }
    CHECK_OK(task_set_state(f.db, ids[2], TASK_RUNNING, NULL, 1, &err), err);

    struct task_list list = {0};
    CHECK_OK(task_list(f.db, false, 4, &list, &err), err);
    CHECK_INT(list.count, 4);
    CHECK_INT(list.items[0]->id, ids[5]);
    task_list_done(&list);
    CHECK_OK(task_list(f.db, true, 100, &list, &err), err);
    CHECK_INT(list.count, 3);
    CHECK_INT(list.items[0]->id, ids[4]);
    CHECK_INT(list.items[1]->id, ids[2]);
    CHECK_INT(list.items[2]->id, ids[0]);
    task_list_done(&list);
    CHECK_INT(list.count, 0);
    fixture_done(&f);
}

TEST(text_of_any_kind_comes_back_as_it_was)
{
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t id = fixture_task(f.db, "o");
    const char *odd = "'; DROP TABLE task; -- \xf0\x9f\x90\x9b \xff\xfe $1 ? \n\t\x01";
    CHECK_OK(task_set_request(f.db, id, odd, odd, odd, 1, &err), err);
    AUTO(task_free) struct task *got = NULL;
    CHECK_OK(task_get(f.db, id, &got, &err), err);
    CHECK_STR(got->title, odd);
    CHECK_STR(got->text, odd);
    fixture_done(&f);
}

TEST(drafts)
{
    struct fixture f;
    struct err err;
    char *repository = "demo/calc", *branch = "draftd/1-x", *base = "main", *title = "T",
         *body = "B";
    char head[] = "0123";

    fixture_begin(&f);
    const int64_t task = fixture_task(f.db, "o");
    struct draft *none = NULL;
    CHECK_INT(draft_get(f.db, task, &none, &err), ERR_NOTFOUND);

    struct draft draft = {.number = task,
                          .repository = repository,
                          .branch = branch,
                          .base_branch = base,
                          .head_commit = head,
                          .title = title,
                          .body = body};
    CHECK_OK(draft_put(f.db, &draft, 1000, &err), err);
    head[3] = '4';
    CHECK_OK(draft_put(f.db, &draft, 2000, &err), err);

    AUTO(draft_free) struct draft *got = NULL;
    CHECK_OK(draft_get(f.db, task, &got, &err), err);
    CHECK_INT(got->number, task);
    CHECK_STR(got->repository, "demo/calc");
    CHECK_STR(got->branch, "draftd/1-x");
    CHECK_STR(got->base_branch, "main");
    CHECK_STR(got->head_commit, "0124");
    CHECK_STR(got->title, "T");
    CHECK_STR(got->body, "B");
    CHECK_INT(got->created_ms, 1000);
    CHECK_INT(got->updated_ms, 2000);
    fixture_done(&f);
}

/* A task whose draft has this number. */
static int64_t
drafted(struct db *db, const char *origin, int64_t number)
{
    const int64_t id = fixture_task(db, origin);
    struct err err;

    CHECK_OK(task_set_draft(db, id, number, "url", 1000, &err), err);
    return id;
}

TEST(open_drafts_are_listed_newest_first_from_a_place_on)
{
    struct fixture f;
    AUTO_DONE(task_list_done) struct task_list first = {0};
    AUTO_DONE(task_list_done) struct task_list rest = {0};
    struct err err;

    fixture_begin(&f);
    const int64_t a = drafted(f.db, "a", 1);
    const int64_t merged = drafted(f.db, "b", 2);
    (void)fixture_task(f.db, "c");
    const int64_t d = drafted(f.db, "d", 3);
    const int64_t e = drafted(f.db, "e", 4);
    CHECK_OK(task_set_draft_state(f.db, merged, DRAFT_MERGED, 1, &err), err);
    CHECK_OK(task_list_open_drafts(f.db, INT64_MAX, 2, &first, &err), err);
    CHECK_INT(first.count, 2);
    CHECK_INT(first.items[0]->id, e);
    CHECK_INT(first.items[1]->id, d);
    CHECK_OK(task_list_open_drafts(f.db, d, 2, &rest, &err), err);
    CHECK_INT(rest.count, 1);
    CHECK_INT(rest.items[0]->id, a);
    fixture_done(&f);
}

/* Is it as if nobody had looked at the task's draft? */
static bool
is_unseen(struct db *db, int64_t id)
{
    AUTO(task_free) struct task *task = NULL;
    struct err err;

    CHECK_OK(task_get(db, id, &task, &err), err);
    return !task->draft_conflicts && !task->draft_seen;
}

TEST(how_a_draft_was_found_is_forgotten_when_it_moves_on)
{
    struct fixture f;
    AUTO(task_free) struct task *task = NULL;
    struct err err;

    fixture_begin(&f);
    const int64_t id = drafted(f.db, "a", 1);
    CHECK(is_unseen(f.db, id));
    CHECK_OK(task_set_draft_seen(f.db, id, true, "W/\"1\"", &err), err);
    CHECK_OK(task_get(f.db, id, &task, &err), err);
    CHECK(task->draft_conflicts);
    CHECK_STR(task->draft_seen, "W/\"1\"");
    CHECK_OK(task_set_draft(f.db, id, 1, "url", 2000, &err), err); /* something was pushed */
    CHECK(is_unseen(f.db, id));
    CHECK_OK(task_set_draft_seen(f.db, id, true, "2", &err), err);
    CHECK_OK(task_set_draft_state(f.db, id, DRAFT_CLOSED, 1, &err), err);
    CHECK(is_unseen(f.db, id));
    CHECK_OK(task_set_draft_seen(f.db, id, true, "3", &err), err);
    CHECK_OK(task_leave_draft(f.db, id, &err), err);
    CHECK(is_unseen(f.db, id));
    fixture_done(&f);
}

TEST_MAIN()
