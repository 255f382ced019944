/* What the tests of the application share: a store in a directory of its own, settings that serve
 * acme on GitHub and demo/calc locally, and GitHub's API as a script. */
#pragma once

#include "tests/harness/test.h"

#include <pthread.h>

#include "handlers/app.h"
#include "handlers/intake/permissions.h"
#include "handlers/settings/settings.h"
#include "handlers/thread/live.h"
#include "integrations/github/github.h"
#include "integrations/github/github_pacer.h"
#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/log.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "server/store/db.h"
#include "server/store/delivery.h"
#include "server/store/outbox.h"
#include "server/store/run.h"
#include "server/store/store.h"
#include "server/store/task.h"
#include "tests/harness/fake_http.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* An answer of the API, after which the connection ends. */
#define ANSWER(status, body)                                                                       \
    .reply =                                                                                       \
        "HTTP/1.1 " status "\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" body, \
    .then = FAKE_CLOSE

#define ASKED_FOR_OCTOCAT "GET /repos/acme/api/collaborators/octocat/permission "

struct world {
    char *dir;
    char *path; /* of the store */
    struct fake_http *api;
    struct settings settings;
    struct local_repository_settings repository;
    char *patterns[2];
    struct app app;
};

static inline void
world_fill_settings(struct world *w)
{
    struct github_settings *github = &w->settings.github;
    struct local_settings *local = &w->settings.local;
    struct err err;

    w->settings.bot =
        (struct bot_settings){.name = borrowed("draftd"), .label = borrowed("draftd")};
    w->settings.keep = (struct keep_settings){.payloads_days = 30, .logs_days = 180};
    w->patterns[0] = borrowed("acme/*");
    github->present = true;
    github->login = borrowed("draftd-bot");
    github->api_url = borrowed(w->api ? fake_http_url(w->api) : "http://127.0.0.1:9");
    github->git_url = borrowed("https://github.example");
    github->repositories = (struct string_list){.items = w->patterns, .count = 1};
    CHECK_OK(secret_new(bytes_of_str("hook secret"), &github->webhook_secret, &err), err);
    CHECK_OK(secret_new(bytes_of_str("token"), &github->token, &err), err);
    w->repository = (struct local_repository_settings){.name = borrowed("demo/calc"),
                                                       .path = str_printf("%s/calc.git", w->dir)};
    local->present = true;
    local->repositories = &w->repository;
    local->repository_count = 1;
    CHECK_OK(secret_new(bytes_of_str("0123456789abcdef01234567"), &local->key, &err), err);
}

/* Where `script` is NULL nobody listens at the API's address. */
static inline void
world_open(struct world *w, const struct fake_exchange *script, size_t count)
{
    struct err err;

    *w = (struct world){0};
    log_set_level(LOG_ERROR);
    CHECK_OK(fs_make_temp_dir(P_tmpdir, "test-handlers-", &w->dir, &err), err);
    w->path = str_printf("%s/store.db", w->dir);
    if (script)
        w->api = fake_http_new(NULL, script, count);
    world_fill_settings(w);
    w->app = (struct app){.settings = &w->settings,
                          .instance = "ab12",
                          .owner = "ab12",
                          .mirrors_dir = w->dir,
                          .scratch_dir = w->dir};
    CHECK_OK(store_open(w->path, &w->app.store, &err), err);
    CHECK_OK(github_tokens_new(&w->app.tokens, &err), err);
    CHECK_OK(permissions_new(&w->app.permissions, &err), err);
    CHECK_OK(live_new(&w->app.live, &err), err);
    CHECK_OK(stop_new(&w->app.stop, &err), err);
}

/* Were the API's exchanges those of the script? */
static inline void
world_check_api(struct world *w)
{
    const char *mistake = fake_http_mistake(w->api);

    if (mistake)
        TEST_FAIL("%s", mistake);
}

static inline void
world_close(struct world *w)
{
    if (w->api)
        fake_http_free(w->api);
    store_close(w->app.store);
    github_tokens_free(w->app.tokens);
    github_pacer_free(w->app.pacer);
    permissions_free(w->app.permissions);
    live_free(w->app.live);
    stop_free(w->app.stop);
    secret_free(w->settings.github.webhook_secret);
    secret_free(w->settings.github.webhook_secret_old);
    secret_free(w->settings.github.token);
    secret_free(w->settings.local.key);
    secret_free(w->settings.local.key_old);
    free(w->repository.path);
    CHECK_INT(fs_remove_tree(w->dir, NULL), 0);
    free(w->path);
    free(w->dir);
}

/* ---- looking into the store, and turning its clock ---- */

