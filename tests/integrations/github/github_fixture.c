/* See github_fixture.h. */
#include "tests/integrations/github/github_fixture.h"

#include "server/base/env.h"
#include "server/base/fs.h"
#include "server/base/js.h"
#include "server/base/str.h"
#include "server/web.h"
#include "tests/harness/child.h"

#include <stdio.h>

struct github_fixture {
    struct child *server;
    struct web *web;
    json_t *ready; /* {"api", "control", "ca"} */
    char *dir;
};

static void
die(const char *what, const char *why)
{
    printf("Bail out! %s: %s\n", what, why);
    exit(99);
}

static void
require_tools(void)
{
    const char *const argv[] = {"node", STAND_IN_DIR "/tools.mjs", NULL};

    if (child_run(argv) == 0)
        return;
    if (env_get("DRAFTD_TEST_NPM"))
        die("the GitHub stand-in cannot run", "node or its tools are missing");
    printf("1..0 # SKIP node or its tools are missing: run tests/github/install.sh\n");
    exit(0);
}

struct github_fixture *
github_fixture_new(void)
{
    struct github_fixture *const fixture = calloc(1, sizeof(*fixture));
    struct err err = {0};

    require_tools();
    if (!fixture || fs_make_temp_dir("/tmp", "test-github-", &fixture->dir, &err) ||
        web_new(&(struct web_options){0}, &fixture->web, &err))
        die("preparing the GitHub stand-in", err.msg);
    const char *const argv[] = {"node", STAND_IN_DIR "/server.mjs", "--dir", fixture->dir, NULL};
    fixture->server = child_start(argv, "\"control\"");
    if (!fixture->server)
        die("the GitHub stand-in", "it did not start");
    if (js_parse(bytes_of_str(child_line(fixture->server)), &fixture->ready, &err))
        die("the GitHub stand-in's line", err.msg);
    return fixture;
}

void
github_fixture_free(struct github_fixture *fixture)
{
    struct err err;

    child_free(fixture->server);
    web_free(fixture->web);
    json_decref(fixture->ready);
    if (fs_remove_tree(fixture->dir, &err))
        die("removing the test's directory", err.msg);
    free(fixture->dir);
    free(fixture);
}

const char *
github_fixture_url(const struct github_fixture *fixture)
{
    return js_str(fixture->ready, "api");
}

const char *
github_fixture_ca(const struct github_fixture *fixture)
{
    return js_str(fixture->ready, "ca");
}

const char *
github_fixture_dir(const struct github_fixture *fixture)
{
    return fixture->dir;
}

json_t *
github_control(struct github_fixture *fixture, const char *method, const char *path, json_t *body)
{
    auto_free char *url = str_printf("%s/%s", js_str(fixture->ready, "control"), path);
    auto_free char *text = NULL;
    AUTO_DONE(web_answer_done) struct web_answer answer = {0};
    json_t *json = NULL;
    struct err err = {0};

    if (!url || (body && js_dump(body, &text, &err)))
        die(path, err.msg);
    json_decref(body);
    const struct web_request request = {.method = method, .url = url, .body = bytes_of_str(text)};
    if (web_perform(fixture->web, &request, &answer, &err) ||
        js_parse(bytes_of(answer.body.ptr, answer.body.len), &json, &err))
        die(path, err.msg);
    if (answer.status != 200)
        die(path, strbuf_str(&answer.body));
    return json;
}

void
github_control_do(struct github_fixture *fixture,
                  const char *method,
                  const char *path,
                  json_t *body)
{
    json_decref(github_control(fixture, method, path, body));
}
