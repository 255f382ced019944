/* What can only be measured from inside the program: claims in a store, a sandbox's life, the end
 * of a step, a push. Prints one line of JSON, times in milliseconds.
 *
 *   fill STORE KEPT                         so many ended tasks, half of them of one repository
 *   claims STORE COUNT                      one after the other, each beside a flush of that disk
 *   rush STORE THREADS COUNT                by so many threads at once, COUNT times each
 *   sandbox ENGINE IMAGE RUNNER DIR COUNT   lives with one command each; when its end is seen
 *   push MIRROR URL CA TOKEN BRANCH COMMIT  a new branch; TOKEN is the file that holds it
 */
#include "integrations/git/repo.h"
#include "sandbox/box.h"
#include "server/base/secret.h"
#include "server/base/str.h"
#include "server/store/db.h"
#include "server/store/remark.h"
#include "server/store/run.h"
#include "server/store/store.h"
#include "server/store/task.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST 100000
#define FLUSHED_BYTES 4096
#define LEASE_MS 60000

static struct err err;

static void
require(int result)
{
    if (!result)
        return;
    (void)fprintf(stderr, "inside: %s\n", err.msg);
    exit(1);
}

static double
now_ms(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static size_t
read_count(const char *text)
{
    uint64_t count;

    require(str_to_u64(text, &count, &err));
    if (count < 1 || count > MOST)
        require(err_set(&err, ERR_INVALID, "%s is not a number from 1 to %d", text, MOST));
    return (size_t)count;
}

static double *
new_times(size_t count)
{
    double *times = calloc(count, sizeof(*times));

    if (!times)
        require(err_set(&err, ERR_NOMEM, "out of memory"));
    return times;
}

static int
compare(const void *one, const void *other)
{
    const double a = *(const double *)one;
    const double b = *(const double *)other;

    return (a > b) - (a < b);
}

/* Sorts. */
static double
middle(double *times, size_t count)
{
    qsort(times, count, sizeof(*times), compare);
    return times[count / 2];
}

/* ---- a store with a past ---- */

/* Deliveries without their bodies, as they are kept; tasks as large as issues are; each with one
 * run that ended, and one message that was sent. */
static const char past[] =
    "CREATE TEMP TABLE n AS WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c"
    " WHERE i < %llu) SELECT i FROM c;"
    "INSERT INTO task (platform, origin, thread, repository, number, title, text, requested_by, "
    "state,"
    " branch, base_branch, draft_number, draft_state, created_ms, updated_ms)"
    " SELECT 'local', 'local:kept#' || i, 'local:kept#' || i, CASE i %% 2 WHEN 0 THEN 'demo/hot'"
    " ELSE 'demo/r' || (i %% 1000) END, i, 'Title of task ' || i, hex(zeroblob(200)), 'ann', 2,"
    " 'draftd/' || i, 'main', i, 2, i * 1000, i * 1000 FROM n;"
    "INSERT INTO run (task, number, trigger_kind, trigger_actor, trigger_ms, state, stage, "
    "lease_number,"
    " attempts, base_commit, head_commit, outcome, verdict, reason, created_ms, started_ms, "
    "finished_ms)"
    " SELECT i, 1, 'label', 'ann', i * 1000, 2, 8, 1, 1, hex(zeroblob(20)), hex(zeroblob(20)), 1, "
    "1,"
    " 'a draft is open', i * 1000, i * 1000, i * 1000 FROM n;"
    "INSERT INTO delivery (platform, delivery_id, event, received_ms, state, task, body_bytes,"
    " body_state) SELECT 'local', hex(randomblob(16)), 'task', i * 1000, 1, i, 12470, 2 FROM n;"
    "INSERT INTO outbox (platform, thread, kind, task, body, state, created_ms)"
    " SELECT 'local', 'local:kept#' || i, 1, i, 'done', 1, i * 1000 FROM n;"
    "DROP TABLE n;";

static int
insert_past(struct db *db, void *ctx, struct err *ret_err)
{
    const size_t *kept = ctx;
    auto_free char *sql = str_printf(past, (unsigned long long)*kept);

    return sql ? db_exec(db, sql, ret_err) : err_set(ret_err, ERR_NOMEM, "out of memory");
}

static int
fill(char **arguments)
{
    AUTO(store_close) struct store *store = NULL;
    uint64_t kept;

    require(str_to_u64(arguments[1], &kept, &err));
    size_t count = (size_t)kept;
    require(store_open(arguments[0], &store, &err));
    require(store_transact(store, insert_past, &count, &err));
    (void)printf("{\"kept\": %zu}\n", count);
    return 0;
}

/* ---- claims ---- */

struct queueing {
    size_t count;
};

/* Tasks of the repository that has most of them, each with a run that waits. */
static int
queue(struct db *db, void *ctx, struct err *ret_err)
{
    static int64_t named; /* origins are unique; a later process begins elsewhere */
    const struct queueing *queueing = ctx;
    int result = 0;

    if (!named)
        named = (int64_t)now_ms(CLOCK_REALTIME) * 1000;
    for (size_t i = 0; !result && i < queueing->count; i++) {
        char origin[64];
        int64_t id;
        (void)snprintf(origin, sizeof(origin), "local:demo/hot#%lld", (long long)named++);
        const struct task task = {.platform = (char[]){"local"},
                                  .origin = origin,
                                  .thread = origin,
                                  .repository = (char[]){"demo/hot"},
                                  .title = (char[]){"Title"},
                                  .text = (char[]){"Text"},
                                  .requested_by = (char[]){"ann"}};
        result = task_insert(db, &task, 1000, &id, ret_err);
        const struct run_new run = {.task = id, .trigger_kind = "label", .trigger_actor = "ann"};
        if (!result)
            result = run_insert(db, &run, 1000, &id, ret_err);
    }
    return result;
}

struct claiming {
    struct run *run;
    struct task *task;
};

/* What a worker does in its transaction. */
static int
claim(struct db *db, void *ctx, struct err *ret_err)
{
    struct claiming *claiming = ctx;
    const int64_t now = (int64_t)now_ms(CLOCK_REALTIME);
    const struct run_claim wanted = {
        .owner = "bench", .now_ms = now, .lease_until_ms = now + LEASE_MS};
    size_t taken;

    run_free(TAKE(claiming->run)); /* of an earlier try whose commit failed */
    task_free(TAKE(claiming->task));
    int result = run_claim(db, &wanted, &claiming->run, ret_err);
    if (!result)
        result = task_get(db, claiming->run->task, &claiming->task, ret_err);
    if (!result)
        result = remark_take(db, claiming->run->task, claiming->run->id, 1, &taken, ret_err);
    return result;
}

static int
finish(struct db *db, void *ctx, struct err *ret_err)
{
    const struct claiming *claiming = ctx;
    const struct run_lease lease = {.run = claiming->run->id,
                                    .number = claiming->run->lease_number};
    const int result = run_finish(db, lease, OUTCOME_UNCHANGED, "nothing to do", 2000, ret_err);

    return result ? result
                  : task_set_state(db, claiming->run->task, TASK_UNCHANGED, NULL, 2000, ret_err);
}

/* Claim and finish one run.  Returns how long the claim took. */
static double
claim_once(struct store *store, struct err *own_err)
{
    struct claiming claiming = {0};
    const double begun = now_ms(CLOCK_MONOTONIC);
    const int claimed = store_transact(store, claim, &claiming, own_err);
    const double took = now_ms(CLOCK_MONOTONIC) - begun;

    if (claimed || store_transact(store, finish, &claiming, own_err)) {
        (void)fprintf(stderr, "inside: %s\n", own_err->msg);
        exit(1);
    }
    run_free(claiming.run);
    task_free(claiming.task);
    return took;
}

static double
flush_once(int fd)
{
    static const char block[FLUSHED_BYTES];
    const double begun = now_ms(CLOCK_MONOTONIC);

    if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block) || fdatasync(fd))
        require(err_set(&err, ERR_IO, "flushing failed"));
    return now_ms(CLOCK_MONOTONIC) - begun;
}

