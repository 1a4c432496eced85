# SPDX-License-Identifier: Apache-2.0
"""docs/results.csv, a row for each finished run of runs.py, and the tables of docs/results.md that are
made of it and of what recipes expect."""
import csv
import fcntl
import glob
import os
import statistics
import sys

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RESULTS = os.path.join(ROOT, "docs", "results.csv")
PAGE = os.path.join(ROOT, "docs", "results.md")
FIELDS = ["table", "cell", "recipe", "recipe_hash", "seed", "lr", "epochs", "correct", "count",
          "correct_integer", "verified", "correct_before_bn", "oscillating", "frozen", "by_epoch",
          "core_hours", "isa", "sha256", "command"]
METHODS = {"lsq": "LSQ", "lsqplus": "LSQ+", "apot": "APoT", "pact": "PACT", "dorefa": "DoReFa",
           "ewgs": "EWGS on LSQ", "statsq": "StatsQ"}
BITS = ["w4a4", "w2a2"]
KINDS = {"": "LSQ", "-dampening": "LSQ, dampening", "-freezing": "LSQ, freezing"}
# Student's t, 97.5 %, by degrees of freedom: half a 95 % interval is t times the standard error.
T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def read():
    if not os.path.exists(RESULTS):
        return []
    with open(RESULTS, newline="") as f:
        return list(csv.DictReader(f))


def append(row):
    """One writer at a time; the file is whole at every moment."""
    lock = os.open(os.path.dirname(RESULTS), os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        rows = read() + [row]
        with open(RESULTS + ".new", "w", newline="") as f:
            writer = csv.DictWriter(f, FIELDS, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        os.replace(RESULTS + ".new", RESULTS)
    finally:
        os.close(lock)


def ranks(values):
    order = sorted(values)
    return [order.index(v) + (order.count(v) - 1) / 2 for v in values]


def correlation(rows):
    """Spearman's, over all epochs of the rows. "-" where there are too few of them to tell, or no
    differences."""
    pairs = [tuple(map(float, pair.split(":"))) for row in rows for pair in row["by_epoch"].split()]
    if len(pairs) < 5:
        return "-"
    x, y = (ranks(side) for side in zip(*pairs))
    mx, my = sum(x) / len(x), sum(y) / len(y)
    xx, yy = sum((a - mx) ** 2 for a in x), sum((b - my) ** 2 for b in y)
    if not xx or not yy:
        return "-"
    return f"{sum((a - mx) * (b - my) for a, b in zip(x, y)) / (xx * yy) ** 0.5:.2f}"


def top1(row, key="correct"):
    return 100 * int(row[key]) / int(row["count"])


def percent(row, key="correct"):
    return f"{top1(row, key):.2f} %" if row and row[key] else "not run"


def share(row, key):
    return f"{100 * float(row[key]):.2f} %" if row and row[key] else ("-" if row else "not run")


def render_methods(rows, _):
    found = {row["cell"]: row for row in rows}
    lines = ["| method | " + " | ".join(b.upper() for b in BITS) + " |",
             "| --- |" + " --- |" * len(BITS)]
    for method, name in METHODS.items():
        lines.append(f"| {name} | " +
                     " | ".join(percent(found.get(f"{method}-{b}")) for b in BITS) + " |")
    lines.append("| float, trained on | " + percent(found.get("float")) + " | |")
    return lines


def render_oscillation(rows, _):
    found = {row["cell"]: row for row in rows}
    lines = ["| weights | method | epochs | oscillating | frozen | top-1 before BN estimate | after |",
             "| --- | --- | --- | --- | --- | --- | --- |"]
    for bits in (4, 3):
        for kind, name in KINDS.items():
            row = found.get(f"w{bits}{kind}")
            lines.append(f"| {bits} bits | {name} | {row['epochs'] if row else ''} | "
                         f"{share(row, 'oscillating')} | {share(row, 'frozen')} | "
                         f"{percent(row, 'correct_before_bn')} | {percent(row)} |")
    lines += ["", "| rank correlation of share and gain over all epochs of | |", "| --- | --- |"]
    for bits in (4, 3):
        some = [row for cell, row in found.items() if cell.startswith(f"w{bits}")]
        lines.append(f"| {len(some)} runs with {bits} bits | {correlation(some)} |")
    lines.append(f"| both | {correlation(list(found.values()))} |")
    return lines


def spread(values, digits=2):
    """Mean and, of several, the half of its 95 % interval."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return f"{mean:.{digits}f}"
    half = T.get(len(values) - 1, 1.96) * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:.{digits}f} ± {half:.{digits}f}"


def counted(row):
    """What a run is judged by: integer arithmetic where there is some."""
    return top1(row, "correct_integer" if row["correct_integer"] else "correct")


def less_control(rows, cell, control):
    """Differences, seeds paired."""
    of = {(row["cell"], row["seed"]): counted(row) for row in rows}
    pairs = [of[cell, s] - of[control, s] for c, s in of if c == cell and (control, s) in of]
    return spread(pairs) if pairs else "not run"


def render_cells(rows, table):
    """Any table of runs.yaml: a cell a line."""
    lines = ["| net | seeds | epochs | top-1 | in integers | verified | less its control | core-hours |",
             "| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: |"]
    for cell, spec in table["cells"].items():
        mine = [row for row in rows if row["cell"] == cell]
        of = f"{len(mine)} of {len(table.get('seeds', [1]))}"
        if not mine:
            lines.append(f"| {cell} | {of} | | not run | | | | |")
            continue
        whole = [top1(row, "correct_integer") for row in mine if row["correct_integer"]]
        verified = sorted({row["verified"] for row in mine if row["verified"]})
        lines.append(
            f"| {cell} | {of} | {mine[0]['epochs']} | {spread([top1(row) for row in mine])} | "
            f"{spread(whole) if whole else ''} | {' and '.join(verified)} | "
            f"{less_control(rows, cell, spec['control']) if 'control' in spec else ''} | "
            f"{sum(float(row['core_hours']) for row in mine):.2f} |")
    return lines


def render_expect(_rows, _table):
    """What every recipe expects, of all recipes."""
    lines = ["| recipe | top-1 | tolerance | status | source |", "| --- | ---: | ---: | --- | --- |"]
    for path in sorted(glob.glob(os.path.join(ROOT, "recipes", "*", "*.yaml"))):
        with open(path) as f:
            expect = yaml.safe_load(f).get("expect", {})
        lines.append(f"| `{os.path.relpath(path, os.path.join(ROOT, 'recipes'))}` | {expect.get('top1', '')} | "
                     f"{expect.get('tolerance', '')} | {expect.get('status', 'none').replace('_', ' ')} | "
                     f"{expect.get('source', '')} |")
    return lines


SPECIAL = {"table": render_methods, "oscillation": render_oscillation}


def rendered(tables):
    """The page as it should be."""
    with open(PAGE) as f:
        page = f.read()
    rows = read()
    for name, table in [(t["table"], t) for t in tables if t.get("page", True)] + [("expect", None)]:
        make = render_expect if name == "expect" else SPECIAL.get(name, render_cells)
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        if begin not in page or end not in page:
            sys.exit(f"docs/results.md has no place for '{name}'")
        head, rest = page.split(begin, 1)
        lines = make([r for r in rows if r["table"] == name], table)
        page = head + begin + "\n".join(lines) + "\n" + rest[rest.index(end):]
    return page


def render(tables):
    page = rendered(tables)
    with open(PAGE + ".new", "w") as f:
        f.write(page)
    os.replace(PAGE + ".new", PAGE)
