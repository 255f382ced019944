/* See mailbox.h. */
#include "server/http/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>

#include "server/http/exchange.h"

struct mailbox {
    pthread_mutex_t lock;
    unsigned references;         /* under lock */
    struct http_exchange *first; /* under lock */
    struct http_exchange **last; /* under lock */
    int wake_fd;
};

int
mailbox_new(struct mailbox **ret_mailbox, struct err *err)
{
    auto_close int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (wake_fd < 0)
        return err_set_errno(err, ERR_IO, errno, "creating an event descriptor");

    struct mailbox *mailbox = calloc(1, sizeof(*mailbox));
    if (!mailbox)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (pthread_mutex_init(&mailbox->lock, NULL)) {
        free(mailbox);
        return err_set(err, ERR_NOMEM, "creating a lock failed");
    }
    mailbox->references = 1;
    mailbox->last = &mailbox->first;
    mailbox->wake_fd = TAKE_FD(wake_fd);
    *ret_mailbox = mailbox;
    return 0;
}

struct mailbox *
mailbox_ref(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->references++;
    pthread_mutex_unlock(&mailbox->lock);
    return mailbox;
}

void
mailbox_unref(struct mailbox *mailbox)
{
    if (!mailbox)
        return;
    pthread_mutex_lock(&mailbox->lock);
    const unsigned left = --mailbox->references;
    pthread_mutex_unlock(&mailbox->lock);
    if (left > 0)
        return;
    pthread_mutex_destroy(&mailbox->lock);
    close(mailbox->wake_fd);
    free(mailbox);
}

int
mailbox_fd(const struct mailbox *mailbox)
{
    return mailbox->wake_fd;
}

void
mailbox_wake(struct mailbox *mailbox)
{
    const uint64_t one = 1;

    /* It can only fail when the counter is full, and then the descriptor is readable anyway. */
    (void)!write(mailbox->wake_fd, &one, sizeof(one));
}

void
mailbox_clear(struct mailbox *mailbox)
{
    uint64_t count;

    (void)!read(mailbox->wake_fd, &count, sizeof(count));
}

bool
mailbox_await(struct mailbox *mailbox, struct http_exchange *exchange)
{
    pthread_mutex_lock(&mailbox->lock);
    exchange->awaited = !exchange->answered;
    const bool awaited = exchange->awaited;
    pthread_mutex_unlock(&mailbox->lock);
    return awaited;
}

bool
mailbox_put(struct mailbox *mailbox, struct http_exchange *exchange)
{
    pthread_mutex_lock(&mailbox->lock);
    const bool abandoned = exchange->abandoned;
    exchange->answered = true;
    if (exchange->awaited && !abandoned) {
        const bool was_empty = !mailbox->first;
        exchange->next = NULL;
        *mailbox->last = exchange;
        mailbox->last = &exchange->next;
        /* Under the lock: the exchange's reference may be the last one as soon as it is seen. */
        if (was_empty)
            mailbox_wake(mailbox);
    }
    pthread_mutex_unlock(&mailbox->lock);
    return abandoned;
}

struct http_exchange *
mailbox_take(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    struct http_exchange *first = TAKE(mailbox->first);
    mailbox->last = &mailbox->first;
    pthread_mutex_unlock(&mailbox->lock);
    return first;
}

bool
mailbox_abandon(struct mailbox *mailbox, struct http_exchange *exchange)
{
    pthread_mutex_lock(&mailbox->lock);
    exchange->abandoned = !exchange->answered;
    const bool abandoned = exchange->abandoned;
    pthread_mutex_unlock(&mailbox->lock);
    return abandoned;
}
