/* See draft.h. */
#include "server/store/draft.h"

#include "server/store/row.h"

static const struct row_text texts[] = {
    {1, offsetof(struct draft, repository)},  {2, offsetof(struct draft, branch)},
    {3, offsetof(struct draft, base_branch)}, {4, offsetof(struct draft, head_commit)},
    {5, offsetof(struct draft, title)},       {6, offsetof(struct draft, body)},
};
#define TEXT_COUNT (sizeof(texts) / sizeof(texts[0]))

void
draft_free(struct draft *draft)
{
    if (!draft)
        return;
    row_free_texts(draft, texts, TEXT_COUNT);
    free(draft);
}

int
draft_put(struct db *db, const struct draft *draft, int64_t now_ms, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;

    const int code = db_prepare(db,
                                "INSERT INTO draft (number, repository, branch, base_branch,"
                                " head_commit, title, body, created_ms, updated_ms)"
                                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)"
                                " ON CONFLICT (number) DO UPDATE SET"
                                " repository = excluded.repository, branch = excluded.branch,"
                                " base_branch = excluded.base_branch,"
                                " head_commit = excluded.head_commit, title = excluded.title,"
                                " body = excluded.body, updated_ms = excluded.updated_ms",
                                &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, draft->number);
    db_bind_text(stmt, 2, draft->repository);
    db_bind_text(stmt, 3, draft->branch);
    db_bind_text(stmt, 4, draft->base_branch);
    db_bind_text(stmt, 5, draft->head_commit);
    db_bind_text(stmt, 6, draft->title);
    db_bind_text(stmt, 7, draft->body);
    db_bind_int(stmt, 8, now_ms);
    return db_run(stmt, err);
}

int
draft_get(struct db *db, int64_t number, struct draft **ret_draft, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    AUTO(draft_free) struct draft *draft = calloc(1, sizeof(*draft));

    if (!draft)
        return err_set(err, ERR_NOMEM, "out of memory");
    int code = db_prepare(db,
                          "SELECT number, repository, branch, base_branch, head_commit, title,"
                          " body, created_ms, updated_ms FROM draft WHERE number = $1",
                          &stmt, err);
    if (code)
        return code;
    db_bind_int(stmt, 1, number);
    code = row_find(stmt, "draft", number, err);
    if (code)
        return code;

    draft->number = db_column_int(stmt, 0);
    draft->created_ms = db_column_int(stmt, 7);
    draft->updated_ms = db_column_int(stmt, 8);
    code = row_load_texts(stmt, draft, texts, TEXT_COUNT, err);
    if (!code)
        *ret_draft = TAKE(draft);
    return code;
}
