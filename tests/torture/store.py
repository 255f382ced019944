"""What draftd's store says, as JSON: for tests/torture, which has no SQLite of its own. usage: store.py FILE [--counts]

With --counts: only what is still to be done. The file is only read.
"""
import json
import sqlite3
import sys

LEFT = {
    "deliveries": "SELECT id, delivery_id, event, reason, attempts, next_ms FROM delivery WHERE state = 0",
    "runs": "SELECT id, task, state, stage, attempts, not_before_ms, lease_until_ms, detail FROM run WHERE state <> 2",
    "tasks": "SELECT id, repository, number, state FROM task WHERE state IN (0, 1)",
    "messages": "SELECT id, task, kind, target, attempts, next_ms, reason FROM outbox WHERE state = 0",
}
ALL = {
    "deliveries": "SELECT id, delivery_id, event, state, reason, task, attempts FROM delivery",
    "tasks": "SELECT id, repository, number, state, branch, draft_number, draft_state, status_ref, reason FROM task",
    "runs": "SELECT id, task, number, trigger_kind, trigger_ms, state, outcome, verdict, attempts, branch, head_commit,"
            " reason, cancel_requested, trigger_ref, created_ms, finished_ms FROM run",
    "messages": "SELECT id, task, kind, target, body, state, attempts, reason FROM outbox",
    "remarks": "SELECT id, task, run, kind, ref, target, draft FROM remark",
}


def rows(store, statement):
    cursor = store.execute(statement)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor]


def main():
    store = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, timeout=30)
    found = {}
    store.execute("BEGIN")  # one state for all of it
    for name, statement in (LEFT if "--counts" in sys.argv else ALL).items():
        found[name] = rows(store, statement)
    if "--counts" not in sys.argv:
        found["integrity"] = [row[0] for row in store.execute("PRAGMA integrity_check")]
        found["foreign_keys"] = [list(row) for row in store.execute("PRAGMA foreign_key_check")]
    json.dump(found, sys.stdout)


main()