static int
claims(char **arguments)
{
    AUTO(store_close) struct store *store = NULL;
    const size_t count = read_count(arguments[1]);
    auto_free double *claimed = new_times(count);
    auto_free double *flushed = new_times(count);
    auto_free char *path = str_printf("%s.flushed", arguments[0]);
    auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    require(store_open(arguments[0], &store, &err));
    require(store_transact(store, queue, &(struct queueing){.count = count}, &err));
    for (size_t i = 0; i < count; i++) {
        flushed[i] = flush_once(fd);
        claimed[i] = claim_once(store, &err);
    }
    (void)unlink(path);
    (void)printf("{\"claim\": %f, \"flush\": %f}\n", middle(claimed, count),
                 middle(flushed, count));
    return 0;
}

struct claimer {
    pthread_t thread;
    struct store *store;
    size_t count;
    double longest;
    struct err err;
};

static void *
claim_repeatedly(void *ctx)
{
    struct claimer *claimer = ctx;

    for (size_t i = 0; i < claimer->count; i++) {
        const double took = claim_once(claimer->store, &claimer->err);
        if (took > claimer->longest)
            claimer->longest = took;
    }
    return NULL;
}

static int
rush(char **arguments)
{
    AUTO(store_close) struct store *store = NULL;
    const size_t threads = read_count(arguments[1]);
    const size_t count = read_count(arguments[2]);
    auto_free struct claimer *claimers = calloc(threads, sizeof(*claimers));
    double longest = 0;

    if (!claimers)
        require(err_set(&err, ERR_NOMEM, "out of memory"));
    require(store_open(arguments[0], &store, &err));
    require(store_transact(store, queue, &(struct queueing){.count = threads * count}, &err));
    for (size_t i = 0; i < threads; i++) {
        claimers[i] = (struct claimer){.store = store, .count = count};
        if (pthread_create(&claimers[i].thread, NULL, claim_repeatedly, &claimers[i]))
            require(err_set(&err, ERR_NOMEM, "no thread"));
    }
    for (size_t i = 0; i < threads; i++) {
        (void)pthread_join(claimers[i].thread, NULL);
        if (claimers[i].longest > longest)
            longest = claimers[i].longest;
    }
    (void)printf("{\"longest\": %f}\n", longest);
    return 0;
}

