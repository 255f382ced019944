"""A store with a long past: a million tasks that have ended, each with its run and its delivery."""
import sqlite3

TASKS = 1_000_000

# The tables are draftd's own, made by it. A task in a hundred repositories, a minute apart.
STATEMENTS = (
    "INSERT INTO task (platform, origin, thread, repository, number, title, text, requested_by, state, branch,"
    " base_branch, draft_number, draft_url, draft_state, status_ref, created_ms, updated_ms)"
    " SELECT 'github', 'github:acme/r' || (n % 100) || '#' || n, 'acme/r' || (n % 100) || '#' || n, 'acme/r' || (n % 100),"
    " n, 'Division by zero', 'calc 1 / 0 ends with a signal.', 'octo', 2, 'draftd/' || n, 'main', n, 'url', 2,"
    " n, :now - (:tasks - n) * 60000, :now - (:tasks - n) * 60000 FROM numbers",
    "INSERT INTO run (task, number, trigger_kind, trigger_actor, trigger_ms, state, outcome, base_commit,"
    " head_commit, created_ms, started_ms, finished_ms)"
    " SELECT id, 1, 'label', 'octo', created_ms, 2, 1, hex(zeroblob(20)), hex(zeroblob(20)), created_ms,"
    " created_ms, created_ms FROM task",
    "INSERT INTO delivery (platform, delivery_id, event, received_ms, state, task, body_bytes, body_state)"
    " SELECT 'github', 'kept-' || id, 'issues', created_ms, 1, id, 0, 2 FROM task",
)


def fill(path, now_ms):
    store = sqlite3.connect(path, isolation_level=None)
    store.execute("PRAGMA synchronous = OFF")
    store.execute("CREATE TEMP TABLE numbers AS WITH RECURSIVE up (n) AS"
                  " (SELECT 1 UNION ALL SELECT n + 1 FROM up LIMIT :tasks) SELECT n FROM up", {"tasks": TASKS})
    store.execute("BEGIN")
    for statement in STATEMENTS:
        store.execute(statement, {"tasks": TASKS, "now": now_ms} if ":now" in statement else {})
    store.execute("COMMIT")
    store.execute("PRAGMA wal_checkpoint (TRUNCATE)")
    store.close()
