/* Closing sandboxes on threads of their own, while whoever used them goes on. */
#include "sandbox/sandbox.h"

#include <pthread.h>
#include <stdlib.h>

struct sandbox_closing {
    struct sandbox_closing *next;
    struct sandbox *sandbox; /* the thread's */
    pthread_t thread;
};

static void *
close_it(void *ctx)
{
    struct sandbox_closing *const closing = ctx;

    sandbox_close(closing->sandbox);
    return NULL;
}

void
sandbox_close_aside(struct sandbox *sandbox, struct sandbox_closing **list)
{
    auto_free struct sandbox_closing *closing = calloc(1, sizeof(*closing));

    if (!closing) {
        sandbox_close(sandbox);
        return;
    }
    closing->sandbox = sandbox;
    closing->next = *list;
    if (pthread_create(&closing->thread, NULL, close_it, closing))
        sandbox_close(sandbox);
    else
        *list = TAKE(closing);
}

void
sandbox_await_closed(struct sandbox_closing **list)
{
    while (*list) {
        struct sandbox_closing *const closing = *list;

        (void)pthread_join(closing->thread, NULL);
        *list = closing->next;
        free(closing);
    }
}
