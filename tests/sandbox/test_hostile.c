/* Sandboxes in real containers: what the inside must not be able to do, and what goes wrong
 * outside. */
#include "tests/sandbox/fixture.h"

#include "sandbox/box.h"
#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/str.h"
#include "tests/harness/test.h"
#include "tests/sandbox/proxy.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#define INTRUDER SANDBOX_WORKSPACE "/intruder"

/* Open a sandbox with the intruder in it. */
static struct sandbox *
open_with_intruder(void)
{
    struct err err = {0};
    struct sandbox *const sandbox = fixture_open_plain();
    AUTO_DONE(strbuf_done) struct strbuf program = STRBUF_INIT(4U << 20);

    CHECK_OK(fs_read_file(INTRUDER_PATH, &program, &err), err);
    CHECK_OK(sandbox_write_file(sandbox, INTRUDER, bytes_of(program.ptr, program.len), &err), err);
    CHECK_INT(fixture_run("chmod +x intruder")->result.status, 0);
    return sandbox;
}

TEST(has_no_network_no_privilege_and_no_writable_root)
{
    fixture_begin();
    fixture_open_plain();
    CHECK_STR(fixture_run("sed 1,2d /proc/net/dev | grep -v ':       0       0' | tr -d ' ' | "
                          "cut -d: -f1 | grep -vx lo; cat /proc/net/route | wc -l; id -u; id -g")
                  ->output,
              "1\n1000\n1000\n");
    CHECK_STR(
        fixture_run("grep -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):' /proc/self/status"
                    " | tr -d '\\t'")
            ->output,
        "CapInh:0000000000000000\nCapPrm:0000000000000000\nCapEff:0000000000000000\n"
        "CapBnd:0000000000000000\nCapAmb:0000000000000000\nNoNewPrivs:1\nSeccomp:2\n");
    CHECK_STR(fixture_run("for d in / /usr /etc /root /draftd /draftd/objects /draftd/door; do "
                          "touch $d/x 2>/dev/null && echo $d; done; chmod 777 /draftd/runner "
                          "2>/dev/null && echo runner; echo done")
                  ->output,
              "done\n");
    CHECK_STR(fixture_run("umount /tmp 2>/dev/null; mount -t tmpfs x /tmp 2>/dev/null || echo no")
                  ->output,
              "no\n");
}

TEST(the_runner_cannot_be_taken_over)
{
    fixture_begin();
    open_with_intruder();
    CHECK_STR(fixture_run("./intruder attack")->output,
              "ptrace refused, memory refused, vm refused, files refused, signals sent\n");
    fixture_run("kill -9 -1");
    CHECK_STR(fixture_run("echo still there")->output, "still there\n");
}

TEST(the_door_lets_nobody_else_in)
{
    fixture_begin();
    open_with_intruder();
    CHECK_STR(fixture_run("./intruder runner; ./intruder path; ./intruder method; ./intruder plain")
                  ->output,
              "HTTP/1.1 403 Forbidden\nHTTP/1.1 404 Not Found\nHTTP/1.1 405 Method Not Allowed\n"
              "HTTP/1.1 426 Upgrade Required\n");
    CHECK_INT(fixture_run("./intruder garbage")->result.end, SANDBOX_EXITED);
    CHECK_STR(fixture_run("./intruder flood 100; ./intruder path; rm -f /draftd/door/socket 2>&1 | "
                          "grep -c Read-only")
                  ->output,
              "flooded\nHTTP/1.1 404 Not Found\n1\n");
}

TEST(a_flooded_door_ends_the_sandbox)
{
    struct sandbox_result result;
    struct err err = {0};
    const struct sandbox_command command = {.command = "./intruder flood 1000000",
                                            .timeout_ms = 60000};

    fixture_begin();
    struct sandbox *const sandbox = open_with_intruder();
    CHECK_INT(sandbox_execute(sandbox, &command, &result, &err), ERR_REMOTE);
    CHECK_CONTAINS(err.msg, "flooded");
    CHECK_INT(sandbox_execute(sandbox, &command, &result, &err), ERR_REMOTE);
}

/* Open with a program in the runner's place and answer the result. */
static int
open_impostor(const char *manner, int64_t deadline_ms, struct err *err)
{
    AUTO(sandbox_close) struct sandbox *sandbox = NULL;
    auto_free char *entry = str_printf("MANNER=%s", manner);
    const char *const env[] = {entry, NULL};
    struct sandbox_spec spec = fixture_spec();

    fixture_begin();
    fixture_host()->runner_path = IMPOSTOR_PATH;
    spec.env = env;
    spec.deadline_mono_ms = clock_mono_ms() + deadline_ms;
    return sandbox_open(fixture_host(), &spec, &sandbox, err);
}

