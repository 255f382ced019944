/* Open drafts are looked at: their end is recorded, their conflicts are told and taken back. */
#include "tests/handlers/world.h"

#include "handlers/platform.h"
#include "handlers/watch/drafts.h"
#include "handlers/watch/platform_watch.h"

#define DRAFT_OF(id)                                                                               \
    "SELECT draft_state || ' ' || draft_conflicts || ' ' ||"                                       \
    " coalesce(draft_seen, '-') FROM task WHERE id = " #id
#define STATUSES "SELECT count(*) FROM outbox WHERE kind = 0"
#define STATUS "SELECT body FROM outbox WHERE kind = 0 ORDER BY id DESC LIMIT 1"
#define MOST_LOOKS 100

/* A platform whose drafts all stand as `draft` says. */
struct standing {
    struct session base; /* first */
    struct watch_draft draft;
    const char *seen;   /* of this answer; NULL: none */
    int code;           /* what each look ends with */
    int64_t code_below; /* only for tasks below this one; 0: for all */
    int64_t looks[MOST_LOOKS];
    size_t look_count;
    char *asked_with; /* the last `seen` */
};

static int
look_at_draft(struct session *session,
              const struct task *task,
              const char *seen,
              struct watch_draft *ret_draft,
              struct err *err)
{
    struct standing *standing = (struct standing *)session;

    CHECK(standing->look_count < MOST_LOOKS);
    standing->looks[standing->look_count++] = task->id;
    CHECK_OK(str_set(&standing->asked_with, seen, err), *err);
    if (standing->code && (!standing->code_below || task->id < standing->code_below))
        return err_set(err, standing->code, "made up");
    *ret_draft = standing->draft;
    ret_draft->unchanged = seen && str_equal(seen, standing->seen);
    if (!ret_draft->unchanged && standing->seen)
        ret_draft->seen = str_dup(standing->seen);
    return 0;
}

static const struct platform_watch watch = {.look_at_draft = look_at_draft};
static const struct platform platform = {.name = "github", .watch = &watch};

struct scene {
    struct world w;
    struct standing standing;
    struct drafts drafts;
};

/* A world with `count` tasks that have open drafts, all said to stand well. */
static void
open_scene(struct scene *s, int count)
{
    *s = (struct scene){0};
    world_open(&s->w, NULL, 0);
    s->w.app.sandbox.engine = "unix:///x";
    s->w.settings.server.state_dir = s->w.dir;
    s->standing = (struct standing){
        .base = {.platform = &platform, .app = &s->w.app},
        .draft = {.open = true, .conflicts_known = true},
        .seen = "a",
    };
    for (int i = 1; i <= count; i++) {
        auto_free char *origin = str_printf("github:acme/api#%d", i);
        (void)world_make_task(&s->w, "github", origin);
    }
    world_exec(&s->w, "UPDATE run SET state = 2, outcome = 1;"
                      "UPDATE task SET state = 2, draft_state = 1, draft_number = id + 100,"
                      " draft_url = 'https://github.example/acme/api/pull/101',"
                      " base_branch = 'main'");
}

static void
close_scene(struct scene *s)
{
    free(s->standing.asked_with);
    world_close(&s->w);
}

static int64_t
look(struct scene *s)
{
    return drafts_look(&s->drafts, &s->w.app, &s->standing.base);
}

TEST(a_draft_that_was_merged_meanwhile_is_recorded_and_told)
{
    struct scene s;

    open_scene(&s, 1);
    s.standing.draft = (struct watch_draft){.merged = true, .ended_ms = 77000};
    look(&s);
    CHECK_STORED(&s.w, "SELECT draft_state || ' ' || draft_ended_ms FROM task", "2 77000");
    CHECK_STORED_CONTAINS(&s.w, STATUS, "**Merged**");
    look(&s);
    CHECK_INT(s.standing.look_count, 1); /* it is open no more */
    close_scene(&s);
}

TEST(a_draft_that_was_closed_meanwhile_ends_the_work_on_it)
{
    struct scene s;

    open_scene(&s, 1);
    world_exec(&s.w, "UPDATE task SET state = 0; UPDATE run SET state = 0");
    s.standing.draft = (struct watch_draft){.ended_ms = 77000};
    look(&s);
    CHECK_STORED(&s.w, "SELECT draft_state || ' ' || state FROM task", "3 6");
    CHECK_STORED_CONTAINS(&s.w, STATUS, "Cancelled");
    close_scene(&s);
}

