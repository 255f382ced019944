/* The operator's file: every key, every check across keys, the secrets, the exact words of faults.
 */
#include "server/http/certificate.h"
#include "tests/handlers/settings/place.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sys/stat.h>

static void
write_private_key(struct place *place)
{
    auto_free char *path = str_printf("%s/app.pem", place->dir);
    EVP_PKEY *key = EVP_RSA_gen(2048);
    FILE *out = fopen(path, "we");

    CHECK(key && out && PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1);
    CHECK(fclose(out) == 0);
    EVP_PKEY_free(key);
}

TEST(an_empty_file_is_all_defaults)
{
    AUTO_DONE(place_done) struct place place = {0};

    place_make(&place);
    check_faults(&place, "", "");
    const struct settings *s = place.settings;
    CHECK_STR(s->file, place.file);
    CHECK_STR(s->server.state_dir, "/var/lib/draftd");
    CHECK_STR(s->bot.name, "draftd");
    CHECK_STR(s->bot.label, "draftd");
    CHECK(!s->github.present && !s->local.present);
    CHECK_STR(s->github.api_url, "https://api.github.com");
    CHECK_INT(s->github.reconcile_days, 7);
    CHECK(!s->github.webhook_url);
    CHECK(str_starts_with(s->sandbox.engine, "unix:///"));
    CHECK_STR(s->sandbox.image, "draftd-work");
    CHECK_INT(s->sandbox.memory_mib, 4096);
    CHECK(s->sandbox.cpus == 2);
    CHECK_INT(s->sandbox.processes, 512);
    CHECK_INT(s->sandbox.disk_mib, 2048);
    CHECK_INT(s->sandbox.tmp_mib, 512);
    CHECK_INT(s->sandbox.timeout_minutes, 180);
    CHECK_STR(s->sandbox.workspace, "auto");
    CHECK_STR(s->sandbox.user_namespace, "auto");
    CHECK(!s->agents.default_profile && s->agents.profile_count == 0);
    CHECK_INT(s->runs.rounds, 3);
    CHECK_INT(s->keep.payloads_days, 30);
    CHECK_INT(s->keep.logs_days, 180);
    CHECK_INT(s->runs.max_rounds, 10);
    CHECK_INT(s->warnings.count, 0);
    CHECK(!settings_agent(s, NULL) && !settings_agent(s, "x"));
}

TEST(a_full_file_is_read)
{
    AUTO_DONE(place_done) struct place place = {0};

    place_make(&place);
    write_private_key(&place);
    auto_free char *text = str_printf(
        "listen: { address: 127.0.0.1, port: 0, http: true }\n"
        "state_dir: /srv/state\n"
        "store: sqlite\n"
        "workers: 2\n"
        "bot: { name: helper, label: 'help me' }\n"
        "github:\n"
        "  webhook_secret_file: hook.secret\n"
        "  app: { id: 12345, private_key_file: app.pem }\n"
        "  login: 'draftd[bot]'\n"
        "  api_url: http://127.0.0.1:8080/api/v3//\n"
        "  git_url: https://github.example/\n"
        "  ca_file: hook.secret\n"
        "  repositories: [ \"acme/*\", other/.github ]\n"
        "local:\n"
        "  secret_file: local.secret\n"
        "  repositories: [ { name: demo/calc, path: %s } ]\n"
        "sandbox: { engine: 'unix:///run/x.sock', image: 'reg.example:5000/a/b:1', cpus: 0.5 }\n"
        "agents:\n"
        "  default: two\n"
        "  profiles:\n"
        "    - { name: one, command: \"sh a.sh\" }\n"
        "    - { name: two, command: \"sh b.sh\", timeout_minutes: 5 }\n"
        "runs: { rounds: 10 }\n"
        "keep: { payloads_days: 7, logs_days: 400 }\n",
        place.dir);
    check_faults(&place, text, "");
    const struct settings *s = place.settings;
    CHECK_STR(s->bot.label, "help me");
    CHECK(s->github.present);
    CHECK_INT(s->github.app_id, 12345);
    CHECK_STR(s->github.login, "draftd[bot]");
    CHECK_STR(s->github.api_url, "http://127.0.0.1:8080/api/v3");
    CHECK_STR(s->github.git_url, "https://github.example");
    CHECK(str_starts_with(s->github.ca_file, place.dir));
    CHECK_INT(s->github.repositories.count, 2);
    CHECK_STR(secret_reveal(s->github.webhook_secret).ptr, "hook");
    CHECK(strstr(secret_reveal(s->github.app_private_key).ptr, "PRIVATE KEY"));
    CHECK(!s->github.token);
    CHECK(s->local.present);
    CHECK_STR(s->local.repositories[0].name, "demo/calc");
    CHECK_INT(secret_reveal(s->local.key).len, 24);
    CHECK(memcmp(secret_reveal(s->local.key).ptr, "\x31\xf2\x90\xf6", 4) == 0);
    CHECK(s->sandbox.cpus == 0.5);
    CHECK_STR(settings_agent(s, NULL)->command, "sh b.sh");
    CHECK_STR(settings_agent(s, "one")->command, "sh a.sh");
    CHECK_INT(settings_agent(s, "one")->timeout_minutes, 30);
    CHECK(!settings_agent(s, "three"));
    CHECK_INT(s->runs.rounds, 10);
    CHECK_INT(s->keep.payloads_days, 7);
    CHECK_INT(s->keep.logs_days, 400);
}

