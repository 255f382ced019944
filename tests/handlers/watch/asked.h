/* A platform made of a table of what it would answer, for tests of the watcher's parts. */
#pragma once

#include "tests/handlers/world.h"

#include "handlers/platform.h"
#include "handlers/watch/platform_watch.h"

struct asked {
    struct session base;           /* first: sessions are pointers to this */
    const char *const *hooks;      /* their names, ended by NULL */
    const struct watch_sent *sent; /* newest first, ended by an id of 0 */
    int hooks_code;                /* what each_hook() ends with */
    int sent_code;                 /* what each_sent() ends with */
    int again_code;                /* what send_again() answers */
    int64_t since_ms;              /* of the last each_sent() */
    int64_t again[200];            /* the ids that were asked for, in order */
    size_t again_count;
    int hook_looks;
    int looks;
};

static inline struct asked *
asked_of(struct session *session)
{
    return (struct asked *)session;
}

static inline int64_t
asked_kept_ms(const struct settings *settings)
{
    (void)settings;
    return 3 * MS_PER_DAY;
}

static inline int
asked_each_hook(struct session *session, watch_hook_fn *each, void *ctx, struct err *err)
{
    struct asked *asked = asked_of(session);
    int r = 0;

    asked->hook_looks++;
    for (size_t i = 0; !r && asked->hooks[i]; i++)
        r = each(ctx, &(struct watch_hook){.name = asked->hooks[i], .id = (int64_t)i + 1}, err);
    return r || !asked->hooks_code ? r : err_set(err, asked->hooks_code, "no hooks today");
}

static inline int
asked_each_sent(struct session *session,
                const struct watch_hook *hook,
                int64_t since_ms,
                watch_sent_fn *each,
                void *ctx,
                struct err *err)
{
    struct asked *asked = asked_of(session);
    int r = 0;

    (void)hook;
    asked->looks++;
    asked->since_ms = since_ms;
    for (const struct watch_sent *sent = asked->sent; !r && sent->id; sent++)
        r = sent->sent_ms < since_ms ? 0 : each(ctx, sent, err);
    return r || !asked->sent_code ? r : err_set(err, asked->sent_code, "no list today");
}

static inline int
asked_send_again(struct session *session,
                 const struct watch_hook *hook,
                 int64_t id,
                 struct err *err)
{
    struct asked *asked = asked_of(session);

    (void)hook;
    if (asked->again_code)
        return err_set(err, asked->again_code, "not today");
    CHECK(asked->again_count < COUNT(asked->again));
    asked->again[asked->again_count++] = id;
    return 0;
}

static const struct platform_watch asked_watch = {.kept_ms = asked_kept_ms,
                                                  .each_hook = asked_each_hook,
                                                  .each_sent = asked_each_sent,
                                                  .send_again = asked_send_again};

static const struct platform asked_platform = {.name = "github", .watch = &asked_watch};
