/* A platform: one row of functions. handlers/<platform>.c reads what it sends and says what it is
 * owed; integrations/<platform>.c speaks its API. A new platform is those two files and one line in
 * platform.c. */
#pragma once

#include "server/base/crypto.h"
#include "server/base/err.h"
#include "server/limits.h"

#include <stddef.h>
#include <stdint.h>

struct app;
struct comments;
struct delivery;
struct event;
struct http_request;
struct outbox_message;
struct platform;
struct platform_watch;
struct settings;
struct stop;
struct task;

#define PLATFORMS_MAX 8
#define ADMISSION_MACS 8
#define SIGNING_KEYS 2

/* What a request's head says, before its body: who it is, and which signatures would prove it. */
struct admission {
    char delivery_id[LIMIT_DELIVERY_ID_BYTES + 1];
    char event[LIMIT_EVENT_NAME_BYTES + 1];
    char prefix[LIMIT_DELIVERY_ID_BYTES + 64];        /* hashed before the body */
    unsigned char macs[ADMISSION_MACS][SHA256_BYTES]; /* any one that fits will do */
    size_t mac_count;
};

/* A platform's client, belonging to one thread. First member of each platform's own structure. */
struct session {
    const struct platform *platform;
    struct app *app;
};

/* Where a repository is fetched from and pushed to. */
struct source {
    char *url;
    char *user;
    struct secret *password;
};

void source_done(struct source *source);

/* What is to stand in a draft; borrowed. */
struct draft_request {
    const char *title;
    const char *body;
    const char *branch;
    const char *base_branch;
    const char *head_commit;
    bool ordinary; /* where drafts are refused: as an ordinary one, whose title says draft */
};

/* What came of it. */
struct draft_made {
    int64_t number;
    char *url;    /* or NULL */
    bool refused; /* nothing was done: the repository takes no drafts */
};

void draft_made_done(struct draft_made *made);

struct platform {
    const char *name; /* "github" */
    const char *path; /* "/webhooks/github" */

    /* Does the configuration have it? */
    bool (*is_configured)(const struct settings *settings);

    /* The keys of its signatures: the present one, and the one that it replaces or NULL. Borrowed.
     */
    void (*signing_keys)(const struct settings *settings,
                         const struct secret *ret_keys[SIGNING_KEYS]);

    /* Read the head of a request.  Runs in a receiving thread: no network, no store.
     * Errors: ERR_AUTH no signature, or not of the documented form; ERR_INVALID another header. */
    int (*admit)(const struct http_request *request,
                 int64_t now_ms,
                 struct admission *ret_admission,
                 struct err *err);

    /* Read a verified delivery.  Owns: *ret_event is the caller's.
     * Errors: ERR_INVALID not what the platform documents. */
    int (*read)(const struct settings *settings,
                const struct delivery *delivery,
                struct bytes body,
                struct event **ret_event,
                struct err *err);

    /* Is this repository served at all? */
    bool (*serves)(const struct settings *settings, const char *repository);

    /* A client for the calling thread.  Borrows: app, stop.  Owns: *ret_session goes to close(). */
    int (*open)(struct app *app,
                const struct stop *stop,
                struct session **ret_session,
                struct err *err);
    void (*close)(struct session *session);

    /* May this actor have work done in the repository?  Errors: as the integration's. */
    int (*may)(struct session *session,
               const char *repository,
               const char *actor,
               bool *ret_yes,
               struct err *err);

    /* Where the repository is.  Owns: the caller's, source_done(). */
    int (*source)(struct session *session,
                  const char *repository,
                  struct source *ret_source,
                  struct err *err);

    /* What source() handed out was refused with this code (ERR_AUTH, ERR_DENIED, ERR_NOTFOUND): do not hand it
     * out again, if there may be better.  Returns whether it is worth another try.  May be NULL:
     * never. */
    bool (*forget_source)(struct session *session, const char *repository, int refusal);

    /* Does a change of this path need a permission of its own?  May be NULL, as the next two are
     * then: none does. */
    bool (*is_special_path)(const char *path);

    /* May such changes be pushed?  *ret_why: why not, and what to do, as the end of a sentence (the
     * caller's, free()); NULL: they may, or nobody knows before the push. */
    int (*may_push_special)(struct session *session,
                            const char *repository,
                            char **ret_why,
                            struct err *err);

    /* What to do about a push that was refused with these words; NULL: they say it all. */
    const char *(*advise)(const char *refusal);

    /* Deliver what is owed. Looks for its own earlier result first when `message->attempts` is
     * over 1. NULL: nothing is ever owed to it. */
    int (*send)(struct session *session,
                const struct outbox_message *message,
                const struct task *task,
                struct err *err);

    /* What people said in a task's thread so far: neither draftd nor other programs.  May be NULL:
     * it has none.  Owns: the caller's, comments_done().  Errors: as the integration's. */
    int (*read_thread)(struct session *session,
                       const struct task *task,
                       struct comments *ret_comments,
                       struct err *err);

    /* Why the platform's own checks failed, which a remark's `batch` names: their names, what they
     * say, the ends of their logs.  May be NULL: it has none.  Owns: *ret_text is the caller's,
     * free().  Errors: as the integration's. */
    int (*read_failures)(struct session *session,
                         const struct task *task,
                         const char *batch,
                         char **ret_text,
                         struct err *err);

    /* The name that the platform says a repository has now, in what this session was told; NULL:
     * not that it knows. Borrowed.  May be NULL: repositories do not move. */
    const char *(*moved_to)(struct session *session, const char *repository);

    /* What was away is said to be back: what is kept about its absence is forgotten.  May be NULL. */
    void (*forget_absence)(struct app *app);

    /* How long to wait after send() or may() failed with ERR_LIMIT.  May be NULL: use the backoff.
     */
    int64_t (*retry_after_ms)(struct session *session);

    /* Find the task's open draft or make it, and give it this title and body. What people opened
     * there, marked ready or described anew is left as it is. Where drafts are refused, nothing is
     * done but to say so, unless the request is for an ordinary one.
     * Owns: *ret_made is the caller's, draft_made_done(). */
    int (*put_draft)(struct session *session,
                     const struct task *task,
                     const struct draft_request *request,
                     struct draft_made *ret_made,
                     struct err *err);

    /* Find open work of somebody else that would settle the same origin: its URL and its author
     * (the caller's, free(); the author may be NULL).  May be NULL: it cannot tell.  Errors:
     * ERR_NOTFOUND there is none. */
    int (*find_rival)(struct session *session,
                      const struct task *task,
                      char **ret_url,
                      char **ret_author,
                      struct err *err);

    /* What it can be asked afterwards (watch/platform_watch.h); NULL: nothing. */
    const struct platform_watch *watch;

    /* Is the origin an issue that a merged draft closes? */
    bool closes_issue;
};

/* All platforms, at most PLATFORMS_MAX, ended by NULL. */
extern const struct platform *const platforms[];

/* NULL when there is none of that name. */
const struct platform *platform_find(const char *name);

/* The sessions of one thread, opened when first needed. */
struct sessions {
    struct app *app;
    const struct stop *stop;
    struct session *open[PLATFORMS_MAX]; /* in the order of platforms[] */
};

MUST_CHECK int sessions_get(struct sessions *sessions,
                            const struct platform *platform,
                            struct session **ret_session,
                            struct err *err);
void sessions_done(struct sessions *sessions);

/* Is it "owner/name" of letters, digits, '-', '_' and '.', neither part "." or ".."? */
bool repository_name_is_sane(const char *name);
