/* Fetching and pushing over HTTPS, against git's own server side behind nginx
 * (tests/env/git_http.sh, named by the variable GIT_HTTP). */
#include "tests/integrations/git/repo_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "server/base/clock.h"
#include "server/base/stop.h"

static struct err err;
static char url[128]; /* of the server */

static void
stop_server(void)
{
    if (fixture_try("\"$GIT_HTTP\" stop %s/web", fixture_dir))
        printf("# the server does not stop\n");
}

/* The server with acme/api, which holds one commit on main; ways to it that go wrong; and the
 * mirror. */
static struct repo *
begin(void)
{
    static bool started;
    struct repo *mirror = NULL;

    fixture_begin();
    if (!started) {
        started = true;
        RUN("mkdir web; cat >web/extra.conf <<'END'\n"
            "location ^~ /moved/ { rewrite ^/moved/(.*)$ https://localhost:$server_port/acme/$1 "
            "permanent; }\n"
            "location ^~ /away/ { rewrite ^/away/(.*)$ https://127.0.0.1:$server_port/acme/$1 "
            "permanent; }\n"
            "location ^~ /loop/ { return 302 $request_uri; }\n"
            "location ^~ /plain/ { rewrite ^/plain/(.*)$ http://localhost:$server_port/acme/$1 "
            "permanent; }\n"
            "location ^~ /page/ { default_type text/html; return 200 '<html>log in</html>'; }\n"
            "location ^~ /broken/ { default_type text/plain; return 503 'down for repair'; }\n"
            "location ^~ /forbidden/ { default_type text/plain; return 403 'no write access for "
            "you'; }\n"
            "END\n"
            "\"$GIT_HTTP\" start %s/web >url; \"$GIT_HTTP\" repo %s/web acme/api; \"$GIT_HTTP\" "
            "repo %s/web acme/empty;"
            "git init -q -b main work; cd work; seq 20000 >a; git add .; git commit -qm first;"
            "git push -q ../web/srv/acme/api.git main; git rev-parse HEAD >../base",
            fixture_dir, fixture_dir, fixture_dir);
        atexit(stop_server); /* runs before the directory is removed */
        snprintf(url, sizeof url, "%s", fixture_text("url"));
    }
    CHECK_OK(repo_init(fixture_path(0, "web/ca.crt"), &err), err);
    RUN("\"$GIT_HTTP\" token %s/web first-token", fixture_dir);
    CHECK_OK(repo_open_mirror(fixture_path(0, "mirror.git"), &mirror, &err), err);
    return mirror;
}

struct login {
    struct repo_remote remote;
    char url[256];
    struct secret *password;
};

static void
login_done(struct login *login)
{
    secret_free(login->password);
}

static struct login *
login_as(struct login *login, const char *repository, const char *token)
{
    snprintf(login->url, sizeof login->url, "%s/%s", url, repository);
    if (token)
        CHECK_OK(secret_new(bytes_of_str(token), &login->password, &err), err);
    login->remote.url = login->url;
    login->remote.user = token ? "x-access-token" : NULL;
    login->remote.password = login->password;
    return login;
}

static int
fetch(struct repo *mirror, const struct login *login, const char *branch, char commit[65])
{
    char *name = NULL;
    const int r = repo_fetch(mirror, &login->remote, branch, &name, commit, &err);

    free(name);
    return r;
}

/* A new commit on main, in the mirror; its id. */
static const char *
new_commit(const char *text)
{
    static char id[65];

    if (fixture_try("cd work; git checkout -q main; git checkout -q -b %s; echo %s >new; git add "
                    ".; git commit -qm %s;"
                    "git push -q ../mirror.git %s:refs/draftd/%s; git rev-parse HEAD >../new",
                    text, text, text, text, text))
        abort();
    snprintf(id, sizeof id, "%s", fixture_text("new"));
    return id;
}

static const char *
base(void)
{
    static char id[65];
    snprintf(id, sizeof id, "%s", fixture_text("base"));
    return id;
}

TEST(a_branch_is_fetched)
{
    AUTO(repo_free) struct repo *mirror = begin();
    AUTO_DONE(login_done) struct login login = {0};
    char commit[65];
    char *name = NULL;

    login_as(&login, "acme/api", "first-token");
    CHECK_OK(repo_fetch(mirror, &login.remote, NULL, &name, commit, &err), err);
    CHECK_STR(name, "main");
    free(name);
    CHECK_STR(commit, base());
    RUN("cd work; git checkout -q main; echo more >>a; git commit -qam more; git push -q "
        "../web/srv/acme/api.git main; git rev-parse HEAD >../base");
    CHECK_OK(fetch(mirror, &login, "main", commit), err);
    CHECK_STR(commit, base());
    CHECK_OK(fetch(mirror, &login, "main", commit), err);
    CHECK_OK(repo_remote_branch(mirror, &login.remote, "main", commit, &err), err);
    CHECK_STR(commit, base());
    RUN("git -C mirror.git fsck --full --strict");
    CHECK_INT(fetch(mirror, &login, "other", commit), ERR_NOTFOUND);
}

