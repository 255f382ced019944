/* What the tests of the command line share: running the program in a directory of its own, and a store
 * with five tasks to look at. */
#pragma once

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

static const char *program = DRAFTD_PATH;
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
    execv(program, words);
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
    write_file("out", ""); /* nothing of an earlier command is taken for this one's words */
    write_file("err", "");
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

/* Wait until the child has written `what` to its standard error. */
static inline bool
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

/* A shell command, in the directory. */
static inline void
shell(const char *command)
{
    const pid_t child = fork();
    int status;

    if (child == 0) {
        if (chdir(dir) == 0)
            execlp("sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

#define CHECK_STATUS(call, expected)                                                               \
    do {                                                                                           \
        const int status_ = (call);                                                                \
        if (status_ != (expected))                                                                 \
            TEST_FAIL("%s: exit status %d, expected %d\n%s%s", #call, status_, (expected),         \
                      strbuf_str(&out), strbuf_str(&err_out));                                     \
    } while (0)

/* ---- what it runs on ---- */

static void
write_config_listening(const char *state, const char *how)
{
    auto_free char *text =
        str_printf("listen: { address: 127.0.0.1, port: 0, %s }\n"
                   "state_dir: %s/%s\n"
                   "local:\n"
                   "  secret_file: %s/secret\n"
                   "  repositories: [ { name: demo/calc, path: %s/calc.git } ]\n"
                   "sandbox: { engine: \"unix:///nonexistent/engine.sock\", image: draftd-work }\n"
                   "agents:\n"
                   "  profiles: [ { name: script, command: \"true\" } ]\n",
                   how, dir, state, dir, dir);

    write_file("draftd.yml", text);
    write_file("secret", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\n");
}

static void
write_config(const char *state)
{
    write_config_listening(state, "http: true");
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

    program = DRAFTD_PATH;
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
    write_file("calc.git/HEAD", "ref: refs/heads/main\n");
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
        "UPDATE task SET draft_state = 1 WHERE draft_number > 0;"
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
