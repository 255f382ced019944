/* What a thread is told: the store's newest state, and nothing about this machine. */
#include "handlers/thread/announce.h"
#include "tests/handlers/world.h"

struct saying {
    struct world *world;
    int64_t task;
    struct announcement announcement;
};

static int
say(struct db *db, void *ctx, struct err *err)
{
    const struct saying *saying = ctx;
    return announce_status(db, &saying->world->app, saying->task, &saying->announcement, 1, err);
}

TEST(no_place_on_this_machine_is_named)
{
    static const char newest[] = "SELECT body FROM outbox";
    struct world w;
    struct err err;

    world_open(&w, NULL, 0);
    w.settings.server.state_dir = borrowed("/srv/secret_project/state");
    w.app.sandbox.engine = "unix:///srv/secret_project/engine.sock";
    struct saying saying = {.world = &w,
                            .task = world_make_task(&w, "github", "github:acme/api#42").id,
                            .announcement.waiting_for = "no engine at "
                                                        "unix:///srv/secret_project/engine.sock"};
    CHECK_OK(store_transact(w.app.store, say, &saying, &err), err);
    CHECK_STORED_CONTAINS(&w, newest, "no engine at its socket");

    saying.announcement.waiting_for = NULL;
    world_exec(&w, "UPDATE task SET state = 5, reason = 'writing /srv/secret_project/state/a: full;"
                   " and /srv/secret_project/state/b'");
    CHECK_OK(store_transact(w.app.store, say, &saying, &err), err);
    CHECK_STORED_CONTAINS(&w, newest, "writing state\\_dir/a: full; and state\\_dir/b");
    CHECK_INT(world_int(&w, "SELECT instr(body, 'secret') FROM outbox"), 0);
    world_close(&w);
}

TEST_MAIN()
