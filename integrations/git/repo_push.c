/* Setting one branch of a remote. Over HTTPS the request is our own: libgit2's push looks at every
 * ref that the server has, which takes seconds where there are thousands, and cannot say which
 * commit the branch has to be at. On this machine the repository is written directly. Neither way
 * moves a branch from anywhere but where the caller saw it. */
#include <git2.h>
#include <string.h>

#include "integrations/git/repo_link.h"
#include "integrations/git/repo_report.h"
#include "server/base/fs.h"
#include "server/base/str.h"

#define SAID_BYTES 400U /* of the server's words: they go into an error message */
#define ANSWER_BYTES ((size_t)1024 * 1024) /* progress and report */
#define ANSWER_STEP 4096U

/* Where the target has a ref: 0, or ERR_NOTFOUND. */
typedef int (*find_fn)(void *ctx, const char *ref, git_oid *ret_id);

struct push {
    struct repo *repo;
    const struct repo_remote *remote;
    char *ref;
    git_oid commit;
    git_oid expected;
    bool create; /* the branch must not exist yet */
};

static void
push_done(struct push *push)
{
    free(push->ref);
}

/* May the branch, which is at `now` (NULL: absent), be set? *ret_done: it is there already. */
static int
judge_place(const struct push *push, const git_oid *now, bool *ret_done, struct err *err)
{
    const char *url = push->remote->url;

    *ret_done = now && git_oid_equal(now, &push->commit);
    if (*ret_done)
        return 0;
    if (push->create && now)
        return err_set(err, ERR_CONFLICT, "%s has %s already, elsewhere", url, push->ref);
    if (!push->create && !now)
        return err_set(err, ERR_CONFLICT, "%s in %s was removed meanwhile", push->ref, url);
    if (now && !git_oid_equal(now, &push->expected))
        return err_set(err, ERR_CONFLICT, "%s in %s was moved meanwhile by someone else", push->ref,
                       url);
    if (now && git_graph_descendant_of(push->repo->git, &push->commit, now) != 1)
        return err_set(err, ERR_CONFLICT,
                       "the new commit does not descend from %s in %s, and nothing is forced",
                       push->ref, url);
    return 0;
}

/* Leave out what the target has: where its branches are that the mirror has too. A mirror that fell
 * behind catches up first; without a commit in common all of history would be sent. */
static int
hide_branch(
    const struct push *push, const char *ref, git_oid at, git_revwalk *walk, struct err *err)
{
    AUTO(git_odb_free) git_odb *odb = NULL;
    auto_free char *branch = NULL;
    char now[REPO_COMMIT_BYTES];
    int r = git_repository_odb(&odb, push->repo->git);

    if (!r && !git_odb_exists(odb, &at)) {
        const char *name = ref + strlen("refs/heads/");
        r = repo_fetch(push->repo, push->remote, name, &branch, now, err);
        r = r ? r : repo_parse_id(now, &at, err);
        if (r)
            return r;
    }
    r = r ? r : git_revwalk_hide(walk, &at);
    return r ? repo_git_error(err, r, "looking at %s", ref) : 0;
}

static int
hide_known(const struct push *push, find_fn find, void *ctx, git_revwalk *walk, struct err *err)
{
    AUTO_DONE(git_strarray_dispose) git_strarray refs = {0};
    int r = git_reference_list(&refs, push->repo->git);

    if (!r && !push->create)
        r = git_revwalk_hide(walk, &push->expected);
    if (r)
        return repo_git_error(err, r, "looking at the refs of %s", push->repo->path);
    for (size_t i = 0; i < refs.count && !r; i++) {
        git_oid at;
        if (str_starts_with(refs.strings[i], "refs/heads/") && !find(ctx, refs.strings[i], &at))
            r = hide_branch(push, refs.strings[i], at, walk, err);
    }
    return r;
}

/* The objects that the target lacks. */
static int
collect_objects(const struct push *push,
                find_fn find,
                void *ctx,
                git_packbuilder **ret_builder,
                struct err *err)
{
    AUTO(git_packbuilder_free) git_packbuilder *builder = NULL;
    AUTO(git_revwalk_free) git_revwalk *walk = NULL;
    int r = git_revwalk_new(&walk, push->repo->git);

    r = r ? r : git_revwalk_push(walk, &push->commit);
    if (r)
        return repo_git_error(err, r, "collecting objects for %s", push->remote->url);
    r = hide_known(push, find, ctx, walk, err);
    if (r)
        return r;
    r = git_packbuilder_new(&builder, push->repo->git);
    r = r ? r : git_packbuilder_insert_walk(builder, walk);
    if (r)
        return repo_git_error(err, r, "collecting objects for %s", push->remote->url);
    *ret_builder = TAKE(builder);
    return 0;
}

