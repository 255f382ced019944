/* What is asked for and no task knows becomes one, once, and by nobody who may not ask. */
#include "tests/handlers/world.h"

#include "handlers/intake/event.h"
#include "handlers/platform.h"
#include "handlers/watch/platform_watch.h"
#include "handlers/watch/reconcile.h"

#define TASKS "SELECT count(*) FROM task"
#define HORIZON_MS (7 * MS_PER_DAY)

/* A platform that shows the same wishes in all its repositories. */
struct showing {
    struct session base;             /* first */
    const char *const *repositories; /* ended by NULL */
    int wishes;                      /* in each: numbers 1 to this */
    const char *asker;
    bool bot;
    int64_t asked_ms;
    int64_t changed_ms;
    int code;       /* of each_wish() */
    int asker_code; /* of find_asker() */
    int64_t horizon_ms;
    int looks;
    int asker_looks;
};

static struct showing *current; /* whose horizon it is: that function has no session */

static int64_t
horizon_ms(const struct settings *settings)
{
    (void)settings;
    return current->horizon_ms;
}

static int
each_repository(struct session *session, watch_name_fn *each, void *ctx, struct err *err)
{
    const struct showing *showing = (struct showing *)session;
    int r = 0;

    for (size_t i = 0; !r && showing->repositories[i]; i++)
        r = each(ctx, showing->repositories[i], err);
    return r;
}

static int
each_wish(struct session *session,
          const char *repository,
          int64_t since_ms,
          watch_event_fn *each,
          void *ctx,
          struct err *err)
{
    struct showing *showing = (struct showing *)session;
    int r = 0;

    showing->looks++;
    CHECK(since_ms <= clock_now_ms() - HORIZON_MS && since_ms > clock_now_ms() - HORIZON_MS - 9000);
    if (showing->code)
        return err_set(err, showing->code, "made up");
    for (int number = 1; !r && number <= showing->wishes; number++) {
        struct event *event = calloc(1, sizeof(*event));
        CHECK(event);
        *event = (struct event){.kind = EVENT_START,
                                .trigger = str_dup("label"),
                                .origin = str_printf("github:%s#%d", repository, number),
                                .order_key = str_printf("github:%s#%d", repository, number),
                                .repository = str_dup(repository),
                                .number = number,
                                .title = str_dup("Mend it"),
                                .text = str_dup("Please."),
                                .happened_ms = showing->changed_ms};
        r = each(ctx, event, err);
        event_free(event);
    }
    return r;
}

static int
find_asker(struct session *session, struct event *event, struct err *err)
{
    struct showing *showing = (struct showing *)session;

    showing->asker_looks++;
    if (showing->asker_code)
        return err_set(err, showing->asker_code, "made up");
    event->actor_is_bot = showing->bot;
    event->happened_ms = showing->asked_ms;
    return str_set(&event->actor, showing->asker, err);
}

static int
may(struct session *session,
    const char *repository,
    const char *actor,
    bool *ret_yes,
    struct err *err)
{
    (void)session;
    (void)repository;
    (void)err;
    *ret_yes = str_equal(actor, "ann");
    return 0;
}

static const struct platform_watch watch = {.horizon_ms = horizon_ms,
                                            .each_repository = each_repository,
                                            .each_wish = each_wish,
                                            .find_asker = find_asker};
static const struct platform platform = {.name = "github", .watch = &watch, .may = may};
static const char *const one[] = {"acme/api", NULL};
static const char *const many[] = {"acme/a", "acme/b", "acme/c", "acme/d", "acme/e", NULL};

struct scene {
    struct world w;
    struct showing showing;
    struct reconcile *reconcile;
};

static void
open_scene(struct scene *s)
{
    struct err err;

    *s = (struct scene){0};
    world_open(&s->w, NULL, 0);
    s->w.app.sandbox.engine = "unix:///x";
    s->w.settings.server.state_dir = s->w.dir;
    s->showing = (struct showing){.base = {.platform = &platform, .app = &s->w.app},
                                  .repositories = one,
                                  .wishes = 1,
                                  .asker = "ann",
                                  .asked_ms = clock_now_ms() - MS_PER_DAY,
                                  .changed_ms = 1000,
                                  .horizon_ms = HORIZON_MS};
    current = &s->showing;
    CHECK_OK(reconcile_new(&s->w.app, &s->reconcile, &err), err);
}

static void
close_scene(struct scene *s)
{
    reconcile_free(s->reconcile);
    world_close(&s->w);
}

static int64_t
look(struct scene *s)
{
    return reconcile_look(s->reconcile, &s->showing.base);
}

