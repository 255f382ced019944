/* A scripted HTTP server for tests of clients: it expects requests in an order and answers each
 * with the bytes that the script says, over TCP on a free port or over a Unix socket. What was
 * asked is kept for the test to look at. It knows no HTTP but where a request ends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum fake_then {
    FAKE_KEEP,  /* the connection stays open for the next request; with half a reply, it hangs */
    FAKE_CLOSE, /* closed in good order */
    FAKE_RESET, /* torn down (TCP only) */
};

struct fake_exchange {
    const char *expect;  /* how the request begins: "GET /path"; NULL: anything */
    const char *reply;   /* the answer's bytes, head and all; NULL: none */
    size_t filler_bytes; /* so many 'x' after the reply */
    int byte_delay_ms;   /* between the bytes of the reply */
    enum fake_then then;
};

struct fake_http;

/* Listens on `unix_path`, or on 127.0.0.1 when that is NULL, and plays `count` exchanges of
 * `script` in their order, whatever connection they come on. A request beyond the script or unlike
 * it is answered with 500 and remembered as a mistake. Exits the program when the machine refuses.
 * Borrows: script, for the server's life.   Owns: the caller's, fake_http_free(). */
struct fake_http *
fake_http_new(const char *unix_path, const struct fake_exchange *script, size_t count);
void fake_http_free(struct fake_http *fake);

/* "http://127.0.0.1:PORT", or "http://localhost" over a Unix socket. Borrowed. */
const char *fake_http_url(const struct fake_http *fake);

/* What went otherwise than in the script, exchanges that never came included; NULL when nothing.
 * Stops the server. Borrowed. */
const char *fake_http_mistake(struct fake_http *fake);

/* The bytes of the n-th request, terminated; NULL when it never came. Borrowed; after
 * fake_http_mistake() only. */
const char *fake_http_request(const struct fake_http *fake, size_t index);

/* How many connections were accepted; after fake_http_mistake() only. */
size_t fake_http_connections(const struct fake_http *fake);
