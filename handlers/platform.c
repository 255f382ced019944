/* See platform.h. */
#include "handlers/platform.h"

#include "handlers/github.h"
#include "handlers/local.h"
#include "server/base/str.h"

#include <stdlib.h>
#include <string.h>

const struct platform *const platforms[] = {
    &github_platform,
    &local_platform,
    NULL,
};
_Static_assert(sizeof(platforms) / sizeof(platforms[0]) <= PLATFORMS_MAX + 1,
               "every platform has its place in struct sessions and in struct webhooks");

const struct platform *
platform_find(const char *name)
{
    for (size_t i = 0; platforms[i]; i++)
        if (str_equal(platforms[i]->name, name))
            return platforms[i];
    return NULL;
}

void
draft_made_done(struct draft_made *made)
{
    free(made->url);
    *made = (struct draft_made){0};
}

int
sessions_get(struct sessions *sessions,
             const struct platform *platform,
             struct session **ret_session,
             struct err *err)
{
    for (size_t i = 0; platforms[i]; i++) {
        if (platforms[i] != platform)
            continue;
        const int r = sessions->open[i]
                          ? 0
                          : platform->open(sessions->app, sessions->stop, &sessions->open[i], err);
        if (!r)
            *ret_session = sessions->open[i];
        return r;
    }
    return err_set(err, ERR_INTERNAL, "a platform is missing in the list of platforms");
}

void
sessions_done(struct sessions *sessions)
{
    for (size_t i = 0; platforms[i]; i++) {
        if (sessions->open[i])
            platforms[i]->close(sessions->open[i]);
        sessions->open[i] = NULL;
    }
}

void
source_done(struct source *source)
{
    free(source->url);
    free(source->user);
    secret_free(source->password);
    *source = (struct source){0};
}

static bool
part_is_sane(const char *part, size_t len)
{
    if (len == 0 || (len == 1 && part[0] == '.') || (len == 2 && strncmp(part, "..", 2) == 0))
        return false;
    return strspn(part, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") >= len;
}

bool
repository_name_is_sane(const char *name)
{
    const char *slash = strchr(name, '/');

    return slash && strlen(name) <= LIMIT_REPOSITORY_NAME_BYTES &&
           part_is_sane(name, (size_t)(slash - name)) && part_is_sane(slash + 1, strlen(slash + 1));
}
