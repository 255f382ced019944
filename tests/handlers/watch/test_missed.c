/* Deliveries that never arrived are asked for again, until they do or are no longer kept. */
#include "tests/handlers/watch/asked.h"

#include "handlers/watch/missed.h"

#define MINUTES_AGO(n) (clock_now_ms() - (n)*MS_PER_MINUTE)
#define MARK "SELECT seen_ms FROM delivery_mark WHERE hook = 'app'"

static const char *const one_hook[] = {"app", NULL};
static const char *const two_hooks[] = {"acme/api", "acme/web", NULL};

struct scene {
    struct world w;
    struct asked asked;
    struct missed *missed;
    int64_t mono_ms;
};

static void
open_scene(struct scene *scene, const struct watch_sent *sent)
{
    struct err err;

    world_open(&scene->w, NULL, 0);
    scene->asked = (struct asked){.base = {.platform = &asked_platform, .app = &scene->w.app},
                                  .hooks = one_hook,
                                  .sent = sent};
    CHECK_OK(missed_new(&scene->w.app, &scene->missed, &err), err);
}

/* As after a restart. */
static void
renew(struct scene *scene)
{
    struct err err;

    missed_free(scene->missed);
    CHECK_OK(missed_new(&scene->w.app, &scene->missed, &err), err);
}

static void
close_scene(struct scene *scene)
{
    missed_free(scene->missed);
    world_close(&scene->w);
}

static int64_t
look(struct scene *scene)
{
    return missed_look(scene->missed, &scene->asked.base, scene->mono_ms);
}

TEST(what_nobody_took_and_nobody_stored_is_asked_for_oldest_first)
{
    const struct watch_sent sent[] = {
        {.id = 10, .guid = "by-hand", .sent_ms = MINUTES_AGO(2)}, /* and was taken before */
        {.id = 9, .guid = "by-hand", .sent_ms = MINUTES_AGO(3), .ok = true},
        {.id = 8, .guid = "timed-out", .sent_ms = MINUTES_AGO(3)},
        {.id = 7, .guid = "again", .sent_ms = MINUTES_AGO(4), .ok = true},
        {.id = 6, .guid = "twice", .sent_ms = MINUTES_AGO(5)},
        {.id = 5, .guid = "lost", .sent_ms = MINUTES_AGO(6)},
        {.id = 4, .guid = "twice", .sent_ms = MINUTES_AGO(7)},
        {.id = 3, .guid = "again", .sent_ms = MINUTES_AGO(8)},
        {.id = 2, .guid = "stored", .sent_ms = MINUTES_AGO(9)},
        {.id = 1, .guid = "elsewhere", .sent_ms = MINUTES_AGO(10)},
        {0},
    };
    struct scene s;

    open_scene(&s, sent);
    world_deliver(&s.w, "github", "stored", "issues", "{}");
    world_deliver(&s.w, "local", "elsewhere", "issues", "{}");
    CHECK_INT(look(&s), 5 * MS_PER_MINUTE);
    CHECK_INT(s.asked.again_count, 4);
    CHECK_INT(s.asked.again[0], 1);
    CHECK_INT(s.asked.again[1], 5);
    CHECK_INT(s.asked.again[2], 6); /* its newest attempt */
    CHECK_INT(s.asked.again[3], 8);
    close_scene(&s);
}

TEST(what_fails_again_is_asked_for_again_with_growing_pauses)
{
    static const int pauses[] = {5, 15, 60, 240, 240, 240}; /* minutes */
    const struct watch_sent sent[] = {{.id = 1, .guid = "lost", .sent_ms = MINUTES_AGO(90)}, {0}};
    const struct watch_sent later[] = {
        {.id = 3, .guid = "fine", .sent_ms = MINUTES_AGO(2), .ok = true},
        {.id = 2, .guid = "lost", .sent_ms = MINUTES_AGO(60), .again = true},
        {.id = 1, .guid = "lost", .sent_ms = MINUTES_AGO(90)},
        {0},
    };
    struct scene s;

    open_scene(&s, sent);
    look(&s);
    s.asked.sent = later;
    for (size_t i = 0; i < COUNT(pauses); i++) {
        CHECK_INT(s.asked.again_count, i + 1);
        CHECK_INT(look(&s), 5 * MS_PER_MINUTE);
        s.mono_ms += pauses[i] * MS_PER_MINUTE - 1;
        look(&s);
        CHECK_INT(s.asked.again_count, i + 1);
        s.mono_ms += 2;
        look(&s);
        CHECK_INT(s.asked.again[i + 1], 2); /* the newest attempt */
    }
    CHECK_INT(s.asked.hook_looks, 1);
    renew(&s); /* which knows of no pause */
    look(&s);
    CHECK_INT(s.asked.again_count, COUNT(pauses) + 2);
    close_scene(&s);
}

