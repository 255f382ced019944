/* The GitHub stand-in of tests/github for a test program: started once, asked through its control
 * API. */
#pragma once

#include <jansson.h>

struct github_fixture;

/* Starts it. Where node or its tools are missing the program ends here, as skipped; as failed when
 * DRAFTD_TEST_NPM is set.   Owns: the caller's, github_fixture_free(). */
struct github_fixture *github_fixture_new(void);
void github_fixture_free(struct github_fixture *fixture);

/* What it printed: "https://127.0.0.1:PORT", "DIR/ca.pem"; and a directory for the test. Borrowed.
 */
const char *github_fixture_url(const struct github_fixture *fixture);
const char *github_fixture_ca(const struct github_fixture *fixture);
const char *github_fixture_dir(const struct github_fixture *fixture);

/* A control call (server.mjs lists them); `body` is taken over, NULL for none. Ends the program
 * when it is refused.   Owns: the answer is the caller's, json_decref(). */
json_t *
github_control(struct github_fixture *fixture, const char *method, const char *path, json_t *body);

/* A control call whose answer does not matter. */
void github_control_do(struct github_fixture *fixture,
                       const char *method,
                       const char *path,
                       json_t *body);
