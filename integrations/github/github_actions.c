/* See github_actions.h. */
#include "integrations/github/github_actions.h"

#include "integrations/github/github_internal.h"
#include "integrations/github/github_text.h"

#include "server/base/str.h"

#include <inttypes.h>
#include <string.h>

#define MAX_FAILED_STEPS 32 /* enough to tell what failed */

/* Cancelled and skipped ones did not find a fault. */
static bool
has_failed(const json_t *json)
{
    static const char *const failures[] = {"failure", "timed_out", "startup_failure"};
    const char *const conclusion = js_str(json, "conclusion");

    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        if (str_equal(conclusion, failures[i]))
            return true;
    }
    return false;
}

/* --- Jobs */

static size_t
find_failed_steps(const json_t *job, const char *names[MAX_FAILED_STEPS])
{
    const json_t *const steps = js_at(job, "steps");
    size_t count = 0;

    for (size_t i = 0; i < json_array_size(steps) && count < MAX_FAILED_STEPS; i++) {
        const json_t *const step = json_array_get(steps, i);

        if (has_failed(step))
            names[count++] = github_text_at(step, "name");
    }
    return count;
}

/* What github_each_failed_job() was asked for. */
struct job_reading {
    github_job_fn *each;
    void *ctx;
};

static int
hand_over_job(void *ctx, const json_t *item, bool *ret_enough, struct err *err)
{
    const struct job_reading *const reading = ctx;
    const char *steps[MAX_FAILED_STEPS];

    *ret_enough = false;
    if (!has_failed(item))
        return 0;
    return reading->each(reading->ctx,
                         &(struct github_job){
                             .id = js_int(item, "id", 0),
                             .name = github_text_at(item, "name"),
                             .conclusion = github_text_at(item, "conclusion"),
                             .url = github_text_at(item, "html_url"),
                             .failed_steps = steps,
                             .failed_step_count = find_failed_steps(item, steps),
                         },
                         err);
}

int
github_each_failed_job(struct github *github,
                       const char *repository,
                       int64_t run,
                       github_job_fn *each,
                       void *ctx,
                       struct err *err)
{
    auto_free char *path = str_printf("/actions/runs/%" PRId64 "/jobs?filter=latest&per_page=%d",
                                      run, GITHUB_PAGE_SIZE);
    const struct github_list list = {.repository = repository, .path = path, .member = "jobs"};
    struct job_reading reading = {.each = each, .ctx = ctx};

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (github_walk(github, &list, hand_over_job, &reading, err))
        return err_wrap(err, "reading the jobs of a workflow run of %.200s", repository);
    return 0;
}

/* --- Logs */

/* The answer's text; without the first line when its beginning is missing. */
static struct bytes
whole_lines(const struct web_answer *answer)
{
    const struct bytes all = bytes_of(answer->body.ptr, answer->body.len);
    const char *const end =
        answer->shortened && all.len > 0 ? memchr(all.ptr, '\n', all.len) : NULL;

    return end ? bytes_of(end + 1, (size_t)(all.ptr + all.len - end - 1)) : all;
}

int
github_job_log(struct github *github,
               const char *repository,
               int64_t job,
               size_t max_bytes,
               char **ret_text,
               struct err *err)
{
    auto_free char *rest = str_printf("/actions/jobs/%" PRId64 "/logs", job);
    auto_free char *path = NULL;
    AUTO_DONE(web_answer_done) struct web_answer answer = {0};

    if (!rest)
        return err_set(err, ERR_NOMEM, "out of memory");
    int result = github_repository_path(repository, rest, &path, err);
    const struct github_call call = {
        .method = "GET", .url = path, .repository = repository, .keep_last_bytes = max_bytes};
    if (result == 0)
        result = github_exchange(github, &call, &answer, err);
    if (result)
        return err_wrap(err, "reading the log of a job of %.200s", repository);
    return github_clean_text(whole_lines(&answer), max_bytes, ret_text, err);
}

/* --- Check runs */

/* What github_each_failed_check() was asked for. */
struct check_reading {
    github_failed_check_fn *each;
    void *ctx;
};

static int
hand_over_check(void *ctx, const json_t *item, bool *ret_enough, struct err *err)
{
    const struct check_reading *const reading = ctx;

    *ret_enough = false;
    if (!has_failed(item))
        return 0;
    return reading->each(reading->ctx,
                         &(struct github_failed_check){
                             .id = js_int(item, "id", 0),
                             .name = github_text_at(item, "name"),
                             .conclusion = github_text_at(item, "conclusion"),
                             .app = github_text_at(item, "app.slug"),
                             .url = github_text_at(item, "details_url"),
                             .title = github_text_at(item, "output.title"),
                             .summary = github_text_at(item, "output.summary"),
                             .text = github_text_at(item, "output.text"),
                         },
                         err);
}

int
github_each_failed_check(struct github *github,
                         const char *repository,
                         int64_t suite,
                         github_failed_check_fn *each,
                         void *ctx,
                         struct err *err)
{
    auto_free char *path = str_printf("/check-suites/%" PRId64
                                      "/check-runs?filter=latest&status=completed&per_page=%d",
                                      suite, GITHUB_PAGE_SIZE);
    const struct github_list list = {
        .repository = repository, .path = path, .member = "check_runs"};
    struct check_reading reading = {.each = each, .ctx = ctx};

    if (!path)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (github_walk(github, &list, hand_over_check, &reading, err))
        return err_wrap(err, "reading the check runs of %.200s", repository);
    return 0;
}
