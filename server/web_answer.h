/* An answer while it arrives: the headers that are looked at, and as much of the body as is wanted.
 * Of web.c alone. */
#pragma once

#include "server/web.h"

/* Forget the headers: those of an interim answer. */
void web_answer_clear_headers(struct web_answer *answer);

/* Take in a header. Returns false when out of memory. */
bool web_answer_add_header(struct web_answer *answer, struct bytes name, struct bytes value);

/* Take in a piece of the body, whose failures stick. With `keep_last_bytes` the body's maximum is
 * twice that, and no answer is too long for it. */
void web_answer_add_body(struct web_answer *answer, size_t keep_last_bytes, struct bytes piece);

/* The body is complete. */
void web_answer_finish(struct web_answer *answer, size_t keep_last_bytes);