/* ---- sandboxes ---- */

static int
collect(void *ctx, bool is_stderr, struct bytes output)
{
    (void)is_stderr;
    strbuf_add_bytes(ctx, output);
    return 0;
}

/* How long after its last word the end of a step is seen. */
static double
step_once(struct sandbox *box)
{
    AUTO_DONE(strbuf_done) struct strbuf output = STRBUF_INIT(100);
    const struct sandbox_command command = {.command = "exec date +%s%N",
                                            .timeout_ms = 60000,
                                            .output = collect,
                                            .output_ctx = &output};
    struct sandbox_result result;

    require(sandbox_execute(box, &command, &result, &err));
    const double seen = now_ms(CLOCK_REALTIME);
    return seen - (double)strtoull(strbuf_str(&output), NULL, 10) / 1e6;
}

static int
sandbox(char **arguments)
{
    const size_t count = read_count(arguments[4]);
    auto_free double *lives = new_times(count);
    auto_free double *ends = new_times(count);
    const struct sandbox_host host = {.engine = arguments[0],
                                      .runner_path = arguments[2],
                                      .doors_dir = arguments[3],
                                      .instance = "bench",
                                      .memory_mib = 1024,
                                      .cpus = 2,
                                      .processes = 512,
                                      .disk_mib = 512,
                                      .tmp_mib = 64,
                                      .workspace_in_memory = true};
    const struct sandbox_spec spec = {.image = arguments[1], .role = "work"};

    for (size_t i = 0; i < count; i++) {
        struct sandbox *box = NULL;
        const double begun = now_ms(CLOCK_MONOTONIC);
        require(box_open(&host, &spec, &box, &err));
        ends[i] = step_once(box);
        sandbox_close(box);
        lives[i] = now_ms(CLOCK_MONOTONIC) - begun;
    }
    (void)printf("{\"life\": %f, \"seen\": %f}\n", middle(lives, count), middle(ends, count));
    return 0;
}

/* ---- a push ---- */

static int
push(char **arguments)
{
    AUTO(repo_free) struct repo *mirror = NULL;
    AUTO(secret_free) struct secret *token = NULL;
    char now[REPO_COMMIT_BYTES];

    require(repo_init(arguments[2], &err));
    require(repo_open_mirror(arguments[0], &mirror, &err));
    require(secret_load(arguments[3], NULL, &token, &err));
    const struct repo_remote remote = {
        .url = arguments[1], .user = "x-access-token", .password = token};
    const double begun = now_ms(CLOCK_MONOTONIC);
    const int found = repo_remote_branch(mirror, &remote, arguments[4], now, &err);
    if (found != ERR_NOTFOUND)
        require(found ? found : err_set(&err, ERR_CONFLICT, "the branch is there already"));
    const double looked = now_ms(CLOCK_MONOTONIC);
    require(repo_push(mirror, &remote, arguments[4], arguments[5], NULL, &err));
    (void)printf("{\"look\": %f, \"push\": %f}\n", looked - begun,
                 now_ms(CLOCK_MONOTONIC) - looked);
    return 0;
}

static const struct {
    const char *name;
    int arguments;
    int (*run)(char **arguments);
} commands[] = {
    {"fill", 2, fill},       {"claims", 2, claims}, {"rush", 3, rush},
    {"sandbox", 5, sandbox}, {"push", 6, push},
};

int
main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
        if (str_equal(argv[1], commands[i].name) && argc == commands[i].arguments + 2)
            return commands[i].run(argv + 2);
    (void)fprintf(stderr, "usage: see the head of tests/bench/inside.c\n");
    return 2;
}
