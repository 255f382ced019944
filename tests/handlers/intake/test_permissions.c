/* Who may: what is remembered, for how long, and that a failure never is. */
#include "tests/harness/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "handlers/intake/permissions.h"
#include "handlers/platform.h"
#include "server/base/clock.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"

/* A platform that counts how often it is asked. */
static atomic_int asked;
static bool answer;
static int failure;

static int
may(struct session *session,
    const char *repository,
    const char *actor,
    bool *ret_yes,
    struct err *err)
{
    (void)session;
    atomic_fetch_add(&asked, 1);
    if (failure)
        return err_set(err, failure, "asking about %s in %s failed", actor, repository);
    *ret_yes = answer;
    return 0;
}

static const struct platform hub = {.name = "hub", .may = may};
static const struct platform lab = {.name = "lab", .may = may};

static struct permissions *
make(bool first_answer)
{
    struct permissions *permissions = NULL;
    struct err err;

    CHECK_OK(permissions_new(&permissions, &err), err);
    atomic_store(&asked, 0);
    answer = first_answer;
    failure = 0;
    return permissions;
}

static bool
ask(struct permissions *permissions,
    const struct platform *platform,
    const char *repository,
    const char *actor,
    int64_t now_ms)
{
    struct session session = {.platform = platform};
    struct err err;
    bool yes = false;

    CHECK_OK(permissions_ask(permissions, &session, repository, actor, now_ms, &yes, &err), err);
    return yes;
}

TEST(a_yes_is_remembered_for_five_minutes)
{
    AUTO(permissions_free) struct permissions *permissions = make(true);

    CHECK(ask(permissions, &hub, "acme/api", "ann", 1000));
    answer = false;
    CHECK(ask(permissions, &hub, "acme/api", "ann", 1000 + 5 * MS_PER_MINUTE - 1));
    CHECK_INT(asked, 1);
    CHECK(!ask(permissions, &hub, "acme/api", "ann", 1000 + 5 * MS_PER_MINUTE));
    CHECK_INT(asked, 2);
}

TEST(a_no_is_remembered_for_thirty_seconds)
{
    AUTO(permissions_free) struct permissions *permissions = make(false);

    CHECK(!ask(permissions, &hub, "acme/api", "ann", 1000));
    answer = true;
    CHECK(!ask(permissions, &hub, "acme/api", "ann", 1000 + 30 * MS_PER_SECOND - 1));
    CHECK_INT(asked, 1);
    CHECK(ask(permissions, &hub, "acme/api", "ann", 1000 + 30 * MS_PER_SECOND));
    CHECK_INT(asked, 2);
}

TEST(people_repositories_and_platforms_are_kept_apart)
{
    AUTO(permissions_free) struct permissions *permissions = make(true);

    CHECK(ask(permissions, &hub, "acme/api", "ann", 1000));
    answer = false;
    CHECK(!ask(permissions, &hub, "acme/api", "bob", 1000));
    CHECK(!ask(permissions, &hub, "acme/web", "ann", 1000));
    CHECK(!ask(permissions, &lab, "acme/api", "ann", 1000));
    CHECK_INT(asked, 4);
    CHECK(ask(permissions, &hub, "acme/api", "ann", 1001));
    CHECK_INT(asked, 4);
}

TEST(a_failure_is_told_and_not_remembered)
{
    AUTO(permissions_free) struct permissions *permissions = make(true);
    struct session session = {.platform = &hub};
    struct err err;
    bool yes = false;

    failure = ERR_REMOTE;
    CHECK_INT(permissions_ask(permissions, &session, "acme/api", "ann", 1000, &yes, &err),
              ERR_REMOTE);
    CHECK(!yes);
    CHECK_CONTAINS(err.msg, "asking about ann in acme/api failed");
    failure = 0;
    CHECK(ask(permissions, &hub, "acme/api", "ann", 1001));
    CHECK_INT(asked, 2);
}

TEST(a_failure_does_not_outlive_an_answer_that_is_remembered)
{
    AUTO(permissions_free) struct permissions *permissions = make(true);

    CHECK(ask(permissions, &hub, "acme/api", "ann", 1000));
    failure = ERR_UNAVAILABLE;
    CHECK(ask(permissions, &hub, "acme/api", "ann", 2000));
    CHECK_INT(asked, 1);
}

/* More people than there is room for: forgotten ones are asked about again, never mixed up. */
TEST(many_people_are_never_mixed_up)
{
    AUTO(permissions_free) struct permissions *permissions = make(true);

    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < 3000; i++) {
            auto_free char *actor = str_printf("actor-%d", i);
            answer = i % 2 == 0;
            if (ask(permissions, &hub, "acme/api", actor, 1000) != answer)
                TEST_FAIL("%s was taken for somebody else", actor);
        }
    }
    CHECK(asked < 6000);
}

static void *
ask_often(void *ctx)
{
    for (int i = 0; i < 2000; i++) {
        auto_free char *actor = str_printf("actor-%d", i % 50);
        struct session session = {.platform = &hub};
        bool yes = false;
        if (permissions_ask(ctx, &session, "acme/api", actor, 1000 + i, &yes, NULL) || !yes)
            abort();
    }
    return NULL;
}

TEST(threads_share_it)
{
    AUTO(permissions_free) struct permissions *permissions = make(true);
    pthread_t threads[4];

    for (size_t i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, ask_often, permissions), 0);
    for (size_t i = 0; i < 4; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    CHECK(asked >= 50);
}

TEST_MAIN()
