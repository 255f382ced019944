/* What is done at GitHub besides messages: drafts, and the pace of it all. */
#include "tests/handlers/world.h"

#include "handlers/github.h"
#include "handlers/platform.h"

#define PERMISSION                                                                                 \
    {.expect = ASKED_FOR_OCTOCAT, ANSWER("200 OK", "{\"permission\":\"write\"}")}

static struct session *
open_session(struct world *w)
{
    struct session *session = NULL;
    struct err err;

    CHECK_OK(github_platform.open(&w->app, w->app.stop, &session, &err), err);
    return session;
}

/* ---- the pace ---- */

static bool
is_paced(struct world *w, const char *api_url)
{
    AUTO(github_pacer_free) struct github_pacer *pacer = NULL;
    struct err err;

    w->settings.github.api_url = borrowed(api_url);
    CHECK_OK(github_new_pacer(&w->settings, &pacer, &err), err);
    return pacer != NULL;
}

TEST(github_is_paced_and_a_server_of_ones_own_is_not)
{
    struct world w;

    world_open(&w, NULL, 0);
    CHECK(is_paced(&w, "https://api.github.com"));
    CHECK(is_paced(&w, "https://api.acme.ghe.com"));
    CHECK(!is_paced(&w, "https://github.example/api/v3"));
    w.settings.github.present = false;
    CHECK(!is_paced(&w, "https://api.github.com"));
    world_close(&w);
}

/* What one session is told holds for the calls of the others. */
TEST(the_sessions_of_a_process_share_the_pace)
{
    static const struct fake_exchange script[] = {PERMISSION};
    struct world w;
    struct err err;
    bool yes = false;

    world_open(&w, script, COUNT(script));
    CHECK_OK(github_pacer_new(&w.app.pacer, &err), err);
    struct session *one = open_session(&w);
    struct session *other = open_session(&w);
    CHECK_OK(github_platform.may(one, "acme/api", "octocat", &yes, &err), err);
    CHECK(yes);
    CHECK_INT(github_pacer_refused(w.app.pacer, 90 * MS_PER_SECOND, clock_mono_ms()),
              90 * MS_PER_SECOND);
    CHECK_INT(github_platform.may(other, "acme/api", "octocat", &yes, &err), ERR_LIMIT);
    CHECK(github_platform.retry_after_ms(other) > 80 * MS_PER_SECOND);
    github_platform.close(one);
    github_platform.close(other);
    world_check_api(&w);
    world_close(&w);
}

TEST_MAIN()
