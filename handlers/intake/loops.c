/* See loops.h. Red checks of the forge have bounds of their own: follow_up.c. */
#include "handlers/intake/loops.h"

#include "handlers/app.h"
#include "handlers/intake/event.h"
#include "handlers/settings/settings.h"
#include "server/base/clock.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "server/limits.h"
#include "server/store/outbox.h"
#include "server/store/remark.h"
#include "server/store/run.h"
#include "server/store/task.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define MOST_RUNS_AN_HOUR 10
#define MOST_ANSWERS_AN_HOUR 10
#define MOST_REPEATS 2    /* in a day: once by mistake, once in earnest */
#define FEWEST_LETTERS 12 /* of a message of ours that is known again */

/* Of `text` what makes a difference, in small letters: digits, signs and spaces make none between
 * the words of a program, mentions are no words, and quotes, if wanted so, are not its own. */
static void
append_words(struct strbuf *buf, const char *text, const char *bot_name, bool quotes_too)
{
    bool skips = false;

    for (bool line_starts = true; *text; text++) {
        if (*text == '\n') {
            line_starts = true;
            continue;
        }
        if (line_starts && (*text == ' ' || *text == '\t'))
            continue;
        skips = line_starts ? *text == '>' && !quotes_too : skips;
        line_starts = false;
        if (skips)
            continue;
        if (*text == '@' && strncasecmp(text + 1, bot_name, strlen(bot_name)) == 0)
            text += strlen(bot_name);
        else if (isalpha((unsigned char)*text) || (unsigned char)*text >= 0x80)
            strbuf_add_char(buf, (char)tolower((unsigned char)*text));
    }
}

/* What the event says beyond a mention; NULL: nothing. */
static const char *
words_of(const struct event *event)
{
    if (event->kind != EVENT_REMARK)
        return event->kind == EVENT_START ? event->instruction : NULL;
    return event->remark->kind == REMARK_CI ? NULL : event->remark->text;
}

/* `words`: of append_words(). None are the same as no others. */
static bool
has_words(const char *text, const struct strbuf *words)
{
    AUTO_DONE(strbuf_done) struct strbuf own = STRBUF_INIT(LIMIT_TEXT_BYTES);

    if (!text || words->len == 0)
        return false;
    append_words(&own, text, "", false);
    return strbuf_ok(&own) && str_equal(strbuf_str(&own), strbuf_str(words));
}

/* ---- echoes ---- */

/* Is our message, whose first line nobody sees, most of these words? */
static bool
is_most_of(const char *message, const char *bot_name, bool quotes_too, const struct strbuf *words)
{
    AUTO_DONE(strbuf_done) struct strbuf ours = STRBUF_INIT(LIMIT_TEXT_BYTES);

    append_words(&ours, message + strcspn(message, "\n"), bot_name, quotes_too);
    return strbuf_ok(&ours) && ours.len >= FEWEST_LETTERS && words->len <= 2 * ours.len &&
           strstr(strbuf_str(words), strbuf_str(&ours));
}

int
loops_find_echo(struct db *db,
                const struct app *app,
                const struct task *task,
                const struct event *event,
                bool *ret_echo,
                struct err *err)
{
    AUTO_DONE(outbox_list_done) struct outbox_list list = {0};
    AUTO_DONE(strbuf_done) struct strbuf words = STRBUF_INIT(LIMIT_TEXT_BYTES);
    const char *text = words_of(event);
    const char *bot_name = app->settings->bot.name;

    *ret_echo = false;
    if (!text)
        return 0;
    append_words(&words, text, bot_name, false);
    const int r = strbuf_ok(&words) ? outbox_list(db, task->id, &list, err) : 0;
    for (size_t i = 0; !r && i < list.count && !*ret_echo; i++) {
        const struct outbox_message *message = list.items[i];
        if (message->kind == OUTBOX_STATUS || message->kind == OUTBOX_COMMENT)
            *ret_echo = is_most_of(message->body, bot_name, true, &words) ||
                        is_most_of(message->body, bot_name, false, &words);
    }
    return r;
}

/* ---- how often ---- */

static int
check_runs(const struct task *task, const struct run_list *runs, int64_t now_ms, struct err *err)
{
    int64_t count = 0;

    for (size_t i = 0; i < runs->count; i++)
        count += runs->items[i]->created_ms > now_ms - MS_PER_HOUR;
    return count < MOST_RUNS_AN_HOUR
               ? 0
               : err_set(err, ERR_CONFLICT,
                         "task %" PRId64 " had %" PRId64 " runs within an hour: that looks like "
                         "programs that answer each other; ask again later",
                         task->id, count);
}

int
loops_check_answers(
    struct db *db, int64_t task, const char *thread, int64_t now_ms, struct err *err)
{
    size_t count = 0;
    const int r = outbox_count_comments(db, task, thread, now_ms - MS_PER_HOUR, &count, err);

    return r || count < MOST_ANSWERS_AN_HOUR
               ? r
               : err_set(err, ERR_CONFLICT, "%zu comments were answered here within an hour",
                         count);
}

/* ---- the same again ---- */

/* Was this run begun, or was a remark given to it, by the same words in the same place? */
static bool
was_asked(const struct run *run,
          const struct remark_list *remarks,
          const struct event *event,
          const struct strbuf *words)
{
    const struct remark *said = event->remark;

    if (str_equal(run->trigger_actor, event->actor) && has_words(run->instruction, words))
        return true;
    for (size_t i = 0; i < remarks->count; i++) {
        const struct remark *known = remarks->items[i];
        if (known->run != run->id || !str_equal(known->actor, event->actor) ||
            !has_words(known->text, words))
            continue;
        if (!said || (!known->target && !said->target) || str_equal(known->target, said->target))
            return true;
    }
    return false;
}

static int
check_repeats(struct db *db,
              const struct task *task,
              const struct run_list *runs,
              const struct event *event,
              int64_t now_ms,
              struct err *err)
{
    AUTO_DONE(remark_list_done) struct remark_list remarks = {0};
    AUTO_DONE(strbuf_done) struct strbuf words = STRBUF_INIT(LIMIT_TEXT_BYTES);
    const char *text = words_of(event);
    size_t count = 0;

    if (text)
        append_words(&words, text, "", false);
    if (!strbuf_ok(&words) || words.len == 0)
        return 0;
    const int r = remark_list_of_task(db, task->id, &remarks, err);
    for (size_t i = 0; !r && i < runs->count; i++)
        count += runs->items[i]->created_ms > now_ms - MS_PER_DAY &&
                 was_asked(runs->items[i], &remarks, event, &words);
    return r || count < MOST_REPEATS
               ? r
               : err_set(err, ERR_CONFLICT,
                         "%s said the same %zu times already: say what should be different",
                         event->actor, count);
}

int
loops_check_work(struct db *db,
                 const struct task *task,
                 const struct event *event,
                 int64_t now_ms,
                 struct err *err)
{
    AUTO_DONE(run_list_done) struct run_list runs = {0};
    const bool remarks = event->kind == EVENT_REMARK && event->remark->kind != REMARK_CI;

    if (event->kind != EVENT_START && !remarks)
        return 0;
    int r = run_list(db, task->id, &runs, err);
    if (!r)
        r = check_runs(task, &runs, now_ms, err);
    if (r || event->command == MENTION_RETRY || event->command == MENTION_REBASE)
        return r;
    return check_repeats(db, task, &runs, event, now_ms, err);
}