TEST(the_mark_waits_for_what_was_asked_for_until_it_was_taken_or_stored)
{
    const int64_t newest_ms = MINUTES_AGO(2);
    const int64_t first_ms = MINUTES_AGO(90);
    struct watch_sent sent[] = {
        {.id = 5, .guid = "fine", .sent_ms = newest_ms, .ok = true},
        {.id = 4, .guid = "lost", .sent_ms = MINUTES_AGO(30), .again = true},
        {.id = 3, .guid = "stored", .sent_ms = MINUTES_AGO(40), .again = true},
        {.id = 2, .guid = "lost", .sent_ms = first_ms + MS_PER_MINUTE},
        {.id = 1, .guid = "stored", .sent_ms = first_ms},
        {0},
    };
    struct scene s;

    open_scene(&s, sent);
    look(&s);
    CHECK_INT(s.asked.again_count, 2);
    CHECK_INT(world_int(&s.w, MARK), first_ms);
    world_deliver(&s.w, "github", "stored", "issues", "{}");
    look(&s);
    CHECK_INT(world_int(&s.w, MARK), first_ms + MS_PER_MINUTE);
    sent[1].ok = true;
    look(&s);
    CHECK_INT(world_int(&s.w, MARK), newest_ms);
    CHECK_INT(s.asked.again_count, 2);
    close_scene(&s);
}

TEST(what_was_first_sent_longer_ago_than_is_kept_is_let_go)
{
    const int64_t newest_ms = MINUTES_AGO(2);
    const struct watch_sent sent[] = {
        {.id = 4, .guid = "fine", .sent_ms = newest_ms, .ok = true},
        {.id = 3, .guid = "old", .sent_ms = MINUTES_AGO(3), .again = true},
        {.id = 2, .guid = "old", .sent_ms = MINUTES_AGO(60), .again = true},
        {.id = 1, .guid = "old", .sent_ms = MINUTES_AGO(73 * 60)},
        {0},
    };
    struct scene s;

    open_scene(&s, sent);
    look(&s);
    CHECK_INT(s.asked.again_count, 0);
    CHECK_INT(world_int(&s.w, MARK), newest_ms);
    close_scene(&s);
}

TEST(looks_begin_a_little_before_the_newest_that_was_seen)
{
    const int64_t newest_ms = MINUTES_AGO(2);
    const struct watch_sent sent[] = {
        {.id = 2, .guid = "fine", .sent_ms = newest_ms, .ok = true},
        {.id = 1, .guid = "lost", .sent_ms = MINUTES_AGO(60)},
        {0},
    };
    struct scene s;

    open_scene(&s, sent);
    const int64_t before_ms = clock_now_ms();
    world_deliver(&s.w, "github", "lost", "issues", "{}");
    look(&s);
    CHECK(s.asked.since_ms >= before_ms - 3 * MS_PER_DAY);
    CHECK(s.asked.since_ms <= clock_now_ms() - 3 * MS_PER_DAY);
    CHECK_INT(world_int(&s.w, MARK), newest_ms);
    renew(&s);
    look(&s);
    CHECK_INT(s.asked.since_ms, newest_ms - 10 * MS_PER_MINUTE);
    CHECK_INT(s.asked.again_count, 0);
    close_scene(&s);
}

TEST(what_is_fresh_is_waited_for_and_holds_the_mark_back)
{
    const int64_t fresh_ms = clock_now_ms() - 10 * MS_PER_SECOND;
    const struct watch_sent sent[] = {
        {.id = 3, .guid = "fine", .sent_ms = fresh_ms + 5000, .ok = true},
        {.id = 2, .guid = "fresh", .sent_ms = fresh_ms},
        {.id = 1, .guid = "old", .sent_ms = MINUTES_AGO(5), .ok = true},
        {0},
    };
    /* as it stands a clock of ours that is an hour behind sees it */
    const int64_t ahead_ms = clock_now_ms() + MS_PER_HOUR;
    const struct watch_sent from_ahead[] = {
        {.id = 5, .guid = "newer", .sent_ms = ahead_ms + 5000, .ok = true},
        {.id = 4, .guid = "ahead", .sent_ms = ahead_ms},
        {0},
    };
    struct scene s;

    open_scene(&s, sent);
    look(&s);
    CHECK_INT(s.asked.again_count, 0);
    CHECK_INT(world_int(&s.w, MARK), fresh_ms);
    s.asked.sent = from_ahead;
    look(&s);
    CHECK_INT(s.asked.again_count, 0);
    CHECK_INT(world_int(&s.w, MARK), ahead_ms);
    close_scene(&s);
}

TEST(a_list_that_cannot_be_read_moves_nothing)
{
    const struct watch_sent sent[] = {{.id = 1, .guid = "lost", .sent_ms = MINUTES_AGO(3)}, {0}};
    struct scene s;

    open_scene(&s, sent);
    log_set_level(LOG_ERROR);
    s.asked.sent_code = ERR_REMOTE;
    CHECK_INT(look(&s), 5 * MS_PER_MINUTE);
    CHECK_INT(s.asked.again_count, 0);
    CHECK_STORED(&s.w, MARK, "(none)");
    s.asked.sent_code = 0;
    s.asked.again_code = ERR_UNAVAILABLE;
    look(&s);
    CHECK_STORED(&s.w, MARK, "(none)");
    s.asked.again_code = 0;
    look(&s);
    CHECK_INT(s.asked.again_count, 1);
    CHECK_INT(world_int(&s.w, MARK), sent[0].sent_ms);
    close_scene(&s);
}

