/* What a crashed process left behind, found by label and by name, and removed. */
#include "sandbox/box.h"

#include "server/base/fs.h"
#include "server/base/str.h"

#include <dirent.h>
#include <errno.h>

/* Whom to ask about a run. */
struct live {
    sandbox_is_live_fn ask;
    void *ctx;
};

static bool
is_live(const struct live *live, int64_t run)
{
    return live->ask && live->ask(live->ctx, run);
}

/* Goes on after one that cannot be removed; its error is returned at the end. */
static int
remove_containers(const struct sandbox_host *host,
                  const struct live *live,
                  size_t *ret_removed,
                  struct err *err)
{
    AUTO(engine_free) struct engine *engine = NULL;
    AUTO_DONE(container_list_done) struct container_list list = {0};

    int result = engine_new(host->engine, &engine, err);
    if (result)
        return result;
    engine_heed(engine, host->stop);
    result = engine_list(engine, host->instance, &list, err);
    for (size_t i = 0; i < list.count; i++) {
        if (!str_equal(list.items[i].instance, host->instance) || is_live(live, list.items[i].run))
            continue;
        if (stop_raised(host->stop))
            return err_set(err, ERR_CANCELED, "canceled");
        const int failed = engine_remove(engine, list.items[i].id, err);
        if (failed)
            result = failed;
        else
            ++*ret_removed;
    }
    return result;
}

static void
close_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

/* As above. */
static int
remove_doors(const struct sandbox_host *host, const struct live *live, struct err *err)
{
    AUTO_DONE(close_dir) DIR *dir = opendir(host->doors_dir);
    const struct dirent *entry;
    int result = 0;

    if (!dir)
        return errno == ENOENT ? 0 : err_set_errno(err, ERR_IO, errno, "%s", host->doors_dir);
    while ((entry = readdir(dir))) {
        const int64_t run = door_run_of_name(entry->d_name);
        if (run < 0 || is_live(live, run))
            continue;
        auto_free char *path = str_printf("%s/%s", host->doors_dir, entry->d_name);
        if (!path)
            return err_set(err, ERR_NOMEM, "out of memory");
        const int failed = fs_remove_tree(path, err);
        if (failed)
            result = failed;
    }
    return result;
}

int
sandbox_remove_orphans(const struct sandbox_host *host,
                       sandbox_is_live_fn is_live_fn,
                       void *ctx,
                       size_t *ret_removed,
                       struct err *err)
{
    const struct live live = {.ask = is_live_fn, .ctx = ctx};
    size_t removed = 0;

    int result = remove_containers(host, &live, &removed, err);
    if (result == ERR_CANCELED)
        return result;
    const int failed = remove_doors(host, &live, err);
    if (failed)
        result = failed;
    if (result)
        return result;
    *ret_removed = removed;
    return 0;
}
