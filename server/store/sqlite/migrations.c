/* See migrations.h. The list is append-only: what was released is never edited, a change is a new
 * entry. Enumerators are stored as their numbers, so their order in the headers is as fixed as
 * this.
 *
 * Every reference is a foreign key. Indexes with WHERE hold only what is still to be done, so that
 * asking for the next piece of work costs the same with ten rows and with ten million. */
#include "server/store/sqlite/migrations.h"

#include <stdio.h>

#include "server/store/sqlite/sqlite.h"

#define APPLICATION_ID 0x64726674 /* "drft", at offset 68 of the file */

static const char deliveries[] =
    "CREATE TABLE delivery ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " platform TEXT NOT NULL,"
    " delivery_id TEXT NOT NULL,"
    " event TEXT NOT NULL,"
    " received_ms INTEGER NOT NULL,"
    " state INTEGER NOT NULL DEFAULT 0,"
    " reason TEXT,"
    " task INTEGER REFERENCES task (id),"
    " attempts INTEGER NOT NULL DEFAULT 0,"
    " next_ms INTEGER NOT NULL DEFAULT 0," /* 0: never deferred */
    " order_key TEXT,"                     /* of a deferred one */
    " body_bytes INTEGER NOT NULL,"
    " UNIQUE (delivery_id, platform));"
    "CREATE INDEX delivery_due ON delivery (next_ms, id) WHERE state = 0;"
    "CREATE INDEX delivery_deferred ON delivery (order_key, id)"
    " WHERE state = 0 AND order_key IS NOT NULL;"
    "CREATE INDEX delivery_task ON delivery (task) WHERE task IS NOT NULL;"
    "CREATE TABLE delivery_body ("
    " delivery INTEGER NOT NULL REFERENCES delivery (id),"
    " chunk INTEGER NOT NULL,"
    " data BLOB NOT NULL,"
    " PRIMARY KEY (delivery, chunk));";

static const char tasks[] = "CREATE TABLE task ("
                            " id INTEGER PRIMARY KEY AUTOINCREMENT,"
                            " platform TEXT NOT NULL,"
                            " origin TEXT NOT NULL UNIQUE,"
                            " thread TEXT NOT NULL,"
                            " repository TEXT NOT NULL,"
                            " number INTEGER NOT NULL,"
                            " title TEXT NOT NULL,"
                            " text TEXT NOT NULL,"
                            " url TEXT,"
                            " requested_by TEXT NOT NULL,"
                            " state INTEGER NOT NULL DEFAULT 0,"
                            " branch TEXT,"
                            " base_branch TEXT,"
                            " draft_number INTEGER NOT NULL DEFAULT 0,"
                            " draft_url TEXT,"
                            " status_ref TEXT,"
                            " reason TEXT,"
                            " created_ms INTEGER NOT NULL,"
                            " updated_ms INTEGER NOT NULL);"
                            "CREATE INDEX task_live ON task (id) WHERE state IN (0, 1);"
                            "CREATE TABLE draft ("
                            " number INTEGER PRIMARY KEY REFERENCES task (id),"
                            " repository TEXT NOT NULL,"
                            " branch TEXT NOT NULL,"
                            " base_branch TEXT NOT NULL,"
                            " head_commit TEXT NOT NULL,"
                            " title TEXT NOT NULL,"
                            " body TEXT NOT NULL,"
                            " created_ms INTEGER NOT NULL,"
                            " updated_ms INTEGER NOT NULL);";

static const char runs[] = "CREATE TABLE run ("
                           " id INTEGER PRIMARY KEY AUTOINCREMENT,"
                           " task INTEGER NOT NULL REFERENCES task (id),"
                           " number INTEGER NOT NULL,"
                           " trigger_kind TEXT NOT NULL,"
                           " trigger_actor TEXT NOT NULL,"
                           " trigger_ms INTEGER NOT NULL,"
                           " agent TEXT,"
                           " state INTEGER NOT NULL DEFAULT 0,"
                           " stage INTEGER NOT NULL DEFAULT 0,"
                           " round INTEGER NOT NULL DEFAULT 0,"
                           " lease_owner TEXT,"
                           " lease_number INTEGER NOT NULL DEFAULT 0,"
                           " lease_until_ms INTEGER NOT NULL DEFAULT 0,"
                           " not_before_ms INTEGER NOT NULL DEFAULT 0,"
                           " attempts INTEGER NOT NULL DEFAULT 0,"
                           " waiting_since_ms INTEGER NOT NULL DEFAULT 0,"
                           " cancel_requested TEXT,"
                           " base_commit TEXT,"
                           " head_commit TEXT,"
                           " outcome INTEGER NOT NULL DEFAULT 0,"
                           " verdict INTEGER NOT NULL DEFAULT 0,"
                           " reason TEXT,"
                           " summary TEXT,"
                           " flags TEXT,"
                           " created_ms INTEGER NOT NULL,"
                           " started_ms INTEGER NOT NULL DEFAULT 0,"
                           " finished_ms INTEGER NOT NULL DEFAULT 0,"
                           " UNIQUE (task, number));"
                           "CREATE UNIQUE INDEX run_live ON run (task) WHERE state IN (0, 1);"
                           "CREATE INDEX run_queued ON run (not_before_ms, id) WHERE state = 0;"
                           "CREATE INDEX run_leased ON run (lease_until_ms, id) WHERE state = 1;";

