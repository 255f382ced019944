/* See js.h. */
#include "server/base/js.h"

#include "server/base/str.h"

#define MAX_DEPTH 64
#define MAX_VALUES 1000000

/* Refuse in one cheap pass what would cost much as a tree: 24 MB of "[]," would become a gigabyte.
 * Counts structure outside strings only; whether it is JSON at all is the parser's business. */
static int
check_size(struct bytes text, struct err *err)
{
    size_t depth = 0;
    size_t values = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
            continue;
        }
        in_string = c == '"';
        depth += c == '[' || c == '{';
        depth -= (c == ']' || c == '}') && depth > 0;
        values += c == ',' || c == '[' || c == '{';
        if (depth > MAX_DEPTH)
            return err_set(err, ERR_INVALID, "JSON is nested deeper than %d levels", MAX_DEPTH);
        if (values > MAX_VALUES)
            return err_set(err, ERR_INVALID, "JSON has more than %d values", MAX_VALUES);
    }
    return 0;
}

/* Write "\ufffd" in place of each "\u0000". */
static void
replace_nuls(char *text, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++) {
        if (text[i] != '\\')
            continue;
        i++; /* what it escapes is no backslash of its own */
        if (text[i] == 'u' && len - i > 4 && memcmp(text + i + 1, "0000", 4) == 0)
            memcpy(text + i + 1, "fffd", 4);
    }
}

static json_t *
load(struct bytes text, json_error_t *ret_fault)
{
    return json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                      ret_fault);
}

int
js_parse(struct bytes text, json_t **ret_json, struct err *err)
{
    json_error_t fault;
    const int r = check_size(text, err);

    if (r)
        return r;
    json_t *json = load(text, &fault);
    if (!json && json_error_code(&fault) == json_error_null_character) {
        auto_free char *copy = malloc(text.len);
        if (!copy)
            return err_set(err, ERR_NOMEM, "out of memory");
        memcpy(copy, text.ptr, text.len);
        replace_nuls(copy, text.len);
        json = load(bytes_of(copy, text.len), &fault);
    }
    if (!json)
        return err_set(err, ERR_INVALID, "not JSON: line %d, column %d: %s", fault.line,
                       fault.column, fault.text);
    *ret_json = json;
    return 0;
}

/* One step along a path. */
static const json_t *
step_into(const json_t *json, const char *name, size_t len)
{
    if (json_is_object(json))
        return json_object_getn(json, name, len);
    if (!json_is_array(json))
        return NULL;

    size_t place = 0;
    for (size_t i = 0; i < len; i++) {
        if (name[i] < '0' || name[i] > '9' || place > MAX_VALUES)
            return NULL;
        place = place * 10 + (size_t)(name[i] - '0');
    }
    return json_array_get(json, place);
}

const json_t *
js_at(const json_t *json, const char *path)
{
    while (json && *path) {
        const size_t len = strcspn(path, ".");
        json = step_into(json, path, len);
        path += len + (path[len] == '.');
    }
    return json;
}

const char *
js_str(const json_t *json, const char *path)
{
    return json_string_value(js_at(json, path));
}

int64_t
js_int(const json_t *json, const char *path, int64_t otherwise)
{
    const json_t *found = js_at(json, path);
    return json_is_integer(found) ? (int64_t)json_integer_value(found) : otherwise;
}

bool
js_bool(const json_t *json, const char *path, bool otherwise)
{
    const json_t *found = js_at(json, path);
    return json_is_boolean(found) ? json_is_true(found) : otherwise;
}

static int
append_chunk(const char *chunk, size_t len, void *ctx)
{
    struct strbuf *buf = ctx;

    strbuf_add(buf, chunk, len);
    return strbuf_ok(buf) ? 0 : -1;
}

void
js_append(struct strbuf *buf, const json_t *json)
{
    if (json_dump_callback(json, append_chunk, buf, JSON_COMPACT | JSON_ENCODE_ANY) && !buf->failed)
        buf->failed = ERR_NOMEM;
}

int
js_dump(const json_t *json, char **ret_text, struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf buf = STRBUF_INIT(SIZE_MAX / 2);

    js_append(&buf, json);
    return strbuf_take(&buf, ret_text, err);
}