TEST(a_machine_user_needs_a_token_only)
{
    AUTO_DONE(place_done) struct place place = {0};

    place_make(&place);
    check_faults(&place,
                 "github: { webhook_secret_file: hook.secret, token_file: token, "
                 "repositories: [ a/b ] }\n",
                 "");
    CHECK_STR(secret_reveal(place.settings->github.token).ptr, "a-token");
    CHECK_INT(place.settings->github.app_id, 0);
}

TEST(what_nobody_heard_is_looked_for_as_far_as_is_said)
{
    AUTO_DONE(place_done) struct place place = {0};

    place_make(&place);
    check_faults(&place,
                 "github: { webhook_secret_file: hook.secret, token_file: token, "
                 "webhook_url: 'https://draftd.example/webhooks/github?x=1', reconcile_days: 0, "
                 "repositories: [ a/b ] }\n",
                 "");
    CHECK_STR(place.settings->github.webhook_url, "https://draftd.example/webhooks/github?x=1");
    CHECK_INT(place.settings->github.reconcile_days, 0);
}

TEST(github_says_what_is_missing)
{
    AUTO_DONE(place_done) struct place place = {0};

    place_make(&place);
    check_faults(
        &place, "github:\n  login: x\n",
        "1: github.webhook_secret_file: is missing; write the file of the webhook's secret\n"
        "1: github.repositories: is missing; write a list of owner/name, or owner/* for all "
        "of an owner\n"
        "1: github.token_file: is missing, and so is app; give one of the two: a machine "
        "user or an App\n");
    check_faults(&place,
                 "github:\n"
                 "  webhook_secret_file: hook.secret\n"
                 "  token_file: token\n"
                 "  app:\n"
                 "    id: 0\n"
                 "  repositories: []\n",
                 "3: github.token_file: is given beside app; keep one of the two: an App or a "
                 "machine user\n"
                 "4: github.app.private_key_file: is missing; write the file of the App's private "
                 "key in PEM form\n"
                 "5: github.app.id: expected a whole number from 1 to 9223372036854775807, found "
                 "\"0\"; write the App's id, as its settings page shows it\n"
                 "6: github.repositories: is empty; write the repositories to serve\n");
}

