/* Any JSON as what a container engine answers. */
#include "sandbox/docker_body.h"
#include "sandbox/docker_volumes.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void
read_facts(const json_t *json)
{
    struct container_facts facts;
    struct err err;
    const int r = docker_read_facts(json, &facts, &err);

    ALWAYS(r == 0 || r == ERR_REMOTE);
}

static void
read_list(const json_t *json)
{
    AUTO_DONE(container_list_done) struct container_list list = {.count = 0};
    struct err err;
    const int r = docker_read_list(json, &list, &err);

    ALWAYS(r == 0 || r == ERR_REMOTE);
}

/* Whatever an image declares, nothing is put over what a sandbox needs. */
static void
cover_volumes(const json_t *json)
{
    AUTO(js_free) json_t *covers = NULL;
    struct err err;
    const char *path;
    json_t *options;
    const int r = docker_cover_volumes(json, "image", DOCKER_PODMAN, &covers, &err);

    ALWAYS(r == 0 || r == ERR_INVALID);
    if (r)
        return;
    json_object_foreach(covers, path, options)
    {
        ALWAYS(path[0] == '/' && path[1] && !strstr(path, "/../") && !strstr(path, "//"));
        ALWAYS(strncmp(path, "/draftd", 7) != 0 || (path[7] && path[7] != '/'));
        ALWAYS(strcmp(path, "/proc") != 0 && strcmp(path, "/sys") != 0 &&
               strcmp(path, "/dev") != 0);
        ALWAYS(strstr(json_string_value(options), "ro,"));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(js_free) json_t *json = NULL;
    struct err err;

    if (js_parse(bytes_of(data, size), &json, &err))
        return 0;
    read_facts(json);
    read_list(json);
    cover_volumes(json);
    return 0;
}
