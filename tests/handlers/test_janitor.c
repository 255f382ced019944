/* The janitor's turns, without an engine. With one: tests/e2e. */
#include "tests/handlers/world.h"

#include <fcntl.h>
#include <unistd.h>

#include "handlers/janitor.h"

struct place {
    struct world world;
    char *log_path;
    int log_fd;
};

static void
place_open(struct place *p)
{
    world_open(&p->world, NULL, 0);
    p->world.app.sandbox.engine = "unix:///nonexistent/engine.sock";
    p->world.app.sandbox.instance = "ab12";
    p->world.app.sandbox.doors_dir = p->world.dir;
    p->world.app.sandbox.stop = p->world.app.stop;
    p->world.settings.sandbox.image = borrowed("image");
    p->log_path = str_printf("%s/log", p->world.dir);
    p->log_fd = open(p->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    log_set_fd(p->log_fd);
    log_set_level(LOG_INFO);
}

static void
place_close(struct place *p)
{
    log_set_level(LOG_ERROR);
    log_set_fd(STDERR_FILENO);
    close(p->log_fd);
    free(p->log_path);
    world_close(&p->world);
}

/* How often the log says so. */
static int
count_said(const struct place *p, const char *what)
{
    AUTO_DONE(strbuf_done) struct strbuf log = STRBUF_INIT(65536);
    struct err err;
    int count = 0;

    CHECK_OK(fs_read_file(p->log_path, &log, &err), err);
    for (const char *at = strstr(strbuf_str(&log), what); at; at = strstr(at + 1, what))
        count++;
    return count;
}

TEST(an_engine_that_is_away_is_tried_until_it_is_there)
{
    struct janitor *janitor = NULL;
    struct place p;
    struct err err;

    place_open(&p);
    CHECK_OK(janitor_new(&p.world.app, false, &janitor, &err), err);
    for (int round = 1; round <= 3; round++) {
        CHECK_INT(janitor_turn(janitor), 0); /* the host is next, at once */
        CHECK_INT(count_said(&p, "event=orphans_not_removed"), round);
        CHECK_INT(count_said(&p, "event=sandbox_not_ready"), round - 1);
        CHECK_INT(janitor_turn(janitor), MS_PER_MINUTE);
        CHECK_INT(count_said(&p, "event=sandbox_not_ready engine=\"unix:///nonexistent/"), round);
    }
    janitor_free(janitor);
    place_close(&p);
}

TEST(a_host_that_was_tried_is_not_tried_again)
{
    struct janitor *janitor = NULL;
    struct place p;
    struct err err;

    place_open(&p);
    CHECK_OK(janitor_new(&p.world.app, true, &janitor, &err), err);
    CHECK_INT(janitor_turn(janitor), MS_PER_MINUTE);
    CHECK_INT(janitor_turn(janitor), MS_PER_MINUTE);
    CHECK_INT(count_said(&p, "event=orphans_not_removed"), 2);
    CHECK_INT(count_said(&p, "event=sandbox_not_ready"), 0);
    janitor_free(janitor);
    place_close(&p);
}

/* What is given up because the process ends says nothing of the host. */
TEST(at_the_end_nothing_is_said)
{
    struct janitor *janitor = NULL;
    struct place p;
    struct err err;

    place_open(&p);
    CHECK_OK(janitor_new(&p.world.app, false, &janitor, &err), err);
    CHECK_INT(janitor_turn(janitor), 0);
    stop_raise(p.world.app.stop);
    CHECK_INT(janitor_turn(janitor), MS_PER_MINUTE);
    CHECK_INT(count_said(&p, "event=sandbox_not_ready"), 0);
    janitor_free(janitor);
    place_close(&p);
}

TEST_MAIN()
