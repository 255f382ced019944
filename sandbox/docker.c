/* Containers through a Docker-compatible API: create, start, remove, inspect, list.
 *
 * Paths carry no version: the engine's own is served then, and nothing asked for here has changed
 * since API 1.40. The end of a container is never waited for: Podman's `wait` burns a core. */
#include "sandbox/docker.h"

#include "sandbox/docker_body.h"
#include "sandbox/docker_volumes.h"
#include "sandbox/sandbox.h"
#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/str.h"
#include "server/web.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOST "http://engine"
#define CALL_TIMEOUT_MS (30 * MS_PER_SECOND)
#define REMOVE_TIMEOUT_MS (5 * MS_PER_SECOND) /* what is left is found later by its label */
#define REMOVE_TRIES 20
#define REMOVE_PAUSE_MS 5 /* before the second try, and twice as long before each further one */
#define REMOVE_PAUSE_MOST_MS 50
#define ARCHIVE_BYTES 4096U

struct docker {
    struct web *web;
    const struct stop *stop;
    char *socket_path;
    bool known; /* the two that follow are */
    enum docker_kind kind;
    bool rootless; /* it has a user namespace already, and takes no other */
};

static void
docker_close(void *state)
{
    struct docker *const docker = state;

    if (!docker)
        return;
    web_free(docker->web);
    free(docker->socket_path);
    free(docker);
}

static inline void
docker_free(struct docker *docker)
{
    docker_close(docker);
}
AUTO_DEFINE(struct docker *, docker_free)

static int
docker_open(const char *address, void **ret_state, struct err *err)
{
    const char *const path = address + strlen(docker_driver.scheme);

    if (path[0] != '/')
        return err_set(err, ERR_INVALID, "engine address \"%s\": the socket's path is not absolute",
                       address);
    AUTO(docker_free) struct docker *docker = calloc(1, sizeof(*docker));
    if (!docker)
        return err_set(err, ERR_NOMEM, "out of memory");
    int result = str_set(&docker->socket_path, path, err);
    if (!result)
        result = web_new(&(const struct web_options){.unix_socket = path}, &docker->web, err);
    if (result)
        return result;
    *ret_state = TAKE(docker);
    return 0;
}

static void
docker_heed(void *state, const struct stop *stop)
{
    struct docker *const docker = state;

    docker->stop = stop;
}

struct call {
    const char *method;
    char *path; /* owned; NULL: out of memory */
    struct bytes body;
    const char *content_type;
    int64_t timeout_ms; /* 0: CALL_TIMEOUT_MS */
    bool always;        /* also when a stop is raised */
};

/* No connection to the socket. Why not is in no answer of curl's: a look at the socket tells. */
static int
no_engine(const struct docker *docker, struct err *err)
{
    const char *path = docker->socket_path;
    const int reason = access(path, R_OK | W_OK) < 0 ? errno : ECONNREFUSED;

    return err_set_errno(err, ERR_UNAVAILABLE, reason,
                         "no container engine answers at %s; start it, or correct its address",
                         path);
}

/* One exchange with the engine. Frees the path. */
static int
perform(struct docker *docker, struct call call, struct web_answer *ret_answer, struct err *err)
{
    auto_free char *path = call.path;
    auto_free char *url = path ? str_printf(HOST "%s", path) : NULL;

    if (!url)
        return err_set(err, ERR_NOMEM, "out of memory");
    const struct web_request request = {
        .method = call.method,
        .url = url,
        .body = call.body,
        .content_type = call.content_type,
        .timeout_ms = call.timeout_ms ? call.timeout_ms : CALL_TIMEOUT_MS,
        .stop = call.always ? NULL : docker->stop,
    };
    const int result = web_perform(docker->web, &request, ret_answer, err);
    if (result == ERR_TIMEOUT || result == ERR_REMOTE)
        return err_set(err, ERR_UNAVAILABLE, "the container engine does not answer in time");
    if (result == ERR_UNAVAILABLE)
        return no_engine(docker, err);
    return result ? err_wrap(err, "container engine") : 0;
}

/* The engine's own words about what it refused. */
static int
refused(const struct web_answer *answer, int code, const char *doing, struct err *err)
{
    AUTO(js_free) json_t *json = NULL;
    const struct bytes body = bytes_of(answer->body.ptr, answer->body.len);
    const char *message = NULL;

    if (js_parse(body, &json, NULL) == 0)
        message = js_str(json, "message");
    return err_set(err, code, "%s: the engine answered %ld: %s", doing, answer->status,
                   message ? message : "(no message)");
}

/* A call whose answer is JSON with status 200.  Owns: *ret_json is the caller's. */
static int
get_json(
    struct docker *docker, struct call call, const char *doing, json_t **ret_json, struct err *err)
{
    AUTO_DONE(web_answer_done) struct web_answer answer = {0};
    const int result = perform(docker, call, &answer, err);

