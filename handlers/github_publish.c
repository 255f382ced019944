/* What a run publishes at GitHub, declared in github_session.h: the draft pull request. Each call
 * looks for its own earlier result first. */
#include "handlers/github_session.h"
#include "handlers/thread/report.h"
#include "integrations/github/github.h"
#include "server/base/str.h"
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