static inline int
world_exec_in(struct db *db, void *ctx, struct err *err)
{
    return db_exec(db, ctx, err);
}

static inline void
world_exec(struct world *w, const char *sql)
{
    struct err err;

    CHECK_OK(store_transact(w->app.store, world_exec_in, borrowed(sql), &err), err);
}

struct world_query {
    const char *sql;
    int64_t number;
    char *text; /* the first column of the first row; "(null)" for NULL, "(none)" without a row */
};

static inline int
world_query_in(struct db *db, void *ctx, struct err *err)
{
    struct world_query *query = ctx;
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row = false;

    int r = db_prepare(db, query->sql, &stmt, err);
    if (!r)
        r = db_step(stmt, &row, err);
    if (r)
        return r;
    query->number = row ? db_column_int(stmt, 0) : 0;
    const char *text = row ? db_column_text(stmt, 0) : "(none)";
    query->text = str_dup(text ? text : "(null)");
    return 0;
}

static inline int64_t
world_int(struct world *w, const char *sql)
{
    struct world_query query = {.sql = sql};
    struct err err;

    CHECK_OK(store_read(w->app.store, world_query_in, &query, &err), err);
    free(query.text);
    return query.number;
}

#define CHECK_STORED(w, statement, expected)                                                       \
    do {                                                                                           \
        struct world_query query_ = {.sql = (statement)};                                          \
        struct err query_err_;                                                                     \
        CHECK_OK(store_read((w)->app.store, world_query_in, &query_, &query_err_), query_err_);    \
        auto_free char *stored_ = query_.text;                                                     \
        CHECK_STR(stored_, expected);                                                              \
    } while (0)

#define CHECK_STORED_CONTAINS(w, statement, part)                                                  \
    do {                                                                                           \
        struct world_query query_ = {.sql = (statement)};                                          \
        struct err query_err_;                                                                     \
        CHECK_OK(store_read((w)->app.store, world_query_in, &query_, &query_err_), query_err_);    \
        auto_free char *stored_ = query_.text;                                                     \
        CHECK_CONTAINS(stored_, part);                                                             \
    } while (0)

/* ---- deliveries ---- */

struct world_delivery {
    const char *platform;
    const char *id;
    const char *event;
    const char *body;
    int64_t received_ms;
    int64_t ret_id;
};

static inline int
world_deliver_in(struct db *db, void *ctx, struct err *err)
{
    struct world_delivery *delivery = ctx;

    return delivery_insert(db,
                           &(struct delivery_new){.platform = delivery->platform,
                                                  .delivery_id = delivery->id,
                                                  .event = delivery->event,
                                                  .received_ms = delivery->received_ms,
                                                  .memory = bytes_of_str(delivery->body),
                                                  .spool_fd = -1},
                           &delivery->ret_id, err);
}

/* A stored delivery, as the receiver leaves it. Returns its number. */
static inline int64_t
world_deliver(
    struct world *w, const char *platform, const char *id, const char *event, const char *body)
{
    struct world_delivery delivery = {.platform = platform,
                                      .id = id,
                                      .event = event,
                                      .body = body,
                                      .received_ms = clock_now_ms()};
    struct err err;

    CHECK_OK(store_transact(w->app.store, world_deliver_in, &delivery, &err), err);
    return delivery.ret_id;
}

/* ---- tasks ---- */

struct world_task {
    const char *platform;
    const char *origin;
    const char *repository;
    int64_t id;
    int64_t run;
};

static inline int
world_task_in(struct db *db, void *ctx, struct err *err)
{
    struct world_task *made = ctx;
    const struct task task = {.platform = borrowed(made->platform),
                              .origin = borrowed(made->origin),
                              .thread = borrowed(made->origin),
                              .repository = borrowed(made->repository),
                              .number = 42,
                              .title = borrowed("Sum is wrong"),
                              .text = borrowed("1 + 1 gives 3."),
                              .requested_by = borrowed("octocat")};
    int r = task_insert(db, &task, 1000, &made->id, err);

    if (!r)
        r = run_insert(db,
                       &(struct run_new){.task = made->id,
                                         .trigger_kind = "label",
                                         .trigger_actor = "octocat",
                                         .trigger_ms = 900},
                       1000, &made->run, err);
    return r;
}

/* A task with its first run queued. */
static inline struct world_task
world_make_task(struct world *w, const char *platform, const char *origin)
{
    struct world_task made = {.platform = platform,
                              .origin = origin,
                              .repository =
                                  str_equal(platform, "local") ? "demo/calc" : "acme/api"};
    struct err err;

    CHECK_OK(store_transact(w->app.store, world_task_in, &made, &err), err);
    return made;
}
