/* A sandbox's life: its door, its container, its runner's first word, and the end of all three. */
#include "sandbox/sandbox.h"

#include "sandbox/box.h"
#include "sandbox/checkout.h"
#include "server/base/clock.h"
#include "server/base/crypto.h"
#include "server/base/str.h"

#include <stdio.h>
#include <string.h>

#define MIB UINT64_C(1048576)
#define ENV_MAX 64U
#define NAME_BYTES 128U

/* How often the engine is asked whether a runner that says nothing is still there. */
#define START_CHECK_MS 1000

/* What every process inside starts with; the image's own PATH stays. Git gets an identity, trusts
 * the work tree whoever owns it, and asks nobody for passwords. */
static const char *const base_env[] = {
    ("HOME=" SANDBOX_HOME),      "GIT_CONFIG_NOSYSTEM=1",
    "GIT_CONFIG_COUNT=1",        "GIT_CONFIG_KEY_0=safe.directory",
    "GIT_CONFIG_VALUE_0=*",      "GIT_TERMINAL_PROMPT=0",
    "GIT_AUTHOR_NAME=draftd",    "GIT_AUTHOR_EMAIL=draftd@localhost",
    "GIT_COMMITTER_NAME=draftd", "GIT_COMMITTER_EMAIL=draftd@localhost",
};

#define BASE_ENV_COUNT (sizeof(base_env) / sizeof(base_env[0]))

/* The base environment, then the caller's. Borrows the texts. */
static int
fill_env(const char *const *additions, const char *ret_env[ENV_MAX], struct err *err)
{
    size_t count = 0;

    for (; count < BASE_ENV_COUNT; count++)
        ret_env[count] = base_env[count];
    for (size_t i = 0; additions && additions[i]; i++) {
        if (count == ENV_MAX - 1)
            return err_set(err, ERR_INVALID, "too many environment variables for a sandbox");
        ret_env[count++] = additions[i];
    }
    ret_env[count] = NULL;
    return 0;
}

/* Roles become part of names. */
static bool
role_valid(const char *role)
{
    return role && role[0] && strspn(role, "abcdefghijklmnopqrstuvwxyz") == strlen(role);
}

static int
container_name(const struct sandbox_spec *spec, char ret_name[NAME_BYTES], struct err *err)
{
    unsigned char random[6];
    AUTO_DONE(strbuf_done) struct strbuf hex = STRBUF_INIT(2 * sizeof(random));
    const int result = crypto_random(random, sizeof(random), err);

    if (result)
        return result;
    hex_append(&hex, bytes_of(random, sizeof(random)));
    snprintf(ret_name, NAME_BYTES, "draftd-%lld-%.32s-%s", (long long)spec->run, spec->role,
             strbuf_str(&hex));
    return 0;
}

static int
create_container(struct sandbox *sandbox,
                 const struct sandbox_host *host,
                 const struct sandbox_spec *spec,
                 struct err *err)
{
    static const char *const command[] = {SANDBOX_RUNNER, "serve", BOX_SOCKET, SANDBOX_WORKSPACE,
                                          NULL};
    const struct engine_bind binds[] = {
        {.source = host->runner_path, .target = SANDBOX_RUNNER},
        {.source = door_directory(sandbox->door), .target = SANDBOX_DOOR},
        {.source = spec->objects_dir, .target = SANDBOX_OBJECTS},
    };
    const char *env[ENV_MAX];
    char name[NAME_BYTES];

    int result = fill_env(spec->env, env, err);
    if (!result)
        result = container_name(spec, name, err);
    if (result)
        return result;
    const struct container_spec container = {
        .name = name,
        .image = spec->image,
        .command = command,
        .env = env,
        .user = BOX_USER,
        .binds = binds,
        .bind_count = spec->objects_dir ? 3 : 2,
        .instance = host->instance,
        .task = spec->task,
        .run = spec->run,
        .role = spec->role,
        .memory_mib = host->memory_mib,
        .cpus = host->cpus,
        .processes = host->processes,
        .workspace_mib = host->workspace_in_memory ? host->disk_mib : 0,
        .tmp_mib = host->tmp_mib,
        .user_namespace = host->user_namespace,
    };
    result = engine_create(sandbox->engine, &container, &sandbox->container, err);
    if (result && result != ERR_NOTFOUND && result != ERR_INVALID) {
        /* The answer did not arrive; the container may be there all the same. */
        const int left_over = engine_remove(sandbox->engine, name, NULL);
        (void)left_over; /* found later by its label */
    }
    return result ? result : engine_start(sandbox->engine, sandbox->container, err);
}

/* Wait for the runner's connection; give up early when its container is gone. */
static int
wait_for_runner(struct sandbox *sandbox, int64_t deadline_mono_ms, struct err *err)
{
    int result = ERR_TIMEOUT;

    while (result == ERR_TIMEOUT) {
        struct container_facts facts = {0};
        const int64_t now_ms = clock_mono_ms();
        const int64_t check_ms =
            now_ms + START_CHECK_MS < deadline_mono_ms ? now_ms + START_CHECK_MS : deadline_mono_ms;
        result = door_wait(sandbox->door, check_ms, sandbox->stop, &sandbox->channel.fd, err);
        if (result != ERR_TIMEOUT || check_ms == deadline_mono_ms)
            break;
        result = engine_inspect(sandbox->engine, sandbox->container, &facts, err);
        if (result)
            break;
        if (facts.pid == 0)
            return err_set(
                err, ERR_INVALID,
                "the sandbox's runner ended before it said a word: is draftd-runner made "
                "for this machine, and is the engine on this machine?");
        result = ERR_TIMEOUT;
    }
    return result;
}

