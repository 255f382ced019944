/* Comments on the code of pull requests, against the stand-in. Each test ends by asking for
 * violations: there must be none. */
#include "integrations/github/github_reviews.h"

#include "server/base/js.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"
#include "tests/harness/test.h"
#include "tests/integrations/github/github_fixture.h"
#include "tests/integrations/github/github_world.h"

#define PULL 8
#define HUNK "@@ -10,3 +20,4 @@ int f()\n one\n-two\n+zwei\n+drei"

static void
begin_with_pull(void)
{
    world_begin();
    json_decref(world_post("pulls", json_pack("{s:s}", "head", "draftd/7-fix")));
}

/* A review by ann with one comment; returns the comment's id. */
static int64_t
write_review(const char *body, int64_t *ret_review)
{
    json_t *const review = world_post(
        "pulls/8/reviews", json_pack("{s:s, s:[{s:s, s:i, s:s, s:s}]}", "user", "ann", "comments",
                                     "path", "a.c", "line", 22, "diff_hunk", HUNK, "body", body));
    const int64_t id = js_int(review, "comments.0.id", 0);

    if (ret_review)
        *ret_review = js_int(review, "id", 0);
    json_decref(review);
    return id;
}

/* An answer to `thread` by somebody. */
static void
write_answer(const char *user, int64_t thread, const char *body)
{
    json_decref(world_post("pulls/8/reviews",
                           json_pack("{s:s, s:[{s:s, s:s, s:I}]}", "user", user, "comments", "path",
                                     "a.c", "body", body, "in_reply_to_id", thread)));
}

/* What was handed over, a line for each comment. */
static int
note_comment(void *ctx, const struct github_review_comment *comment, struct err *err)
{
    struct strbuf *const notes = ctx;

    CHECK(comment->id > 0 && comment->review > 0 && comment->created_ms > 0);
    strbuf_addf(notes, "%s%s %s:%lld/%lld [%s]%s %s\n", comment->author,
                comment->by_program ? " (program)" : "", comment->path, (long long)comment->line,
                (long long)comment->original_line, comment->diff_hunk,
                comment->in_reply_to_id ? " answers" : "", comment->body);
    return str_equal(comment->body, "enough") ? err_set(err, ERR_CANCELED, "enough") : 0;
}

TEST(the_comments_of_one_review_are_handed_over)
{
    static const char expected[] = "ann a.c:0/22 [" HUNK "] first \xe2\x98\x83\n"
                                   "ann b.c:0/10 [@@ -9,9 +3,1 @@\n a\n+b\n-c\n\\ No newline] \n"
                                   "ann c.c:0/0 [@@ -1 +1 @@\n+x] whole file\n"
                                   "ann a.c:0/0 [@@ -x +y] answers again\n";

    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        begin_with_pull();
        struct github *github = world_client((enum mode)mode);
        AUTO_DONE(strbuf_done) struct strbuf notes = STRBUF_INIT(4096);
        const int64_t other = write_review("of another review", NULL);
        struct err err;

        json_t *const review = world_post(
            "pulls/8/reviews",
            json_pack(
                "{s:s, s:[{s:s,s:s,s:s}, {s:s,s:s,s:s}, {s:s,s:s,s:s,s:s}, {s:s,s:s,s:s,s:I}]}",
                "user", "ann", "comments", "path", "a.c", "diff_hunk", HUNK, "body",
                "first \xe2\x98\x83", "path", "b.c", "diff_hunk",
                "@@ -9,9 +3,1 @@\n a\n+b\n-c\n\\ No newline", "body", "", "path", "c.c",
                "diff_hunk", "@@ -1 +1 @@\n+x", "subject_type", "file", "body", "whole file",
                "path", "a.c", "diff_hunk", "@@ -x +y", "body", "again", "in_reply_to_id", other));
        CHECK_OK(github_each_review_comment(github, REPO, PULL, js_int(review, "id", 0),
                                            note_comment, &notes, &err),
                 err);
        CHECK_STR(strbuf_str(&notes), expected);
        CHECK_INT(github_each_review_comment(github, REPO, PULL, 1, note_comment, &notes, &err),
                  ERR_NOTFOUND);
        CHECK_CONTAINS(err.msg, "reading review 1 of " REPO "#8");
        json_decref(review);
        CHECK_INT(world_end(github), 0);
    }
}

static int
count_comment(void *ctx, const struct github_review_comment *comment, struct err *err)
{
    (void)err;
    CHECK_INT(comment->line, 0);
    *(size_t *)ctx += 1;
    return 0;
}

TEST(a_review_of_many_comments_is_read_to_its_end)
{
    begin_with_pull();
    struct github *github = world_client(AS_APP);
    json_t *const comments = json_array();
    size_t count = 0;
    struct err err;

    for (int i = 0; i < 201; i++)
        json_array_append_new(comments, json_pack("{s:s, s:s}", "path", "a.c", "body", "x"));
    json_t *const review = world_post(
        "pulls/8/reviews", json_pack("{s:s, s:o}", "user", "other[bot]", "comments", comments));
    CHECK_OK(github_each_review_comment(github, REPO, PULL, js_int(review, "id", 0), count_comment,
                                        &count, &err),
             err);
    CHECK_INT(count, 201);
    CHECK_INT(world_calls("pulls/list-comments-for-review"), 3);
    json_decref(review);
    CHECK_INT(world_end(github), 0);
}