TEST(what_is_no_longer_kept_is_let_go)
{
    const struct watch_sent sent[] = {
        {.id = 2, .guid = "fine", .sent_ms = MINUTES_AGO(3), .ok = true},
        {.id = 1, .guid = "lost", .sent_ms = MINUTES_AGO(4)},
        {0},
    };
    struct scene s;

    open_scene(&s, sent);
    s.asked.again_code = ERR_NOTFOUND;
    look(&s);
    CHECK_INT(world_int(&s.w, MARK), sent[0].sent_ms);
    s.asked.again_code = 0;
    look(&s);
    CHECK_INT(s.asked.again_count, 0);
    close_scene(&s);
}

TEST(many_are_asked_for_in_portions)
{
    struct watch_sent sent[101] = {0};
    char guids[100][16];
    struct scene s;

    for (int i = 0; i < 100; i++) {
        (void)snprintf(guids[i], sizeof(guids[i]), "lost-%d", i);
        sent[i] = (struct watch_sent){
            .id = 100 - i, .guid = guids[i], .sent_ms = MINUTES_AGO(2) - i * MS_PER_SECOND};
    }
    open_scene(&s, sent);
    CHECK_INT(look(&s), MS_PER_MINUTE);
    CHECK_INT(s.asked.again_count, 40);
    CHECK_STORED(&s.w, MARK, "(none)");
    CHECK_INT(look(&s), MS_PER_MINUTE);
    CHECK_INT(look(&s), 5 * MS_PER_MINUTE);
    CHECK_INT(s.asked.again_count, 100);
    for (int i = 0; i < 100; i++)
        CHECK_INT(s.asked.again[i], i + 1);
    CHECK_INT(world_int(&s.w, MARK), sent[99].sent_ms);
    close_scene(&s);
}

TEST(of_more_than_can_be_looked_through_the_newest_are)
{
    const size_t count = 12000;
    struct watch_sent *sent = calloc(count + 1, sizeof(*sent));
    char(*guids)[16] = calloc(count, sizeof(*guids));
    struct scene s;

    CHECK(sent && guids);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(guids[i], sizeof(guids[i]), "ok-%zu", i);
        sent[i] = (struct watch_sent){
            .id = (int64_t)(count - i), .guid = guids[i], .sent_ms = MINUTES_AGO(2), .ok = i != 7};
    }
    open_scene(&s, sent);
    look(&s);
    CHECK_INT(s.asked.again_count, 1);
    CHECK_INT(s.asked.again[0], (int64_t)count - 7);
    close_scene(&s);
    free(sent);
    free(guids);
}

TEST(each_hook_has_a_mark_of_its_own_and_hooks_are_found_anew_when_one_is_gone)
{
    const struct watch_sent sent[] = {
        {.id = 1, .guid = "fine", .sent_ms = MINUTES_AGO(3), .ok = true}, {0}};
    struct scene s;

    open_scene(&s, sent);
    s.asked.hooks = two_hooks;
    look(&s);
    CHECK_INT(s.asked.looks, 2);
    CHECK_INT(world_int(&s.w, "SELECT count(*) FROM delivery_mark"), 2);
    s.asked.sent_code = ERR_NOTFOUND;
    look(&s);
    CHECK_INT(s.asked.looks, 4);
    CHECK_INT(s.asked.hook_looks, 1);
    look(&s);
    CHECK_INT(s.asked.hook_looks, 2);
    close_scene(&s);
}

TEST(of_too_many_hooks_the_first_are_watched)
{
    const struct watch_sent sent[] = {{0}};
    const char *many[301] = {NULL};
    char names[300][8];
    struct scene s;

    for (int i = 0; i < 300; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "a/%d", i);
        many[i] = names[i];
    }
    open_scene(&s, sent);
    s.asked.hooks = many;
    CHECK_INT(look(&s), 5 * MS_PER_MINUTE);
    CHECK_INT(s.asked.looks, 200);
    look(&s);
    CHECK_INT(s.asked.looks, 400);
    CHECK_INT(s.asked.hook_looks, 1);
    close_scene(&s);
}

TEST(without_hooks_it_is_tried_again_after_an_hour)
{
    static const char *const none[] = {NULL};
    struct scene s;

    open_scene(&s, NULL);
    s.asked.hooks = none;
    s.asked.hooks_code = ERR_INVALID;
    CHECK_INT(look(&s), MS_PER_HOUR);
    s.asked.hooks_code = ERR_UNAVAILABLE;
    CHECK_INT(look(&s), 5 * MS_PER_MINUTE);
    CHECK_INT(s.asked.looks, 0);
    close_scene(&s);
}

TEST_MAIN()