TEST(a_runner_that_is_none_ends_in_a_clear_failure)
{
    struct err err = {0};
    int64_t start_ms = clock_mono_ms();

    CHECK_INT(open_impostor("ends", 30000, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "ended before it said a word");
    CHECK(clock_mono_ms() - start_ms < 5000 * TEST_PATIENCE);
    CHECK_INT(open_impostor("silent", 2000, &err), ERR_TIMEOUT);
    CHECK_CONTAINS(err.msg, "has not come up");
    CHECK_INT(open_impostor("babbles", 30000, &err), ERR_REMOTE);
    CHECK_CONTAINS(err.msg, "protocol");
    start_ms = clock_mono_ms();
    CHECK_INT(open_impostor("mute", 1500, &err), ERR_TIMEOUT);
    CHECK(clock_mono_ms() - start_ms < 4500);
}

/* Open as given and answer the result. */
static int
open_with(const struct sandbox_spec *spec, struct err *err)
{
    AUTO(sandbox_close) struct sandbox *sandbox = NULL;

    return sandbox_open(fixture_host(), spec, &sandbox, err);
}

static size_t
containers_left(void)
{
    AUTO(engine_free) struct engine *engine = NULL;
    AUTO_DONE(container_list_done) struct container_list list = {0};
    struct err err = {0};

    CHECK_OK(engine_new(fixture_engine(), &engine, &err), err);
    CHECK_OK(engine_list(engine, fixture_host()->instance, &list, &err), err);
    return list.count;
}

static size_t
doors_left(void)
{
    DIR *const dir = opendir(fixture_host()->doors_dir);
    size_t count = 0;

    for (const struct dirent *entry; dir && (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return count;
}

TEST(what_cannot_be_opened_says_why_and_leaves_nothing)
{
    struct err err = {0};
    fixture_begin();
    struct sandbox_spec spec = fixture_spec();

    spec.image = "no-such-image";
    CHECK_INT(open_with(&spec, &err), ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "no-such-image");
    spec = fixture_spec();
    fixture_host()->runner_path = "/etc/hostname";
    CHECK_INT(open_with(&spec, &err), ERR_INVALID);
    fixture_begin();
    spec.commit = "0123456789012345678901234567890123456789";
    CHECK_INT(open_with(&spec, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "0123456789");
    spec.commit = "main";
    CHECK_INT(open_with(&spec, &err), ERR_INVALID);
    spec = fixture_spec();
    spec.branch = "a;b";
    CHECK_INT(open_with(&spec, &err), ERR_INVALID);
    spec = fixture_spec();
    spec.deadline_mono_ms = clock_mono_ms() - 1;
    CHECK_INT(open_with(&spec, &err), ERR_TIMEOUT);
    spec = fixture_spec();
    fixture_host()->engine = "unix:///nonexistent/engine.sock";
    CHECK_INT(open_with(&spec, &err), ERR_UNAVAILABLE);
    fixture_host()->engine = "http://engine";
    CHECK_INT(open_with(&spec, &err), ERR_INVALID);
    fixture_begin();
    CHECK_INT(containers_left(), 0);
    CHECK_INT(doors_left(), 0);
}

TEST(an_engine_that_goes_away_does_not_take_the_steps_with_it)
{
    size_t removed = 0;
    struct err err = {0};
    char path[200];
    char address[220];

    fixture_begin();
    const char *const real = fixture_host()->engine;
    snprintf(path, sizeof(path), "%s/proxy", fixture_directory());
    snprintf(address, sizeof(address), "unix://%s", path);
    const pid_t proxy = proxy_start(path, real + strlen("unix://"));
    fixture_host()->engine = address;
    fixture_open_plain();
    proxy_stop(proxy);
    CHECK_STR(fixture_run("echo going on")->output, "going on\n");
    const int64_t start_ms = clock_mono_ms();
    fixture_close();
    CHECK(clock_mono_ms() - start_ms < 2000);
    CHECK_INT(sandbox_remove_orphans(fixture_host(), NULL, NULL, &removed, &err), ERR_UNAVAILABLE);
    fixture_host()->engine = real;
    CHECK_OK(sandbox_remove_orphans(fixture_host(), NULL, NULL, &removed, &err), err);
    CHECK_INT(removed, 1);
    CHECK_INT(containers_left(), 0);
}

TEST(a_container_killed_from_outside_is_noticed_at_once)
{
    struct sandbox_result result;
    struct err err = {0};
    size_t removed = 0;

    fixture_begin();
    struct sandbox *const sandbox = fixture_open_plain();
    CHECK_OK(sandbox_remove_orphans(fixture_host(), NULL, NULL, &removed, &err), err);
    CHECK_INT(removed, 1);
    const int64_t start_ms = clock_mono_ms();
    const struct sandbox_command command = {.command = "sleep 1000", .timeout_ms = 60000};
    CHECK_INT(sandbox_execute(sandbox, &command, &result, &err), ERR_REMOTE);
    CHECK(clock_mono_ms() - start_ms < 1000);
}

static bool
is_run(void *ctx, int64_t run)
{
    return *(int64_t *)ctx == run;
}

TEST(orphans_are_removed_and_live_runs_are_not)
{
    struct err err = {0};
    size_t removed = 99;
    int64_t run = 9; /* the fixture's */
    int64_t other_run = 3;
    char other[300];

    fixture_begin();
    fixture_open_plain();
    snprintf(other, sizeof(other), "%s/12-work-abcdef", fixture_host()->doors_dir);
    CHECK_INT(mkdir(other, 0700), 0);
    CHECK_OK(sandbox_remove_orphans(fixture_host(), is_run, &run, &removed, &err), err);
    CHECK_INT(removed, 0);
    CHECK_INT(doors_left(), 1);
    CHECK_STR(fixture_run("echo alive")->output, "alive\n");
    CHECK_OK(sandbox_remove_orphans(fixture_host(), is_run, &other_run, &removed, &err), err);
    CHECK_INT(removed, 1);
    CHECK_INT(doors_left(), 0);
    CHECK_INT(containers_left(), 0);
}

/* Raises a stop a little later. */
struct later {
    struct stop *stop;
    int64_t raised_ms;
};

static void *
raise_later(void *ctx)
{
    struct later *const later = ctx;

    clock_sleep_ms(400);
    later->raised_ms = clock_mono_ms();
    stop_raise(later->stop);
    return NULL;
}

TEST(cancelling_returns_at_once_and_closes_quickly)
{
    AUTO(stop_free) struct stop *stop = NULL;
    struct err err = {0};
    struct sandbox_result result;
    pthread_t thread;

    fixture_begin();
    CHECK_OK(stop_new(&stop, &err), err);
    struct sandbox_spec spec = fixture_spec();
    spec.stop = stop;
    struct sandbox *const sandbox = fixture_open(&spec);
    struct later later = {.stop = stop};
    CHECK_INT(pthread_create(&thread, NULL, raise_later, &later), 0);
    const struct sandbox_command command = {
        .command = "trap '' TERM; yes & while :; do sleep 1000; done", .timeout_ms = 60000};
    const int code = sandbox_execute(sandbox, &command, &result, &err);
    const int64_t returned_ms = clock_mono_ms();
    pthread_join(thread, NULL);
    fixture_close();
    const int64_t closed_ms = clock_mono_ms();
    printf("# returned after %lld ms, closed after %lld ms\n",
           (long long)(returned_ms - later.raised_ms), (long long)(closed_ms - later.raised_ms));
    CHECK_INT(code, ERR_CANCELED);
    CHECK(returned_ms - later.raised_ms < 100);
    CHECK(closed_ms - later.raised_ms < 2000);
    CHECK_INT(containers_left(), 0);
    CHECK_INT(open_with(&spec, &err), ERR_CANCELED);
}

TEST(the_deadline_of_the_sandbox_ends_a_step)
{
    struct err err = {0};
    struct sandbox_result result;

    fixture_begin();
    struct sandbox_spec spec = fixture_spec();
    spec.deadline_mono_ms = clock_mono_ms() + 3000;
    struct sandbox *const sandbox = fixture_open(&spec);
    const struct sandbox_command command = {.command = "sleep 1000", .timeout_ms = 60000};
    CHECK_INT(sandbox_execute(sandbox, &command, &result, &err), ERR_TIMEOUT);
    CHECK_INT(sandbox_execute(sandbox, &command, &result, &err), ERR_TIMEOUT);
    CHECK(clock_mono_ms() - spec.deadline_mono_ms < 2000);
}

TEST(volumes_of_an_image_are_no_way_to_the_hosts_disk)
{
    static const struct {
        bool in_memory;
        bool user_namespace;
    } hosts[] = {{true, false}, {false, false}, {false, true}};

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        fixture_begin();
        fixture_host()->workspace_in_memory = hosts[i].in_memory;
        fixture_host()->user_namespace = hosts[i].user_namespace;
        struct sandbox_spec spec = fixture_spec();
        spec.image = fixture_image("VOLUME [\"/data\",\"/data/sub\",\"/usr/share/git-core/\","
                                   "\"/var/tmp\",\"/workspace\",\"/tmp\"]");
        fixture_open(&spec);
        CHECK_STR(
            fixture_run("for d in /data /data/sub /usr/share/git-core /var/tmp; do touch $d/x "
                        "2>/dev/null && echo $d; chmod 777 $d 2>/dev/null && echo $d; "
                        "done; touch /tmp/x x && echo done")
                ->output,
            "done\n");
    }
}

TEST(an_image_with_a_volume_in_a_sandboxs_own_place_is_refused)
{
    static const char *const places[] = {
        "/",           "/draftd",   "/draftd/door/", "/workspace/.git",
        "/tmp/draftd", "/proc/sys", "/dev/shm",      "/sys",
        "/a/../tmp/b", "/a:b",      "/a b",
    };

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct err err = {0};
        char change[64];
        fixture_begin();
        struct sandbox_spec spec = fixture_spec();
        snprintf(change, sizeof(change), "VOLUME [\"%s\"]", places[i]);
        spec.image = fixture_image(change);
        if (open_with(&spec, &err) != ERR_INVALID)
            TEST_FAIL("%s: %s", places[i], err.msg);
        CHECK_CONTAINS(err.msg, spec.image);
        CHECK_CONTAINS(err.msg, "volume");
        CHECK_INT(containers_left(), 0);
    }
}

TEST(the_probe_is_content_with_this_engine)
{
    struct err err = {0};
    AUTO_DONE(strbuf_done) struct strbuf report = STRBUF_INIT(10000);

    fixture_begin();
    CHECK_OK(sandbox_probe(fixture_host(), FIXTURE_IMAGE, &report, &err), err);
    CHECK_STR(strbuf_str(&report), "");
    fixture_host()->workspace_in_memory = false;
    CHECK_OK(sandbox_probe(fixture_host(), FIXTURE_IMAGE, &report, &err), err);
    CHECK_STR(strbuf_str(&report), "");
    CHECK_INT(containers_left(), 0);
    CHECK_INT(doors_left(), 0);
}

TEST(the_probe_tells_what_it_finds)
{
    struct err err = {0};
    AUTO_DONE(strbuf_done) struct strbuf report = STRBUF_INIT(10000);

    fixture_begin();
    CHECK_INT(sandbox_probe(fixture_host(), "no-such-image", &report, &err), ERR_NOTFOUND);
    fixture_host()->disk_mib = 600;
    CHECK_OK(sandbox_probe(fixture_host(), FIXTURE_IMAGE, &report, &err), err);
    CHECK_CONTAINS(strbuf_str(&report), "disk: 632 MiB of files in memory");
    fixture_begin();
    strbuf_reset(&report);
    fixture_host()->user_namespace = true;
    CHECK_OK(sandbox_probe(fixture_host(), FIXTURE_IMAGE, &report, &err), err);
    if (fixture_is_docker())
        CHECK_CONTAINS(strbuf_str(&report), "user namespace: asked, the engine maps no ids");
    else
        CHECK_STR(strbuf_str(&report), "");
}

TEST(works_in_a_user_namespace)
{
    struct container_facts facts;
    struct err err = {0};

    fixture_begin();
    fixture_host()->user_namespace = true;
    const struct sandbox *const sandbox = fixture_open_plain();
    CHECK_STR(fixture_run("cat hello.txt; id -u; touch new && echo new")->output,
              "hello\n1000\nnew\n");
    CHECK_OK(engine_inspect(sandbox->engine, sandbox->container, &facts, &err), err);
    CHECK_INT(facts.user_namespace, !fixture_is_docker());
    CHECK_INT(facts.memory_bytes, INT64_C(512) << 20);
    CHECK_INT(facts.processes, 64);
    CHECK(facts.cpus > 1.49 && facts.cpus < 1.51);
    CHECK(facts.no_network && facts.no_new_privileges && facts.read_only_root && facts.pid > 1);
    fixture_close();
    CHECK_INT(containers_left(), 0);
}

TEST(an_image_without_git_is_told_as_one)
{
    struct err err = {0};

    fixture_begin();
    struct sandbox_spec spec = fixture_spec();
    spec.image = fixture_image("ENV PATH=/nonexistent");
    CHECK_INT(open_with(&spec, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "exit status 127 (the image needs a POSIX shell, git and their usual "
                            "companions): ");
}

TEST(sandboxes_are_closed_aside_and_awaited)
{
    struct sandbox_closing *closing = NULL;
    struct err err = {0};

    fixture_begin();
    const struct sandbox_spec spec = fixture_spec();
    for (int i = 0; i < 2; i++) {
        struct sandbox *sandbox = NULL;
        CHECK_OK(sandbox_open(fixture_host(), &spec, &sandbox, &err), err);
        sandbox_close_aside(sandbox, &closing);
    }
    CHECK(closing);
    sandbox_await_closed(&closing);
    CHECK(!closing);
    CHECK_INT(containers_left(), 0);
    sandbox_await_closed(&closing);
}

int
main(int argc, char **argv)
{
    if (!fixture_engine()) {
        printf("1..0 # SKIP no engine: see tests/env/engines.sh\n");
        return 0;
    }
    const int status = test_run_all(argc, argv);
    fixture_end();
    return status;
}
