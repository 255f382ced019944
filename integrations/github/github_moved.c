/* Repositories that were renamed or transferred: what GitHub's redirects tell. */
#include "integrations/github/github_internal.h"

#include "server/base/str.h"

#include <stdlib.h>
#include <string.h>

int64_t
github_redirect_id(const struct github *github, const char *url)
{
    static const char place[] = "/repositories/";
    const size_t api_len = strlen(github->options.api_url);
    auto_free char *digits = NULL;
    struct err ignored;
    int64_t id = 0;

    if (!url || strncmp(url, github->options.api_url, api_len) != 0 ||
        !str_starts_with(url + api_len, place))
        return 0;
    const char *const start = url + api_len + strlen(place);
    digits = strndup(start, strspn(start, "0123456789"));
    return digits && str_to_i64(digits, &id, &ignored) == 0 ? id : 0;
}

int
github_note_move(struct github *github,
                 const char *repository,
                 const char *full_name,
                 struct err *err)
{
    int result;

    if (!full_name || str_equal_nocase(repository, full_name))
        return 0;
    result = str_set(&github->moved_from, repository, err);
    return result ? result : str_set(&github->moved_to, full_name, err);
}

const char *
github_moved_to(const struct github *github, const char *repository)
{
    const bool known = github->moved_from && str_equal_nocase(github->moved_from, repository);

    return known ? github->moved_to : NULL;
}