TEST(repositories_are_named_sanely)
{
    static const char *const wrong[] = {"acme", "acme/", "/api", "a/b/c", "a b/c", "../x",
                                        "-a/b", "a/..",  "a/-b", "'*'",   "a/b:c", "a/."};
    AUTO_DONE(place_done) struct place place = {0};

    place_make(&place);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        auto_free char *text = str_printf("github: { webhook_secret_file: hook.secret, "
                                          "token_file: token, repositories: [ %s ] }\n",
                                          wrong[i]);
        check_faults(&place, text,
                     "1: github.repositories[0]: names no repository; write owner/name, or owner/* "
                     "for all of an owner\n");
    }
}

TEST(credentials_do_not_travel_in_the_clear)
{
    static const struct {
        const char *url, *fault;
    } cases[] = {
        {"http://github.example", "would send credentials in the clear; write https://"},
        {"http://127.0.0.1.example", "would send credentials in the clear; write https://"},
        {"http://localhost.example", "would send credentials in the clear; write https://"},
        {"http://10.0.0.1", "would send credentials in the clear; write https://"},
        {"http://1270.0.0.1", "would send credentials in the clear; write https://"},
        {"ftp://x.example", "is not a URL; write https://HOST, with a path where there is one"},
        {"https://", "is not a URL; write https://HOST, with a path where there is one"},
        {"https:///x", "is not a URL; write https://HOST, with a path where there is one"},
        {"https://u:p@x.example",
         "is not a URL; write https://HOST, with a path where there is one"},
        {"https://x.example?a=b",
         "is not a URL; write https://HOST, with a path where there is one"},
        {"https://x.example:port",
         "is not a URL; write https://HOST, with a path where there is one"},
        {"https://[::1", "is not a URL; write https://HOST, with a path where there is one"},
        {"github.example", "is not a URL; write https://HOST, with a path where there is one"},
        {"http://localhost", NULL},
        {"http://localhost:8080/x", NULL},
        {"http://127.8.9.1:1", NULL},
        {"http://[::1]:8080", NULL},
        {"https://x.example:8443/api/v3", NULL},
    };
    AUTO_DONE(place_done) struct place place = {0};

    place_make(&place);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        auto_free char *text =
            str_printf("github: { webhook_secret_file: hook.secret, token_file: token, "
                       "repositories: [ a/b ], api_url: '%s', git_url: '%s' }\n",
                       cases[i].url, cases[i].url);
        auto_free char *expected = str_printf("1: github.api_url: %s\n1: github.git_url: %s\n",
                                              cases[i].fault, cases[i].fault);
        check_faults(&place, text, cases[i].fault ? expected : "");
    }
}

TEST(secrets_that_cannot_be_loaded_are_named)
{
    AUTO_DONE(place_done) struct place place = {0};

    place_make(&place);
    write_file(&place, "empty", "\n", 0600);
    write_file(&place, "two-lines", "a\nb\n", 0600);
    load(&place, "github:\n"
                 "  webhook_secret_file: empty\n"
                 "  token_file: missing\n"
                 "  repositories: [ a/b ]\n");
    CHECK_INT(place.result, ERR_INVALID);
    CHECK_CONTAINS(strbuf_str(&place.faults), "/empty is empty; write the secret into it\n");
    CHECK_CONTAINS(strbuf_str(&place.faults),
                   "/missing: No such file or directory; write the secret into a file that we can "
                   "read\n");
    check_faults(&place,
                 "github:\n"
                 "  webhook_secret_file: hook.secret\n"
                 "  token_file: two-lines\n"
                 "  repositories: [ a/b ]\n",
                 "3: github.token_file: names a file with more than a token in it; write the token "
                 "alone into it\n");
    check_faults(&place,
                 "github:\n"
                 "  webhook_secret_file: hook.secret\n"
                 "  app: { id: 1, private_key_file: token }\n"
                 "  repositories: [ a/b ]\n",
                 "3: github.app.private_key_file: the private key is not an RSA key in PEM form "
                 "without passphrase; take the file that GitHub made for the App\n");
}

