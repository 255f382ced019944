#!/usr/bin/env python3
"""The figures of a benchmark: each beside its reference of the same run, and its goal.

usage: report.py [--json ALL] FILE...      prints what --json of the benchmarks wrote, as one table; and writes it into ALL

A goal that is missed is marked; it is never an error.
"""
import argparse
import json

HEADS = ("what", "figure", "reference", "ratio", "goal", "")


def in_unit(value, unit):
    """Three digits that count, as a person writes them."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}".rstrip()


class Report:
    """Rows in the order in which they were added.

        report = Report("receive")
        report.add("durable, 64 connections", 5210, "/s", beside=("bare yardstick", 15800), at_least=0.5)
        report.add("resident, idle", 9.1, "MB", at_most=12)
        report.missing("durable, 64 connections / probot", "npm has no network", at_least=3)

    A goal is for the ratio to the reference where there is one, else for the figure itself. Without a goal a row
    only tells. `ratio` is given where it is not that of the two figures, but the middle one of pairs taken in turn;
    `note` says how the figure was taken, where the name does not."""

    def __init__(self, group):
        self.group = group
        self.rows = []

    def add(self, what, value, unit, beside=None, at_least=None, at_most=None, ratio=None, note=""):
        name, reference = beside or ("", None)
        if beside and not reference:
            self.missing(what, f"{name} measured nothing", at_least, at_most)
            return
        self.rows.append({"group": self.group, "what": what, "value": value, "unit": unit, "beside": name,
                          "reference": reference,
                          "ratio": (value / reference if ratio is None else ratio) if beside else None,
                          "at_least": at_least, "at_most": at_most, "note": note})

    def missing(self, what, why, at_least=None, at_most=None):
        self.rows.append({"group": self.group, "what": what, "missing": why,
                          "at_least": at_least, "at_most": at_most})

    def save(self, path):
        save(self.rows, path)

    def show(self):
        show(self.rows)


def save(rows, path):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(rows, file, indent=1)
        file.write("\n")


def goal(row):
    if row["at_least"] is not None:
        return f">= {row['at_least']:g}"
    return f"<= {row['at_most']:g}" if row["at_most"] is not None else ""


def is_reached(row):
    """None: there is no goal."""
    reached = row["value"] if row["ratio"] is None else row["ratio"]
    if row["at_least"] is not None:
        return reached >= row["at_least"]
    return reached <= row["at_most"] if row["at_most"] is not None else None


def cells(row):
    if "missing" in row:
        return row["what"], "not measured", "", "", goal(row), row["missing"]
    beside = f"{row['beside']} {in_unit(row['reference'], row['unit'])}" if row["beside"] else ""
    verdict = {True: "reached", False: "NOT reached", None: ""}[is_reached(row)]
    ratio = f"{row['ratio']:.2f}" if row["beside"] else ""
    return (row["what"], in_unit(row["value"], row["unit"]), beside, ratio, goal(row),
            "  ".join(filter(None, (verdict, row["note"]))))


def show(rows):
    """One table, of however many groups, and how many goals were reached."""
    table = [cells(row) for row in rows]
    widths = [max(len(line[i]) for line in [HEADS, *table]) for i in range(len(HEADS) - 1)]

    def line(texts):
        numbers = (texts[0].ljust(widths[0]), texts[1].rjust(widths[1]), texts[2].rjust(widths[2]),
                   texts[3].rjust(widths[3]), texts[4].ljust(widths[4]), texts[5])
        return "  ".join(numbers).rstrip()

    group = None
    for row, texts in zip(rows, table):
        if row["group"] != group:
            group = row["group"]
            print(f"\n{group}\n{line(HEADS)}")
        print(line(texts))
    verdicts = [None if "missing" in row else is_reached(row) for row in rows]
    print(f"\ngoals: {verdicts.count(True)} reached, {verdicts.count(False)} not reached, "
          f"{sum('missing' in row for row in rows)} not measured")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--json", metavar="ALL")
    options = parser.parse_args()
    rows = []
    for name in options.files:
        with open(name, encoding="utf-8") as file:
            rows += json.load(file)
    if options.json:
        save(rows, options.json)
    show(rows)


if __name__ == "__main__":
    main()
