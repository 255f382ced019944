/* See instance.h. */
#include "server/instance.h"

#include "server/base/crypto.h"
#include "server/base/fs.h"
#include "server/base/str.h"
#include "server/store/identity.h"
#include "server/store/store.h"

#include <unistd.h>

#define INSTANCE_BYTES 8

struct naming {
    const char *proposal;
    char *instance;
};

static int
get(struct db *db, void *ctx, struct err *err)
{
    struct naming *naming = ctx;
    return identity_get(db, &naming->instance, err);
}

/* Two processes may propose: the first one's stays, and both get that. */
static int
put(struct db *db, void *ctx, struct err *err)
{
    struct naming *naming = ctx;
    const int r = identity_put(db, naming->proposal, err);

    free(TAKE(naming->instance)); /* of a try whose commit failed */
    return r ? r : identity_get(db, &naming->instance, err);
}

static int
propose(const char *old_file, struct strbuf *name, struct err *err)
{
    unsigned char random[INSTANCE_BYTES];
    const int r = fs_read_file(old_file, name, err);

    if (r != ERR_NOTFOUND)
        return r;
    if (crypto_random(random, sizeof(random), err))
        return err->code;
    hex_append(name, bytes_of(random, sizeof(random)));
    return strbuf_ok(name) ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

static int
give_name(struct store *store, const char *old_file, struct naming *naming, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf name = STRBUF_INIT(4 * INSTANCE_BYTES);
    int r = propose(old_file, &name, err);

    if (r)
        return r;
    naming->proposal = strbuf_str(&name);
    r = store_transact(store, put, naming, err);
    if (!r)
        (void)unlink(old_file); /* that it stays there changes nothing */
    return r;
}

int
instance_load(struct store *store, const char *state_dir, char **ret_instance, struct err *err)
{
    auto_free char *old_file = str_printf("%s/instance", state_dir);
    struct naming naming = {0};

    if (!old_file)
        return err_set(err, ERR_NOMEM, "out of memory");
    int r = store_read(store, get, &naming, err);
    if (r == ERR_NOTFOUND)
        r = give_name(store, old_file, &naming, err);
    if (r) {
        free(naming.instance);
        return r;
    }
    *ret_instance = naming.instance;
    return 0;
}
