/* What is said to a Docker-compatible API and read from it. */
#include "sandbox/docker_body.h"

#include "tests/harness/test.h"

static const char *const command[] = {"/draftd/runner", "serve", "/s", NULL};
static const char *const env[] = {"A=1", NULL};
static const struct engine_bind binds[] = {
    {.source = "/host/runner", .target = "/draftd/runner"},
    {.source = "/host/w", .target = "/w", .writable = true},
};

static struct container_spec
example(void)
{
    return (struct container_spec){
        .name = "n",
        .image = "work:1",
        .command = command,
        .env = env,
        .user = "1000:1000",
        .binds = binds,
        .bind_count = 2,
        .instance = "i",
        .task = 5,
        .run = 6,
        .role = "work",
        .memory_mib = 512,
        .cpus = 1.5,
        .processes = 100,
        .workspace_mib = 64,
        .tmp_mib = 32,
    };
}

static json_t *
body_of(const struct container_spec *spec, enum docker_kind kind, bool map_ids)
{
    struct err err = {0};
    auto_free char *text = NULL;
    json_t *json = NULL;

    CHECK_OK(docker_create_body(spec, kind, map_ids, NULL, &text, &err), err);
    CHECK_OK(js_parse(bytes_of_str(text), &json, &err), err);
    return json;
}

TEST(a_container_is_hardened)
{
    const struct container_spec spec = example();
    AUTO(js_free) json_t *body = body_of(&spec, DOCKER_ENGINE, false);

    CHECK_STR(js_str(body, "Image"), "work:1");
    CHECK_STR(js_str(body, "User"), "1000:1000");
    CHECK_STR(js_str(body, "Entrypoint.0"), "/draftd/runner");
    CHECK_STR(js_str(body, "Cmd.0"), "serve");
    CHECK_STR(js_str(body, "Cmd.1"), "/s");
    CHECK_STR(js_str(body, "Env.0"), "A=1");
    CHECK_STR(js_str(body, "HostConfig.NetworkMode"), "none");
    CHECK_STR(js_str(body, "HostConfig.CapDrop.0"), "ALL");
    CHECK_STR(js_str(body, "HostConfig.SecurityOpt.0"), "no-new-privileges");
    CHECK_STR(js_str(body, "HostConfig.IpcMode"), "private");
    CHECK(js_bool(body, "HostConfig.ReadonlyRootfs", false));
    CHECK(!js_bool(body, "HostConfig.Init", true));
    CHECK_INT(js_int(body, "HostConfig.Memory", 0), INT64_C(512) << 20);
    CHECK_INT(js_int(body, "HostConfig.MemorySwap", 0), INT64_C(512) << 20);
    CHECK_INT(js_int(body, "HostConfig.NanoCpus", 0), 1500000000);
    CHECK_INT(js_int(body, "HostConfig.PidsLimit", 0), 100);
    CHECK_STR(js_str(body, "HostConfig.Binds.0"), "/host/runner:/draftd/runner:ro");
    CHECK_STR(js_str(body, "HostConfig.Binds.1"), "/host/w:/w:rw");
    CHECK(!js_at(body, "HostConfig.Ulimits") && !js_at(body, "HostConfig.LogConfig"));
    const json_t *const labels = json_object_get(body, "Labels");
    CHECK_STR(json_string_value(json_object_get(labels, ENGINE_LABEL_INSTANCE)), "i");
    CHECK_STR(json_string_value(json_object_get(labels, ENGINE_LABEL_TASK)), "5");
    CHECK_STR(json_string_value(json_object_get(labels, ENGINE_LABEL_RUN)), "6");
    CHECK_STR(json_string_value(json_object_get(labels, ENGINE_LABEL_ROLE)), "work");
}

TEST(places_in_memory_belong_to_the_user_in_each_engines_words)
{
    const struct container_spec spec = example();
    AUTO(js_free) json_t *docker = body_of(&spec, DOCKER_ENGINE, true);
    AUTO(js_free) json_t *podman = body_of(&spec, DOCKER_PODMAN, true);

    CHECK_STR(js_str(docker, "HostConfig.Tmpfs./workspace"),
              "rw,exec,nosuid,nodev,size=64m,mode=1777,uid=1000,gid=1000");
    CHECK_STR(js_str(podman, "HostConfig.Tmpfs./tmp"), "rw,exec,nosuid,nodev,size=32m,mode=1777,U");
    CHECK(!js_at(docker, "HostConfig.UsernsMode"));
    CHECK_CONTAINS(js_str(podman, "HostConfig.UsernsMode"), "auto:");
}