static const char steps[] =
    "CREATE TABLE step ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " run INTEGER NOT NULL REFERENCES run (id),"
    " role INTEGER NOT NULL,"
    " kind INTEGER NOT NULL,"
    " round INTEGER NOT NULL,"
    " name TEXT NOT NULL,"
    " command TEXT NOT NULL,"
    " started_ms INTEGER NOT NULL,"
    " duration_ms INTEGER NOT NULL DEFAULT 0,"
    " ended_as INTEGER NOT NULL DEFAULT 0,"
    " status INTEGER NOT NULL DEFAULT 0,"
    " output_bytes INTEGER NOT NULL DEFAULT 0,"
    " dropped_bytes INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX step_run ON step (run, id);"
    "CREATE TABLE step_output ("
    " step INTEGER NOT NULL REFERENCES step (id),"
    " position INTEGER NOT NULL," /* of its first byte in the whole output */
    " data BLOB NOT NULL,"
    " PRIMARY KEY (step, position));";

static const char checks[] =
    "CREATE TABLE check_result ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " run INTEGER NOT NULL REFERENCES run (id),"
    " name TEXT NOT NULL,"
    " command TEXT NOT NULL,"
    " verdict INTEGER NOT NULL DEFAULT 0,"
    " UNIQUE (run, name));"
    "CREATE TABLE check_execution ("
    " result INTEGER NOT NULL REFERENCES check_result (id),"
    " phase INTEGER NOT NULL,"
    " status INTEGER NOT NULL,"
    " exit_status INTEGER NOT NULL,"
    " duration_ms INTEGER NOT NULL,"
    " step INTEGER REFERENCES step (id),"
    " PRIMARY KEY (result, phase));"
    "CREATE INDEX check_execution_step ON check_execution (step) WHERE step IS NOT NULL;"
    "CREATE TABLE baseline ("
    " baseline_key TEXT NOT NULL,"
    " check_name TEXT NOT NULL,"
    " status INTEGER NOT NULL,"
    " exit_status INTEGER NOT NULL,"
    " duration_ms INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL,"
    " PRIMARY KEY (baseline_key, check_name));";

static const char outbox[] =
    "CREATE TABLE outbox ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " platform TEXT NOT NULL,"
    " thread TEXT NOT NULL,"
    " kind INTEGER NOT NULL,"
    " task INTEGER REFERENCES task (id),"
    " target TEXT,"
    " body TEXT NOT NULL,"
    " state INTEGER NOT NULL DEFAULT 0,"
    " attempts INTEGER NOT NULL DEFAULT 0,"
    " next_ms INTEGER NOT NULL DEFAULT 0," /* 0: as soon as possible */
    " reason TEXT,"
    " created_ms INTEGER NOT NULL);"
    "CREATE INDEX outbox_due ON outbox (next_ms, id) WHERE state = 0;"
    "CREATE INDEX outbox_thread ON outbox (platform, thread, id) WHERE state = 0;"
    "CREATE UNIQUE INDEX outbox_status ON outbox (task) WHERE kind = 0 AND state = 0;"
    "CREATE INDEX outbox_task ON outbox (task, id);";

/* One row that a ping changes, so that it has something to flush. */
static const char health[] = "CREATE TABLE health (id INTEGER PRIMARY KEY, pings INTEGER NOT NULL);"
                             "INSERT INTO health (id, pings) VALUES (1, 0);";

/* Whether a wish is newer than a cancellation is asked of the platform's clock, not of ours. */
static const char cancel_time[] =
    "ALTER TABLE run ADD COLUMN cancel_ms INTEGER NOT NULL DEFAULT 0;"; /* 0: not told */

static const char instruction[] = "ALTER TABLE run ADD COLUMN instruction TEXT;";

static const char settings_commit[] = "ALTER TABLE run ADD COLUMN settings_commit TEXT;";

static const char run_detail[] = "ALTER TABLE run ADD COLUMN detail TEXT;";