TEST(wrong_credentials_are_refused_once)
{
    AUTO(repo_free) struct repo *mirror = begin();
    AUTO_DONE(login_done) struct login wrong = {0};
    AUTO_DONE(login_done) struct login none = {0};
    char commit[65];

    RUN("wc -l <web/access.log >before");
    CHECK_INT(fetch(mirror, login_as(&wrong, "acme/api", "guessed-token"), NULL, commit), ERR_AUTH);
    CHECK_CONTAINS(err.msg, "refuses the credentials");
    CHECK(!strstr(err.msg, "guessed-token"));
    RUN("test $(wc -l <web/access.log) = $(($(cat before) + 1))");
    CHECK_INT(fetch(mirror, login_as(&none, "acme/api", NULL), NULL, commit), ERR_AUTH);
    CHECK_INT(repo_push(mirror, &wrong.remote, "x", base(), NULL, &err), ERR_AUTH);
}

TEST(tokens_may_change_between_calls)
{
    AUTO(repo_free) struct repo *mirror = begin();
    AUTO_DONE(login_done) struct login first = {0};
    AUTO_DONE(login_done) struct login second = {0};
    char commit[65];
    char token[600];

    memset(token, 't', sizeof token); /* installation tokens are long */
    token[sizeof token - 1] = '\0';
    RUN("\"$GIT_HTTP\" token %s/web %s", fixture_dir, token);
    CHECK_INT(fetch(mirror, login_as(&first, "acme/api", "first-token"), NULL, commit), ERR_AUTH);
    CHECK_OK(fetch(mirror, login_as(&second, "acme/api", token), NULL, commit), err);
}

TEST(missing_and_empty_repositories_are_not_found)
{
    AUTO(repo_free) struct repo *mirror = begin();
    AUTO_DONE(login_done) struct login missing = {0};
    AUTO_DONE(login_done) struct login empty = {0};
    char commit[65];

    CHECK_INT(fetch(mirror, login_as(&missing, "acme/nothing", "first-token"), NULL, commit),
              ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "acme/nothing");
    CHECK_INT(fetch(mirror, login_as(&empty, "acme/empty", "first-token"), NULL, commit),
              ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "is empty");
}

TEST(a_branch_is_pushed_and_moved)
{
    AUTO(repo_free) struct repo *mirror = begin();
    AUTO_DONE(login_done) struct login login = {0};
    char commit[65];
    char first[65];

    CHECK_OK(fetch(mirror, login_as(&login, "acme/api.git", "first-token"), NULL, commit), err);
    snprintf(first, sizeof first, "%s", new_commit("push1"));
    CHECK_OK(repo_push(mirror, &login.remote, "draftd/1-x", first, NULL, &err), err);
    CHECK_OK(repo_push(mirror, &login.remote, "draftd/1-x", first, NULL, &err), err);
    RUN("cd web/srv/acme/api.git; git fsck --full --strict; test \"$(git rev-parse draftd/1-x)\" = "
        "%s",
        first);
    RUN("cd work; head -c 3000000 /dev/urandom >blob; git add .; git commit -qm blob; git push -q "
        "../mirror.git HEAD:refs/draftd/blob; git rev-parse HEAD >../new");
    const char *second = fixture_text("new");
    snprintf(commit, sizeof commit, "%s", second);
    CHECK_INT(repo_push(mirror, &login.remote, "draftd/1-x", commit, NULL, &err), ERR_CONFLICT);
    CHECK_INT(repo_push(mirror, &login.remote, "draftd/1-x", commit, base(), &err), ERR_CONFLICT);
    CHECK_OK(repo_push(mirror, &login.remote, "draftd/1-x", commit, first, &err), err);
    CHECK_INT(repo_push(mirror, &login.remote, "draftd/1-x", first, commit, &err), ERR_CONFLICT);
    RUN("cd web/srv/acme/api.git; git fsck --full --strict; test \"$(git rev-parse draftd/1-x)\" = "
        "%s",
        commit);
    RUN("test -z \"$(ls mirror.git/quarantine)\"");
}

