/* See log_follow.h. */
#include "server/log_follow.h"

#include "server/base/clock.h"
#include "server/base/strbuf.h"
#include "server/limits.h"
#include "server/store/run.h"
#include "server/store/step.h"
#include "server/store/store.h"
#include "server/store/task.h"

#include <inttypes.h>

#define CHUNK_BYTES (64U * 1024)
#define HEADING_BYTES 4096

/* One consistent look: where the task is, and the next piece of output. */
struct look {
    struct log_follow *follow;
    struct strbuf text;
    bool more; /* there may be more to show at once */
};

void
log_follow_init(struct log_follow *follow, struct store *store, int64_t task, log_show_fn show)
{
    *follow = (struct log_follow){.store = store, .task = task, .show = show};
}

void
log_append_heading(struct strbuf *text, const struct step *step)
{
    strbuf_addf(text, "\n--- %s, %s", step_role_name(step->role), step_kind_name(step->kind));
    if (step->round)
        strbuf_addf(text, " (round %" PRId64 ")", step->round);
    strbuf_addf(text, ": %s\n", step->name);
}

void
log_append_end(struct strbuf *text, const struct step *step)
{
    char duration[CLOCK_TEXT_BYTES];
    /* Stores of older versions have steps that were left running. */
    const enum step_end end = step->end == STEP_RUNNING ? STEP_DRAFTD_DIED : step->end;

    strbuf_add_str(text, "--- ");
    strbuf_add_words(text, step_end_name(end));
    if (end == STEP_EXITED || end == STEP_SIGNALED)
        strbuf_addf(text, " %" PRId64, step->status);
    if (end != STEP_DRAFTD_DIED)
        strbuf_addf(text, " after %s", clock_format_duration(step->duration_ms, duration));
    strbuf_add_char(text, '\n');
}

static const struct step *
find_step(const struct step_list *steps, int64_t id)
{
    for (size_t i = 0; i < steps->count; i++)
        if (steps->items[i]->id == id)
            return steps->items[i];
    return NULL;
}

/* The step to go on with: the one being shown until its end was, then the one behind it. */
static const struct step *
current_step(struct look *look, const struct step_list *steps)
{
    struct log_follow *follow = look->follow;

    if (follow->step && !follow->end_shown)
        return find_step(steps, follow->step);
    for (size_t i = 0; i < steps->count; i++) {
        const struct step *step = steps->items[i];
        if (step->id <= follow->step)
            continue;
        follow->step = step->id;
        follow->offset = 0;
        follow->end_shown = false;
        log_append_heading(&look->text, step);
        return step;
    }
    return NULL;
}

/* Nothing more comes of it: it ended, or was left running, as the one behind it shows. */
static bool
is_over(const struct step_list *steps, const struct step *step)
{
    return step->end != STEP_RUNNING || steps->items[steps->count - 1]->id > step->id;
}

/* What is shown is a string, which a NUL in the output must not end. */
static void
replace_nuls(struct strbuf *text, size_t from)
{
    for (size_t i = from; i < text->len; i++)
        if (text->ptr[i] == '\0')
            text->ptr[i] = '?';
}

static int
look_at_steps(struct db *db, struct look *look, const struct step_list *steps, struct err *err)
{
    struct log_follow *follow = look->follow;
    const struct step *step = current_step(look, steps);
    const size_t before = look->text.len;

    if (!step)
        return 0;
    const int r = step->output_removed
                      ? 0
                      : step_read(db, step->id, follow->offset, CHUNK_BYTES, &look->text, err);
    if (r)
        return r;
    replace_nuls(&look->text, before);
    const size_t got = look->text.len - before;
    follow->offset += (int64_t)got;
    if (got == 0 && is_over(steps, step)) {
        if (step->output_removed)
            strbuf_addf(&look->text, "(%" PRId64 " bytes, not kept any more)\n",
                        step->output_bytes);
        log_append_end(&look->text, step);
        follow->end_shown = true;
    }
    look->more = got > 0 || follow->end_shown;
    return 0;
}

static int
look_at_run(struct db *db, struct look *look, const struct run *run, struct err *err)
{
    struct log_follow *follow = look->follow;
    AUTO_DONE(step_list_done) struct step_list steps = {0};

    if (run->id != follow->run) {
        follow->run = run->id;
        follow->step = 0;
        follow->end_shown = false;
    }
    const int r = step_list(db, run->id, &steps, err);
    return r ? r : look_at_steps(db, look, &steps, err);
}

/* A task that has ended may be live again, with another run; a run ends once. */
static void
note_end(struct look *look, const struct task *task, const struct run *run)
{
    struct log_follow *follow = look->follow;
    const bool drafted =
        follow->number ? run->outcome == OUTCOME_DRAFT : task->state == TASK_DRAFTED;
    const bool unchanged =
        follow->number ? run->outcome == OUTCOME_UNCHANGED : task->state == TASK_UNCHANGED;
    const bool live = follow->number ? run->state != RUN_ENDED : task_state_is_live(task->state);

    follow->ended = !live && !look->more;
    follow->succeeded = drafted || unchanged;
}

static int
take_look(struct db *db, void *ctx, struct err *err)
{
    struct look *look = ctx;
    struct log_follow *follow = look->follow;
    AUTO(task_free) struct task *task = NULL;
    AUTO(run_free) struct run *run = NULL;
    int r = task_get(db, follow->task, &task, err);

    if (r == ERR_NOTFOUND)
        return err_set(err, ERR_NOTFOUND, "there is no task %" PRId64, follow->task);
    if (!r)
        r = follow->number ? run_find(db, follow->task, follow->number, &run, err)
                           : run_latest(db, follow->task, &run, err);
    if (!r)
        r = look_at_run(db, look, run, err);
    if (!r)
        note_end(look, task, run);
    return r;
}

int
log_follow_turn(struct log_follow *follow, struct err *err)
{
    struct look look = {.follow = follow, .text = STRBUF_INIT(CHUNK_BYTES + HEADING_BYTES)};
    int r;

    do {
        look.more = false;
        strbuf_reset(&look.text);
        r = store_read(follow->store, take_look, &look, err);
        if (!r && follow->show)
            follow->show(strbuf_str(&look.text));
    } while (!r && look.more);
    strbuf_done(&look.text);
    return r;
}
