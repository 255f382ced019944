/* What a platform says of itself: many rows change at once, and no others. */
#include "server/store/notice.h"
#include "server/store/outbox.h"
#include "tests/server/store/fixture.h"

static void
exec(struct fixture *f, const char *sql)
{
    struct err err;
    CHECK_OK(db_exec(f->db, sql, &err), err);
}

/* The first column of all rows, in one line. */
#define CHECK_ROWS(f, sql, expected)                                                               \
    do {                                                                                           \
        AUTO(db_release) struct db_stmt *stmt = NULL;                                              \
        struct err query_err;                                                                      \
        bool row = false;                                                                          \
        CHECK_OK(                                                                                  \
            db_prepare((f)->db, "SELECT group_concat(x, ' ') FROM (" sql ")", &stmt, &query_err),  \
            query_err);                                                                            \
        CHECK_OK(db_step(stmt, &row, &query_err), query_err);                                      \
        const char *text = row ? db_column_text(stmt, 0) : NULL;                                   \
        CHECK_STR(text ? text : "", expected);                                                     \
    } while (0)

static int64_t
add_task(struct fixture *f, const char *platform, const char *repository, const char *origin)
{
    const struct task task = {.platform = borrowed(platform),
                              .origin = borrowed(origin),
                              .thread = borrowed(origin),
                              .repository = borrowed(repository),
                              .title = borrowed(origin),
                              .text = borrowed(origin),
                              .requested_by = borrowed(origin)};
    struct err err;
    int64_t id = 0;

    CHECK_OK(task_insert(f->db, &task, 1000, &id, &err), err);
    return id;
}

static void
owe(struct fixture *f, int64_t task, const char *platform, const char *thread)
{
    const struct outbox_new message = {
        .platform = platform, .thread = thread, .kind = OUTBOX_COMMENT, .task = task, .body = "x"};
    struct err err;

    CHECK_OK(outbox_put(f->db, &message, 1000, &err), err);
}

TEST(a_repository_that_moved_takes_its_tasks_and_messages_along)
{
    char github[] = "github", local[] = "local", old[] = "acme/old", older[] = "acme/older",
         new[] = "beta/new";
    char o1[] = "github:acme/old#1", o2[] = "github:acme/old#2", o3[] = "github:acme/older#1",
         o4[] = "local:acme/old#1", n2[] = "github:beta/new#2";
    struct fixture f;
    struct err err;

    fixture_begin(&f);
    const int64_t first = add_task(&f, github, old, o1);
    (void)add_task(&f, github, old, o2);
    const int64_t third = add_task(&f, github, older, o3);
    const int64_t fourth = add_task(&f, local, old, o4);
    (void)add_task(&f, github, new, n2); /* its name was heard of before */
    owe(&f, first, github, o1);
    owe(&f, first, github, "github:acme/old#1 evidence");
    owe(&f, third, github, o3);
    owe(&f, fourth, local, o4);
    exec(&f, "INSERT INTO withdrawal (origin, happened_ms, created_ms) VALUES"
             " ('github:acme/old#3', 1, 1), ('github:acme/older#3', 1, 1)");
    CHECK_OK(notice_moved(f.db, "github", "acme/old", "beta/new", &err), err);
    CHECK_ROWS(&f, "SELECT repository AS x FROM task ORDER BY id",
               "beta/new beta/new acme/older acme/old beta/new");
    CHECK_ROWS(&f, "SELECT origin AS x FROM task ORDER BY id",
               "github:beta/new#1 github:acme/old#2 github:acme/older#1 local:acme/old#1 "
               "github:beta/new#2");
    CHECK_ROWS(&f, "SELECT thread AS x FROM outbox ORDER BY id",
               "github:beta/new#1 github:beta/new#1 evidence github:acme/older#1 local:acme/old#1");
    CHECK_ROWS(&f, "SELECT thread AS x FROM task WHERE id < 3 ORDER BY id",
               "github:beta/new#1 github:beta/new#2");
    CHECK_ROWS(&f, "SELECT origin AS x FROM withdrawal ORDER BY origin",
               "github:acme/older#3 github:beta/new#3");
    fixture_done(&f);
}

TEST(what_waited_is_due_at_once)
{
    char github[] = "github", local[] = "local", name[] = "acme/api";
    char o1[] = "github:acme/api#1", o2[] = "github:acme/api#2", o3[] = "local:1";
    struct fixture f;
    struct err err;
    int64_t run;

    fixture_begin(&f);
    for (int i = 0; i < 3; i++) {
        char *origin = i == 0 ? o1 : i == 1 ? o2 : o3;
        const int64_t task = add_task(&f, i == 2 ? local : github, name, origin);
        const struct run_new new_run = {
            .task = task, .trigger_kind = "label", .trigger_actor = "ann", .not_before_ms = 9000};
        CHECK_OK(run_insert(f.db, &new_run, 1000, &run, &err), err);
        owe(&f, task, i == 2 ? local : github, origin);
    }
    exec(&f, "UPDATE run SET waiting_since_ms = 500 WHERE id <> 2");
    exec(&f, "UPDATE outbox SET next_ms = 9000 WHERE id <> 2");
    CHECK_OK(notice_back(f.db, "github", 2000, &err), err);
    CHECK_ROWS(&f, "SELECT not_before_ms AS x FROM run ORDER BY id", "2000 9000 9000");
    CHECK_ROWS(&f, "SELECT next_ms AS x FROM outbox ORDER BY id", "2000 0 9000");
    fixture_done(&f);
}

TEST_MAIN()
