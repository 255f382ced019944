/* See event.h. */
#include "handlers/intake/event.h"

#include <stdarg.h>
#include <stdio.h>

const char *
event_kind_verb(enum event_kind kind, bool done)
{
    switch (kind) {
    case EVENT_START:
        return done ? "started" : "start";
    case EVENT_CANCEL:
        return done ? "cancelled" : "cancel";
    case EVENT_REMARK:
        return done ? "noted what is said on" : "note what is said on";
    case EVENT_DRAFT:
        return done ? "noted the draft's state of" : "note the draft's state of";
    case EVENT_ASK:
        return done ? "answered on" : "answer on";
    case EVENT_NOTICE:
        return done ? "took note of" : "take note of";
    case EVENT_IGNORED:
        break;
    }
    return done ? "ignored" : "ignore";
}

const char *
event_ref(const struct event *event)
{
    return event->remark ? event->remark->ref : NULL;
}

bool
event_has_words(const struct event *event)
{
    return event->remark && event->remark->text[0];
}

void
event_free(struct event *event)
{
    if (!event)
        return;
    free(event->reason);
    free(event->trigger);
    free(event->order_key);
    free(event->origin);
    free(event->repository);
    free(event->moved_from);
    free(event->title);
    free(event->text);
    free(event->instruction);
    free(event->head_branch);
    free(event->agent);
    free(event->branch);
    remark_free(event->remark);
    free(event->url);
    free(event->actor);
    free(event->reaction_target);
    free(event);
}

int
event_ignored(struct event **ret_event, struct err *err, const char *format, ...)
{
    AUTO(event_free) struct event *event = calloc(1, sizeof(*event));
    va_list args;

    if (!event)
        return err_set(err, ERR_NOMEM, "out of memory");
    event->kind = EVENT_IGNORED;

    va_start(args, format);
    const int len = vasprintf(&event->reason, format, args);
    va_end(args);
    if (len < 0) {
        event->reason = NULL; /* undefined after a failure */
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    *ret_event = TAKE(event);
    return 0;
}
