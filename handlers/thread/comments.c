/* See comments.h. */
#include "handlers/thread/comments.h"

#include "server/base/str.h"

#include <stdlib.h>
#include <string.h>

/* What a text counts: it is shown up to the cap. */
static size_t
weigh(const char *text)
{
    const size_t len = strlen(text);

    return len < LIMIT_COMMENT_BYTES ? len : LIMIT_COMMENT_BYTES;
}

static void
remove_at(struct comments *comments, size_t place)
{
    struct comment *const items = comments->items;

    comments->bytes -= weigh(items[place].text);
    free(items[place].author);
    free(items[place].text);
    comments->count--;
    memmove(&items[place], &items[place + 1], (comments->count - place) * sizeof(*items));
}

void
comments_done(struct comments *comments)
{
    while (comments->count > 0)
        remove_at(comments, comments->count - 1);
    *comments = (struct comments){0};
}

static bool
has_room(const struct comments *comments, size_t bytes)
{
    return comments->count < LIMIT_THREAD_COMMENTS && comments->bytes + bytes <= LIMIT_THREAD_BYTES;
}

int
comments_add(struct comments *comments,
             const char *author,
             const char *text,
             int64_t written_ms,
             struct err *err)
{
    if (!*text)
        return 0;
    auto_free char *author_copy = str_dup(author);
    auto_free char *text_copy = str_dup(text);
    if (!text_copy || (author && !author_copy))
        return err_set(err, ERR_NOMEM, "out of memory");

    for (; !has_room(comments, weigh(text)); comments->left_out++)
        remove_at(comments, 0);
    comments->bytes += weigh(text);
    comments->items[comments->count++] = (struct comment){
        .author = TAKE(author_copy), .text = TAKE(text_copy), .written_ms = written_ms};
    return 0;
}

void
comments_remove(struct comments *comments, const char *author, int64_t written_ms)
{
    for (size_t i = comments->count; i > 0; i--) {
        const struct comment *comment = &comments->items[i - 1];
        if (comment->written_ms == written_ms && str_equal_nocase(comment->author, author))
            remove_at(comments, i - 1);
    }
}
