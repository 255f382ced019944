/* Bodies and answers of the Docker-compatible API. What differs between Docker and Podman is here
 * and in docker.c, and nowhere else. */
#include "sandbox/docker_body.h"

#include "sandbox/sandbox.h"
#include "server/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB INT64_C(1048576)
#define NANO 1e9

/* Ids of a user namespace on the host: beyond what systems give to users. */
#define USERNS "auto:size=65536,uidmapping=0:300000:65536,gidmapping=0:300000:65536"

#define TAR_BLOCK 512U

static json_t *
strings(const char *const *items)
{
    json_t *const array = json_array();

    for (size_t i = 0; items && items[i]; i++) {
        if (json_array_append_new(array, json_string(items[i]))) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* "SOURCE:TARGET:ro", the form that both engines know. */
static json_t *
binds(const struct container_spec *spec)
{
    json_t *const array = json_array();

    for (size_t i = 0; i < spec->bind_count; i++) {
        const struct engine_bind *const bind = &spec->binds[i];
        auto_free char *text =
            str_printf("%s:%s:%s", bind->source, bind->target, bind->writable ? "rw" : "ro");
        if (!text || json_array_append_new(array, json_string(text))) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* Options of a tmpfs that the container's user owns, whatever the image has at its place: without
 * an owner it would get the image's mode and belong to root. */
static json_t *
tmpfs_options(const struct container_spec *spec, enum docker_kind kind, int64_t size_mib)
{
    const unsigned long uid = strtoul(spec->user, NULL, 10);
    auto_free char *owner =
        kind == DOCKER_PODMAN ? str_dup("U") : str_printf("uid=%lu,gid=%lu", uid, uid);
    auto_free char *text = owner ? str_printf("rw,exec,nosuid,nodev,size=%lldm,mode=1777,%s",
                                              (long long)size_mib, owner)
                                 : NULL;

    return text ? json_string(text) : NULL;
}

/* The writable places: /tmp in memory, the workspace in memory or on a volume; and the covers over
 * the image's own volumes. */
static int
add_places(json_t *host_config,
           const struct container_spec *spec,
           enum docker_kind kind,
           const json_t *covers)
{
    json_t *const tmpfs = covers ? json_copy((json_t *)(uintptr_t)covers) : json_object();
    int failed = json_object_set_new(tmpfs, "/tmp", tmpfs_options(spec, kind, spec->tmp_mib));

    if (spec->workspace_mib > 0)
        failed |= json_object_set_new(tmpfs, SANDBOX_WORKSPACE,
                                      tmpfs_options(spec, kind, spec->workspace_mib));
    else
        failed |= json_object_set_new(
            host_config, "Mounts",
            json_pack("[{s:s, s:s}]", "Type", "volume", "Target", SANDBOX_WORKSPACE));
    return failed | json_object_set_new(host_config, "Tmpfs", tmpfs);
}

static json_t *
labels(const struct container_spec *spec)
{
    char task[24];
    char run[24];

    snprintf(task, sizeof(task), "%lld", (long long)spec->task);
    snprintf(run, sizeof(run), "%lld", (long long)spec->run);
    return json_pack("{s:s, s:s, s:s, s:s}", ENGINE_LABEL_INSTANCE, spec->instance,
                     ENGINE_LABEL_TASK, task, ENGINE_LABEL_RUN, run, ENGINE_LABEL_ROLE, spec->role);
}

/* No network, no capability, no new privilege, no swap beyond the memory. Resource limits of
 * processes are left to the engine's defaults: its API does not merge them with a list that is not
 * complete. */
static json_t *
host_config(const struct container_spec *spec,
            enum docker_kind kind,
            bool map_ids,
            const json_t *covers)
{
    const json_int_t memory = spec->memory_mib * MIB;
    json_t *const config =
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:[s], s:[s], s:b, s:s, s:b, s:o}", "NetworkMode",
                  "none", "Memory", memory, "MemorySwap", memory, "NanoCpus",
                  (json_int_t)(spec->cpus * NANO), "PidsLimit", (json_int_t)spec->processes,
                  "CapDrop", "ALL", "SecurityOpt", "no-new-privileges", "ReadonlyRootfs", 1,
                  "IpcMode", "private", "Init", 0, "Binds", binds(spec));
    if (!config || add_places(config, spec, kind, covers) ||
        (map_ids && kind == DOCKER_PODMAN &&
         json_object_set_new(config, "UsernsMode", json_string(USERNS)))) {
        json_decref(config);
        return NULL;
    }
    return config;
}

int
docker_create_body(const struct container_spec *spec,
                   enum docker_kind kind,
                   bool map_ids,
                   const json_t *covers,
                   char **ret_body,
                   struct err *err)
{
    /* An image's entry point, health check and stop signal are none of ours: nothing runs but the
     * runner, and it ends at once. */
    AUTO(js_free)
    json_t *body =
        json_pack("{s:s, s:s, s:s, s:b, s:s, s:{s:[s]}, s:[s], s:o, s:o, s:o, s:o}", "Image",
                  spec->image, "User", spec->user, "WorkingDir", "/", "Tty", 0, "StopSignal",
                  "SIGKILL", "Healthcheck", "Test", "NONE", "Entrypoint", spec->command[0], "Cmd",
                  strings(spec->command + 1), "Env", strings(spec->env), "Labels", labels(spec),
                  "HostConfig", host_config(spec, kind, map_ids, covers));

    return js_dump(body, ret_body, err);
}

static bool
no_new_privileges(const json_t *answer)
{
    const json_t *const options = js_at(answer, "HostConfig.SecurityOpt");
    size_t i;
    const json_t *option;

    json_array_foreach(options, i, option)
    {
        const char *const text = json_string_value(option);
        if (text && str_starts_with(text, "no-new-privileges") && !str_ends_with(text, "false"))
            return true;
    }
    return false;
}

/* Either form in which engines keep it. */
static double
cpus(const json_t *answer)
{
    const int64_t nano = js_int(answer, "HostConfig.NanoCpus", 0);
    const int64_t quota = js_int(answer, "HostConfig.CpuQuota", 0);
    const int64_t period = js_int(answer, "HostConfig.CpuPeriod", 0);

    if (nano > 0)
        return (double)nano / NANO;
    return quota > 0 && period > 0 ? (double)quota / (double)period : 0;
}

int
docker_read_facts(const json_t *answer, struct container_facts *ret_facts, struct err *err)
{
    const char *const image = js_str(answer, "Image");

    if (!js_at(answer, "HostConfig") || !js_at(answer, "State"))
        return err_set(err, ERR_REMOTE, "the engine's description of a container is not one");
    *ret_facts = (struct container_facts){
        .memory_bytes = js_int(answer, "HostConfig.Memory", 0),
        .processes = js_int(answer, "HostConfig.PidsLimit", 0),
        .cpus = cpus(answer),
        .no_network = str_equal(js_str(answer, "HostConfig.NetworkMode"), "none"),
        .no_new_privileges = no_new_privileges(answer),
        .read_only_root = js_bool(answer, "HostConfig.ReadonlyRootfs", false),
        .pid = js_bool(answer, "State.Running", false) ? js_int(answer, "State.Pid", 0) : 0,
    };
    (void)snprintf(ret_facts->image, sizeof(ret_facts->image), "%s", image ? image : "");
    return 0;
}

static int
read_found(const json_t *item, struct container_found *ret_found, struct err *err)
{
    const json_t *const given = json_object_get(item, "Labels");
    const char *const run = json_string_value(json_object_get(given, ENGINE_LABEL_RUN));
    const char *const instance = json_string_value(json_object_get(given, ENGINE_LABEL_INSTANCE));
    struct container_found found = {.running = str_equal(js_str(item, "State"), "running")};

    if (!js_str(item, "Id"))
        return err_set(err, ERR_REMOTE, "the engine's list of containers has one without an id");
    if (!run || str_to_i64(run, &found.run, NULL))
        found.run = -1;
    found.id = str_dup(js_str(item, "Id"));
    found.instance = str_dup(instance ? instance : "");
    if (!found.id || !found.instance) {
        free(found.id);
        free(found.instance);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    *ret_found = found;
    return 0;
}

int
docker_read_list(const json_t *answer, struct container_list *ret_list, struct err *err)
{
    struct container_list list = {0};
    const size_t count = json_array_size(answer);

    if (!json_is_array(answer))
        return err_set(err, ERR_REMOTE, "the engine's list of containers is not one");
    list.items = calloc(count + 1, sizeof(*list.items));
    if (!list.items)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        const int result = read_found(json_array_get(answer, i), &list.items[i], err);
        if (result) {
            container_list_done(&list);
            return result;
        }
        list.count++;
    }
    *ret_list = list;
    return 0;
}

void
docker_append_owner_archive(struct strbuf *buf, const char *directory, unsigned uid)
{
    static const char zeros[2 * TAR_BLOCK];
    unsigned char header[TAR_BLOCK] = {0};
    char *const text = (char *)header;
    unsigned sum = 0;

    /* An entry "." would be skipped by Docker; the same directory by way of its parent is not. */
    snprintf(text, 100, "../%s/", directory);
    snprintf(text + 100, 8, "%07o", 0755U);
    snprintf(text + 108, 8, "%07o", uid & 07777777U);
    snprintf(text + 116, 8, "%07o", uid & 07777777U);
    snprintf(text + 124, 12, "%011o", 0U);
    snprintf(text + 136, 12, "%011o", 0U);
    header[156] = '5'; /* a directory */
    memcpy(header + 257, "ustar\00000", 8);
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += header[i];
    snprintf(text + 148, 8, "%06o", sum);
    strbuf_add(buf, header, sizeof(header));
    strbuf_add(buf, zeros, sizeof(zeros));
}