TEST(a_wish_that_no_task_knows_becomes_one_once)
{
    struct scene s;

    open_scene(&s);
    CHECK_INT(look(&s), MS_PER_HOUR);
    CHECK_STORED(&s.w, "SELECT origin || ' ' || requested_by || ' ' || state FROM task",
                 "github:acme/api#1 ann 0");
    auto_free char *run = str_printf("label ann %lld", (long long)s.showing.asked_ms);
    CHECK_STORED(&s.w, "SELECT trigger_kind || ' ' || trigger_actor || ' ' || trigger_ms FROM run",
                 run);
    look(&s);
    CHECK_INT(world_int(&s.w, "SELECT count(*) FROM run"), 1);
    CHECK_INT(s.showing.asker_looks, 1);
    close_scene(&s);
}

TEST(what_ended_or_was_cancelled_is_not_begun_again)
{
    struct scene s;

    open_scene(&s);
    look(&s);
    for (int state = TASK_DRAFTED; state < TASK_STATE_COUNT; state++) {
        auto_free char *sql =
            str_printf("UPDATE task SET state = %d; UPDATE run SET state = 2", state);
        world_exec(&s.w, sql);
        s.showing.changed_ms++;
        look(&s);
        CHECK_INT(world_int(&s.w, "SELECT count(*) FROM run"), 1);
    }
    CHECK_INT(s.showing.asker_looks, 1);
    close_scene(&s);
}

TEST(a_delivery_that_waits_is_not_overtaken)
{
    struct scene s;

    open_scene(&s);
    (void)world_deliver(&s.w, "github", "waits", "issues", "{}");
    world_exec(&s.w, "UPDATE delivery SET order_key = 'github:acme/api#1', next_ms = 5");
    look(&s);
    CHECK_INT(world_int(&s.w, TASKS), 0);
    world_exec(&s.w, "UPDATE delivery SET state = 2");
    look(&s);
    CHECK_INT(world_int(&s.w, TASKS), 1);
    close_scene(&s);
}

TEST(who_may_not_ask_otherwise_may_not_ask_so)
{
    struct scene s;

    open_scene(&s);
    s.showing.asker = "eve";
    look(&s);
    s.showing.changed_ms++;
    s.showing.asker = "ann";
    s.showing.bot = true;
    look(&s);
    s.showing.changed_ms++;
    s.showing.bot = false;
    s.showing.asked_ms = clock_now_ms() - HORIZON_MS - MS_PER_MINUTE;
    look(&s);
    s.showing.changed_ms++;
    s.showing.asker_code = ERR_NOTFOUND;
    look(&s);
    s.showing.changed_ms++;
    s.showing.asker_code = ERR_CONFLICT;
    look(&s);
    CHECK_INT(s.showing.asker_looks, 5);
    look(&s);
    CHECK_INT(s.showing.asker_looks, 5); /* as it stood */
    CHECK_INT(world_int(&s.w, TASKS), 0);
    close_scene(&s);
}

TEST(what_cannot_be_found_out_is_looked_at_again)
{
    struct scene s;

    open_scene(&s);
    s.showing.asker_code = ERR_UNAVAILABLE;
    CHECK_INT(look(&s), 10 * MS_PER_MINUTE);
    CHECK_INT(world_int(&s.w, TASKS), 0);
    s.showing.asker_code = 0;
    CHECK_INT(look(&s), MS_PER_HOUR);
    CHECK_INT(world_int(&s.w, TASKS), 1);
    close_scene(&s);
}

TEST(repositories_that_fail_one_after_the_other_end_the_look)
{
    struct scene s;

    open_scene(&s);
    s.showing.repositories = many;
    s.showing.code = ERR_REMOTE;
    CHECK_INT(look(&s), 10 * MS_PER_MINUTE);
    CHECK_INT(s.showing.looks, 3);
    s.showing.code = ERR_LIMIT;
    look(&s);
    CHECK_INT(s.showing.looks, 4);
    s.showing.code = 0;
    look(&s);
    CHECK_INT(world_int(&s.w, TASKS), 5);
    close_scene(&s);
}

TEST(many_are_begun_in_portions_and_none_without_a_horizon)
{
    struct scene s;

    open_scene(&s);
    s.showing.wishes = 60;
    s.showing.horizon_ms = 0;
    CHECK_INT(look(&s), MS_PER_HOUR);
    CHECK_INT(s.showing.looks, 0);
    s.showing.horizon_ms = HORIZON_MS;
    CHECK_INT(look(&s), 10 * MS_PER_MINUTE);
    CHECK_INT(world_int(&s.w, TASKS), 50);
    CHECK_INT(look(&s), MS_PER_HOUR);
    CHECK_INT(world_int(&s.w, TASKS), 60);
    close_scene(&s);
}

TEST_MAIN()
