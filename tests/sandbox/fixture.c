/* The shared part of the container tests. */
#include "tests/sandbox/fixture.h"

#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/str.h"
#include "server/web.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static struct sandbox_host host;
static struct sandbox *current;
static char *base_directory; /* of the whole program */
static char *test_directory; /* of one test */
static char objects[256];
static char commit[65];
static char line[4096];
static char image[64]; /* made by a test; "" for none */

static void
fail(const char *what, const char *why)
{
    printf("Bail out! %s: %s\n", what, why);
    exit(1);
}

bool
fixture_is_docker(void)
{
    return str_equal(getenv("DRAFTD_TEST_USE"), "docker");
}

const char *
fixture_engine(void)
{
    const char *const engine =
        getenv(fixture_is_docker() ? "DRAFTD_TEST_ENGINE_DOCKER" : "DRAFTD_TEST_ENGINE");

    return engine && engine[0] ? engine : NULL;
}

struct sandbox_host *
fixture_host(void)
{
    return &host;
}

const char *
fixture_shell(const char *command)
{
    int out[2];
    int status = -1;
    pid_t pid;
    posix_spawn_file_actions_t actions;
    const char *const argv[] = {"sh", "-ec", command, NULL};

    if (pipe(out))
        fail(command, "pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, out[0]);
    posix_spawn_file_actions_addclose(&actions, out[1]);
    if (posix_spawnp(&pid, "sh", &actions, NULL, (char *const *)(uintptr_t)argv, environ))
        fail(command, "cannot be started");
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    size_t len = 0;
    ssize_t n;
    while (len < sizeof(line) - 1 && (n = read(out[0], line + len, sizeof(line) - 1 - len)) > 0)
        len += (size_t)n;
    close(out[0]);
    line[len] = 0;
    line[strcspn(line, "\n")] = 0;
    if (waitpid(pid, &status, 0) != pid || status != 0)
        fail(command, "failed");
    return line;
}

/* A mirror with one commit of a few files. */
static void
make_mirror(void)
{
    char command[2048];

    snprintf(command, sizeof(command),
             "cd %s && git init -q -b main source && cd source"
             " && printf 'hello\\n' >hello.txt && mkdir dir && printf 'a\\n' >dir/a"
             " && printf '*.ignored\\nnode_modules/\\n' >.gitignore && git add -A"
             " && git -c user.name=t -c user.email=t@t commit -q -m first"
             " && git clone -q --bare . ../mirror.git && git rev-parse HEAD",
             base_directory);
    snprintf(commit, sizeof(commit), "%s", fixture_shell(command));
    snprintf(objects, sizeof(objects), "%s/mirror.git/objects", base_directory);
}

/* One call of the engine's API.  Returns the status of its answer. */
static long
call(const char *method, const char *path, const char *body)
{
    AUTO(web_free) struct web *web = NULL;
    AUTO_DONE(web_answer_done) struct web_answer answer = {0};
    struct err err = {0};
    auto_free char *url = str_printf("http://engine%s", path);
    const struct web_options options = {.unix_socket = fixture_engine() + strlen("unix://")};
    const struct web_request request = {
        .method = method, .url = url, .body = body ? bytes_of_str(body) : (struct bytes){0}};

    if (web_new(&options, &web, &err) || web_perform(web, &request, &answer, &err))
        fail(path, err.msg);
    return answer.status;
}

static void
remove_image(void)
{
    char path[128];

    if (image[0]) {
        snprintf(path, sizeof(path), "/images/%s?force=1", image);
        call("DELETE", path, NULL);
    }
    image[0] = 0;
}

const char *
fixture_image(const char *change)
{
    static int count;
    AUTO_DONE(strbuf_done) struct strbuf path = STRBUF_INIT(16384);
    char name[64];
    char container[128];

    remove_image();
    snprintf(name, sizeof(name), "draftd-test-%d-%d", (int)getpid(), ++count);
    snprintf(container, sizeof(container), "/containers/create?name=%s", name);
    if (call("POST", container, "{\"Image\":\"" FIXTURE_IMAGE "\",\"Cmd\":[\"true\"]}") != 201)
        fail(name, "no container to make an image of");
    strbuf_addf(&path, "/commit?container=%s&repo=%s&changes=", name, name);
    web_append_escaped(&path, change);
    const long status = call("POST", strbuf_str(&path), "{}");
    snprintf(container, sizeof(container), "/containers/%s?force=1&v=1", name);
    call("DELETE", container, NULL);
    if (status != 200 && status != 201)
        fail(change, "no image could be made");
    snprintf(image, sizeof(image), "%s", name);
    return image;
}

void
fixture_begin(void)
{
    struct err err = {0};
    static char doors[256];
    static char instance[64];

    fixture_close();
    remove_image();
    if (!base_directory) {
        if (fs_make_temp_dir("/tmp", "dt", &base_directory, &err))
            fail("temporary directory", err.msg);
        make_mirror();
    }
    free(test_directory);
    test_directory = NULL;
    if (fs_make_temp_dir(base_directory, "t", &test_directory, &err))
        fail("temporary directory", err.msg);
    snprintf(doors, sizeof(doors), "%s/doors", base_directory);
    snprintf(instance, sizeof(instance), "test-%d", (int)getpid());
    host = (struct sandbox_host){
        .engine = fixture_engine(),
        .runner_path = RUNNER_PATH,
        .doors_dir = doors,
        .instance = instance,
        .memory_mib = 512,
        .cpus = 1.5,
        .processes = 64,
        .disk_mib = 64,
        .tmp_mib = 32,
        .workspace_in_memory = true,
    };
}

void
fixture_end(void)
{
    struct err err = {0};

    fixture_close();
    remove_image();
    if (base_directory && fs_remove_tree(base_directory, &err))
        printf("# %s\n", err.msg);
    free(base_directory);
    free(test_directory);
    base_directory = test_directory = NULL;
}

const char *
fixture_objects(void)
{
    return objects;
}

const char *
fixture_commit(void)
{
    return commit;
}

const char *
fixture_directory(void)
{
    return test_directory;
}

struct sandbox_spec
fixture_spec(void)
{
    return (struct sandbox_spec){
        .image = FIXTURE_IMAGE,
        .role = "work",
        .task = 7,
        .run = 9,
        .objects_dir = objects,
        .commit = commit,
        .branch = FIXTURE_BRANCH,
    };
}

struct sandbox *
fixture_open(const struct sandbox_spec *spec)
{
    struct err err = {0};

    fixture_close();
    if (sandbox_open(&host, spec, &current, &err))
        fail("opening a sandbox", err.msg);
    return current;
}

struct sandbox *
fixture_open_plain(void)
{
    const struct sandbox_spec spec = fixture_spec();

    return fixture_open(&spec);
}

void
fixture_close(void)
{
    sandbox_close(current);
    current = NULL;
}

static int
collect(void *ctx, bool is_stderr, struct bytes output)
{
    struct fixture_run *const run = ctx;
    const size_t room = sizeof(run->output) - 1 - run->len;
    const size_t part = output.len < room ? output.len : room;

    (void)is_stderr;
    memcpy(run->output + run->len, output.ptr, part);
    run->len += part;
    run->output[run->len] = 0;
    run->total_bytes += (int64_t)output.len;
    return 0;
}

struct fixture_run *
fixture_run_with(const struct sandbox_command *command)
{
    static struct fixture_run run;
    struct sandbox_command wired = *command;
    struct err err = {0};

    run = (struct fixture_run){0};
    wired.output = collect;
    wired.output_ctx = &run;
    if (!wired.timeout_ms)
        wired.timeout_ms = 30 * MS_PER_SECOND;
    if (sandbox_execute(current, &wired, &run.result, &err))
        fail(command->command, err.msg);
    return &run;
}

struct fixture_run *
fixture_run(const char *command)
{
    return fixture_run_with(&(const struct sandbox_command){.command = command});
}
