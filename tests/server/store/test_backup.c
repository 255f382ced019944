/* A copy of the store is a store: what was known is known, and what may have been done since is
 * looked for before it is done again. */
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/identity.h"
#include "server/store/outbox.h"
#include "tests/server/store/fixture.h"

static struct store *
open_store(const char *path)
{
    struct store *store = NULL;
    struct err err;

    CHECK_OK(store_open(path, &store, &err), err);
    return store;
}

static int64_t
count_deliveries(struct store *store)
{
    int64_t count = -1;
    struct err err;

    CHECK_OK(store_read(store, fixture_count, &count, &err), err);
    return count;
}

static int
find_the_body(struct db *db, void *ctx, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf body = STRBUF_INIT(100);
    AUTO(delivery_free) struct delivery *delivery = NULL;

    (void)ctx;
    int code = delivery_find(db, "a", &delivery, err);
    if (!code)
        code = delivery_body(db, delivery->id, &body, err);
    if (!code && !str_equal(strbuf_str(&body), "the body"))
        return err_set(err, ERR_INTERNAL, "the body is %s", strbuf_str(&body));
    return code;
}

TEST(backup_is_a_complete_store)
{
    struct fixture f;
    struct stat facts;
    struct err err;

    fixture_make_dir(&f);
    struct store *store = open_store(f.path);
    struct insertion insertion = {.delivery_id = "a", .body = "the body"};
    CHECK_OK(store_transact(store, fixture_insert, &insertion, &err), err);
    char *path = str_printf("%s/copy.db", f.dir);
    CHECK_OK(store_backup(store, path, &err), err);
    CHECK_INT(stat(path, &facts), 0);
    CHECK_INT(facts.st_mode & 0777, 0600);
    CHECK_INT(facts.st_nlink, 1);
    CHECK_INT(store_backup(store, path, &err), ERR_CONFLICT);
    CHECK_CONTAINS(err.msg, "new file");

    char *nowhere = str_printf("%s/absent/copy.db", f.dir);
    CHECK_INT(store_backup(store, nowhere, &err), ERR_IO);
    free(nowhere);

    struct store *copy = NULL;
    CHECK_OK(store_open(path, &copy, &err), err);
    CHECK_INT(count_deliveries(copy), 1);
    CHECK_OK(store_read(copy, find_the_body, NULL, &err), err);
    CHECK_INT(store_transact(copy, fixture_insert, &insertion, &err), ERR_CONFLICT); /* known */
    struct insertion more = {.delivery_id = "b", .body = ""};
    CHECK_OK(store_transact(copy, fixture_insert, &more, &err), err);
    CHECK(more.id > insertion.id);
    store_close(copy);
    free(path);
    store_close(store);
    fixture_done(&f);
}

static int
owe_three(struct db *db, void *ctx, struct err *err)
{
    struct outbox_message *message = NULL;
    int code = 0;

    (void)ctx;
    for (int i = 0; i < 3 && !code; i++) {
        const char *threads[] = {"sent", "failed once", "fresh"};
        code = outbox_put(
            db,
            &(struct outbox_new){
                .platform = "p", .thread = threads[i], .kind = OUTBOX_COMMENT, .body = "b"},
            i + 1, err);
    }
    if (!code)
        code = outbox_next(db, 10, &message, err);
    if (!code)
        code = outbox_sent(db, message->id, "b", err);
    outbox_message_free(TAKE(message));
    if (!code)
        code = outbox_next(db, 10, &message, err);
    if (!code)
        code = outbox_retry(db, message->id, "away", 5, err);
    outbox_message_free(message);
    return code;
}

static int
read_attempts(struct db *db, void *ctx, struct err *err)
{
    (void)err;
    *(int64_t *)ctx = fixture_int(db, "SELECT group_concat(attempts, '') FROM outbox");
    return 0;
}

TEST(what_was_pending_may_have_been_sent_since)
{
    struct fixture f;
    struct err err;
    int64_t attempts;

    fixture_make_dir(&f);
    struct store *store = open_store(f.path);
    CHECK_OK(store_transact(store, owe_three, NULL, &err), err);
    char *path = str_printf("%s/copy.db", f.dir);
    CHECK_OK(store_backup(store, path, &err), err);
    CHECK_OK(store_read(store, read_attempts, &attempts, &err), err);
    CHECK_INT(attempts, 110); /* the store itself is as it was */
    store_close(store);
    store = open_store(path);
    CHECK_OK(store_read(store, read_attempts, &attempts, &err), err);
    CHECK_INT(attempts, 121);
    store_close(store);
    free(path);
    fixture_done(&f);
}

static int
put_identity(struct db *db, void *ctx, struct err *err)
{
    return identity_put(db, ctx, err);
}

static int
get_identity(struct db *db, void *ctx, struct err *err)
{
    return identity_get(db, ctx, err);
}

TEST(a_copy_has_the_name_of_its_installation)
{
    char first[] = "ab12", second[] = "cd34";
    struct fixture f;
    struct err err;
    char *name = NULL;

    fixture_make_dir(&f);
    struct store *store = open_store(f.path);
    CHECK_INT(store_read(store, get_identity, &name, &err), ERR_NOTFOUND);
    CHECK_OK(store_transact(store, put_identity, first, &err), err);
    CHECK_OK(store_transact(store, put_identity, second, &err), err);
    char *path = str_printf("%s/copy.db", f.dir);
    CHECK_OK(store_backup(store, path, &err), err);
    store_close(store);
    store = open_store(path);
    CHECK_OK(store_read(store, get_identity, &name, &err), err);
    CHECK_STR(name, "ab12");
    store_close(store);
    free(name);
    free(path);
    fixture_done(&f);
}

TEST_MAIN()
