/* What a run publishes at GitHub, declared in github_session.h: the draft pull request, and what is
 * said of its head. Each call looks for its own earlier result first. */
#include "handlers/app.h"
#include "handlers/github_session.h"
#include "handlers/settings/settings.h"
#include "handlers/thread/evidence.h"
#include "handlers/thread/report.h"
#include "integrations/github/github.h"
#include "integrations/github/github_checks.h"
#include "server/base/log.h"
#include "server/base/str.h"
#include "server/store/outbox.h"
#include "server/store/task.h"

#include <string.h>

/* Is it one of ours that stands for a draft where GitHub supports none?  People make it theirs by
 * another title. */
static bool
is_ordinary(const struct github_pull *pull)
{
    return !pull->draft && str_starts_with(pull->title, REPORT_ORDINARY_TITLE) &&
           strstr(pull->body, REPORT_ORDINARY_WORDS);
}

/* A pull request that is there already. A closed one stays closed: people decided. So they did
 * about one that they marked ready or described anew: its words are theirs. */
static int
take_up(struct github *client,
        const struct task *task,
        const struct draft_request *request,
        struct github_pull *found,
        struct draft_made *ret_made,
        struct err *err)
{
    const bool ordinary = is_ordinary(found);
    int r = 0;

    if (ordinary && !request->ordinary) {
        ret_made->refused = true; /* its words are to say so */
        return 0;
    }
    if ((found->draft || ordinary) && report_is_ours(found->body))
        r = github_edit_pull(client, task->repository, found->number, request->title, request->body,
                             err);
    if (!r)
        *ret_made = (struct draft_made){.number = found->number, .url = TAKE(found->url)};
    return r;
}

static int
create(struct github *client,
       const struct task *task,
       const struct draft_request *request,
       struct draft_made *ret_made,
       struct err *err)
{
    const struct github_pull_new wanted = {
        .title = request->title,
        .body = request->body,
        .head = request->branch,
        .base = request->base_branch,
        .draft = !request->ordinary,
    };
    AUTO_DONE(github_pull_done) struct github_pull pull = {0};
    const int r = github_create_pull(client, task->repository, &wanted, &pull, err);

    if (r == ERR_INVALID && wanted.draft && github_drafts_refused(client)) {
        ret_made->refused = true;
        return 0;
    }
    if (!r)
        *ret_made = (struct draft_made){.number = pull.number, .url = TAKE(pull.url)};
    return r;
}

int
github_put_draft(struct session *session,
                 const struct task *task,
                 const struct draft_request *request,
                 struct draft_made *ret_made,
                 struct err *err)
{
    struct github *client = github_client(session);
    AUTO_DONE(github_pull_done) struct github_pull found = {0};
    int r = github_find_pull(client, task->repository, request->branch, &found, err);

    if (r == ERR_NOTFOUND) {
        r = create(client, task, request, ret_made, err);
        if (r != ERR_CONFLICT)
            return r;
        /* somebody opened one from the branch meanwhile, or GitHub's list was behind */
        r = github_find_pull(client, task->repository, request->branch, &found, err);
        if (r == ERR_NOTFOUND)
            return err_set(err, ERR_REMOTE,
                           "GitHub says that the branch %.200s has a pull request, and shows none",
                           request->branch);
    }
    return r ? r : take_up(client, task, request, &found, ret_made, err);
}

/* ---- evidence ---- */

static int
put_check(struct session *session,
          const struct task *task,
          const char *head,
          const struct evidence_note *note,
          struct err *err)
{
    static const char *const conclusions[] = {
        [EVIDENCE_NEUTRAL] = "neutral",
        [EVIDENCE_SUCCESS] = "success",
        [EVIDENCE_FAILURE] = "failure",
    };
    struct github *client = github_client(session);
    const struct github_check check = {.name = session->app->settings->bot.name,
                                       .external_id = note->id,
                                       .conclusion = conclusions[note->conclusion],
                                       .title = note->title,
                                       .summary = note->summary,
                                       .text = note->text,
                                       .url = note->url};
    int64_t id;
    /* a run that was taken up again owes it once more, whatever the count of attempts says */
    const int r = github_find_check(client, task->repository, head, check.name, note->id, &id, err);

    if (r == ERR_NOTFOUND)
        return github_create_check(client, task->repository, head, &check, &id, err);
    return r ? r : github_edit_check(client, task->repository, id, &check, err);
}

/* A status can be good or bad: where nothing was checked, nothing is said. */
static int
put_status(struct session *session,
           const struct task *task,
           const char *head,
           const struct evidence_note *note,
           struct err *err)
{
    const struct github_status status = {.state = note->conclusion == EVIDENCE_SUCCESS ? "success"
                                                                                       : "failure",
                                         .context = session->app->settings->bot.name,
                                         .description = note->title,
                                         .url = note->url};

    if (note->conclusion == EVIDENCE_NEUTRAL)
        return 0;
    return github_set_status(github_client(session), task->repository, head, &status, err);
}

/* The draft has it all besides: it does no harm. */
static void
log_denial(struct session *session, const char *how, const struct err *denial)
{
    struct github_session *github = (struct github_session *)session;

    if (!github->evidence_denied)
        log_warning("evidence_denied", kv_str("mend", how), kv_str("error", denial->msg));
    github->evidence_denied = true;
}

int
github_send_evidence(struct session *session,
                     const struct outbox_message *message,
                     const struct task *task,
                     struct err *err)
{
    const bool is_app = session->app->settings->github.app_id != 0;
    AUTO_DONE(evidence_note_done) struct evidence_note note = {0};
    int r = evidence_read(message->body, &note, err);

    if (r)
        return r;
    r = is_app ? put_check(session, task, message->target, &note, err)
               : put_status(session, task, message->target, &note, err);
    if (r != ERR_DENIED)
        return r;
    log_denial(session,
               is_app ? "give the App the permission Checks: read and write"
                      : "give the token the permission Commit statuses: read and write",
               err);
    return 0;
}