/* A draft is followed until it is merged or closed. */
static const char remarks[] =
    "ALTER TABLE run ADD COLUMN branch TEXT;"
    "ALTER TABLE task ADD COLUMN draft_state INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE task ADD COLUMN draft_opened_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE task ADD COLUMN draft_ended_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE task ADD COLUMN follow_ci INTEGER NOT NULL DEFAULT 1;"
    "UPDATE task SET draft_state = 1 WHERE draft_number > 0;"
    "CREATE INDEX task_draft ON task (repository, draft_number) WHERE draft_number > 0;"
    "CREATE INDEX task_branch ON task (repository, branch) WHERE branch IS NOT NULL;"
    "CREATE TABLE remark ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " task INTEGER NOT NULL REFERENCES task (id),"
    " run INTEGER REFERENCES run (id)," /* NULL: open */
    " round INTEGER NOT NULL DEFAULT 0,"
    " kind INTEGER NOT NULL,"
    " ref TEXT NOT NULL,"
    " batch TEXT,"
    " target TEXT,"
    " actor TEXT NOT NULL,"
    " path TEXT,"
    " line INTEGER NOT NULL,"
    " hunk TEXT,"
    " text TEXT NOT NULL,"
    " answer TEXT,"
    " draft INTEGER NOT NULL,"
    " happened_ms INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL,"
    " UNIQUE (task, ref));"
    "CREATE INDEX remark_task ON remark (task, id);"
    "CREATE INDEX remark_open ON remark (task) WHERE run IS NULL;"
    "CREATE INDEX remark_run ON remark (run) WHERE run IS NOT NULL;";

/* Who we are: what we wrote elsewhere carries it, so it is found again with what we know of that.
 */
static const char identity[] = "CREATE TABLE identity ("
                               " id INTEGER PRIMARY KEY CHECK (id = 1),"
                               " instance TEXT NOT NULL);";

/* What is removed when it is old is found by its age. A delivery is in one of its two indexes from
 * when it was handled on: receiving it costs nothing more. body_state and output_state: see
 * retention.c. */
static const char retention[] =
    "ALTER TABLE delivery ADD COLUMN body_state INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX delivery_body_old ON delivery (received_ms) WHERE state <> 0 AND body_state <> 2;"
    "CREATE INDEX delivery_old ON delivery (received_ms) WHERE state <> 0 AND body_state = 2;"
    "ALTER TABLE step ADD COLUMN output_state INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX step_output_old ON step (started_ms) WHERE output_state <> 2;"
    "CREATE INDEX outbox_sent_old ON outbox (created_ms) WHERE state = 1;"
    "CREATE INDEX baseline_old ON baseline (created_ms);";

/* What the platform is asked about afterwards: how far back that was done, where an open draft
 * stands, and whose work made a run unnecessary. */
static const char watching[] =
    "CREATE TABLE delivery_mark ("
    " platform TEXT NOT NULL,"
    " hook TEXT NOT NULL,"
    " seen_ms INTEGER NOT NULL,"
    " PRIMARY KEY (platform, hook));"
    "ALTER TABLE task ADD COLUMN draft_conflicts INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE task ADD COLUMN draft_seen TEXT;"
    "CREATE INDEX task_draft_open ON task (id) WHERE draft_state = 1;"
    "ALTER TABLE run ADD COLUMN rival TEXT;"
    "CREATE INDEX run_rival ON run (task) WHERE rival IS NOT NULL;";

/* How far the wall clock was ahead of the one that never jumps: see host_clock.h. */
static const char host_clock[] = "CREATE TABLE host_clock ("
                                 " id INTEGER PRIMARY KEY CHECK (id = 1),"
                                 " boot TEXT NOT NULL,"
                                 " offset_ms INTEGER NOT NULL,"
                                 " jumped_mono_ms INTEGER NOT NULL);"; /* 0: it did not */

/* See handlers/intake/inherited.h. */
static const char begun[] = "ALTER TABLE delivery ADD COLUMN begun INTEGER NOT NULL DEFAULT 0;";

/* What is said is heard once, whatever delivery it comes in and when. */
static const char heard[] = "ALTER TABLE run ADD COLUMN trigger_ref TEXT;";

/* What was taken back stays so, and who wants another agent has it in a follow-up, too. */
static const char withdrawal[] = "CREATE TABLE withdrawal ("
                                 " origin TEXT NOT NULL PRIMARY KEY,"
                                 " happened_ms INTEGER NOT NULL,"
                                 " ref TEXT,"
                                 " created_ms INTEGER NOT NULL);"
                                 "CREATE INDEX withdrawal_old ON withdrawal (created_ms);"
                                 "ALTER TABLE remark ADD COLUMN agent TEXT;"
                                 "ALTER TABLE remark ADD COLUMN branch TEXT;";

