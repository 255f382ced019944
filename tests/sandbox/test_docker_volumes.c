/* Which volumes of an image are covered, and which ones are refused. */
#include "sandbox/docker_volumes.h"

#include "server/base/str.h"
#include "tests/harness/test.h"

/* The covers over the volumes in the text of a JSON object; NULL when they are refused. */
static json_t *
covers_of(const char *volumes, enum docker_kind kind, struct err *err)
{
    AUTO(js_free) json_t *image = NULL;
    auto_free char *text = str_printf("{\"Config\":{\"Volumes\":%s}}", volumes);
    json_t *covers = NULL;

    CHECK_OK(js_parse(bytes_of_str(text), &image, err), *err);
    const int result = docker_cover_volumes(image, "work:1", kind, &covers, err);
    CHECK(result == 0 || result == ERR_INVALID);
    return covers;
}

TEST(volumes_get_empty_places_that_cannot_be_written_to)
{
    struct err err = {0};
    AUTO(js_free)
    json_t *docker = covers_of("{\"/data\":{},\"/var/lib/x/\":{},\"/tmp\":{},\"/workspace\":{}}",
                               DOCKER_ENGINE, &err);
    AUTO(js_free) json_t *podman = covers_of("{\"/draftdish\":{}}", DOCKER_PODMAN, &err);

    CHECK_INT(json_object_size(docker), 2);
    CHECK_STR(js_str(docker, "/data"), "ro,noexec,nosuid,nodev,size=4k,mode=0755");
    CHECK(js_str(docker, "/var/lib/x"));
    CHECK_STR(js_str(podman, "/draftdish"), "ro,noexec,nosuid,nodev,size=4k,mode=0755,notmpcopyup");
}

TEST(an_image_without_volumes_needs_no_covers)
{
    static const char *const none[] = {"null", "{}", "[]", "\"x\""};
    struct err err = {0};

    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        AUTO(js_free) json_t *covers = covers_of(none[i], DOCKER_ENGINE, &err);
        CHECK(covers && json_object_size(covers) == 0);
    }
    AUTO(js_free) json_t *covers = NULL;
    CHECK_OK(docker_cover_volumes(NULL, "x", DOCKER_ENGINE, &covers, &err), err);
}

TEST(what_cannot_be_covered_is_refused)
{
    static const char *const bad[] = {
        "/",
        "",
        "data",
        "./data",
        "/a/./b",
        "/a/../tmp",
        "//tmp",
        "/a//b",
        "/..",
        "/a:b",
        "/a,b",
        "/a b",
        "/a\\nb",
        "/a\\\"b",
        "/draftd",
        "/draftd/",
        "/draftd/door",
        "/dev/shm",
        "/proc",
        "/proc/sys",
        "/sys/fs",
        "/tmp/draftd",
        "/workspace/.git",
        "/workspace/x/",
        "/\\u00e9",
        "/dev",
        "/workspace//x",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = {0};
        auto_free char *volumes = str_printf("{\"%s\":{}}", bad[i]);
        AUTO(js_free) json_t *covers = covers_of(volumes, DOCKER_PODMAN, &err);
        if (covers)
            TEST_FAIL("%s", bad[i]);
        CHECK_CONTAINS(err.msg, "work:1");
        CHECK_CONTAINS(err.msg, "volume");
    }
}

TEST(many_and_long_volumes_are_refused)
{
    AUTO_DONE(strbuf_done) struct strbuf many = STRBUF_INIT(10000);
    struct err err = {0};

    for (int i = 0; i < 33; i++)
        strbuf_addf(&many, "%s\"/v%d\":{}", i ? "," : "{", i);
    strbuf_add_str(&many, "}");
    CHECK(!covers_of(strbuf_str(&many), DOCKER_ENGINE, &err));
    CHECK_CONTAINS(err.msg, "over 32 volumes");
    strbuf_reset(&many);
    strbuf_addf(&many, "{\"/%0300d\":{}}", 1);
    CHECK(!covers_of(strbuf_str(&many), DOCKER_ENGINE, &err));
}

static int
check(const char *mounts, int64_t workspace_mib, struct err *err)
{
    AUTO(js_free) json_t *container = NULL;
    auto_free char *text = str_printf("{\"Mounts\":%s}", mounts);
    const struct container_spec spec = {.image = "work:1", .workspace_mib = workspace_mib};

    CHECK_OK(js_parse(bytes_of_str(text), &container, err), *err);
    return docker_check_volumes(container, &spec, err);
}

TEST(a_volume_that_was_not_asked_for_is_found)
{
    static const char workspace[] = "[{\"Type\":\"bind\",\"Destination\":\"/draftd/door\"},"
                                    "{\"Type\":\"volume\",\"Destination\":\"/workspace\"}]";
    struct err err = {0};

    CHECK_OK(check("[]", 64, &err), err);
    CHECK_OK(check("null", 64, &err), err);
    CHECK_OK(check(workspace, 0, &err), err);
    CHECK_INT(check(workspace, 64, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "\"/workspace\"");
    CHECK_INT(check("[{\"Type\":\"volume\",\"Destination\":\"/data\"}]", 0, &err), ERR_INVALID);
    CHECK_CONTAINS(err.msg, "work:1");
    CHECK_CONTAINS(err.msg, "\"/data\"");
    CHECK_INT(check("[{\"Type\":\"volume\"}]", 0, &err), ERR_INVALID);
}

TEST_MAIN()