    if (result)
        return result;
    if (answer.status == 404)
        return refused(&answer, ERR_NOTFOUND, doing, err);
    if (answer.status != 200)
        return refused(&answer, ERR_UNAVAILABLE, doing, err);
    if (js_parse(bytes_of(answer.body.ptr, answer.body.len), ret_json, err))
        return err_set(err, ERR_UNAVAILABLE, "%s: the engine's answer is not JSON", doing);
    return 0;
}

/* Find out once what kind of engine this is. Asking for the version would do as well, but Podman
 * asks the system's package manager for it, every time. */
static int
learn(struct docker *docker, struct err *err)
{
    AUTO_DONE(web_answer_done) struct web_answer answer = {0};
    const struct call call = {.method = "GET", .path = str_dup("/libpod/_ping")};
    struct stat socket;

    if (docker->known)
        return 0;
    const int result = perform(docker, call, &answer, err);
    if (result)
        return result;
    docker->kind = answer.status == 200 ? DOCKER_PODMAN : DOCKER_ENGINE;
    docker->rootless = stat(docker->socket_path, &socket) == 0 && socket.st_uid != 0;
    docker->known = true;
    return 0;
}

/* Docker makes a volume's root belong to root; hand it to the container's user. */
static int
own_volume(struct docker *docker, const char *id, const char *user, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf archive = STRBUF_INIT(ARCHIVE_BYTES);
    AUTO_DONE(web_answer_done) struct web_answer answer = {0};

    docker_append_owner_archive(&archive, &SANDBOX_WORKSPACE[1], (unsigned)strtoul(user, NULL, 10));
    if (!strbuf_ok(&archive))
        return err_set(err, ERR_NOMEM, "out of memory");
    const struct call call = {
        .method = "PUT",
        .path = str_printf("/containers/%s/archive?path=" SANDBOX_WORKSPACE, id),
        .body = bytes_of(archive.ptr, archive.len),
        .content_type = "application/x-tar",
    };
    const int result = perform(docker, call, &answer, err);
    if (result)
        return result;
    return answer.status == 200
               ? 0
               : refused(&answer, ERR_INVALID, "handing the volume to the container's user", err);
}

/* Judge the answer to a create. */
static int
created(const struct web_answer *answer,
        const struct container_spec *spec,
        char **ret_id,
        struct err *err)
{
    AUTO(js_free) json_t *json = NULL;

    if (answer->status == 404)
        return err_set(
            err, ERR_NOTFOUND,
            "the engine has no image \"%s\": pull or build it there, or correct its name",
            spec->image);
    if (answer->status == 503)
        return refused(answer, ERR_UNAVAILABLE, "creating a container", err);
    if (answer->status != 201)
        return refused(answer, ERR_INVALID, "creating a container", err);
    if (js_parse(bytes_of(answer->body.ptr, answer->body.len), &json, NULL) || !js_str(json, "Id"))
        return err_set(err, ERR_UNAVAILABLE, "creating a container: the answer has no id");
    *ret_id = str_dup(js_str(json, "Id"));
    return *ret_id ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

static int docker_remove(void *state, const char *id, struct err *err);

/* What goes over the volumes of the image. An image that cannot be looked at is none of this
 * function's: creating a container says what is wrong, and the container is looked at as well. */
static int
cover_volumes(struct docker *docker, const char *image, json_t **ret_covers, struct err *err)
{
    AUTO_DONE(web_answer_done) struct web_answer answer = {0};
    AUTO_DONE(strbuf_done) struct strbuf path = STRBUF_INIT(ARCHIVE_BYTES);
    AUTO(js_free) json_t *json = NULL;
    struct call call = {.method = "GET"};

    strbuf_add_str(&path, "/images/");
    web_append_escaped(&path, image);
    strbuf_add_str(&path, "/json");
    int result = strbuf_take(&path, &call.path, err);
    if (!result)
        result = perform(docker, call, &answer, err);
    if (result)
        return result;
    if (answer.status == 200) {
        const int unread = js_parse(bytes_of(answer.body.ptr, answer.body.len), &json, NULL);
        (void)unread;
    }
    return docker_cover_volumes(json, image, docker->kind, ret_covers, err);
}

/* Look at the volumes that a new container got, before anything runs in it, and hand over the one
 * that is wanted. */
static int
settle_volumes(struct docker *docker,
               const char *id,
               const struct container_spec *spec,
               struct err *err)
{
    AUTO(js_free) json_t *json = NULL;
    const struct call call = {.method = "GET", .path = str_printf("/containers/%s/json", id)};
    int result = get_json(docker, call, "inspecting a container", &json, err);

