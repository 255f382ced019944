/* /healthz, /readyz and /metrics, through a real server on a real store. */
#include "tests/handlers/world.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handlers/health.h"
#include "server/http/http.h"
#include "server/metrics.h"
#include "tests/server/http/client.h"

#define PINGS "SELECT pings FROM health"
#define ASKERS 8

struct place {
    struct world world;
    struct health *health;
    struct http_route routes[HEALTH_ROUTE_COUNT];
    struct http_server *server;
};

static void
place_open(struct place *p)
{
    struct err err;

    world_open(&p->world, NULL, 0);
    CHECK_OK(health_new(&p->world.app, &p->health, &err), err);
    health_routes(p->health, p->routes);
    const struct http_options options = {.address = "127.0.0.1",
                                         .spool_dir = p->world.dir,
                                         .routes = p->routes,
                                         .route_count = HEALTH_ROUTE_COUNT};
    CHECK_OK(http_server_start(&options, &p->server, &err), err);
}

static void
place_close(struct place *p)
{
    http_server_stop(p->server, 5000);
    world_close(&p->world);
    health_free(p->health);
}

static int
get(const struct place *p, const char *path, struct reply *reply)
{
    auto_free char *text = str_printf("GET %s HTTP/1.1\r\nHost: t\r\n\r\n", path);
    const int fd = client_connect(http_server_port(p->server));

    if (fd < 0 || !client_ask(fd, text, reply))
        reply->status = 0;
    close(fd);
    return reply->status;
}

/* Longer than an answer is good for. */
static void
let_it_grow_old(void)
{
    clock_sleep_ms(1100);
}

TEST(ready_is_who_has_written)
{
    struct place p;
    struct reply reply;

    place_open(&p);
    const int64_t before = world_int(&p.world, PINGS);
    CHECK_INT(get(&p, "/readyz", &reply), 200);
    CHECK_STR(reply.body, "{\"status\":\"ready\"}\n");
    CHECK_INT(world_int(&p.world, PINGS), before + 1);
    let_it_grow_old();
    CHECK_INT(get(&p, "/readyz", &reply), 200);
    CHECK_INT(world_int(&p.world, PINGS), before + 2);
    place_close(&p);
}

TEST(asking_often_writes_once)
{
    struct place p;
    struct reply reply;

    place_open(&p);
    const int64_t before = world_int(&p.world, PINGS);
    const int64_t begin_ms = clock_mono_ms();
    for (int i = 0; i < 50; i++)
        CHECK_INT(get(&p, "/readyz", &reply), 200);
    const int64_t seconds = (clock_mono_ms() - begin_ms) / MS_PER_SECOND;
    CHECK(world_int(&p.world, PINGS) <= before + 1 + seconds);
    place_close(&p);
}

static int
block_writing(struct db *db, void *ctx, struct err *err)
{
    (void)db;
    (void)err;
    clock_sleep_ms(*(const int64_t *)ctx);
    return 0;
}

static void
forget(void *ctx, int code, const struct err *err)
{
    (void)ctx;
    (void)code;
    (void)err;
}

TEST(all_who_ask_meanwhile_get_the_same_answer)
{
    const int64_t duration_ms = 500;
    static struct reply reply;
    struct place p;
    int fds[ASKERS];

    place_open(&p);
    const int64_t before = world_int(&p.world, PINGS);
    store_submit(p.world.app.store, block_writing, forget, (void *)(uintptr_t)&duration_ms);
    for (int i = 0; i < ASKERS; i++) {
        fds[i] = client_connect(http_server_port(p.server));
        CHECK(client_send_str(fds[i], "GET /readyz HTTP/1.1\r\nHost: t\r\n\r\n"));
    }
    close(fds[0]); /* one does not wait for it */
    for (int i = 1; i < ASKERS; i++) {
        CHECK(client_read(fds[i], 10000, &reply));
        CHECK_INT(reply.status, 200);
        close(fds[i]);
    }
    CHECK_INT(world_int(&p.world, PINGS), before + 1);
    place_close(&p);
}

/* From here on no file may become longer than `bytes`: as good as a full disk. */
static void
limit_files(rlim_t bytes)
{
    struct rlimit limit;

    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

TEST(a_full_disk_is_not_ready_until_there_is_room)
{
    struct place p;
    struct reply full;
    struct reply alive;
    struct reply after;
    struct stat facts;
    struct err err;

    place_open(&p);
    (void)world_deliver(&p.world, "github", "d1", "issues", "{}");
    auto_free char *wal = str_printf("%s-wal", p.world.path);
    CHECK_INT(stat(wal, &facts), 0);
    auto_free char *log_path = str_printf("%s/log", p.world.dir);
    auto_close int log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    log_set_fd(log_fd);
    log_set_level(LOG_INFO);
    limit_files((rlim_t)facts.st_size);
    (void)get(&p, "/readyz", &full);
    let_it_grow_old();
    (void)get(&p, "/readyz", &full);
    (void)get(&p, "/healthz", &alive);
    limit_files(RLIM_INFINITY);
    CHECK_INT(full.status, 503);
    CHECK_CONTAINS(full.body, "{\"error\":\"unavailable\",\"message\":\"the store takes no writes");
    CHECK(!strstr(full.body, p.world.dir));
    CHECK_INT(alive.status, 200);
    let_it_grow_old();
    CHECK_INT(get(&p, "/readyz", &after), 200);
    log_set_level(LOG_ERROR);
    log_set_fd(STDERR_FILENO);
    AUTO_DONE(strbuf_done) struct strbuf log = STRBUF_INIT(65536);
    CHECK_OK(fs_read_file(log_path, &log, &err), err);
    const char *bad = strstr(strbuf_str(&log), "event=store_not_ready error=\"");
    CHECK(bad);
    CHECK(!strstr(bad + 1, "event=store_not_ready")); /* asked twice, told once */
    CHECK(strstr(bad, "event=store_ready"));
    place_close(&p);
}

TEST(metrics_tell_what_the_server_counts)
{
    struct place p;
    struct reply reply;

    place_open(&p);
    metric_count(METRIC_RUNS_CLAIMED);
    CHECK_INT(get(&p, "/healthz", &reply), 200);
    CHECK_INT(get(&p, "/metrics", &reply), 200);
    CHECK(reply_has(&reply, "Content-Type: text/plain; version=0.0.4; charset=utf-8"));
    CHECK_CONTAINS(reply.body, "# HELP draftd_runs_claimed_total Runs taken by a worker.\n"
                               "# TYPE draftd_runs_claimed_total counter\n"
                               "draftd_runs_claimed_total 1\n");
    CHECK_CONTAINS(reply.body, "\ndraftd_http_connections_total 2\n");
    CHECK_CONTAINS(reply.body, "\ndraftd_http_requests_total 2\n");
    CHECK_CONTAINS(reply.body, "\ndraftd_http_connections_refused_total 0\n");
    CHECK_CONTAINS(reply.body, "\ndraftd_http_bodies_refused_total 0\n");
    CHECK_CONTAINS(reply.body, "\ndraftd_http_timeouts_total 0\n");
    CHECK_CONTAINS(reply.body, "\n# TYPE draftd_http_connections_open gauge\n"
                               "draftd_http_connections_open ");
    CHECK(!strstr(reply.body, "draftd_tls_")); /* it listens without */
    place_close(&p);
}

TEST_MAIN()