TEST(a_secret_in_place_of_its_file_is_not_repeated)
{
    AUTO_DONE(place_done) struct place place = {0};

    place_make(&place);
    load(&place, "github:\n"
                 "  webhook_secret: hunter2\n"
                 "  webhook_secret_file: hook.secret\n"
                 "  token_file: ghp_0123456789abcdefghijABCDEFGHIJ012345\n"
                 "  repositories: [ a/b ]\n");
    CHECK_INT(place.result, ERR_INVALID);
    CHECK_CONTAINS(strbuf_str(&place.faults), "github.webhook_secret: is not a known key; did you "
                                              "mean webhook_secret_file?");
    CHECK(!strstr(strbuf_str(&place.faults), "hunter2"));
    CHECK(!strstr(strbuf_str(&place.faults), "ghp_"));
}

TEST(secrets_come_from_the_credentials_directory)
{
    AUTO_DONE(place_done) struct place place = {0};
    AUTO_DONE(place_done) struct place credentials = {0};

    place_make(&place);
    place_make(&credentials);
    write_file(&credentials, "hook.secret", "another", 0600);
    CHECK(setenv("CREDENTIALS_DIRECTORY", credentials.dir, 1) == 0);
    check_faults(&place,
                 "github: { webhook_secret_file: hook.secret, token_file: token, "
                 "repositories: [ a/b ] }\n",
                 "");
    CHECK(unsetenv("CREDENTIALS_DIRECTORY") == 0);
    CHECK_STR(secret_reveal(place.settings->github.webhook_secret).ptr, "another");
}

TEST(secrets_that_all_can_read_are_warned_of)
{
    AUTO_DONE(place_done) struct place place = {0};

    place_make(&place);
    write_file(&place, "token", "a-token", 0644);
    write_file(&place, "hook.secret", "hook", 0640);
    check_faults(&place,
                 "github:\n"
                 "  webhook_secret_file: hook.secret\n"
                 "  token_file: token\n"
                 "  repositories: [ a/b ]\n",
                 "");
    auto_free char *expected = str_printf("%s:3: github.token_file: every user of this machine can "
                                          "use %s/token; run: chmod o= %s/token",
                                          place.file, place.dir, place.dir);
    CHECK_INT(place.settings->warnings.count, 1);
    CHECK_STR(place.settings->warnings.items[0], expected);
}

TEST(local_repositories_are_checked)
{
    AUTO_DONE(place_done) struct place place = {0};

    place_make(&place);
    check_faults(&place, "local: { repositories: [] }\n",
                 "1: local.secret_file: is missing; write the file of the webhook's secret\n"
                 "1: local.repositories: is empty; write the repositories to serve\n");
    check_faults(
        &place,
        "local:\n"
        "  secret_file: local.secret\n"
        "  repositories:\n"
        "    - { name: demo/calc, path: /etc }\n"
        "    - { name: demo/calc, path: srv/x }\n"
        "    - { name: demo/*, path: /nonexistent/x }\n"
        "    - { name: demo/file, path: /etc/passwd }\n"
        "    - { path: /etc }\n",
        "4: local.repositories[0].path: holds no git repository; write where it is, or make one "
        "there with git init --bare\n"
        "5: local.repositories[1].name: is given already; write each name once\n"
        "5: local.repositories[1].path: is not an absolute path; begin it with /\n"
        "6: local.repositories[2].name: is not a repository's name; write owner/name\n"
        "6: local.repositories[2].path: is not a directory; write where the git repository "
        "is\n"
        "7: local.repositories[3].path: is not a directory; write where the git repository "
        "is\n"
        "8: local.repositories[4].name: is missing; write owner/name, by which webhooks "
        "name it\n"
        "8: local.repositories[4].path: holds no git repository; write where it is, or make one "
        "there with git init --bare\n");
}

TEST(the_local_secret_has_its_form)
{
    static const char *const wrong[] = {
        "plain",
        "whsec_",
        "whsec_not base64",
        "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", /* 23 bytes */
        ("whsec_"
         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
         "A"), /* 66 bytes */
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    };
    AUTO_DONE(place_done) struct place place = {0};

    place_make(&place);
    auto_free char *text = str_printf("local:\n"
                                      "  secret_file: local.secret\n"
                                      "  repositories: [ { name: demo/calc, path: %s } ]\n",
                                      place.dir);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        write_file(&place, "local.secret", wrong[i], 0600);
        check_faults(
            &place, text,
            "2: local.secret_file: names a file without a webhook secret; write whsec_ and "
            "24 to 64 random bytes in base64 into it\n");
    }
}