TEST(a_mirror_that_fell_behind_catches_up_before_a_push)
{
    AUTO(repo_free) struct repo *mirror = begin();
    AUTO_DONE(login_done) struct login login = {0};
    char commit[65];

    CHECK_OK(fetch(mirror, login_as(&login, "acme/api", "first-token"), NULL, commit), err);
    const char *new = new_commit("behind");
    RUN("cd work; git checkout -q main; echo behind >>a; git commit -qam ahead; git push -q "
        "../web/srv/acme/api.git main; git rev-parse HEAD >../base");
    CHECK_OK(repo_push(mirror, &login.remote, "behind", new, NULL, &err), err);
    CHECK_OK(repo_resolve(mirror, "main", commit, &err), err);
    CHECK_STR(commit, base());
    /* One commit with its tree and file: all of history would be a pack. */
    RUN("cd web/srv/acme/api.git; git fsck --full --strict; git rev-parse behind");
}

TEST(a_refusal_of_the_server_is_told_in_its_words)
{
    AUTO(repo_free) struct repo *mirror = begin();
    AUTO_DONE(login_done) struct login login = {0};
    char commit[65];

    CHECK_OK(fetch(mirror, login_as(&login, "acme/api", "first-token"), NULL, commit), err);
    RUN("cd web/srv/acme/api.git/hooks; printf '#!/bin/sh\\necho GH006: protected branch "
        ">&2\\nexit 1\\n' >pre-receive; chmod +x pre-receive");
    const int r = repo_push(mirror, &login.remote, "protected", new_commit("words"), NULL, &err);
    RUN("rm web/srv/acme/api.git/hooks/pre-receive");
    CHECK_INT(r, ERR_INVALID);
    CHECK_CONTAINS(err.msg, "GH006: protected branch");
    CHECK_CONTAINS(err.msg, "pre-receive hook declined");
}

TEST(a_branch_that_moves_during_the_push_is_a_conflict)
{
    AUTO(repo_free) struct repo *mirror = begin();
    AUTO_DONE(login_done) struct login login = {0};
    char commit[65];

    CHECK_OK(fetch(mirror, login_as(&login, "acme/api", "first-token"), NULL, commit), err);
    RUN("cd web/srv/acme/api.git; printf '#!/bin/sh\\nenv -u GIT_QUARANTINE_PATH git update-ref "
        "refs/heads/raced %s\\n' >hooks/pre-receive; chmod +x hooks/pre-receive",
        commit);
    const int r = repo_push(mirror, &login.remote, "raced", new_commit("race"), NULL, &err);
    RUN("rm web/srv/acme/api.git/hooks/pre-receive");
    CHECK_INT(r, ERR_CONFLICT);
}

TEST(a_repository_that_takes_no_push_is_a_matter_of_permission)
{
    AUTO(repo_free) struct repo *mirror = begin();
    AUTO_DONE(login_done) struct login login = {0};
    AUTO_DONE(login_done) struct login forbidden = {0};
    char commit[65];

    CHECK_OK(fetch(mirror, login_as(&login, "acme/api", "first-token"), NULL, commit), err);
    RUN("git -C web/srv/acme/api.git config http.receivepack false");
    const int r = repo_push(mirror, &login.remote, "x", new_commit("readonly"), NULL, &err);
    RUN("git -C web/srv/acme/api.git config http.receivepack true");
    CHECK_INT(r, ERR_DENIED);
    CHECK_INT(fetch(mirror, login_as(&forbidden, "forbidden/api", "first-token"), NULL, commit),
              ERR_DENIED);
    CHECK_CONTAINS(err.msg, "no write access for you");
}

TEST(a_renamed_repository_is_followed)
{
    AUTO(repo_free) struct repo *mirror = begin();
    AUTO_DONE(login_done) struct login login = {0};
    char commit[65];

    CHECK_OK(fetch(mirror, login_as(&login, "moved/api", "first-token"), NULL, commit), err);
    CHECK_STR(commit, base());
    CHECK_OK(repo_push(mirror, &login.remote, "renamed", new_commit("renamed"), NULL, &err), err);
}

TEST(credentials_do_not_follow_to_another_host)
{
    AUTO(repo_free) struct repo *mirror = begin();
    AUTO_DONE(login_done) struct login login = {0};
    AUTO_DONE(login_done) struct login plain = {0};
    char commit[65];

    CHECK_INT(fetch(mirror, login_as(&login, "away/api", "first-token"), NULL, commit), ERR_AUTH);
    CHECK(fetch(mirror, login_as(&plain, "plain/api", "first-token"), NULL, commit) != 0);
    CHECK(err.code == ERR_INVALID || err.code == ERR_UNAVAILABLE);
}

