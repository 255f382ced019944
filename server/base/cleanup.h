/* Release by scope: the cleanup attribute, wrapped so that ownership reads at the declaration.
 *
 * This is the only file that uses compiler extensions for it. Every variable declared with one of
 * these macros must be initialised where it is declared. */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_arg)                                                       \
    __attribute__((format(printf, format_index, first_arg), nonnull(format_index)))

static inline void
cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void
cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* Freed with free() at the end of the scope. */
#define auto_free __attribute__((cleanup(cleanup_free)))

/* A file descriptor, closed at the end of the scope unless negative. */
#define auto_close __attribute__((cleanup(cleanup_close)))

/* A pointer, given to `release` at the end of the scope unless NULL: AUTO(task_free) struct task *t
 * = NULL; needs one AUTO_DEFINE(struct task *, task_free) in the header of its type. */
#define AUTO(release) __attribute__((cleanup(auto_##release)))
#define AUTO_DEFINE(type, release)                                                                 \
    static inline void auto_##release(type *owner)                                                 \
    {                                                                                              \
        if (*owner)                                                                                \
            release(*owner);                                                                       \
    }

/* A structure in the caller's memory, given to `done` at the end of the scope. */
#define AUTO_DONE(done) __attribute__((cleanup(done)))

/* Move a pointer out of its variable, which no longer owns it. */
#define TAKE(variable)                                                                             \
    ({                                                                                             \
        __auto_type taken_ = (variable);                                                           \
        (variable) = NULL;                                                                         \
        taken_;                                                                                    \
    })

/* Move a structure out of its variable, which owns nothing from then on. */
#define TAKE_STRUCT(variable)                                                                      \
    ({                                                                                             \
        __auto_type taken_ = (variable);                                                           \
        (variable) = (__typeof__(taken_)){0};                                                      \
        taken_;                                                                                    \
    })

/* Move a file descriptor out of its variable. */
#define TAKE_FD(variable)                                                                          \
    ({                                                                                             \
        const int taken_ = (variable);                                                             \
        (variable) = -1;                                                                           \
        taken_;                                                                                    \
    })