TEST(agents_are_checked)
{
    AUTO_DONE(place_done) struct place place = {0};

    place_make(&place);
    check_faults(&place, "agents: { profiles: [ { name: one, command: x } ] }\n", "");
    CHECK_STR(place.settings->agents.default_profile, "one");
    CHECK_STR(settings_agent(place.settings, NULL)->name, "one");
    check_faults(
        &place,
        "agents:\n"
        "  profiles:\n"
        "    - { name: one, command: x }\n"
        "    - { name: one, command: y }\n"
        "    - { name: a b, command: y }\n",
        "1: agents.default: is missing; write which of the profiles is used where nothing "
        "else is said\n"
        "4: agents.profiles[1].name: is given already; write each name once\n"
        "5: agents.profiles[2].name: is not a name; write at most 64 letters, digits, '-', "
        "'_' and '.'\n");
    check_faults(&place, "agents: { default: two, profiles: [ { name: one, command: x } ] }\n",
                 "1: agents.default: names no profile; write the name of one of agents.profiles\n");
    check_faults(
        &place, "agents:\n  profiles:\n    - { name: c, preset: claude-code, key_file: k }\n",
        "3: agents.profiles[0].preset: is not a known key; remove it\n"
        "3: agents.profiles[0].key_file: is not a known key; remove it\n"
        "3: agents.profiles[0].command: is missing; write the command that runs the agent\n");
}

TEST(the_rest_is_checked)
{
    AUTO_DONE(place_done) struct place place = {0};

    place_make(&place);
    check_faults(
        &place,
        "bot: { name: '@draftd', label: \"a\\tb\" }\n"
        "sandbox:\n"
        "  engine: tcp://127.0.0.1:2375\n"
        "  image: -v/:/host\n"
        "  cpus: 0\n"
        "  workspace: ram\n"
        "runs: { rounds: 11 }\n"
        "linear: {}\n"
        "budgets: {}\n",
        "1: bot.name: is not a name to mention; write letters, digits, '-' and '_' without "
        "the @\n"
        "1: bot.label: is not a label; write at most 50 characters in one line\n"
        "3: sandbox.engine: is not the address of a container engine; write one like "
        "unix:///run/podman/podman.sock\n"
        "4: sandbox.image: is not an image's name; write one like "
        "registry.example/team/image:tag\n"
        "5: sandbox.cpus: expected a number from 0.1 to 1024, found \"0\"; write how many "
        "CPUs a sandbox may use\n"
        "6: sandbox.workspace: \"ram\" is not one of auto, memory, disk; write where the "
        "work tree is kept\n"
        "7: runs.rounds: is more than runs.max_rounds; lower it, or raise that\n"
        "8: linear: is not a known key; remove it\n"
        "9: budgets: is not a known key; remove it\n");
}

TEST(faults_of_all_stages_come_together)
{
    AUTO_DONE(place_done) struct place place = {0};

    place_make(&place);
    check_faults(&place,
                 "worker: 3\n"
                 "listen: { certificate: hook.secret }\n"
                 "local: { secret_file: hook.secret, repositories: &a [] }\n",
                 "1: worker: is not a known key; did you mean workers?\n"
                 "2: listen.key: is missing beside certificate; give both or none\n"
                 "3: &anchor: anchors are not read here; write the value where it is needed\n"
                 "3: local.secret_file: names a file without a webhook secret; write whsec_ and 24 "
                 "to 64 random bytes in base64 into it\n");
}

