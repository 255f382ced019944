#!/usr/bin/env python3
"""Sum the results in meson's testlog.json files: tests in TAP by their own lines, all others as one.

usage: count.py FILE...     prints "PASSED FAILED SKIPPED"
"""
import json
import re
import sys

LINE = re.compile(r'^(not )?ok\b([^#]*)(#\s*(skip|todo))?', re.IGNORECASE)
GOOD = {'OK', 'EXPECTEDFAIL'}


def count(test):
    """What one program says; that it ended badly behind good lines is one more failure."""
    passed = failed = skipped = 0
    for line in (test.get('stdout') or '').splitlines():
        found = LINE.match(line)
        if not found:
            continue
        if found.group(4):
            skipped += 1
        elif found.group(1):
            failed += 1
        else:
            passed += 1
    if test['result'] == 'SKIP':
        return passed, failed, max(skipped, 1)
    if test['result'] not in GOOD:
        return passed, max(failed, 1), skipped
    if passed + skipped == 0:
        passed = 1
    return passed, failed, skipped


def main():
    total = [0, 0, 0]
    for name in sys.argv[1:]:
        with open(name, encoding='utf-8', errors='replace') as log:
            for line in log:
                total = [a + b for a, b in zip(total, count(json.loads(line)))]
    print(*total)


main()