TEST(conflicts_are_told_once_and_taken_back)
{
    struct scene s;

    open_scene(&s, 1);
    look(&s);
    CHECK_STORED(&s.w, DRAFT_OF(1), "1 0 a");
    CHECK_INT(world_int(&s.w, STATUSES), 0);

    s.standing.draft.conflicts = true;
    look(&s);
    CHECK_STR(s.standing.asked_with, "a"); /* and as it is what it was, nothing was said */
    CHECK_STORED(&s.w, DRAFT_OF(1), "1 0 a");
    s.standing.seen = "b";
    look(&s);
    CHECK_STORED(&s.w, DRAFT_OF(1), "1 1 b");
    CHECK_STORED_CONTAINS(&s.w, STATUS, "conflicts with `main`; `@draftd rebase` resolves");
    CHECK_INT(world_int(&s.w, STATUSES), 1);

    s.standing.seen = NULL; /* being found out: nothing is known, and it is asked anew */
    s.standing.draft = (struct watch_draft){.open = true};
    look(&s);
    CHECK_STORED(&s.w, DRAFT_OF(1), "1 1 -");
    world_exec(&s.w, "UPDATE outbox SET state = 1");
    CHECK_INT(world_int(&s.w, STATUSES), 1);

    s.standing.draft.conflicts_known = true;
    s.standing.seen = "c";
    look(&s);
    CHECK(!s.standing.asked_with);
    CHECK_STORED(&s.w, DRAFT_OF(1), "1 0 c");
    CHECK_INT(world_int(&s.w, STATUSES), 2);
    CHECK_INT(world_int(&s.w, "SELECT count(*) FROM outbox WHERE body LIKE '%rebase%'"
                              " AND state = 0"),
              0);
    close_scene(&s);
}

TEST(the_words_of_a_run_under_way_stay)
{
    struct scene s;

    open_scene(&s, 1);
    world_exec(&s.w, "UPDATE task SET state = 1; UPDATE run SET state = 1");
    s.standing.draft.conflicts = true;
    look(&s);
    CHECK_STORED(&s.w, DRAFT_OF(1), "1 1 a");
    CHECK_INT(world_int(&s.w, STATUSES), 0);
    close_scene(&s);
}

TEST(a_sweep_goes_in_portions_from_the_newest_to_the_oldest)
{
    struct scene s;

    open_scene(&s, 45);
    world_exec(&s.w, "UPDATE task SET draft_state = 3 WHERE id = 44");
    CHECK_INT(look(&s), 10 * MS_PER_SECOND);
    CHECK_INT(s.standing.look_count, 20);
    CHECK_INT(look(&s), 10 * MS_PER_SECOND);
    const int64_t pause_ms = look(&s);
    CHECK(pause_ms > 9 * MS_PER_MINUTE && pause_ms <= 10 * MS_PER_MINUTE);
    CHECK_INT(s.standing.look_count, 44);
    CHECK_INT(s.standing.looks[0], 45);
    CHECK_INT(s.standing.looks[1], 43);
    CHECK_INT(s.standing.looks[43], 1);
    CHECK_INT(look(&s), 10 * MS_PER_SECOND);
    CHECK_INT(s.standing.looks[44], 45); /* and again */
    close_scene(&s);
}

TEST(one_that_is_gone_does_not_keep_the_others_from_being_looked_at)
{
    struct scene s;

    open_scene(&s, 8);
    s.standing.code = ERR_NOTFOUND;
    look(&s);
    CHECK_INT(s.standing.look_count, 8);
    s.standing.code = ERR_UNAVAILABLE;
    CHECK_INT(look(&s), MS_PER_MINUTE);
    CHECK_INT(s.standing.look_count, 8 + 3);
    s.standing.code = 0;
    look(&s); /* goes on where it was */
    CHECK_INT(s.standing.looks[11], 6);
    s.standing.code = ERR_LIMIT;
    CHECK_INT(look(&s), MS_PER_MINUTE);
    CHECK_INT(s.standing.look_count, 17 + 1);
    close_scene(&s);
}

TEST_MAIN()
