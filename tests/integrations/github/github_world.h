/* The small world that each test of the GitHub client begins with, in the stand-in of tests/github:
 * one App (12345, "draftd"), one machine user (draftd-bot), the private repository acme/widget with
 * issue 7. One per program. */
#pragma once

#include "integrations/github/github.h"

#include <jansson.h>

#define REPO "acme/widget"
#define MARKER "<!-- draftd:task=7 -->"

enum mode { AS_APP, AS_USER };

/* Start the stand-in the first time (github_fixture.h says when the program is skipped); put the
 * world back to its beginning. */
void world_begin(void);
void world_done(void);

/* Borrowed. The first two until world_done(), the tokens until the next world_begin(). */
struct github_fixture *world_stand_in(void);
const char *world_app_public_key(void);
struct github_tokens *world_tokens(void);
const struct secret *world_user_token(void);

/* A client of this world.  Owns: the caller's, world_end(). */
struct github *world_client(enum mode mode);
struct github *
world_client_with(enum mode mode, const struct secret *token, const struct stop *stop);

/* One that takes the stand-in for a GitHub Enterprise Server. */
struct github *world_server_client(enum mode mode);

/* One whose calls are paced. */
struct github *
world_paced_client(enum mode mode, struct github_pacer *pacer, const struct stop *stop);

/* Free the client.  Returns how many requests broke GitHub's rules, after printing them: must be 0.
 */
size_t world_end(struct github *github);

/* How often a call was made: "issues/create-comment". */
int64_t world_calls(const char *operation);

/* What the App was granted besides: {"checks": "write"}, which is taken over. */
void world_grant(json_t *more);

/* A control call; `body` is taken over. */
void world_control(const char *method, const char *path, json_t *body);

/* A control call about the repository, "pulls/8/reviews".  Owns: the answer is the caller's,
 * json_decref(); `body` is taken over. */
json_t *world_post(const char *path, json_t *body);

/* What the repository holds.  Owns: the caller's, json_decref(). */
json_t *world_repository(void);

/* The next request whose path matches (NULL: any) fails as `fault` says, which is taken over. */
void world_inject(const char *path, json_t *fault);

/* Give the stand-in a bare git repository with main and draftd/7-fix, which is one commit ahead. */
void world_add_git(void);
