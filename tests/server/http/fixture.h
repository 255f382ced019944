/* A server with a few routes whose handlers behave in the ways that real ones do.
 *
 *   GET  /hello    answers at once
 *   POST /sum      up to 25 MiB; answers "BYTES SHA256", having seen every piece and the whole body
 *   POST /small    up to 1,000 bytes; as /sum
 *   POST /denied   refused by `begin` with 401
 *   POST /picky    refused by `data` with 400 when a piece has an '!'
 *   POST /wrong    refused by `finish` with 401
 *   POST /late     answered by another thread, after a random moment
 *   POST /held     answered by fixture_release()
 *   POST /gate     its thread waits in the handler while fixture_close_gate() holds */
#pragma once

#include "server/http/http.h"

struct fixture {
    struct http_server *server;
    uint16_t port;
    char *dir; /* spool_dir */
};

/* Start with the options given, but for routes, address and spool_dir. Fails the test when it
 * cannot. */
struct fixture fixture_start(struct http_options options);
void fixture_stop(struct fixture *fixture, int64_t drain_ms);

/* Answer all that are held. Returns how many. */
unsigned fixture_release(void);

/* Wait until so many are held. */
bool fixture_wait_held(unsigned count, int64_t timeout_ms);

/* Stop the server's threads at /gate, and let them on. */
void fixture_close_gate(void);
void fixture_open_gate(void);

/* Bytes of bodies that /sum and its like have seen, ever. */
size_t fixture_summed_bytes(void);

/* States that `begin` made and `drop` has not seen yet. */
int fixture_live_states(void);

/* Peak memory of this process since the last call of fixture_reset_peak(), in KiB. */
long fixture_peak_kib(void);
long fixture_now_kib(void);
void fixture_reset_peak(void);

/* Allow as many descriptors as the machine does. */
bool fixture_raise_descriptors(unsigned needed);