    if (result == ERR_NOTFOUND)
        return err_set(err, ERR_UNAVAILABLE, "the engine lost the container that it just created");
    if (!result)
        result = docker_check_volumes(json, spec, err);
    if (!result && spec->workspace_mib == 0 && docker->kind == DOCKER_ENGINE)
        result = own_volume(docker, id, spec->user, err);
    return result;
}

static int
docker_create(void *state, const struct container_spec *spec, char **ret_id, struct err *err)
{
    struct docker *const docker = state;
    AUTO_DONE(web_answer_done) struct web_answer answer = {0};
    AUTO(js_free) json_t *covers = NULL;
    auto_free char *body = NULL;
    auto_free char *id = NULL;

    int result = learn(docker, err);
    if (!result)
        result = cover_volumes(docker, spec->image, &covers, err);
    if (!result)
        result = docker_create_body(spec, docker->kind, spec->user_namespace && !docker->rootless,
                                    covers, &body, err);
    if (result)
        return result;
    const struct call call = {
        .method = "POST",
        .path = str_printf("/containers/create?name=%s", spec->name),
        .body = bytes_of_str(body),
    };
    result = perform(docker, call, &answer, err);
    if (!result)
        result = created(&answer, spec, &id, err);
    if (result)
        return result;
    result = settle_volumes(docker, id, spec, err);
    if (result) {
        const int left_over = docker_remove(docker, id, NULL);
        (void)left_over; /* found later by its label */
        return result;
    }
    *ret_id = TAKE(id);
    return 0;
}

static int
docker_start(void *state, const char *id, struct err *err)
{
    AUTO_DONE(web_answer_done) struct web_answer answer = {0};
    const struct call call = {
        .method = "POST", .path = str_printf("/containers/%s/start", id), .body = bytes_of("", 0)};
    const int result = perform(state, call, &answer, err);

    if (result)
        return result;
    if (answer.status == 204 || answer.status == 304)
        return 0;
    return refused(&answer, answer.status == 503 ? ERR_UNAVAILABLE : ERR_INVALID,
                   "starting a container", err);
}

/* Podman may say 500 (device busy) about a container that it then removes nevertheless, or that it
 * cannot kill one that ended just then, and Docker 409 while it is at it: what counts is that it is
 * gone. */
static int
docker_remove(void *state, const char *id, struct err *err)
{
    int64_t pause_ms = REMOVE_PAUSE_MS;

    for (int tries = 1;; tries++) {
        AUTO_DONE(web_answer_done) struct web_answer answer = {0};
        const struct call call = {
            .method = "DELETE",
            .path = str_printf("/containers/%s?force=1&v=1", id),
            .timeout_ms = REMOVE_TIMEOUT_MS,
            .always = true,
        };
        const int result = perform(state, call, &answer, err);
        if (result)
            return result;
        if (answer.status == 204 || answer.status == 200 || answer.status == 404)
            return 0;
        if (tries == REMOVE_TRIES)
            return refused(&answer, ERR_UNAVAILABLE, "removing a container", err);
        clock_sleep_ms(pause_ms);
        pause_ms = pause_ms < REMOVE_PAUSE_MOST_MS / 2 ? 2 * pause_ms : REMOVE_PAUSE_MOST_MS;
    }
}

/* Are the ids of process `pid` others than on this machine?  (user_namespaces(7)) */
static bool
ids_mapped(int64_t pid)
{
    AUTO_DONE(strbuf_done) struct strbuf map = STRBUF_INIT(ARCHIVE_BYTES);
    auto_free char *path = str_printf("/proc/%lld/uid_map", (long long)pid);

    if (!path || fs_read_file(path, &map, NULL))
        return false;
    char *end;
    const unsigned long inside = strtoul(strbuf_str(&map), &end, 10);
    return strtoul(end, NULL, 10) != inside;
}

static int
docker_inspect(void *state, const char *id, struct container_facts *ret_facts, struct err *err)
{
    AUTO(js_free) json_t *json = NULL;
    struct container_facts facts;
    const struct call call = {.method = "GET", .path = str_printf("/containers/%s/json", id)};
    int result = get_json(state, call, "inspecting a container", &json, err);

    if (!result)
        result = docker_read_facts(json, &facts, err);
    if (result)
        return result;
    facts.user_namespace = facts.pid > 0 && ids_mapped(facts.pid);
    *ret_facts = facts;
    return 0;
}

static int
docker_list(void *state, const char *instance, struct container_list *ret_list, struct err *err)
{
    AUTO(js_free) json_t *json = NULL;
    auto_free char *filters = NULL;
    auto_free char *label = str_printf(ENGINE_LABEL_INSTANCE "=%s", instance);

    if (!label)
        return err_set(err, ERR_NOMEM, "out of memory");
    AUTO(js_free) json_t *filter = json_pack("{s:[s]}", "label", label);
    int result = js_dump(filter, &filters, err);
    if (result)
        return result;
    AUTO_DONE(strbuf_done) struct strbuf path = STRBUF_INIT(ARCHIVE_BYTES);
    strbuf_add_str(&path, "/containers/json?all=1&filters=");
    web_append_escaped(&path, filters);
    struct call call = {.method = "GET"};
    result = strbuf_take(&path, &call.path, err);
    if (!result)
        result = get_json(state, call, "listing containers", &json, err);
    return result ? result : docker_read_list(json, ret_list, err);
}

const struct engine_driver docker_driver = {
    .scheme = "unix://",
    .open = docker_open,
    .close = docker_close,
    .heed = docker_heed,
    .create = docker_create,
    .start = docker_start,
    .remove = docker_remove,
    .inspect = docker_inspect,
    .list = docker_list,
};