static int
find_advertised(void *ctx, const char *ref, git_oid *ret_id)
{
    return repo_link_find(ctx, ref, ret_id, NULL);
}

static void
stream_free(git_smart_subtransport_stream *stream)
{
    stream->free(stream);
}
AUTO_DEFINE(git_smart_subtransport_stream *, stream_free)

static int
write_piece(void *piece, size_t len, void *ctx)
{
    git_smart_subtransport_stream *stream = ctx;

    return stream->write(stream, piece, len);
}

/* "OLD NEW REF" and the pack, as gitprotocol-pack(5) has it. The server compares OLD when it takes
 * the branch's lock. */
static int
write_request(const struct push *push,
              git_packbuilder *builder,
              git_smart_subtransport_stream *stream,
              struct err *err)
{
    static const char format[] =
        "%s %s %s%c report-status side-band-64k agent=draftd/" DRAFTD_VERSION;
    AUTO_DONE(strbuf_done) struct strbuf command = STRBUF_INIT(8192);
    AUTO_DONE(strbuf_done) struct strbuf line = STRBUF_INIT(8192);
    char old[GIT_OID_HEXSZ + 1];
    char new[GIT_OID_HEXSZ + 1];

    git_oid_tostr(old, sizeof old, &push->expected); /* zero for a new branch */
    git_oid_tostr(new, sizeof new, &push->commit);
    strbuf_addf(&command, format, old, new, push->ref, '\0');
    strbuf_addf(&line, "%04zx", command.len + 4);
    strbuf_add(&line, command.ptr, command.len);
    strbuf_add_str(&line, "0000");
    if (!strbuf_ok(&command) || !strbuf_ok(&line))
        return err_set(err, ERR_INVALID, "the name %s is too long", push->ref);
    if (stream->write(stream, line.ptr, line.len) ||
        git_packbuilder_foreach(builder, write_piece, stream))
        return -1;
    return 0;
}

static int
read_answer(git_smart_subtransport_stream *stream, struct strbuf *answer)
{
    char buf[ANSWER_STEP];
    size_t len;

    do {
        if (stream->read(stream, buf, sizeof buf, &len))
            return -1;
        strbuf_add(answer, buf, len);
    } while (len > 0);
    return 0;
}

/* Send the branch to the server.  *ret_taken: it took it; else `said` tells why not. */
static int
send_branch(const struct push *push,
            struct repo_link *link,
            bool *ret_taken,
            struct strbuf *said,
            struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf answer = STRBUF_INIT(ANSWER_BYTES);
    AUTO(git_packbuilder_free) git_packbuilder *builder = NULL;
    AUTO(stream_free) git_smart_subtransport_stream *stream = NULL;
    int r = collect_objects(push, find_advertised, link, &builder, err);

    if (r)
        return r;
    r = repo_wire_exchange(link->wire, GIT_SERVICE_RECEIVEPACK, &stream);
    r = r ? r : write_request(push, builder, stream, err);
    r = r ? r : read_answer(stream, &answer);
    if (r)
        return r == ERR_INVALID ? r : repo_link_error(link, r, err);
    if (!strbuf_ok(&answer))
        return err_set(err, ERR_REMOTE, "%s has too much to say", push->remote->url);
    r = repo_report_parse(bytes_of(answer.ptr, answer.len), push->ref, ret_taken, said, err);
    return r ? err_wrap(err, "%s", push->remote->url) : 0;
}

/* The server said no. Was it because the branch has moved between our look and our push? */
static int
explain_refusal(const struct push *push, const struct strbuf *said, struct err *err)
{
    char now[REPO_COMMIT_BYTES];
    git_oid id;
    bool done;
    int r =
        repo_remote_branch(push->repo, push->remote, push->ref + strlen("refs/heads/"), now, err);

    if (r && r != ERR_NOTFOUND)
        return r;
    if (r == 0 && git_oid_fromstr(&id, now))
        return err_set(err, ERR_REMOTE, "%s names no commit", push->remote->url);
    r = judge_place(push, r ? NULL : &id, &done, err);
    if (r || done)
        return r;
    return err_set(err, ERR_INVALID, "%s declined %s: %s", push->remote->url, push->ref,
                   strbuf_str(said));
}

