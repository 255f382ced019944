#!/usr/bin/env python3
"""Sum the results in meson's testlog.json files: tests in TAP by their own lines, all others as one.

usage: count.py FILE...               prints "PASSED FAILED SKIPPED"
       count.py --failures FILE...    prints what the failed ones said
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


def failure(test):
    """The failed lines of a program in TAP with the remarks above them, or the end of what another said."""
    lines = (test.get('stdout') or '').splitlines()
    bad = set()
    for number, line in enumerate(lines):
        if line.startswith('not ok') or line.startswith('Bail out!'):
            bad.add(number)
            while number > 0 and lines[number - 1].startswith('#'):
                number -= 1
                bad.add(number)
    said = [lines[number] for number in sorted(bad)] or lines[-20:]
    said += (test.get('stderr') or '').splitlines()[-20:]
    return '\n'.join([f"{test['name']}: {test['result']}"] + ['    ' + line for line in said])


def main():
    wants_failures = sys.argv[1] == '--failures'
    total = [0, 0, 0]
    for name in sys.argv[1 + wants_failures:]:
        with open(name, encoding='utf-8', errors='replace') as log:
            for line in log:
                test = json.loads(line)
                numbers = count(test)
                if wants_failures and numbers[1] > 0:
                    print(failure(test))
                total = [a + b for a, b in zip(total, numbers)]
    if not wants_failures:
        print(*total)


main()
