/* What was there when the process began is noted before it is handled, and only that. */
#include "handlers/intake/inherited.h"
#include "tests/handlers/world.h"

#include "server/store/delivery.h"

static int
load(struct db *db, void *ctx, struct err *err)
{
    struct delivery **delivery = ctx;
    return delivery_get(db, (*delivery)->id, delivery, err);
}

/* As the dispatcher does, of delivery `id`. Returns why it is not to be handled. */
static const char *
begin(struct world *w, struct inherited *inherited, int64_t id)
{
    struct delivery wanted = {.id = id};
    struct delivery *delivery = &wanted;
    const char *why = NULL;
    struct err err;

    CHECK_OK(store_read(w->app.store, load, &delivery, &err), err);
    const int r = inherited_begin(inherited, w->app.store, delivery, &why, &err);
    delivery_free(delivery);
    CHECK_OK(r, err);
    return why;
}

TEST(each_process_notes_what_it_found_until_it_is_too_often)
{
    struct world w;

    world_open(&w, NULL, 0);
    world_deliver(&w, "github", "d1", "push", "{}");
    for (int64_t before = 0; before < 5; before++) {
        struct inherited inherited = {0};
        CHECK_INT(world_int(&w, "SELECT begun FROM delivery"), before);
        CHECK(!begin(&w, &inherited, 1));
    }
    struct inherited inherited = {0};
    CHECK_CONTAINS(begin(&w, &inherited, 1), "ended without a word");
    CHECK_INT(world_int(&w, "SELECT begun FROM delivery"), 5);
    world_close(&w);
}

TEST(what_comes_later_costs_nothing)
{
    struct inherited inherited = {0};
    struct world w;

    world_open(&w, NULL, 0);
    world_deliver(&w, "github", "d1", "push", "{}");
    CHECK(!begin(&w, &inherited, 1));
    world_deliver(&w, "github", "d2", "push", "{}");
    CHECK(!begin(&w, &inherited, 2));
    CHECK_STORED(&w, "SELECT group_concat(begun, ' ') FROM delivery", "1 0");
    world_close(&w);
}

TEST(a_process_that_is_asked_to_end_takes_its_note_back)
{
    struct inherited inherited = {0};
    struct world w;

    world_open(&w, NULL, 0);
    world_deliver(&w, "github", "d1", "push", "{}");
    world_exec(&w, "UPDATE delivery SET begun = 3");
    CHECK(!begin(&w, &inherited, 1));
    CHECK_INT(world_int(&w, "SELECT begun FROM delivery"), 4);
    inherited_give_back(&inherited, w.app.store, &(struct delivery){.id = 1, .begun = 3});
    CHECK_INT(world_int(&w, "SELECT begun FROM delivery"), 3);
    world_close(&w);
}

TEST_MAIN()
