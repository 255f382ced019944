/* What the typed operations share: records out of rows, lists of records, and the common answers.
 * Not for use outside this folder. */
#pragma once

#include "server/limits.h"
#include "server/store/db.h"

#include <stddef.h>

/* A text column and the `char *` member of a record that takes a copy of it. */
struct row_text {
    int place;
    size_t offset;
};

/* Copy text columns into a zeroed record. What was copied before a failure is in the record, for
 * row_free_texts().  Errors: ERR_NOMEM. */
MUST_CHECK int row_load_texts(struct db_stmt *stmt,
                              void *record,
                              const struct row_text *texts,
                              size_t count,
                              struct err *err);

void row_free_texts(void *record, const struct row_text *texts, size_t count);

/* Make room for one more behind `count` items: the (moved) items, or NULL when out of memory. Asked
 * for each item; the room doubles. */
MUST_CHECK void *row_list_grow(void *items, size_t count, size_t item_bytes);

/* Make a record out of the row that a statement stands on. `ret_record` points to a pointer to the
 * record, which becomes the caller's. */
typedef int row_load_fn(struct db_stmt *stmt, void *ret_record, struct err *err);

/* Append a record for each row of a statement to a list: `items` points to the list's array of
 * pointers to records. On failure the list holds what was loaded until then. */
MUST_CHECK int
row_load_list(struct db_stmt *stmt, row_load_fn *load, void *items, size_t *count, struct err *err);

/* Step to the one row of a query by id.  Errors: ERR_NOTFOUND "there is no `what` `id`". */
MUST_CHECK int row_find(struct db_stmt *stmt, const char *what, int64_t id, struct err *err);

/* Run an update of one row by id.  Errors: ERR_NOTFOUND it changed none. */
MUST_CHECK int row_update(struct db_stmt *stmt, const char *what, int64_t id, struct err *err);

/* Bind a reference to another row: 0 is SQL NULL. */
void row_bind_ref(struct db_stmt *stmt, int place, int64_t id);

/* `reason`, or its beginning in `buf` when it is longer than LIMIT_REASON_BYTES. NULL stays NULL.
 */
const char *row_reason(const char *reason, char buf[LIMIT_REASON_BYTES + 1]);

/* The word of an enumerator out of its table; "unknown" for a value that a damaged row may hold. */
const char *row_name(const char *const *names, size_t count, unsigned value);
