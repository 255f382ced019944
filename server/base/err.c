/* See err.h. */
#include "server/base/err.h"

#include "server/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A message may quote outside bytes: keep it on one line, and whole in UTF-8 where it was cut. */
static void
make_printable(char *text)
{
    size_t len = strlen(text);
    size_t last = len;

    while (last > 0 && len - last < 3 && ((unsigned char)text[last] & 0xC0) != 0xC0)
        last--;
    if (len == ERR_MESSAGE_BYTES - 1 && (unsigned char)text[last] >= 0xC0) {
        uint32_t ignored;
        const size_t size = utf8_decode(text + last, len - last, &ignored);
        len = size > 1 ? len : last;
        text[len] = '\0';
    }
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            text[i] = ' ';
}

int
err_record(struct err *err, int code, const char *format, ...)
{
    if (!err)
        return code;

    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->msg, sizeof(err->msg), format, args);
    va_end(args);
    make_printable(err->msg);
    err->code = code;
    return code;
}

int
err_record_errno(struct err *err, int code, int error_number, const char *format, ...)
{
    if (!err)
        return code;

    char context[ERR_MESSAGE_BYTES];
    char reason_buffer[128];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(context, sizeof(context), format, args);
    va_end(args);
    const char *reason = strerror_r(error_number, reason_buffer, sizeof(reason_buffer));
    return err_set(err, code, "%s: %s", context, reason);
}

int
err_prefix(struct err *err, const char *format, ...)
{
    if (!err)
        return ERR_INTERNAL;

    char context[ERR_MESSAGE_BYTES];
    char inner[ERR_MESSAGE_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(context, sizeof(context), format, args);
    va_end(args);
    memcpy(inner, err->msg, sizeof(inner));
    return err_set(err, err->code, "%s: %s", context, inner);
}

bool
err_retryable(int code)
{
    return code == ERR_REMOTE || code == ERR_UNAVAILABLE || code == ERR_TIMEOUT;
}

bool
err_may_pass(int code)
{
    return err_retryable(code) || code == ERR_LIMIT || code == ERR_IO || code == ERR_NOMEM ||
           code == ERR_AUTH || code == ERR_CANCELED;
}

struct code_facts {
    int code;
    int http_status;
    const char *name;
};

static const struct code_facts facts[] = {
    {ERR_NOMEM, 503, "no_memory"},         {ERR_IO, 503, "io"},
    {ERR_INVALID, 400, "invalid"},         {ERR_AUTH, 401, "unauthorized"},
    {ERR_NOTFOUND, 404, "not_found"},      {ERR_CONFLICT, 409, "conflict"},
    {ERR_LIMIT, 413, "too_large"},         {ERR_TIMEOUT, 504, "timeout"},
    {ERR_CANCELED, 503, "canceled"},       {ERR_REMOTE, 502, "remote"},
    {ERR_UNAVAILABLE, 503, "unavailable"}, {ERR_INTERNAL, 500, "internal"},
    {ERR_DENIED, 403, "denied"},
};

static const struct code_facts *
find_facts(int code)
{
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
        if (facts[i].code == code)
            return &facts[i];
    return NULL;
}

int
err_http_status(int code)
{
    const struct code_facts *found = find_facts(code);
    return found ? found->http_status : 500;
}

const char *
err_name(int code)
{
    const struct code_facts *found = find_facts(code);
    return found ? found->name : "unknown";
}