/* What the platform's own ids of repositories are called now. */
static const char repositories[] = "CREATE TABLE repository ("
                                   " platform TEXT NOT NULL,"
                                   " id INTEGER NOT NULL,"
                                   " name TEXT NOT NULL,"
                                   " told_ms INTEGER NOT NULL," /* 0: not told when */
                                   " PRIMARY KEY (platform, id),"
                                   " UNIQUE (platform, name));";

/* What a task had before, with how far its runs and remarks were of that: see past_draft.h. */
static const char past_drafts[] = "CREATE TABLE past_draft ("
                                  " id INTEGER PRIMARY KEY AUTOINCREMENT,"
                                  " task INTEGER NOT NULL REFERENCES task (id),"
                                  " number INTEGER NOT NULL,"
                                  " url TEXT,"
                                  " branch TEXT,"
                                  " base_branch TEXT,"
                                  " state INTEGER NOT NULL,"
                                  " opened_ms INTEGER NOT NULL,"
                                  " ended_ms INTEGER NOT NULL,"
                                  " last_run INTEGER NOT NULL,"
                                  " last_remark INTEGER NOT NULL);"
                                  "CREATE INDEX past_draft_task ON past_draft (task, id);"
                                  "CREATE INDEX past_draft_number ON past_draft (number);";

/* What leads from version N to version N + 1 is at place N, in parts that run one after the other.
 */
#define PARTS_MAX 8
static const char *const migrations[][PARTS_MAX] = {
    {deliveries, tasks, runs, steps, checks, outbox, health},
    {cancel_time},
    {instruction},
    {settings_commit},
    {run_detail},
    {remarks},
    {identity, retention},
    {watching},
    {host_clock},
    {begun},
    {heard},
    {withdrawal},
    {repositories},
    {past_drafts},
};
#define VERSION ((int64_t)(sizeof(migrations) / sizeof(migrations[0])))

static int
read_int(struct db *db, const char *sql, int64_t *ret_value, struct err *err)
{
    AUTO(db_release) struct db_stmt *stmt = NULL;
    bool row;

    int code = db_prepare(db, sql, &stmt, err);
    if (!code)
        code = db_step(stmt, &row, err);
    if (code)
        return code;
    *ret_value = row ? db_column_int(stmt, 0) : 0;
    return 0;
}

/* Whose file is it, and which version? An empty file has version 0. */
static int
identify(struct db *db, int64_t *ret_version, struct err *err)
{
    int64_t application;
    int64_t version;
    int64_t tables;

    int code = read_int(db, "PRAGMA application_id", &application, err);
    if (!code)
        code = read_int(db, "PRAGMA user_version", &version, err);
    if (!code)
        code = read_int(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (code)
        return code;

    const bool empty = application == 0 && version == 0 && tables == 0;
    if (!empty && application != APPLICATION_ID)
        return err_set(err, ERR_INVALID,
                       "the file is an SQLite database of another program, not a store of draftd");
    if (version > VERSION)
        return err_set(err, ERR_INVALID,
                       "the store was written by a newer draftd (its version is %lld, this program "
                       "knows up to %lld): use that program, or a backup made before it",
                       (long long)version, (long long)VERSION);
    *ret_version = version;
    return 0;
}

static int
apply(struct db *db, int64_t from_version, struct err *err)
{
    int code = 0;

    for (int64_t version = from_version; version < VERSION && !code; version++)
        for (size_t part = 0; part < PARTS_MAX && migrations[version][part] && !code; part++)
            code = db_exec(db, migrations[version][part], err);
    if (code)
        return err_wrap(err, "updating the store's tables");

    char sql[96];
    (void)snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %lld",
                   APPLICATION_ID, (long long)VERSION);
    return db_exec(db, sql, err);
}

/* Look again now that nobody else can change it, and do what is still to be done. */
static int
update(struct db *db, struct err *err)
{
    int64_t version = 0;

    int code = identify(db, &version, err);
    if (!code && version < VERSION)
        code = apply(db, version, err);
    return code;
}

int
migrations_run(struct sqlite *sqlite, struct err *err)
{
    int64_t version = 0;

    /* First without a lock or any change: the file may not be ours. */
    int code = identify(&sqlite->db, &version, err);
    if (!code)
        code = sqlite_use_log(sqlite, err);
    if (code || version == VERSION)
        return code;

    code = sqlite_begin(sqlite, err);
    if (!code)
        code = update(&sqlite->db, err);
    if (!code)
        code = sqlite_commit(sqlite, err);
    if (code)
        sqlite_rollback(sqlite);
    return code;
}
