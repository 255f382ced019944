/* How the client keeps to GitHub's limits, against the stand-in: the pace of its calls, and silence
 * after a refusal. Each test ends by asking for violations: there must be none. */
#include "integrations/github/github.h"
#include "integrations/github/github_pacer.h"

#include "server/base/clock.h"
#include "server/base/js.h"
#include "tests/harness/test.h"
#include "tests/integrations/github/github_world.h"

static struct github_pacer *
begin(void)
{
    struct github_pacer *pacer;
    struct err err;

    world_begin();
    CHECK_OK(github_pacer_new(&pacer, &err), err);
    return pacer;
}

static int
comment(struct github *github, struct err *err)
{
    int64_t id;

    return github_create_comment(github, REPO, 7, "text", &id, err);
}

static int64_t
comments_made(void)
{
    return world_calls("issues/create-comment");
}

TEST(changes_are_a_second_apart_whoever_makes_them)
{
    struct github_pacer *pacer = begin();
    struct github *one = world_paced_client(AS_APP, pacer, NULL);
    struct github *two = world_paced_client(AS_USER, pacer, NULL);
    const int64_t begun_ms = clock_mono_ms();
    char *permission;
    struct err err;

    CHECK_OK(comment(one, &err), err);
    CHECK_OK(github_permission(two, REPO, "ann", &permission, &err), err);
    free(permission);
    CHECK_OK(comment(two, &err), err);
    CHECK(clock_mono_ms() - begun_ms >= 1000);
    github_free(two);
    CHECK_INT(world_end(one), 0);
    github_pacer_free(pacer);
}

TEST(after_a_secondary_limit_all_are_silent)
{
    struct github_pacer *pacer = begin();
    struct github *one = world_paced_client(AS_USER, pacer, NULL);
    struct github *two = world_paced_client(AS_APP, pacer, NULL);
    char *permission;
    struct err err;

    world_inject("/comments$", json_pack("{s:s}", "rate_limit", "secondary"));
    CHECK_INT(comment(one, &err), ERR_LIMIT);
    CHECK_INT(github_retry_after_ms(one), 60000);
    CHECK_INT(github_permission(two, REPO, "ann", &permission, &err), ERR_LIMIT);
    CHECK_CONTAINS(err.msg, "calls to GitHub pause for");
    CHECK(github_retry_after_ms(two) > 50000 && github_retry_after_ms(two) <= 60000);
    CHECK_INT(world_calls("fault"), 1);
    CHECK_INT(world_calls("apps/get-repo-installation"), 0);
    github_free(two);
    CHECK_INT(world_end(one), 0);
    github_pacer_free(pacer);
}

TEST(a_short_silence_is_waited_out)
{
    struct github_pacer *pacer = begin();
    struct github *github = world_paced_client(AS_USER, pacer, NULL);
    const int64_t begun_ms = clock_mono_ms();
    struct err err;

    world_inject("/comments$",
                 json_pack("{s:s, s:i}", "rate_limit", "secondary", "retry_after", 2));
    CHECK_INT(comment(github, &err), ERR_LIMIT);
    CHECK_INT(github_retry_after_ms(github), 2000);
    CHECK_OK(comment(github, &err), err);
    CHECK(clock_mono_ms() - begun_ms >= 2000);
    CHECK_INT(comments_made(), 1);
    CHECK_INT(world_end(github), 0);
    github_pacer_free(pacer);
}

TEST(a_primary_limit_is_one_account_s)
{
    struct github_pacer *pacer = begin();
    struct github *one = world_paced_client(AS_USER, pacer, NULL);
    struct github *two = world_paced_client(AS_APP, pacer, NULL);
    struct err err;

    world_inject("/comments$", json_pack("{s:s, s:i}", "rate_limit", "primary", "reset_in", 3600));
    CHECK_INT(comment(one, &err), ERR_LIMIT);
    CHECK(github_retry_after_ms(one) > 3500000);
    CHECK_OK(comment(two, &err), err);
    github_free(two);
    CHECK_INT(world_end(one), 0);
    github_pacer_free(pacer);
}

TEST(limits_that_are_not_told_wait_longer_each_time)
{
    static const int64_t told[] = {60000, 120000};
    struct github_pacer *pacers[2];
    struct err err;

    pacers[0] = begin();
    CHECK_OK(github_pacer_new(&pacers[1], &err), err);
    for (int i = 0; i < 2; i++) {
        /* as if the silence before were over */
        for (int before = 0; before < i; before++)
            (void)github_pacer_refused(pacers[i], 0, clock_mono_ms() - MS_PER_HOUR);
        struct github *github = world_paced_client(AS_USER, pacers[i], NULL);
        world_inject("/comments$", json_pack("{s:s}", "rate_limit", "secondary"));
        CHECK_INT(comment(github, &err), ERR_LIMIT);
        CHECK_INT(github_retry_after_ms(github), told[i]);
        CHECK_INT(world_end(github), 0);
        github_pacer_free(pacers[i]);
    }
}

TEST(success_makes_the_next_wait_short)
{
    struct github_pacer *pacer = begin();
    struct github *github = world_paced_client(AS_USER, pacer, NULL);
    struct err err;

    (void)github_pacer_refused(pacer, 0, clock_mono_ms() - MS_PER_HOUR);
    CHECK_OK(comment(github, &err), err);
    CHECK_INT(github_pacer_refused(pacer, 0, clock_mono_ms()), 60000);
    CHECK_INT(world_end(github), 0);
    github_pacer_free(pacer);
}

TEST(a_stop_ends_the_wait)
{
    struct github_pacer *pacer = begin();
    struct stop *stop;
    struct err err;

    CHECK_OK(stop_new(&stop, &err), err);
    struct github *github = world_paced_client(AS_USER, pacer, stop);
    (void)github_pacer_refused(pacer, 4000, clock_mono_ms());
    stop_raise(stop);
    const int64_t begun_ms = clock_mono_ms();
    CHECK_INT(comment(github, &err), ERR_CANCELED);
    CHECK(clock_mono_ms() - begun_ms < 2000);
    CHECK_INT(comments_made(), 0);
    CHECK_INT(world_end(github), 0);
    stop_free(stop);
    github_pacer_free(pacer);
}

TEST(servers_of_others_are_told_apart)
{
    static const struct {
        const char *api_url;
        bool is_server;
    } cases[] = {
        {"https://api.github.com", false},
        {"https://api.acme.ghe.com", false},
        {"https://github.acme.org/api/v3", true},
        {"https://api.github.com.evil.org", true},
        {"https://api.acme.ghe.com.evil.org", true},
        {"https://ghe.com.acme.org/api/v3", true},
        {"https://api.github.com:8443", true},
        {"http://api.github.com", true},
        {"nonsense", true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (github_is_server(cases[i].api_url) != cases[i].is_server)
            TEST_FAIL("%s", cases[i].api_url);
    }
}

int
main(int argc, char **argv)
{
    const int failed = test_run_all(argc, argv);

    world_done();
    return failed;
}