TEST(a_workspace_on_disk_is_a_volume)
{
    struct container_spec spec = example();
    spec.workspace_mib = 0;
    AUTO(js_free) json_t *body = body_of(&spec, DOCKER_PODMAN, false);

    CHECK_STR(js_str(body, "HostConfig.Mounts.0.Type"), "volume");
    CHECK_STR(js_str(body, "HostConfig.Mounts.0.Target"), "/workspace");
    CHECK(!js_at(body, "HostConfig.Tmpfs./workspace"));
    CHECK(js_at(body, "HostConfig.Tmpfs./tmp"));
    CHECK(!js_at(body, "HostConfig.UsernsMode"));
}

TEST(no_text_can_break_out_of_the_body)
{
    struct container_spec spec = example();
    spec.image = "a\",\"Privileged\":true,\"x\":\"";
    AUTO(js_free) json_t *body = body_of(&spec, DOCKER_ENGINE, false);

    CHECK_STR(js_str(body, "Image"), spec.image);
    CHECK(!js_at(body, "Privileged"));
}

static int
facts_of(const char *text, struct container_facts *ret_facts)
{
    AUTO(js_free) json_t *json = NULL;
    struct err err = {0};

    CHECK_OK(js_parse(bytes_of_str(text), &json, &err), err);
    return docker_read_facts(json, ret_facts, &err);
}

TEST(facts_are_read_from_either_engines_form)
{
    struct container_facts facts;

    CHECK_INT(facts_of("{\"HostConfig\":{\"Memory\":1024,\"PidsLimit\":3,\"CpuQuota\":50000,"
                       "\"CpuPeriod\":100000,\"NetworkMode\":\"none\",\"ReadonlyRootfs\":true,"
                       "\"SecurityOpt\":[\"label=x\",\"no-new-privileges\"]},"
                       "\"State\":{\"Running\":true,\"Pid\":42},\"Image\":\"sha256:ab\"}",
                       &facts),
              0);
    CHECK(facts.memory_bytes == 1024 && facts.processes == 3 && facts.pid == 42);
    CHECK(facts.cpus > 0.49 && facts.cpus < 0.51);
    CHECK(facts.no_network && facts.no_new_privileges && facts.read_only_root);
    CHECK_STR(facts.image, "sha256:ab");
    CHECK_INT(facts_of("{\"HostConfig\":{\"NanoCpus\":2000000000,\"NetworkMode\":\"bridge\","
                       "\"PidsLimit\":null,\"SecurityOpt\":[\"no-new-privileges=false\"]},"
                       "\"State\":{\"Running\":false,\"Pid\":42}}",
                       &facts),
              0);
    CHECK(facts.cpus > 1.99 && !facts.no_network && !facts.no_new_privileges && facts.pid == 0);
    CHECK_INT(facts.memory_bytes, 0);
    CHECK_STR(facts.image, "");
    CHECK_INT(facts_of("{}", &facts), ERR_REMOTE);
    CHECK_INT(facts_of("[1]", &facts), ERR_REMOTE);
}

TEST(lists_are_read_whatever_is_in_them)
{
    AUTO_DONE(container_list_done) struct container_list list = {0};
    AUTO(js_free) json_t *json = NULL;
    AUTO(js_free) json_t *bad = NULL;
    struct err err = {0};

    CHECK_OK(
        js_parse(bytes_of_str("[{\"Id\":\"a\",\"State\":\"running\",\"Labels\":{"
                              "\"draftd.instance\":\"i\",\"draftd.run\":\"12\"}},"
                              "{\"Id\":\"b\",\"Labels\":{\"draftd.run\":\"x\"}},{\"Id\":\"c\"}]"),
                 &json, &err),
        err);
    CHECK_OK(docker_read_list(json, &list, &err), err);
    CHECK_INT(list.count, 3);
    CHECK_STR(list.items[0].id, "a");
    CHECK_STR(list.items[0].instance, "i");
    CHECK(list.items[0].run == 12 && list.items[0].running);
    CHECK(list.items[1].run == -1 && !list.items[1].running && list.items[2].run == -1);
    CHECK_OK(js_parse(bytes_of_str("[{\"Id\":\"a\"},{\"Name\":\"b\"}]"), &bad, &err), err);
    struct container_list none = {0};
    CHECK_INT(docker_read_list(bad, &none, &err), ERR_REMOTE);
    CHECK_INT(docker_read_list(NULL, &none, &err), ERR_REMOTE);
}

TEST(the_owners_archive_is_what_tar_says)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(4096);

    docker_append_owner_archive(&buf, "workspace", 1000);
    CHECK_INT(buf.len, 1536);
    CHECK_STR(buf.ptr, "../workspace/");
    CHECK_STR(buf.ptr + 108, "0001750");
    CHECK(memcmp(buf.ptr + 257, "ustar\00000", 8) == 0);
    unsigned sum = 8 * ' ';
    for (size_t i = 0; i < 512; i++)
        sum += i >= 148 && i < 156 ? 0U : (unsigned char)buf.ptr[i];
    CHECK_INT(strtoul(buf.ptr + 148, NULL, 8), sum);
}

TEST_MAIN()
