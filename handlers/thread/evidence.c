/* See evidence.h. */
#include "handlers/thread/evidence.h"

#include "handlers/app.h"
#include "handlers/platform.h"
#include "handlers/thread/report.h"
#include "server/base/js.h"
#include "server/base/str.h"
#include "server/store/outbox.h"
#include "server/store/run.h"
#include "server/store/step.h"
#include "server/store/task.h"

#include <inttypes.h>
#include <stdlib.h>

static const char *const conclusions[] = {
    [EVIDENCE_NEUTRAL] = "neutral",
    [EVIDENCE_SUCCESS] = "success",
    [EVIDENCE_FAILURE] = "failure",
};
#define CONCLUSIONS (sizeof(conclusions) / sizeof(conclusions[0]))

void
evidence_note_done(struct evidence_note *note)
{
    free(note->id);
    free(note->title);
    free(note->summary);
    free(note->text);
    free(note->url);
    *note = (struct evidence_note){0};
}

static enum evidence_conclusion
conclude(enum run_verdict verdict)
{
    switch (verdict) {
    case VERDICT_VERIFIED:
        return EVIDENCE_SUCCESS;
    case VERDICT_NOT_VERIFIED:
        return EVIDENCE_FAILURE;
    case VERDICT_NONE:
    case VERDICT_NO_CHECKS:
        break;
    }
    return EVIDENCE_NEUTRAL;
}

static int
compose(struct db *db,
        const struct app *app,
        const struct task *task,
        const struct run *run,
        char **ret_body,
        struct err *err)
{
    AUTO_DONE(check_result_list_done) struct check_result_list checks = {0};
    AUTO_DONE(evidence_note_done) struct evidence_note note = {0};
    int r = check_list(db, run->id, &checks, err);

    if (!r)
        r = report_evidence(run, &checks, &note.title, &note.summary, &note.text, err);
    if (r)
        return r;
    note.id = str_printf("%s/%" PRId64 "/%" PRId64, app->instance, task->id, run->number);
    AUTO(js_free)
    json_t *json = json_pack("{s:s*, s:s, s:s, s:s, s:s*, s:s*}", "id", note.id, "conclusion",
                             conclusions[conclude(run->verdict)], "title", note.title, "summary",
                             note.summary, "text", note.text, "url", task->draft_url);
    return note.id ? js_dump(json, ret_body, err) : err_set(err, ERR_NOMEM, "out of memory");
}

int
evidence_owe(struct db *db,
             const struct app *app,
             const struct task *task,
             const struct run *run,
             int64_t now_ms,
             struct err *err)
{
    const struct platform *platform = platform_find(task->platform);
    auto_free char *thread = str_printf("%s evidence", task->thread);
    auto_free char *body = NULL;

    if (!platform || !platform->send || !run->head_commit)
        return 0;
    if (!thread)
        return err_set(err, ERR_NOMEM, "out of memory");
    const int r = compose(db, app, task, run, &body, err);
    if (r)
        return r;
    return outbox_put(db,
                      &(struct outbox_new){.platform = task->platform,
                                           .thread = thread,
                                           .kind = OUTBOX_EVIDENCE,
                                           .task = task->id,
                                           .target = run->head_commit,
                                           .body = body},
                      now_ms, err);
}

static int
read_conclusion(const char *name, enum evidence_conclusion *ret_conclusion, struct err *err)
{
    for (size_t i = 0; i < CONCLUSIONS; i++) {
        if (!str_equal(name, conclusions[i]))
            continue;
        *ret_conclusion = (enum evidence_conclusion)i;
        return 0;
    }
    return err_set(err, ERR_INVALID, "evidence without a conclusion");
}

int
evidence_read(const char *body, struct evidence_note *ret_note, struct err *err)
{
    AUTO(js_free) json_t *json = NULL;
    AUTO_DONE(evidence_note_done) struct evidence_note note = {0};
    int r = js_parse(bytes_of_str(body), &json, err);

    if (!r)
        r = read_conclusion(js_str(json, "conclusion"), &note.conclusion, err);
    if (!r)
        r = str_set(&note.id, js_str(json, "id"), err);
    if (!r)
        r = str_set(&note.title, js_str(json, "title"), err);
    if (!r)
        r = str_set(&note.summary, js_str(json, "summary"), err);
    if (!r)
        r = str_set(&note.text, js_str(json, "text"), err);
    if (!r)
        r = str_set(&note.url, js_str(json, "url"), err);
    if (r)
        return r;
    if (!note.id || !note.title || !note.summary)
        return err_set(err, ERR_INVALID, "evidence without id, title or summary");
    *ret_note = TAKE_STRUCT(note);
    return 0;
}