TEST(threads_are_answered_and_the_answer_is_found)
{
    static const char *const authors[] = {[AS_APP] = "draftd[bot]", [AS_USER] = "draftd-bot"};

    for (int mode = AS_APP; mode <= AS_USER; mode++) {
        begin_with_pull();
        struct github *github = world_client((enum mode)mode);
        const int64_t other = write_review(MARKER " forged at the top", NULL);
        const int64_t thread = write_review("please mend", NULL);
        struct err err;
        int64_t id;
        int64_t found;

        write_answer("mallory", thread, MARKER " forged");
        write_answer(authors[mode], thread, "without it");
        CHECK_INT(github_find_reply(github, REPO, PULL, thread, MARKER, &found, &err),
                  ERR_NOTFOUND);
        CHECK_OK(github_reply_to_thread(github, REPO, PULL, other, MARKER " elsewhere", &id, &err),
                 err);
        CHECK_INT(github_find_reply(github, REPO, PULL, thread, MARKER, &found, &err),
                  ERR_NOTFOUND);
        CHECK_OK(github_reply_to_thread(github, REPO, PULL, thread, MARKER " done", &id, &err),
                 err);
        write_answer(authors[mode], thread, MARKER " a later one");
        CHECK_OK(github_find_reply(github, REPO, PULL, thread, MARKER, &found, &err), err);
        CHECK_INT(found, id);

        json_t *const state = world_repository();
        const json_t *const answer = js_at(state, "pulls.0.review_comments.5");
        CHECK_INT(js_int(answer, "id", 0), id);
        CHECK_INT(js_int(answer, "in_reply_to_id", 0), thread);
        CHECK_STR(js_str(answer, "user"), authors[mode]);
        CHECK_STR(js_str(answer, "body"), MARKER " done");
        json_decref(state);
        CHECK_INT(world_end(github), 0);
    }
}

TEST(an_answer_is_found_on_later_pages)
{
    begin_with_pull();
    struct github *github = world_client(AS_USER);
    const int64_t thread = write_review("please mend", NULL);
    struct err err;
    int64_t id;
    int64_t found;

    for (int i = 0; i < 100; i++)
        write_answer("ann", thread, "talk");
    CHECK_OK(github_reply_to_thread(github, REPO, PULL, thread, MARKER, &id, &err), err);
    CHECK_OK(github_find_reply(github, REPO, PULL, thread, MARKER, &found, &err), err);
    CHECK_INT(found, id);
    CHECK_INT(world_calls("pulls/list-review-comments"), 2);
    CHECK_INT(world_end(github), 0);
}

TEST(long_answers_are_cut)
{
    begin_with_pull();
    struct github *github = world_client(AS_USER);
    const int64_t thread = write_review("please mend", NULL);
    AUTO_DONE(strbuf_done) struct strbuf body = STRBUF_INIT(1024 * 1024);
    struct err err;
    int64_t id;

    for (int i = 0; i < 70000; i++)
        strbuf_add_str(&body, "\xf0\x9f\x91\x80");
    CHECK_OK(github_reply_to_thread(github, REPO, PULL, thread, strbuf_str(&body), &id, &err), err);
    CHECK_INT(world_end(github), 0);
}

TEST(threads_that_are_gone_are_told)
{
    begin_with_pull();
    struct github *github = world_client(AS_APP);
    struct err err;
    int64_t id;

    CHECK_INT(github_reply_to_thread(github, REPO, PULL, 1, "x", &id, &err), ERR_NOTFOUND);
    CHECK_CONTAINS(err.msg, "answering on the code of " REPO "#8");
    CHECK_INT(github_react_to_review_comment(github, REPO, 1, "eyes", &err), ERR_NOTFOUND);
    CHECK_INT(github_find_reply(github, REPO, 9, 1, MARKER, &id, &err), ERR_NOTFOUND);
    CHECK_INT(world_end(github), 0);
}

TEST(comments_on_code_get_reactions)
{
    begin_with_pull();
    struct github *github = world_client(AS_APP);
    const int64_t comment = write_review("please mend", NULL);
    struct err err;

    CHECK_OK(github_react_to_review_comment(github, REPO, comment, "eyes", &err), err);
    CHECK_OK(github_react_to_review_comment(github, REPO, comment, "eyes", &err), err);
    json_t *const state = world_repository();
    CHECK_STR(js_str(state, "pulls.0.review_comments.0.reactions.0.content"), "eyes");
    CHECK_INT(json_array_size(js_at(state, "pulls.0.review_comments.0.reactions")), 1);
    json_decref(state);
    CHECK_INT(world_end(github), 0);
}

int
main(int argc, char **argv)
{
    const int failed = test_run_all(argc, argv);

    world_done();
    return failed;
}
