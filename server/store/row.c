/* See row.h. */
#include "server/store/row.h"

#include "server/base/str.h"

static char **
slot_of(void *record, const struct row_text *text)
{
    return (char **)(void *)((char *)record + text->offset);
}

int
row_load_texts(
    struct db_stmt *stmt, void *record, const struct row_text *texts, size_t count, struct err *err)
{
    int code = 0;

    for (size_t i = 0; i < count && !code; i++)
        code = db_column_dup(stmt, texts[i].place, slot_of(record, &texts[i]), err);
    return code;
}

void
row_free_texts(void *record, const struct row_text *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(*slot_of(record, &texts[i]));
}

void *
row_list_grow(void *items, size_t count, size_t item_bytes)
{
    const bool full = (count & (count - 1)) == 0; /* room is made at 0, 1, 2, 4, 8, ... */

    return full ? reallocarray(items, count ? 2 * count : 1, item_bytes) : items;
}

int
row_load_list(struct db_stmt *stmt, row_load_fn *load, void *items, size_t *count, struct err *err)
{
    void *array = NULL;
    bool row = false;
    int code = db_step(stmt, &row, err);

    while (!code && row) {
        /* Copied, as the pointers in the array are of another type for each kind of record. */
        memcpy(&array, items, sizeof(array));
        array = row_list_grow(array, *count, sizeof(array));
        if (!array)
            return err_set(err, ERR_NOMEM, "out of memory");
        memcpy(items, &array, sizeof(array));
        code = load(stmt, (char *)array + *count * sizeof(array), err);
        *count += !code;
        if (!code)
            code = db_step(stmt, &row, err);
    }
    return code;
}

int
row_find(struct db_stmt *stmt, const char *what, int64_t id, struct err *err)
{
    bool row;

    const int code = db_step(stmt, &row, err);
    if (code)
        return code;
    if (!row)
        return err_set(err, ERR_NOTFOUND, "there is no %s %lld", what, (long long)id);
    return 0;
}

int
row_update(struct db_stmt *stmt, const char *what, int64_t id, struct err *err)
{
    const int code = db_run(stmt, err);
    if (code)
        return code;
    if (db_changes(stmt->db) == 0)
        return err_set(err, ERR_NOTFOUND, "there is no %s %lld", what, (long long)id);
    return 0;
}

void
row_bind_ref(struct db_stmt *stmt, int place, int64_t id)
{
    if (id)
        db_bind_int(stmt, place, id);
    else
        db_bind_text(stmt, place, NULL);
}

const char *
row_reason(const char *reason, char buf[LIMIT_REASON_BYTES + 1])
{
    const size_t len = reason ? strlen(reason) : 0;
    if (len <= LIMIT_REASON_BYTES)
        return reason;

    const size_t kept = utf8_cut(reason, len, LIMIT_REASON_BYTES);
    memcpy(buf, reason, kept);
    buf[kept] = '\0';
    return buf;
}

const char *
row_name(const char *const *names, size_t count, unsigned value)
{
    return value < count ? names[value] : "unknown";
}
