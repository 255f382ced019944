/* See repo_history.h. */
#include "integrations/git/repo_history.h"

#include <string.h>

#define FIRST_SLOTS 1024U
#define WATCH_EACH                                                                                 \
    256U /* commits; a look at the clock for each would cost more than the commit                  \
          */

struct repo_history {
    git_revwalk *walk;
    bool ended;
    git_oid *slots;    /* a hash table with open addressing; the zero id: free */
    size_t slot_count; /* a power of two, more than half of them free */
    size_t count;
};

void
repo_history_free(struct repo_history *history)
{
    if (!history)
        return;
    git_revwalk_free(history->walk);
    free(history->slots);
    free(history);
}

int
repo_history_new(git_repository *git,
                 const git_oid *tip,
                 struct repo_history **ret_history,
                 struct err *err)
{
    AUTO(repo_history_free) struct repo_history *history = calloc(1, sizeof *history);

    if (!history)
        return err_set(err, ERR_NOMEM, "out of memory");
    history->slot_count = FIRST_SLOTS;
    history->slots = calloc(history->slot_count, sizeof *history->slots);
    if (!history->slots)
        return err_set(err, ERR_NOMEM, "out of memory");
    int r = git_revwalk_new(&history->walk, git);
    r = r ? r : git_revwalk_push(history->walk, tip);
    if (r)
        return repo_git_error(err, r, "reading the history of %s", git_oid_tostr_s(tip));
    *ret_history = TAKE(history);
    return 0;
}

/* Where the commit is, or the free slot where it belongs. */
static git_oid *
find_slot(git_oid *slots, size_t slot_count, const git_oid *id)
{
    size_t at;

    memcpy(&at, id->id, sizeof at);
    for (at &= slot_count - 1; !git_oid_is_zero(&slots[at]); at = (at + 1) & (slot_count - 1)) {
        if (git_oid_equal(&slots[at], id))
            break;
    }
    return &slots[at];
}

static int
grow(struct repo_history *history, struct err *err)
{
    const size_t slot_count = 2 * history->slot_count;
    git_oid *slots = calloc(slot_count, sizeof *slots);

    if (!slots)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < history->slot_count; i++) {
        const git_oid *id = &history->slots[i];
        if (!git_oid_is_zero(id))
            *find_slot(slots, slot_count, id) = *id;
    }
    free(history->slots);
    history->slots = slots;
    history->slot_count = slot_count;
    return 0;
}

static int
read_on(struct repo_history *history, git_oid *ret_id, struct err *err)
{
    int r = history->count >= history->slot_count / 2 ? grow(history, err) : 0;

    if (r)
        return r;
    r = git_revwalk_next(ret_id, history->walk);
    if (r == GIT_ITEROVER) {
        history->ended = true;
        return 0;
    }
    if (r)
        return repo_git_error(err, r, "reading the history of the base");
    *find_slot(history->slots, history->slot_count, ret_id) = *ret_id;
    history->count++;
    return 0;
}

int
repo_history_has(struct repo_history *history,
                 const git_oid *id,
                 const struct repo_watch *watch,
                 bool *ret_has,
                 struct err *err)
{
    bool has = !git_oid_is_zero(id) &&
               git_oid_equal(find_slot(history->slots, history->slot_count, id), id);

    while (!has && !history->ended) {
        git_oid next = {0};
        int r = history->count % WATCH_EACH == 0 ? repo_watch_check(watch, err) : 0;
        r = r ? r : read_on(history, &next, err);
        if (r)
            return r;
        has = !history->ended && git_oid_equal(&next, id);
    }
    *ret_has = has;
    return 0;
}