static int
push_https(const struct push *push, struct err *err)
{
    AUTO_DONE(repo_link_done) struct repo_link link = {0};
    AUTO_DONE(strbuf_done) struct strbuf said = STRBUF_INIT(SAID_BYTES);
    struct repo *repo = push->repo;
    bool taken = false;
    git_oid now;
    bool done;
    int r = repo_link_open(&link, repo->git, push->remote, repo->path, GIT_DIRECTION_PUSH, err);

    if (r)
        return r;
    r = repo_link_find(&link, push->ref, &now, err);
    if (r && r != ERR_NOTFOUND)
        return r;
    r = judge_place(push, r ? NULL : &now, &done, err);
    if (r || done)
        return r;
    r = send_branch(push, &link, &taken, &said, err);
    return r || taken ? r : explain_refusal(push, &said, err);
}

/* What people have checked out would look changed to them if the branch moved below it. */
static int
check_not_in_use(git_repository *target, const struct push *push, struct err *err)
{
    AUTO(git_reference_free) git_reference *head = NULL;
    AUTO(git_reference_free) git_reference *branch = NULL;
    bool used = false;

    if (!git_repository_is_bare(target) && !git_reference_lookup(&head, target, "HEAD"))
        used = str_equal(git_reference_symbolic_target(head), push->ref);
    if (!used && !git_reference_lookup(&branch, target, push->ref))
        used = !git_repository_is_bare(target) && git_branch_is_checked_out(branch) == 1;
    git_error_clear();
    if (used)
        return err_set(err, ERR_CONFLICT, "%s is checked out in %s", push->ref, push->remote->url);
    return 0;
}

static int
find_in_repository(void *ctx, const char *ref, git_oid *ret_id)
{
    const int r = git_reference_name_to_id(ret_id, ctx, ref);

    git_error_clear();
    return r ? ERR_NOTFOUND : 0;
}

static int
copy_objects(git_repository *target, const struct push *push, struct err *err)
{
    AUTO(git_packbuilder_free) git_packbuilder *builder = NULL;
    AUTO_DONE(git_buf_dispose) git_buf objects = GIT_BUF_INIT;
    auto_free char *packs = NULL;
    int r = collect_objects(push, find_in_repository, target, &builder, err);

    if (r)
        return r;
    if (git_packbuilder_object_count(builder) == 0)
        return 0;
    r = git_repository_item_path(&objects, target, GIT_REPOSITORY_ITEM_OBJECTS);
    if (r)
        return repo_git_error(err, r, "opening %s", push->remote->url);
    packs = str_printf("%s/pack", objects.ptr);
    if (!packs)
        return err_set(err, ERR_NOMEM, "out of memory");
    r = fs_make_dirs(packs, 0755, err);
    if (r)
        return r;
    r = git_packbuilder_write(builder, packs, 0, NULL, NULL);
    return r ? repo_git_error(err, r, "writing objects to %s", push->remote->url) : 0;
}

static int
set_branch(git_repository *target, const struct push *push, struct err *err)
{
    AUTO(git_reference_free) git_reference *reference = NULL;
    AUTO(git_odb_free) git_odb *odb = NULL;
    int r = git_repository_odb(&odb, target);

    r = r ? r : git_odb_refresh(odb);
    if (push->create)
        r = r ? r
              : git_reference_create(&reference, target, push->ref, &push->commit, 0,
                                     "draftd: created");
    else
        r = r ? r
              : git_reference_create_matching(&reference, target, push->ref, &push->commit, 1,
                                              &push->expected, "draftd: updated");
    return r ? repo_git_error(err, r, "setting %s in %s", push->ref, push->remote->url) : 0;
}

static int
push_path(const struct push *push, struct err *err)
{
    AUTO(git_repository_free) git_repository *target = NULL;
    git_oid now;
    bool done;
    int r = git_repository_open(&target, push->remote->url);

    if (r)
        return repo_git_error(err, r, "opening %s", push->remote->url);
    r = git_reference_name_to_id(&now, target, push->ref);
    if (r && r != GIT_ENOTFOUND)
        return repo_git_error(err, r, "reading %s in %s", push->ref, push->remote->url);
    r = judge_place(push, r ? NULL : &now, &done, err);
    if (r || done)
        return r;
    r = check_not_in_use(target, push, err);
    r = r ? r : copy_objects(target, push, err);
    return r ? r : set_branch(target, push, err);
}

int
repo_push(struct repo *repo,
          const struct repo_remote *remote,
          const char *branch,
          const char *commit,
          const char *expected,
          struct err *err)
{
    AUTO_DONE(push_done) struct push push = {.repo = repo, .remote = remote, .create = !expected};
    AUTO(git_commit_free) git_commit *found = NULL;
    int r = repo_load_commit(repo->git, commit, &found, err);

    r = r ? r : repo_branch_ref(branch, &push.ref, err);
    r = r || !expected ? r : repo_parse_id(expected, &push.expected, err);
    if (r)
        return r;
    push.commit = *git_commit_id(found);
    return remote->url[0] == '/' ? push_path(&push, err) : push_https(&push, err);
}
