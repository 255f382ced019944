/* See answer.h. */
#include "server/http/answer.h"

#include <microhttpd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/cleanup.h"
#include "server/base/str.h"
#include "server/base/strbuf.h"

#define JSON_TYPE "application/json"
#define MAX_JSON_BYTES 4096U

/* By then whoever kept others out has met a deadline (LIMIT_BODY_MS). */
#define RETRY_AFTER_SECONDS "60"

void
answer_done(struct answer *answer)
{
    free(answer->body);
    *answer = (struct answer){.status = 0};
}

void
answer_set(struct answer *answer, unsigned status, const char *content_type, struct bytes body)
{
    char *copy = NULL;

    free(TAKE(answer->body));
    answer->body_bytes = 0;
    answer->content_type[0] = '\0';
    if (body.len > 0) {
        copy = malloc(body.len);
        if (!copy) {
            answer->status = MHD_HTTP_SERVICE_UNAVAILABLE;
            return;
        }
        memcpy(copy, body.ptr, body.len);
    }
    answer->status = status;
    answer->body = copy;
    answer->body_bytes = body.len;
    if (content_type)
        (void)snprintf(answer->content_type, sizeof(answer->content_type), "%s", content_type);
}

/* `text` as a JSON string. Messages may quote what came from outside: it must stay one, and UTF-8.
 */
static void
add_json_string(struct strbuf *json, const char *text)
{
    size_t left = strlen(text);

    strbuf_add_char(json, '"');
    while (left > 0) {
        uint32_t code_point;
        const size_t size = utf8_decode(text, left, &code_point);
        if (code_point == 0xFFFD)
            strbuf_add_str(json, "\\ufffd");
        else if (code_point < 0x20)
            strbuf_addf(json, "\\u%04x", code_point);
        else if (code_point == '"' || code_point == '\\')
            strbuf_addf(json, "\\%c", (int)code_point);
        else
            strbuf_add(json, text, size);
        text += size;
        left -= size;
    }
    strbuf_add_char(json, '"');
}

static void
set_json(struct answer *answer, unsigned status, const struct strbuf *json)
{
    if (strbuf_ok(json))
        answer_set(answer, status, JSON_TYPE, bytes_of(json->ptr, json->len));
    else
        answer_set(answer, status, NULL, bytes_of(NULL, 0));
}

void
answer_set_status(struct answer *answer, unsigned status, const char *text)
{
    AUTO_DONE(strbuf_done) struct strbuf json = STRBUF_INIT(MAX_JSON_BYTES);

    strbuf_add_str(&json, "{\"status\":");
    add_json_string(&json, text);
    strbuf_add_str(&json, "}\n");
    set_json(answer, status, &json);
}

void
answer_set_error(struct answer *answer, unsigned status, const char *name, const char *message)
{
    AUTO_DONE(strbuf_done) struct strbuf json = STRBUF_INIT(MAX_JSON_BYTES);

    strbuf_add_str(&json, "{\"error\":");
    add_json_string(&json, name);
    strbuf_add_str(&json, ",\"message\":");
    add_json_string(&json, message);
    strbuf_add_str(&json, "}\n");
    set_json(answer, status, &json);
}

static bool
add_header(struct MHD_Response *response, const char *name, const char *value)
{
    return !value[0] || MHD_add_response_header(response, name, value) == MHD_YES;
}

bool
answer_send(struct answer *answer, struct MHD_Connection *connection, bool close_after)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(answer->body_bytes, answer->body, MHD_RESPMEM_MUST_FREE);

    if (!response)
        return false;
    answer->body = NULL;
    const bool complete =
        add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type) &&
        add_header(response, MHD_HTTP_HEADER_ALLOW, answer->allow) &&
        add_header(response, MHD_HTTP_HEADER_RETRY_AFTER,
                   answer->status == MHD_HTTP_SERVICE_UNAVAILABLE ? RETRY_AFTER_SECONDS : "") &&
        add_header(response, MHD_HTTP_HEADER_CONNECTION, close_after ? "close" : "");
    const bool queued =
        complete && MHD_queue_response(connection, answer->status, response) == MHD_YES;
    MHD_destroy_response(response);
    return queued;
}
