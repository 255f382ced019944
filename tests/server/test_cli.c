/* The command line, by running it: exit statuses, what goes to which stream, JSON that parses, and
 * outside text that cannot steer a terminal. */
#include "tests/harness/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/js.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "server/store/db.h"
#include "server/store/store.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CONFIG "--config", config
#define MAX_WORDS 48

static char *dir;
static char *config;
static struct store *store;
static struct strbuf out = STRBUF_INIT(1U << 20);
static struct strbuf err_out = STRBUF_INIT(1U << 20);

/* ---- running ---- */

static void
become_draftd(char *const *words, const char *out_path, const char *err_path)
{
    const int in_fd = open("/dev/null", O_RDONLY);
    const int out_fd = open(out_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int err_fd = open(err_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (in_fd < 0 || dup2(in_fd, 0) < 0 || dup2(out_fd, 1) < 0 || dup2(err_fd, 2) < 0 ||
        chdir(dir) < 0)
        _exit(126);
    execv(DRAFTD_PATH, words);
    _exit(127);
}

static void
write_file(const char *name, const char *text)
{
    auto_free char *path = str_printf("%s/%s", dir, name);
    struct err err;

    CHECK_OK(fs_write_file(path, bytes_of_str(text), 0600, &err), err);
}

static pid_t
start(const char *const *words)
{
    auto_free char *out_path = str_printf("%s/out", dir);
    auto_free char *err_path = str_printf("%s/err", dir);
    char *argv[MAX_WORDS + 2] = {(char *)(uintptr_t) "draftd"};

    for (size_t i = 0; words[i]; i++)
        argv[i + 1] = (char *)(uintptr_t)words[i];
    write_file("err", ""); /* nothing of an earlier command is taken for this one's words */
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0)
        become_draftd(argv, out_path, err_path);
    CHECK(child > 0);
    return child;
}

static void
read_streams(void)
{
    auto_free char *out_path = str_printf("%s/out", dir);
    auto_free char *err_path = str_printf("%s/err", dir);
    struct err err;

    strbuf_reset(&out);
    strbuf_reset(&err_out);
    CHECK_OK(fs_read_file(out_path, &out, &err), err);
    CHECK_OK(fs_read_file(err_path, &err_out, &err), err);
}

static int
finish(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0) {
    }
    read_streams();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

#define DRAFTD(...) finish(start((const char *const[]){__VA_ARGS__, NULL}))

#define CHECK_STATUS(call, expected)                                                               \
    do {                                                                                           \
        const int status_ = (call);                                                                \
        if (status_ != (expected))                                                                 \
            TEST_FAIL("%s: exit status %d, expected %d\n%s%s", #call, status_, (expected),         \
                      strbuf_str(&out), strbuf_str(&err_out));                                     \
    } while (0)

/* ---- what it runs on ---- */

static void
write_config(const char *state)
{
    auto_free char *text =
        str_printf("listen: { address: 127.0.0.1, port: 0, http: true }\n"
                   "state_dir: %s/%s\n"
                   "local:\n"
                   "  secret_file: %s/secret\n"
                   "  repositories: [ { name: demo/calc, path: %s/calc.git } ]\n"
                   "sandbox: { engine: \"unix:///nonexistent/engine.sock\", image: draftd-work }\n"
                   "agents:\n"
                   "  profiles: [ { name: script, command: \"true\" } ]\n",
                   dir, state, dir, dir);

    write_file("draftd.yml", text);
    write_file("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
}

static void
clean_up(void)
{
    store_close(store);
    if (fs_remove_tree(dir, NULL))
        printf("# %s is left\n", dir);
    free(config);
    free(dir);
    strbuf_done(&out);
    strbuf_done(&err_out);
}

static int
exec(struct db *db, void *ctx, struct err *err)
{
    return db_exec(db, ctx, err);
}

static void
sql(const char *text)
{
    struct err err;

    CHECK_OK(store_transact(store, exec, (void *)(uintptr_t)text, &err), err);
}

/* A directory of our own, once; for each test a store with five tasks: drafted, failed, queued,
 * running and unchanged. */
static void
begin(void)
{
    struct err err;

    if (!dir) {
        CHECK_OK(fs_make_temp_dir(P_tmpdir, "test-cli-", &dir, &err), err);
        config = str_printf("%s/draftd.yml", dir);
        atexit(clean_up);
        setenv("XDG_STATE_HOME", dir, 1);
        setenv("USER", "ann", 1);
        unsetenv("CREDENTIALS_DIRECTORY");
    }
    write_config("state");
    auto_free char *state = str_printf("%s/state", dir);
    auto_free char *repository = str_printf("%s/calc.git", dir);
    auto_free char *path = str_printf("%s/draftd.db", state);
    store_close(store);
    CHECK_OK(fs_remove_tree(state, &err), err);
    CHECK_OK(fs_make_dirs(state, 0700, &err), err);
    CHECK_OK(fs_make_dirs(repository, 0700, &err), err);
    CHECK_OK(store_open(path, &store, &err), err);
    sql("INSERT INTO task (id, platform, origin, thread, repository, number, title, text,"
        " requested_by, state, branch, base_branch, draft_number, draft_url, reason, created_ms,"
        " updated_ms) VALUES"
        "(1,'github','github:acme/api#1','t','acme/api',1,'First','x','ann',2,'draftd/1-first',"
        "'main',7,'https://github.example/acme/api/pull/7','draft 7 is open',1000,2000),"
        "(2,'local','local:demo/calc#m2','t','demo/calc',0,'Second','x','ann',5,NULL,NULL,0,NULL,"
        "'checks are red',1000,3000),"
        "(3,'local','local:demo/calc#m3','t','demo/calc',0,'Third','x','ann',0,NULL,NULL,0,NULL,"
        "NULL,1000,4000),"
        "(4,'local','local:demo/calc#m4','t','demo/calc',0,'Fourth','x','ann',1,NULL,NULL,0,NULL,"
        "NULL,1000,5000),"
        "(5,'local','local:demo/calc#m5','t','demo/calc',0,'Fifth','x','ann',3,NULL,NULL,0,NULL,"
        "'nothing to change',1000,6000);"
        "INSERT INTO run (id, task, number, trigger_kind, trigger_actor, trigger_ms, state, stage,"
        " round, outcome, verdict, base_commit, head_commit, created_ms, started_ms, finished_ms)"
        " VALUES (1,1,1,'label','ann',900,2,8,1,1,1,'aaaa','bbbb',1000,1100,2000),"
        "(2,2,1,'webhook','ann',900,2,4,3,4,0,'aaaa',NULL,1000,1100,3000),"
        "(3,3,1,'webhook','ann',900,0,0,0,0,0,NULL,NULL,1000,0,0),"
        "(4,4,1,'webhook','ann',900,1,3,2,0,0,NULL,NULL,1000,1100,0),"
        "(5,5,1,'webhook','ann',900,2,8,1,2,0,'aaaa',NULL,1000,1100,6000);");
    sql("INSERT INTO step (id, run, role, kind, round, name, command, started_ms, duration_ms,"
        " ended_as, status, output_bytes) VALUES (1,1,0,0,0,'setup 1','true',1,400,1,0,6);"
        "INSERT INTO step_output VALUES (1, 0, CAST('hello' || char(10) AS BLOB));"
        "INSERT INTO check_result (id, run, name, command, verdict) VALUES (1,1,'test','make',4);"
        "INSERT INTO check_execution VALUES (1,0,2,1,400,NULL), (1,2,1,0,500,NULL);"
        "INSERT INTO delivery (id, platform, delivery_id, event, received_ms, body_bytes) VALUES"
        " (1,'local','m9','task',1,46), (2,'local','bad','task',1,2);"
        "INSERT INTO delivery_body VALUES (1, 0, CAST('{\"repository\":\"demo/calc\","
        "\"title\":\"Do it now\"}' AS BLOB)), (2, 0, CAST('[]' AS BLOB));");
}

static json_t *
parse_out(void)
{
    json_t *json = NULL;
    struct err err;

    CHECK_OK(js_parse(bytes_of(out.ptr, out.len), &json, &err), err);
    return json;
}

/* ---- help and misuse ---- */

TEST(every_command_explains_itself)
{
    static const char *const commands[] = {"serve", "run",    "list",  "show",
                                           "logs",  "cancel", "retry", "replay"};

    begin();
    for (size_t i = 0; i < COUNT(commands); i++) {
        auto_free char *usage = str_printf("usage: draftd %s ", commands[i]);
        CHECK_STATUS(DRAFTD(commands[i], "--help"), 0);
        CHECK(str_starts_with(strbuf_str(&out), usage));
        CHECK_STR(strbuf_str(&err_out), "");
        CHECK_STATUS(DRAFTD("help"), 0);
        auto_free char *line = str_printf("\n  %-8s ", commands[i]);
        CHECK_CONTAINS(strbuf_str(&out), line);
    }
}

TEST(help_and_version_are_there)
{
    begin();
    CHECK_STATUS(DRAFTD("--help"), 0);
    CHECK(str_starts_with(strbuf_str(&out), "usage: draftd COMMAND"));
    CHECK_STATUS(DRAFTD("-h"), 0);
    CHECK_STATUS(DRAFTD("version"), 0);
    CHECK(str_starts_with(strbuf_str(&out), "draftd " DRAFTD_VERSION "\n"));
    CHECK_STATUS(DRAFTD("--version"), 0);
    CHECK_CONTAINS(strbuf_str(&out), "libgit2 ");
    CHECK_STATUS(finish(start((const char *const[]){NULL})), 2);
    CHECK(str_starts_with(strbuf_str(&out), "usage: draftd COMMAND"));
}

struct misuse {
    const char *words[5];
    const char *says;
};

TEST(wrong_usage_is_told)
{
    static const struct misuse cases[] = {
        {{"draw"}, "there is no command 'draw'"},
        {{""}, "there is no command ''"},
        {{"list", "--colour"}, "list does not know that option"},
        {{"list", "--limit", "many"}, "--limit takes a number, not 'many'"},
        {{"list", "--limit", "-1"}, "--limit takes a number"},
        {{"show"}, "show takes one task"},
        {{"show", "1", "2"}, "show takes one task"},
        {{"show", "one"}, "'one' is not a number"},
        {{"show", "0"}, "'0' is not a number"},
        {{"show", "99999999999999999999"}, "is not a number"},
        {{"logs"}, "logs takes one task"},
        {{"logs", "1x"}, "'1x' is not a number"},
        {{"logs", "--dry-run", "1"}, "logs does not know that option"},
        {{"cancel"}, "cancel takes one number"},
        {{"cancel", "x"}, "'x' is not a number"},
        {{"cancel", "--dry-run", "1"}, "cancel does not know that option"},
        {{"retry", "--force", "1"}, "retry does not know that option"},
        {{"replay"}, "replay takes one"},
        {{"run"}, "run takes one text"},
        {{"run", ""}, "run takes one text"},
        {{"run", "one", "two"}, "run takes one text"},
        {{"run", "--agent"}, "run does not know that option"},
        {{"serve", "now"}, "serve takes no argument, found 'now'"},
        {{"serve", "--role", "cook"}, "--role is all, receive or work, not 'cook'"},
        {{"serve", "--now"}, "serve does not know that option"},
    };

    begin();
    for (size_t i = 0; i < COUNT(cases); i++) {
        const int status = finish(start(cases[i].words));
        if (status != 2 || !strstr(strbuf_str(&err_out), cases[i].says) || out.len > 0)
            TEST_FAIL("%s %s: exit status %d: %s", cases[i].words[0],
                      cases[i].words[1] ? cases[i].words[1] : "", status, strbuf_str(&err_out));
    }
}

TEST(a_task_for_run_has_so_many_checks)
{
    const char *words[MAX_WORDS + 1] = {"run"};
    auto_free char *at = str_printf("--repo=%s", "/nonexistent");
    size_t count = 1;

    begin();
    for (int i = 0; i < 33; i++)
        words[count++] = "--check=true";
    words[count++] = at;
    words[count++] = "text";
    CHECK_STATUS(finish(start(words)), 2);
    CHECK_CONTAINS(strbuf_str(&err_out), "at most 32 checks");
}

/* ---- configuration, store and engine ---- */

TEST(what_is_missing_is_told)
{
    static const char *const readers[] = {"list", "show", "logs", "cancel", "retry", "replay"};

    begin();
    for (size_t i = 0; i < COUNT(readers); i++) {
        const char *const words[] = {readers[i], "--config", "/nonexistent/draftd.yml",
                                     i ? "1" : NULL, NULL};
        CHECK_STATUS(finish(start(words)), 3);
        CHECK_CONTAINS(strbuf_str(&err_out), "/nonexistent/draftd.yml");
        CHECK_STR(strbuf_str(&out), "");
    }
    CHECK_STATUS(DRAFTD("serve", "--config", "/nonexistent/draftd.yml"), 3);
    write_config("empty");
    CHECK_STATUS(DRAFTD("list", CONFIG), 3);
    CHECK_CONTAINS(strbuf_str(&err_out), "there is no store at ");
    CHECK_STATUS(DRAFTD("run", CONFIG, "--repo", "/nonexistent", "text"), 3);
    CHECK_CONTAINS(strbuf_str(&err_out), "there is no directory /nonexistent");
    CHECK_STATUS(DRAFTD("run", CONFIG, "--repo", dir, "text"), 3);
}

TEST(faults_of_the_configuration_are_told_with_their_place)
{
    begin();
    write_file("draftd.yml", "workers: many\nlocale: {}\n");
    CHECK_STATUS(DRAFTD("list", CONFIG), 2);
    CHECK_CONTAINS(strbuf_str(&err_out), "draftd.yml:1: workers: ");
    CHECK_CONTAINS(strbuf_str(&err_out), "draftd.yml:2: locale: ");
    CHECK_STATUS(DRAFTD("serve", "--check", CONFIG), 2);
    CHECK_CONTAINS(strbuf_str(&err_out), "draftd.yml:1: workers: ");
    write_file("draftd.yml", "workers: 2\n");
    CHECK_STATUS(DRAFTD("serve", "--check", CONFIG), 2); /* nothing to serve */
    CHECK(err_out.len > 0);
}

TEST(a_right_configuration_is_called_valid)
{
    begin();
    CHECK_STATUS(DRAFTD("serve", "--check", CONFIG), 0);
    CHECK_CONTAINS(strbuf_str(&out), "draftd.yml is valid\n");
}

TEST(run_needs_an_engine)
{
    begin();
    auto_free char *git = str_printf("cd %s && git init -q -b main tree", dir);
    const char *const argv[] = {"sh", "-c", git, NULL};
    const pid_t child = fork();
    if (child == 0) {
        execvp("sh", (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK_STATUS(DRAFTD("run", CONFIG, "--repo", "tree", "text"), 3);
    CHECK_CONTAINS(strbuf_str(&err_out), "engine");
}

/* ---- looking ---- */

TEST(the_list_is_a_table_or_json)
{
    begin();
    CHECK_STATUS(DRAFTD("list", CONFIG), 0);
    CHECK(str_starts_with(strbuf_str(&out), "TASK   STATE      UPDATED"));
    CHECK_CONTAINS(strbuf_str(&out), "\n1      drafted    1970-01-01T00:00:02.000Z acme/api");
    CHECK(strstr(strbuf_str(&out), "Fifth") < strstr(strbuf_str(&out), "First"));

    CHECK_STATUS(DRAFTD("list", CONFIG, "--json"), 0);
    AUTO(js_free) json_t *all = parse_out();
    CHECK_INT(json_array_size(all), 5);
    CHECK_STR(js_str(all, "4.title"), "First");
    CHECK_STR(js_str(all, "4.state"), "drafted");
    CHECK_STR(js_str(all, "4.draft_url"), "https://github.example/acme/api/pull/7");
    CHECK_STR(js_str(all, "4.created"), "1970-01-01T00:00:01.000Z");
    CHECK(json_is_null(js_at(all, "0.branch")));

    CHECK_STATUS(DRAFTD("list", CONFIG, "--json", "--live"), 0);
    AUTO(js_free) json_t *live = parse_out();
    CHECK_INT(json_array_size(live), 2);
    CHECK_STATUS(DRAFTD("list", CONFIG, "--json", "--limit", "1"), 0);
    AUTO(js_free) json_t *one = parse_out();
    CHECK_INT(json_array_size(one), 1);
    CHECK_INT(js_int(one, "0.id", 0), 5);
    CHECK_STR(strbuf_str(&err_out), "");
}

TEST(an_empty_list_is_json_too)
{
    begin();
    sql("DELETE FROM check_execution; DELETE FROM check_result; DELETE FROM step_output;"
        "DELETE FROM step; DELETE FROM run; DELETE FROM task");
    CHECK_STATUS(DRAFTD("list", CONFIG, "--json"), 0);
    AUTO(js_free) json_t *json = parse_out();
    CHECK_INT(json_array_size(json), 0);
    CHECK(json_is_array(json));
}

TEST(one_task_is_shown_with_all_that_is_known)
{
    begin();
    CHECK_STATUS(DRAFTD("show", CONFIG, "1"), 0);
    CHECK_CONTAINS(strbuf_str(&out), "task           1 (drafted)\n");
    CHECK_CONTAINS(strbuf_str(&out), "draft          7 https://github.example/acme/api/pull/7\n");
    CHECK_CONTAINS(strbuf_str(&out), "run            1: ended, draft, verified (label by ann)\n");
    CHECK_CONTAINS(strbuf_str(&out), "checks         test: fixed (before: failed, after: not_run,"
                                     " proof: passed)\n");
    CHECK_CONTAINS(strbuf_str(&out), "work, setup: setup 1: exited 0, 0.4 s\n");
    CHECK_STATUS(DRAFTD("show", CONFIG, "4"), 0);
    CHECK_CONTAINS(strbuf_str(&out), "run            1: running, agent, round 2");

    for (int i = 1; i <= 5; i++) {
        auto_free char *id = str_printf("%d", i);
        CHECK_STATUS(DRAFTD("show", CONFIG, "--json", id), 0);
        AUTO(js_free) json_t *json = parse_out();
        CHECK_INT(js_int(json, "id", 0), i);
        CHECK_INT(json_array_size(js_at(json, "runs")), 1);
        CHECK_INT(json_array_size(js_at(json, "checks")), i == 1);
    }
    CHECK_STATUS(DRAFTD("show", CONFIG, "77"), 3);
    CHECK_STR(strbuf_str(&err_out), "draftd: there is no task 77\n");
}

TEST(logs_end_with_a_status_when_followed)
{
    begin();
    CHECK_STATUS(DRAFTD("logs", CONFIG, "1"), 0);
    CHECK_STR(strbuf_str(&out), "\n--- work, setup: setup 1\nhello\n--- exited 0 after 0.4 s\n");
    CHECK_STATUS(DRAFTD("logs", CONFIG, "3"), 0);
    CHECK_STR(strbuf_str(&out), "");
    CHECK_STATUS(DRAFTD("logs", CONFIG, "-f", "1"), 0);
    CHECK_STATUS(DRAFTD("logs", CONFIG, "--follow", "5"), 0);
    CHECK_STATUS(DRAFTD("logs", CONFIG, "-f", "2"), 1);
    CHECK_STATUS(DRAFTD("logs", CONFIG, "2"), 0);
    CHECK_STATUS(DRAFTD("logs", CONFIG, "77"), 3);
}

/* ---- what came from outside ---- */

static void
check_harmless(void)
{
    for (size_t i = 0; i < out.len; i++) {
        const unsigned char c = (unsigned char)out.ptr[i];
        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7F ||
            (c == 0xC2 && i + 1 < out.len && (unsigned char)out.ptr[i + 1] < 0xA0))
            TEST_FAIL("byte %02x is shown", c);
    }
}

TEST(outside_text_cannot_steer_a_terminal)
{
    begin();
    sql("UPDATE task SET title = 'A' || char(27) || ']0;x' || char(7) || 'B' || char(127) ||"
        " char(155) || '2J' || char(8) || char(13) || 'Z' || char(228),"
        " requested_by = char(27) || '[31mred', reason = char(27) || 'c',"
        " draft_url = 'https://x/' || char(27), url = char(27);"
        "UPDATE run SET trigger_actor = char(27);"
        "INSERT INTO step_output VALUES (1, 6, CAST(char(27) || '[2J' || char(9) || 'tab' ||"
        " char(10) AS BLOB)); UPDATE step SET output_bytes = 15");
    CHECK_STATUS(DRAFTD("list", CONFIG), 0);
    check_harmless();
    CHECK_CONTAINS(strbuf_str(&out), "A?]0;x?B??2J??Z\xc3\xa4\n");
    CHECK_STATUS(DRAFTD("show", CONFIG, "1"), 0);
    check_harmless();
    CHECK_CONTAINS(strbuf_str(&out), "asked by       ?[31mred\n");
    CHECK_STATUS(DRAFTD("logs", CONFIG, "1"), 0);
    check_harmless();
    CHECK_CONTAINS(strbuf_str(&out), "hello\n?[2J\ttab\n");
    CHECK_STATUS(DRAFTD("list", CONFIG, "--json"), 0);
    AUTO(js_free) json_t *json = parse_out();
    CHECK_CONTAINS(js_str(json, "0.title"), "\x1b]0;x");
    CHECK(!strchr(strbuf_str(&out), '\x1b'));
}

/* Rows and fields are told apart by lines. */
TEST(outside_text_cannot_forge_a_line)
{
    begin();
    sql("UPDATE task SET title = 'x' || char(10) || '9      drafted', requested_by ="
        " 'ann' || char(10) || 'draft          9'");
    CHECK_STATUS(DRAFTD("list", CONFIG), 0);
    CHECK(!strstr(strbuf_str(&out), "\n9 "));
    CHECK_STATUS(DRAFTD("show", CONFIG, "2"), 0);
    CHECK(!strstr(strbuf_str(&out), "\ndraft "));
    CHECK(!strstr(strbuf_str(&out), "\n9 "));
}

/* ---- changing ---- */

TEST(a_task_is_cancelled_and_retried)
{
    begin();
    CHECK_STATUS(DRAFTD("cancel", CONFIG, "3"), 0);
    CHECK_STR(strbuf_str(&out), "task 3 is asked to stop\n");
    CHECK_STATUS(DRAFTD("show", CONFIG, "3"), 0);
    CHECK_CONTAINS(strbuf_str(&out), "task           3 (canceled)");
    CHECK_CONTAINS(strbuf_str(&out), "cancelled by ann before it began");
    CHECK_STATUS(DRAFTD("cancel", CONFIG, "3"), 3);
    CHECK_STR(strbuf_str(&err_out), "draftd: nothing of task 3 is under way\n");
    CHECK_STATUS(DRAFTD("retry", CONFIG, "3"), 0);
    CHECK_STR(strbuf_str(&out), "task 3 is queued again\n");
    CHECK_STATUS(DRAFTD("retry", CONFIG, "3"), 1);
    CHECK_STR(strbuf_str(&err_out), "draftd: task 3 is under way\n");
    CHECK_STATUS(DRAFTD("cancel", CONFIG, "4"), 0); /* running: its worker sees it */
    CHECK_STATUS(DRAFTD("show", CONFIG, "4"), 0);
    CHECK_CONTAINS(strbuf_str(&out), "task           4 (running)");
    CHECK_STATUS(DRAFTD("retry", CONFIG, "77"), 3);
    CHECK_STATUS(DRAFTD("cancel", CONFIG, "77"), 3);
}

TEST(a_delivery_is_replayed_by_either_name)
{
    begin();
    CHECK_STATUS(DRAFTD("replay", CONFIG, "--dry-run", "m9"), 0);
    CHECK_STR(strbuf_str(&out), "would start local:demo/calc#m9 for local\n");
    CHECK_STATUS(DRAFTD("show", CONFIG, "6"), 3);
    CHECK_STATUS(DRAFTD("replay", CONFIG, "1"), 0);
    CHECK_STR(strbuf_str(&out), "did start local:demo/calc#m9 for local\n");
    CHECK_STATUS(DRAFTD("show", CONFIG, "6"), 0);
    CHECK_CONTAINS(strbuf_str(&out), "Do it now");
    CHECK_STATUS(DRAFTD("replay", CONFIG, "m9"), 0);
    CHECK_STR(strbuf_str(&out), "ignored: task 6 is under way\n");
    CHECK_STATUS(DRAFTD("replay", CONFIG, "bad"), 0);
    CHECK_CONTAINS(strbuf_str(&out), "bad: \"repository\" must be a string OWNER/NAME\n");
    CHECK_STATUS(DRAFTD("replay", CONFIG, "77"), 3);
    CHECK_CONTAINS(strbuf_str(&err_out), "there is no delivery 77");
    CHECK_STATUS(DRAFTD("replay", CONFIG, "no-such-id"), 3);
    CHECK_CONTAINS(strbuf_str(&err_out), "there is no delivery no-such-id");
}

/* ---- serving ---- */

static bool
says(const char *what)
{
    for (int i = 0; i < 4000; i++) {
        read_streams();
        if (strstr(strbuf_str(&err_out), what))
            return true;
        clock_sleep_ms(10);
    }
    return false;
}

/* Without an engine it serves all the same: runs wait. */
TEST(serve_goes_on_until_it_is_told_to_end)
{
    static const int signals[] = {SIGTERM, SIGINT};

    begin();
    write_config("served");
    for (size_t i = 0; i < COUNT(signals); i++) {
        const pid_t child = start((const char *const[]){"serve", CONFIG, NULL});
        const bool serving = says("event=serving");
        kill(child, signals[i]);
        CHECK_STATUS(finish(child), 0);
        CHECK(serving);
        CHECK_CONTAINS(strbuf_str(&err_out), "event=listening");
        CHECK_CONTAINS(strbuf_str(&err_out), "event=sandbox_not_ready");
        CHECK_CONTAINS(strbuf_str(&err_out), "event=stopped");
    }
}

TEST(only_one_process_works_on_a_state_directory)
{
    auto_free char *lock = NULL;
    auto_close int fd = -1;
    struct err err;

    begin();
    lock = str_printf("%s/state/work.lock", dir);
    CHECK_OK(fs_lock(lock, &fd, &err), err);
    CHECK_STATUS(DRAFTD("serve", CONFIG), 1);
    CHECK_CONTAINS(strbuf_str(&err_out), "another draftd works in ");
    CHECK_STATUS(DRAFTD("list", CONFIG), 0); /* reading needs no lock */
    CHECK_STATUS(DRAFTD("cancel", CONFIG, "3"), 0);
}

TEST_MAIN()
