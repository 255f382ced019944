/* What the tests with real containers share: a host, a mirror repository, a sandbox that is closed
 * also when a check fails. */
#pragma once

#include "sandbox/sandbox.h"
#include "server/base/stop.h"

#define FIXTURE_IMAGE "draftd-test"
#define FIXTURE_BRANCH "draftd/1-test"

/* The engine under test: the value of DRAFTD_TEST_ENGINE, or of DRAFTD_TEST_ENGINE_DOCKER when
 * DRAFTD_TEST_USE is "docker"; NULL: not set. */
const char *fixture_engine(void);
bool fixture_is_docker(void);

/* The host that sandboxes are opened with; may be changed by a test, and is as new for the next
 * one. */
struct sandbox_host *fixture_host(void);

/* Everything of the test before is gone; call first in every test. */
void fixture_begin(void);

/* Remove what was made on this machine. */
void fixture_end(void);

/* The mirror's objects directory and its one commit. */
const char *fixture_objects(void);
const char *fixture_commit(void);

/* Run a command on this machine; the test fails when it does.  Its first line of output, borrowed.
 */
const char *fixture_shell(const char *command);

/* A fresh directory for the test. Borrowed. */
const char *fixture_directory(void);

/* A specification of a work sandbox on the mirror. */
struct sandbox_spec fixture_spec(void);

/* Make an image with the test image's files and a change of its configuration ("VOLUME /data"); the
 * test fails when it cannot be made. Gone with the next test. Its name, borrowed. */
const char *fixture_image(const char *change);

/* Open with the fixture's host; the test fails when it does. Closed by fixture_close() or the next
 * test. */
struct sandbox *fixture_open(const struct sandbox_spec *spec);
struct sandbox *fixture_open_plain(void);
void fixture_close(void);

/* How a command ended and what it printed. */
struct fixture_run {
    struct sandbox_result result;
    char output[65536]; /* both streams, cut */
    size_t len;
    int64_t total_bytes;
};

/* Execute; the test fails when the sandbox does.  Borrowed until the next call. */
struct fixture_run *fixture_run(const char *command);
struct fixture_run *fixture_run_with(const struct sandbox_command *command);