TEST(the_certificate_and_its_key_belong_together)
{
    AUTO_DONE(place_done) struct place place = {0};
    auto_free char *certificate = NULL;
    auto_free char *key = NULL;

    place_make(&place);
    write_private_key(&place);
    CHECK_OK(certificate_load_or_make(place.dir, &certificate, &key, &place.err), place.err);
    check_faults(&place, "listen: { certificate: tls.crt, key: tls.key }\n", "");
    check_faults(&place, "listen: { certificate: tls.crt, key: app.pem }\n",
                 "1: listen: the TLS key does not belong to the certificate; write the PEM "
                 "files of one pair\n");
    check_faults(&place, "listen: { certificate: token, key: tls.key }\n",
                 "1: listen: the TLS certificate is not a certificate in PEM; write the PEM "
                 "files of one pair\n");
}

TEST(files_that_cannot_be_read)
{
    AUTO_DONE(place_done) struct place place = {0};
    AUTO_DONE(strbuf_done) struct strbuf large = STRBUF_INIT(1 << 21);

    place_make(&place);
    CHECK_INT(settings_load("/nonexistent/draftd.yml", &place.faults, &place.settings, &place.err),
              ERR_NOTFOUND);
    CHECK_STR(place.err.msg, "reading /nonexistent/draftd.yml: No such file or directory");
    check_faults(&place, "a: [\n",
                 "2: syntax: while parsing a flow node: did not find expected node "
                 "content; correct the YAML there\n");
    CHECK_CONTAINS(place.err.msg, "has 1 fault");
    while (large.len <= 1 << 20)
        strbuf_add_str(&large, "# a comment\n");
    check_faults(&place, strbuf_str(&large), "1: file: is larger than 1 MiB; make it smaller\n");
}

TEST(serving_needs_a_platform_and_an_agent)
{
    AUTO_DONE(place_done) struct place place = {0};
    AUTO_DONE(strbuf_done) struct strbuf faults = STRBUF_INIT(1000);

    place_make(&place);
    check_faults(&place, "", "");
    CHECK_INT(settings_check_serve(place.settings, &faults, &place.err), ERR_INVALID);
    auto_free char *expected =
        str_printf("%s:1: github: is missing, and so is local; configure at least one\n"
                   "%s:1: agents: is missing; write a profile with a name and a command\n",
                   place.file, place.file);
    CHECK_STR(strbuf_str(&faults), expected);
    strbuf_reset(&faults);
    auto_free char *text = str_printf(
        "local: { secret_file: local.secret, repositories: [ { name: a/b, path: %s } ] }\n"
        "agents: { profiles: [ { name: one, command: x } ] }\n",
        place.dir);
    check_faults(&place, text, "");
    CHECK_OK(settings_check_serve(place.settings, &faults, &place.err), place.err);
    CHECK_STR(strbuf_str(&faults), "");
}

TEST(a_program_without_a_file_has_defaults)
{
    AUTO(settings_free) struct settings *settings = NULL;
    struct err err = {0};

    CHECK(setenv("STATE_DIRECTORY", "/var/lib/draftd", 1) == 0);
    CHECK_OK(settings_default(&settings, &err), err);
    CHECK(!settings->file);
    CHECK_STR(settings->server.state_dir, "/var/lib/draftd");
    CHECK_STR(settings->bot.name, "draftd");
    CHECK(settings->sandbox.engine);
    settings_free(NULL);
}

TEST(the_engine_is_found_by_its_socket)
{
    AUTO_DONE(place_done) struct place place = {0};

    place_make(&place);
    write_file(&place, "docker.sock", "", 0600);
    CHECK(setenv("XDG_RUNTIME_DIR", place.dir, 1) == 0);
    check_faults(&place, "", "");
    CHECK(unsetenv("XDG_RUNTIME_DIR") == 0);
    auto_free char *expected = str_printf("unix://%s/docker.sock", place.dir);
    const bool of_the_system = fs_exists("/run/podman/podman.sock") ||
                               fs_exists("/run/docker.sock") || fs_exists("/var/run/docker.sock");
    CHECK(of_the_system || str_equal(place.settings->sandbox.engine, expected));
}

TEST_MAIN()