TEST(servers_that_are_not_git_or_not_well_are_told_apart)
{
    AUTO(repo_free) struct repo *mirror = begin();
    AUTO_DONE(login_done) struct login page = {0};
    AUTO_DONE(login_done) struct login broken = {0};
    AUTO_DONE(login_done) struct login loop = {0};
    char commit[65];

    CHECK_INT(fetch(mirror, login_as(&page, "page/api", "first-token"), NULL, commit), ERR_REMOTE);
    CHECK_CONTAINS(err.msg, "does not answer as a git server");
    CHECK_INT(fetch(mirror, login_as(&broken, "broken/api", "first-token"), NULL, commit),
              ERR_REMOTE);
    CHECK_CONTAINS(err.msg, "down for repair");
    CHECK_INT(fetch(mirror, login_as(&loop, "loop/api", "first-token"), NULL, commit), ERR_REMOTE);
}

TEST(an_unknown_certificate_is_refused)
{
    AUTO(repo_free) struct repo *mirror = begin();
    AUTO_DONE(login_done) struct login login = {0};
    char commit[65];

    CHECK_OK(repo_init(NULL, &err), err);
    CHECK_INT(fetch(mirror, login_as(&login, "acme/api", "first-token"), NULL, commit),
              ERR_UNAVAILABLE);
    CHECK_CONTAINS(err.msg, "certificate");
    CHECK_INT(repo_init(fixture_path(0, "no-such-file"), &err), ERR_INVALID);
}

/* A port that takes connections and never says a word, or, closed, takes none. */
static int
listen_silently(char text[64])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) || listen(fd, 5) ||
        getsockname(fd, (struct sockaddr *)&address, &len))
        abort();
    snprintf(text, 64, "https://127.0.0.1:%d/x/y", ntohs(address.sin_port));
    return fd;
}

TEST(a_server_that_is_down_is_unavailable)
{
    AUTO(repo_free) struct repo *mirror = begin();
    char text[64];
    char commit[65];

    close(listen_silently(text));
    const struct repo_remote remote = {.url = text};
    CHECK_INT(repo_remote_branch(mirror, &remote, "main", commit, &err), ERR_UNAVAILABLE);
    CHECK_INT(repo_push(mirror, &remote, "x", base(), NULL, &err), ERR_UNAVAILABLE);
}

TEST(a_silent_server_times_out)
{
    AUTO(repo_free) struct repo *mirror = begin();
    char text[64];
    char commit[65];
    auto_close int fd = listen_silently(text);
    const struct repo_remote remote = {.url = text, .timeout_ms = 200};
    const int64_t before_ms = clock_mono_ms();

    CHECK(fd >= 0);
    CHECK_INT(repo_remote_branch(mirror, &remote, "main", commit, &err), ERR_TIMEOUT);
    CHECK(clock_mono_ms() - before_ms < 5000);
}

TEST(a_server_that_falls_silent_times_out)
{
    AUTO(repo_free) struct repo *mirror = begin();
    AUTO_DONE(login_done) struct login login = {0};
    char commit[65];

    CHECK_OK(fetch(mirror, login_as(&login, "acme/api", "first-token"), NULL, commit), err);
    RUN("cd web/srv/acme/api.git/hooks; printf '#!/bin/sh\\nsleep 3\\n' >pre-receive; chmod +x "
        "pre-receive");
    const char *new = new_commit("sleepy");
    login.remote.timeout_ms = 500;
    const int64_t before_ms = clock_mono_ms();
    const int r = repo_push(mirror, &login.remote, "sleepy", new, NULL, &err);
    RUN("rm web/srv/acme/api.git/hooks/pre-receive");
    CHECK_INT(r, ERR_TIMEOUT);
    CHECK_CONTAINS(err.msg, "nothing moved");
    CHECK(clock_mono_ms() - before_ms < 2500);
}

static void *
raise_soon(void *stop)
{
    clock_sleep_ms(100);
    stop_raise(stop);
    return NULL;
}

TEST(a_silent_server_is_left_when_asked_to_stop)
{
    AUTO(repo_free) struct repo *mirror = begin();
    AUTO(stop_free) struct stop *stop = NULL;
    char text[64];
    char commit[65];
    pthread_t thread;

    CHECK_OK(stop_new(&stop, &err), err);
    auto_close int fd = listen_silently(text);
    const struct repo_remote remote = {.url = text, .stop = stop};
    const int64_t before_ms = clock_mono_ms();
    CHECK(fd >= 0);
    CHECK_INT(pthread_create(&thread, NULL, raise_soon, stop), 0);
    const int r = repo_remote_branch(mirror, &remote, "main", commit, &err);
    pthread_join(thread, NULL);
    CHECK_INT(r, ERR_CANCELED);
    CHECK(clock_mono_ms() - before_ms < 900); /* woken, not polled */
}

int
main(int argc, char **argv)
{
    fixture_begin();
    if (!getenv("GIT_HTTP") || fixture_try("\"$GIT_HTTP\" check")) {
        printf("1..0 # SKIP nginx, fcgiwrap or git-http-backend is not installed\n");
        return 0;
    }
    return test_run_all(argc, argv);
}
