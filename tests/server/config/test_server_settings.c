/* The runtime's own part of the operator's file. */
#include "server/base/fs.h"
#include "server/base/str.h"
#include "server/http/certificate.h"
#include "server/settings.h"
#include "tests/harness/test.h"

struct outcome {
    struct server_settings settings;
    struct strbuf report;
    int result;
};

static void
outcome_done(struct outcome *outcome)
{
    bind_release(&server_settings_section, &outcome->settings);
    strbuf_done(&outcome->report);
}

static void
load(const char *text, const char *base_dir, struct outcome *outcome)
{
    AUTO_DONE(faults_done) struct faults faults = {.file = "f.yml"};
    AUTO_DONE(tree_done) struct tree_node root = {0};
    struct err err = {0};
    int r = tree_parse(bytes_of_str(text), &faults, &root, &err);

    outcome->report.max = 65536;
    if (!r)
        r = bind_tree(&server_settings_section, &root, &faults, &outcome->settings, &err);
    if (!r)
        r = server_settings_finish(&outcome->settings, &root, base_dir, &faults, &err);
    outcome->result = r ? r : faults_report(&faults, &outcome->report, &err);
}

#define CHECK_REPORT(yaml, expected)                                                               \
    do {                                                                                           \
        AUTO_DONE(outcome_done) struct outcome outcome_ = {0};                                     \
        load(yaml, "/nonexistent", &outcome_);                                                     \
        CHECK_STR(strbuf_str(&outcome_.report), expected);                                         \
    } while (0)

/* Set or, with NULL, unset a variable of the environment. */
static void
set_env(const char *name, const char *value)
{
    CHECK(value ? setenv(name, value, 1) == 0 : unsetenv(name) == 0);
}

TEST(defaults)
{
    AUTO_DONE(outcome_done) struct outcome o = {0};

    set_env("STATE_DIRECTORY", "/var/lib/one:/var/lib/two");
    load("", ".", &o);
    CHECK_INT(o.result, 0);
    CHECK_STR(o.settings.listen.address, "0.0.0.0");
    CHECK_INT(o.settings.listen.port, 8443);
    CHECK(!o.settings.listen.certificate && !o.settings.listen.key && !o.settings.listen.http);
    CHECK_STR(o.settings.state_dir, "/var/lib/one");
    CHECK_STR(o.settings.store, "sqlite");
    CHECK_INT(o.settings.workers, 4);
    CHECK_STR(o.settings.log_level, "info");
}

TEST(the_state_directory_depends_on_who_we_are)
{
    AUTO_DONE(outcome_done) struct outcome o = {0};

    set_env("STATE_DIRECTORY", NULL);
    set_env("HOME", "/home/somebody");
    load("", ".", &o);
    CHECK_INT(o.result, 0);
    CHECK_STR(o.settings.state_dir,
              geteuid() == 0 ? "/var/lib/draftd" : "/home/somebody/.local/state/draftd");
}

TEST(the_file_wins_over_the_environment)
{
    AUTO_DONE(outcome_done) struct outcome o = {0};

    set_env("STATE_DIRECTORY", "/var/lib/one");
    load("state_dir: /srv/state\nlisten: { port: 0, address: '::1', http: true }\n"
         "workers: 64\nlog_level: debug\nstore: sqlite\n",
         ".", &o);
    CHECK_STR(strbuf_str(&o.report), "");
    CHECK_STR(o.settings.state_dir, "/srv/state");
    CHECK_INT(o.settings.listen.port, 0);
    CHECK_STR(o.settings.listen.address, "::1");
    CHECK(o.settings.listen.http);
    CHECK_INT(o.settings.workers, 64);
}

TEST(bounds_and_words)
{
    CHECK_REPORT("listen: { port: 65536, address: localhost }\nworkers: 0\nstate_dir: state\n"
                 "log_level: loud\nstore: mysql\n",
                 "f.yml:1: listen.address: is not a numeric address; write one like 0.0.0.0, "
                 "127.0.0.1 or ::\n"
                 "f.yml:1: listen.port: expected a whole number from 0 to 65535, found \"65536\"; "
                 "write the port to listen on, 0 for any free one\n"
                 "f.yml:2: workers: expected a whole number from 1 to 64, found \"0\"; "
                 "write how many runs may go on at the same time\n"
                 "f.yml:3: state_dir: is not an absolute path; begin it with /\n"
                 "f.yml:4: log_level: \"loud\" is not one of debug, info, warning, error; "
                 "write the least important level to log\n"
                 "f.yml:5: store: is no store that is known; write sqlite\n");
    CHECK_REPORT("store: postgresql://db.example/draftd\n",
                 "f.yml:1: store: PostgreSQL is not supported yet by this build; write sqlite\n");
}

TEST(certificate_and_key_belong_together)
{
    CHECK_REPORT("listen:\n  certificate: /dev/null\n",
                 "f.yml:1: listen.key: is missing beside certificate; give both or none\n");
    CHECK_REPORT("listen:\n  key: /dev/null\n",
                 "f.yml:1: listen.certificate: is missing beside key; give both or none\n");
    CHECK_REPORT("listen:\n  certificate: /dev/null\n  key: /dev/null\n  http: true\n",
                 "f.yml:4: listen.http: contradicts certificate and key; remove them, or this\n");
    CHECK_REPORT("listen:\n  certificate: a.crt\n  key: /dev/null\n",
                 "f.yml:2: listen.certificate: there is no file /nonexistent/a.crt; "
                 "write where it is\n");
}

TEST(files_are_looked_for_beside_the_configuration)
{
    AUTO_DONE(outcome_done) struct outcome o = {0};
    auto_free char *dir = NULL;
    auto_free char *certificate = NULL;
    auto_free char *key = NULL;
    struct err err = {0};

    set_env("CREDENTIALS_DIRECTORY", NULL);
    load("listen: { certificate: null-device/null, key: null }\n", "/", &o);
    CHECK_INT(o.result, ERR_INVALID); /* "null" is no value */
    outcome_done(&o);
    o = (struct outcome){0};
    load("listen: { certificate: null, key: zero }\n", "/dev", &o);
    CHECK_INT(o.result, ERR_INVALID);
    outcome_done(&o);
    o = (struct outcome){0};
    CHECK_OK(fs_make_temp_dir("/tmp", "draftd-test-", &dir, &err), err);
    CHECK_OK(certificate_load_or_make(dir, &certificate, &key, &err), err);
    auto_free char *certificate_path = str_printf("%s/tls.crt", dir);
    auto_free char *key_path = str_printf("%s/tls.key", dir);
    load("listen: { certificate: tls.crt, key: tls.key }\n", dir, &o);
    CHECK_OK(fs_remove_tree(dir, &err), err);
    CHECK_STR(strbuf_str(&o.report), "");
    CHECK_STR(o.settings.listen.certificate, certificate_path);
    CHECK_STR(o.settings.listen.key, key_path);
}

TEST_MAIN()
