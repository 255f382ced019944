/* See remarks.h. */
#include "handlers/run/remarks.h"

#include "handlers/app.h"
#include "handlers/intake/follow_up.h"
#include "handlers/platform.h"
#include "handlers/thread/report.h"
#include "server/base/crypto.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "server/store/outbox.h"
#include "server/store/store.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct load_work {
    int64_t run;
    struct remark_list *list;
};

static int
load(struct db *db, void *ctx, struct err *err)
{
    const struct load_work *work = ctx;
    return remark_list_of_run(db, work->run, work->list, err);
}

int
remarks_load(struct work *work, struct err *err)
{
    struct load_work loading = {.run = work->run->id, .list = &work->remarks};

    remark_list_done(&work->remarks);
    return store_read(work->app->store, load, &loading, err);
}

/* ---- red checks ---- */

/* The same failure has the same letters; times, addresses and numbers of lines differ. */
static int
name_failure(const char *text, char **ret_name, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf letters = STRBUF_INIT(strlen(text) + 1);
    char hash[SHA256_HEX_BYTES];

    for (const char *at = text; *at; at++)
        if (isalpha((unsigned char)*at))
            strbuf_add_char(&letters, *at);
    const int r = crypto_sha256_hex(bytes_of(strbuf_str(&letters), letters.len), hash, err);
    if (r)
        return r;
    *ret_name = str_printf("failure:%s", hash);
    return *ret_name ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

struct failure_work {
    const struct work *work;
    int64_t remark;
    const char *text;
    const char *name;
    bool known;
};

static int
store_failure(struct db *db, void *ctx, struct err *err)
{
    struct failure_work *failure = ctx;
    const int r = run_check_lease(db, failure->work->lease, err);

    return r ? r
             : remark_set_failure(db, failure->remark, failure->text, failure->name,
                                  &failure->known, err);
}

/* What cannot be read any more is done without; what may pass is waited for. */
static int
read_text(struct work *work, const struct remark *remark, char **ret_text, struct err *err)
{
    const struct platform *platform = work->session->platform;
    struct err fault = {0};
    int r =
        platform->read_failures && remark->batch
            ? platform->read_failures(work->session, work->task, remark->batch, ret_text, &fault)
            : err_set(&fault, ERR_NOTFOUND, "the platform does not tell");

    if (r && err_may_pass(r) && r != ERR_AUTH) {
        *err = fault;
        return r;
    }
    if (!r)
        return 0;
    *ret_text = str_printf("What failed could not be read: %s", fault.msg);
    return *ret_text ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

static int
read_failure(struct work *work, const struct remark *remark, bool *ret_known, struct err *err)
{
    auto_free char *text = NULL;
    auto_free char *name = NULL;
    int r = read_text(work, remark, &text, err);

    if (!r)
        r = name_failure(text, &name, err);
    if (r)
        return r;
    struct failure_work failure = {.work = work, .remark = remark->id, .text = text, .name = name};
    r = store_transact(work->app->store, store_failure, &failure, err);
    *ret_known = failure.known;
    return r;
}

int
remarks_read_failures(struct work *work, struct err *err)
{
    bool again = false;
    bool other = false;
    bool read = false;

    for (size_t i = 0; i < work->remarks.count; i++) {
        const struct remark *remark = work->remarks.items[i];
        bool known = false;
        other |= remark->kind != REMARK_CI;
        if (remark->kind != REMARK_CI || remark->text[0])
            continue;
        const int r = read_failure(work, remark, &known, err);
        if (r)
            return r;
        read = true;
        again |= known;
    }
    if (again && !other)
        return work_conclude(work, err, OUTCOME_UNCHANGED,
                             "the checks fail as they did before a run tried to mend them: that is "
                             "for people now");
    return read ? remarks_load(work, err) : 0;
}

/* ---- what comes in meanwhile ---- */

struct take_work {
    const struct work *work;
    int64_t round;
    size_t count;
};

static int
take(struct db *db, void *ctx, struct err *err)
{
    struct take_work *taking = ctx;
    const struct work *work = taking->work;
    const int r = run_check_lease(db, work->lease, err);

    return r ? r
             : remark_take(db, work->task->id, work->run->id, taking->round, &taking->count, err);
}

int
remarks_take(struct work *work, int64_t round, bool *ret_new, struct err *err)
{
    struct take_work taking = {.work = work, .round = round};
    int r = store_transact(work->app->store, take, &taking, err);

    if (!r && taking.count > 0)
        r = remarks_load(work, err);
    if (!r)
        *ret_new = taking.count > 0;
    return r;
}

/* ---- what the agent says ---- */

/* "12: ..." or "12. ...": the number, and where the text begins. 0: the line begins no answer. */
static size_t
read_number(const char *line, size_t *ret_text)
{
    char *end;

    if (!isdigit((unsigned char)line[0]))
        return 0;
    const unsigned long number = strtoul(line, &end, 10);
    if (*end != ':' && *end != '.' && *end != ')')
        return 0;
    *ret_text = (size_t)(end + 1 - line);
    return number;
}

struct answer_work {
    const struct work *work;
    int64_t remark;
    const char *text;
};

static int
store_answer(struct db *db, void *ctx, struct err *err)
{
    const struct answer_work *answer = ctx;
    const int r = run_check_lease(db, answer->work->lease, err);

    return r ? r : remark_set_answer(db, answer->remark, answer->text, err);
}

/* Keep what was gathered for the remark `number`; an unknown one is nobody's. */
static int
keep_answer(struct work *work, size_t number, struct strbuf *text, struct err *err)
{
    while (text->len > 0 && isspace((unsigned char)text->ptr[text->len - 1]))
        strbuf_truncate(text, text->len - 1);
    if (number == 0 || number > work->remarks.count || text->len == 0)
        return 0;
    struct answer_work answer = {
        .work = work,
        .remark = work->remarks.items[number - 1]->id,
        .text = strbuf_str(text) + strspn(strbuf_str(text), " \t\n"),
    };
    return store_transact(work->app->store, store_answer, &answer, err);
}

int
remarks_set_answers(struct work *work, const char *text, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf answer = STRBUF_INIT(strlen(text) + 2);
    size_t number = 0;
    int r = 0;

    while (!r && *text) {
        const size_t len = strcspn(text, "\n");
        size_t begin = 0;
        const size_t next = read_number(text, &begin);
        if (next > 0) {
            r = keep_answer(work, number, &answer, err);
            strbuf_truncate(&answer, 0);
            number = next;
        }
        strbuf_add(&answer, text + begin, len - begin);
        strbuf_add_char(&answer, '\n');
        text += len + (text[len] == '\n');
    }
    return r ? r : keep_answer(work, number, &answer, err);
}

/* ---- the end ---- */

static int
owe_answer(struct db *db,
           const struct app *app,
           const struct task *task,
           const struct run *run,
           const struct remark *remark,
           int64_t now_ms,
           struct err *err)
{
    auto_free char *text = NULL;
    const int r = report_remark_answer(task, run, remark, app->instance, &text, err);

    return r ? r
             : outbox_put(db,
                          &(struct outbox_new){.platform = task->platform,
                                               .thread = task->thread,
                                               .kind = OUTBOX_COMMENT,
                                               .task = task->id,
                                               .target = remark->target,
                                               .body = text},
                          now_ms, err);
}

static int
owe_answers(struct db *db,
            const struct app *app,
            const struct work *work,
            const struct run *run,
            int64_t now_ms,
            struct err *err)
{
    AUTO_DONE(remark_list_done) struct remark_list list = {0};
    const struct platform *platform = platform_find(work->task->platform);
    int r = remark_list_of_run(db, run->id, &list, err);

    for (size_t i = 0; !r && platform && platform->send && i < list.count; i++)
        if (list.items[i]->target)
            r = owe_answer(db, app, work->task, run, list.items[i], now_ms, err);
    return r;
}

int
remarks_close(
    struct db *db, const struct app *app, const struct work *work, int64_t now_ms, struct err *err)
{
    AUTO(run_free) struct run *run = NULL;
    int r = run_get(db, work->run->id, &run, err);

    if (!r && run->outcome != OUTCOME_CANCELED)
        r = owe_answers(db, app, work, run, now_ms, err);
    return r ? r : follow_up_queue(db, app, work->task->id, 0, now_ms, err);
}
