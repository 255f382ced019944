/* Which volumes of an image can be covered, and with what. An image may be any that the engine has:
 * a repository names it. */
#include "sandbox/docker_volumes.h"

#include "sandbox/sandbox.h"
#include "server/base/str.h"

#include <string.h>

#define VOLUMES_MAX 32U
#define PATH_BYTES 256U

/* Podman copies what the image has there, unless it is told not to; Docker does not know the word.
 */
#define COVER "ro,noexec,nosuid,nodev,size=4k,mode=0755"
#define COVER_PODMAN COVER ",notmpcopyup"

/* Nothing may lie on or in these. */
static const char *const kept[] = {"/draftd", "/dev", "/proc", "/sys"};

/* Nothing may lie in these. */
static const char *const covered[] = {SANDBOX_WORKSPACE, "/tmp"};

static bool
is_covered(const char *path)
{
    for (size_t i = 0; i < sizeof(covered) / sizeof(covered[0]); i++) {
        if (str_equal(path, covered[i]))
            return true;
    }
    return false;
}

static bool
is_below(const char *path, const char *directory)
{
    return str_starts_with(path, directory) && path[strlen(directory)] == '/';
}

static bool
is_ours(const char *path)
{
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        if (str_equal(path, kept[i]) || is_below(path, kept[i]))
            return true;
    }
    for (size_t i = 0; i < sizeof(covered) / sizeof(covered[0]); i++) {
        if (is_below(path, covered[i]))
            return true;
    }
    return false;
}

/* Absolute, of visible characters, and not to be read in two ways: no empty part, no "." and no
 * "..". The root is none. */
static bool
is_plain(const char *path)
{
    const char *part = path;

    if (path[0] != '/' || strlen(path) >= PATH_BYTES)
        return false;
    for (const char *at = path; *at; at++) {
        if (*at <= ' ' || *at > '~' || strchr(",:\"\\`", *at))
            return false;
    }
    for (; *part; part += strcspn(part, "/")) {
        const size_t len = strcspn(++part, "/");
        if (len == 0 || (len <= 2 && strspn(part, ".") >= len))
            return false;
    }
    return true;
}

/* Put a cover over one volume. */
static int
cover(
    json_t *covers, const char *declared, const char *name, enum docker_kind kind, struct err *err)
{
    auto_free char *path = str_dup(declared);

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t len = strlen(path); len > 1 && path[len - 1] == '/'; len--)
        path[len - 1] = 0;
    if (is_covered(path))
        return 0;
    if (!is_plain(path))
        return err_set(
            err, ERR_INVALID,
            "image \"%s\" declares a volume that is the root or no plain path: sandboxes "
            "cannot be made of it",
            name);
    if (is_ours(path))
        return err_set(err, ERR_INVALID,
                       "image \"%s\" declares the volume \"%s\", a place that a sandbox needs for "
                       "itself: use an image without it",
                       name, path);
    if (json_object_set_new(covers, path,
                            json_string(kind == DOCKER_PODMAN ? COVER_PODMAN : COVER)))
        return err_set(err, ERR_NOMEM, "out of memory");
    return 0;
}

int
docker_cover_volumes(const json_t *image,
                     const char *name,
                     enum docker_kind kind,
                     json_t **ret_covers,
                     struct err *err)
{
    AUTO(js_free) json_t *covers = json_object();
    /* jansson's iteration takes no const object, and does not change it */
    json_t *const volumes = (json_t *)(uintptr_t)js_at(image, "Config.Volumes");
    const char *path;
    json_t *nothing;

    if (!covers)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (json_object_size(volumes) > VOLUMES_MAX)
        return err_set(err, ERR_INVALID, "image \"%s\" declares over %u volumes", name,
                       VOLUMES_MAX);
    json_object_foreach(volumes, path, nothing)
    {
        const int result = cover(covers, path, name, kind, err);
        if (result)
            return result;
    }
    *ret_covers = TAKE(covers);
    return 0;
}

int
docker_check_volumes(const json_t *container, const struct container_spec *spec, struct err *err)
{
    const json_t *const mounts = js_at(container, "Mounts");
    size_t i;
    const json_t *mount;

    json_array_foreach(mounts, i, mount)
    {
        const char *const target = js_str(mount, "Destination");
        if (!str_equal(js_str(mount, "Type"), "volume") ||
            (spec->workspace_mib == 0 && str_equal(target, SANDBOX_WORKSPACE)))
            continue;
        return err_set(err, ERR_INVALID,
                       "the engine gives a container of image \"%s\" the volume \"%.200s\", which "
                       "nothing limits: use an image without it",
                       spec->image, target && is_plain(target) ? target : "?");
    }
    return 0;
}