/* The runner's first word must say that the sandbox can be worked in. */
static int
take_hello(struct sandbox *sandbox, const char *image, int64_t deadline_mono_ms, struct err *err)
{
    struct frame frame;
    const int result = channel_receive(&sandbox->channel, deadline_mono_ms, &frame, err);

    if (result)
        return result;
    if (frame.type != FRAME_HELLO || hello_decode(frame.payload, &sandbox->hello) ||
        sandbox->hello.version != PROTOCOL_VERSION)
        return err_set(err, ERR_REMOTE, "the sandbox's runner does not keep to the protocol");
    if (sandbox->hello.uid != BOX_UID)
        return err_set(err, ERR_INVALID, "the engine runs the sandbox as user %u instead of %d",
                       sandbox->hello.uid, BOX_UID);
    if (!sandbox->hello.workspace_writable || !sandbox->hello.tmp_writable)
        return err_set(err, ERR_INVALID,
                       "user %d cannot write to %s in image \"%s\": let the image have it as an "
                       "empty directory with mode 1777",
                       BOX_UID, sandbox->hello.tmp_writable ? SANDBOX_WORKSPACE : "/tmp", image);
    return 0;
}

/* Everything after the allocation; what is done when this fails is closed by the caller. */
static int
box_start(struct sandbox *sandbox,
          const struct sandbox_host *host,
          const struct sandbox_spec *spec,
          struct err *err)
{
    int result = door_open(host->doors_dir, spec->run, spec->role, BOX_UID, &sandbox->door, err);
    if (!result)
        result = engine_new(host->engine, &sandbox->engine, err);
    if (result)
        return result;
    sandbox->channel.door = sandbox->door;
    sandbox->channel.stop = spec->stop;
    engine_heed(sandbox->engine, spec->stop);
    result = create_container(sandbox, host, spec, err);
    if (result)
        return result;
    int64_t deadline_mono_ms = clock_mono_ms() + LIMIT_RUNNER_START_MS;
    if (spec->deadline_mono_ms && spec->deadline_mono_ms < deadline_mono_ms)
        deadline_mono_ms = spec->deadline_mono_ms;
    result = wait_for_runner(sandbox, deadline_mono_ms, err);
    return result ? result : take_hello(sandbox, spec->image, deadline_mono_ms, err);
}

int
box_open(const struct sandbox_host *host,
         const struct sandbox_spec *spec,
         struct sandbox **ret_sandbox,
         struct err *err)
{
    if (!role_valid(spec->role))
        return err_set(err, ERR_INVALID, "a sandbox's role is a word of small letters");
    if (stop_raised(spec->stop))
        return err_set(err, ERR_CANCELED, "canceled");
    AUTO(sandbox_close) struct sandbox *sandbox = calloc(1, sizeof(*sandbox));
    if (!sandbox)
        return err_set(err, ERR_NOMEM, "out of memory");
    sandbox->channel.fd = -1;
    sandbox->file_bytes = (uint64_t)host->disk_mib * MIB;
    sandbox->disk_bytes = host->workspace_in_memory ? 0 : sandbox->file_bytes;
    sandbox->deadline_mono_ms = spec->deadline_mono_ms;
    sandbox->stop = spec->stop;
    const int result = box_start(sandbox, host, spec, err);
    if (result)
        return result;
    *ret_sandbox = TAKE(sandbox);
    return 0;
}

int
sandbox_open(const struct sandbox_host *host,
             const struct sandbox_spec *spec,
             struct sandbox **ret_sandbox,
             struct err *err)
{
    AUTO(sandbox_close) struct sandbox *sandbox = NULL;
    int result = checkout_validate(spec, err);

    if (!result)
        result = box_open(host, spec, &sandbox, err);
    if (!result)
        result = checkout_make(sandbox, spec, err);
    if (result)
        return result;
    *ret_sandbox = TAKE(sandbox);
    return 0;
}

int
sandbox_image(struct sandbox *sandbox, char ret_id[SANDBOX_IMAGE_BYTES], struct err *err)
{
    struct container_facts facts = {0};
    const int result = engine_inspect(sandbox->engine, sandbox->container, &facts, err);

    if (result == ERR_NOTFOUND)
        return err_set(err, ERR_REMOTE, "the sandbox's container is gone");
    if (!result)
        (void)snprintf(ret_id, SANDBOX_IMAGE_BYTES, "%s", facts.image);
    return result;
}

void
sandbox_close(struct sandbox *sandbox)
{
    if (!sandbox)
        return;
    /* A runner without its door ends everything inside, also when the engine is away. */
    door_close(sandbox->door);
    if (sandbox->container) {
        const int left_over = engine_remove(sandbox->engine, sandbox->container, NULL);
        (void)left_over; /* found later by its label */
    }
    engine_free(sandbox->engine);
    free(sandbox->container);
    free(sandbox->branch);
    free(sandbox->setup);
    free(sandbox);
}
