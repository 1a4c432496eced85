# SPDX-License-Identifier: Apache-2.0
"""A table of runs: what their recipes differ in, and how good they are at the end.

    detent table RUN... [--format text|markdown|csv|latex]

Runs whose recipes differ in train.seed alone are one row, with the mean and the standard deviation
(of a sample: n - 1) of the last epoch's test metrics. Runs that are not done are marked.
"""
import csv
import io
import statistics

from runs import Parser, Run, fail

LEFT_OUT = ("name", "train.seed", "model.init", "data.root", "train.max_steps", "expect.")


def group(runs):
    """[(recipe, runs)], in the order of the runs."""
    rows = {}
    for run in runs:
        recipe = {k: v for k, v in run.recipe().items() if not k.startswith(LEFT_OUT)}
        rows.setdefault(tuple(sorted(recipe.items())), (recipe, []))[1].append(run)
    return list(rows.values())


def differing(rows):
    """Keys that tell the rows apart. Those that only some have (options of their methods) are left
    out where the others do that already."""
    recipes = [recipe for recipe, _ in rows]
    keys = [k for k in sorted({k for r in recipes for k in r}) if len({r.get(k) for r in recipes}) > 1]
    common = [k for k in keys if all(k in r for r in recipes)]
    told = {tuple(r[k] for k in common) for r in recipes}
    return common if len(told) == len(rows) else keys


def short(keys):
    """The shortest ends of dotted keys that tell them apart."""
    names = {}
    for key in keys:
        parts = key.split(".")
        for n in range(1, len(parts) + 1):
            end = ".".join(parts[-n:])
            if sum(k == end or k.endswith("." + end) for k in keys) == 1:
                break
        names[key] = end
    return names


def number(values):
    """(mean, deviation), as texts; the deviation is "" of one value."""
    mean = statistics.fmean(values)
    return f"{mean:.2f}", f"{statistics.stdev(values):.2f}" if len(values) > 1 else ""


def make(runs):
    """(head, rows of texts); a cell of a metric is a pair."""
    rows = group(runs)
    keys = differing(rows)
    names, metrics = short(keys), runs[0].metrics()
    label = [] if keys else ["run"]
    head = [*label, *names.values(), "runs", "epochs", *metrics, "loss"]
    table = []
    for recipe, group_runs in rows:
        done = [r.last() for r in group_runs if r.last()]
        open_runs = sum(not r.done() for r in group_runs)
        cells = [group_runs[0].label] * len(label) + [recipe.get(k, "-") for k in keys]
        cells.append(f"{len(group_runs)}" + (f" ({open_runs} not done)" if open_runs else ""))
        cells.append(str(max((e["epoch"] for e in done), default=0)))
        for key in [f"test_{m}" for m in metrics] + ["test_loss"]:
            values = [e[key] for e in done if e.get(key) is not None]
            cells.append(number(values) if values else ("-", ""))
        table.append(cells)
    return head, table


def joined(cell, sign):
    return cell if isinstance(cell, str) else cell[0] + (f"{sign}{cell[1]}" if cell[1] else "")


def text(head, table):
    rows = [head] + [[joined(c, " +- ") for c in row] for row in table]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "".join("  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() + "\n"
                   for row in rows)


def markdown(head, table):
    rows = [head, ["---"] * len(head)] + [[joined(c, " ± ").replace("|", "\\|") for c in row]
                                          for row in table]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def comma(head, table):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    pairs = [any(not isinstance(row[i], str) for row in table) for i in range(len(head))]
    writer.writerow([h for name, pair in zip(head, pairs)
                     for h in ([name, name + "_std"] if pair else [name])])
    for row in table:
        writer.writerow([c for cell in row for c in ([cell] if isinstance(cell, str) else cell)])
    return out.getvalue()


def latex(head, table):
    def safe(cell):
        for sign in "\\&%$#_{}~^":
            cell = cell.replace(sign, {"\\": r"\textbackslash ", "~": r"\textasciitilde ",
                                       "^": r"\textasciicircum "}.get(sign, "\\" + sign))
        return cell

    def cell_of(c):
        return safe(c) if isinstance(c, str) else f"${c[0]}" + (rf" \pm {c[1]}" if c[1] else "") + "$"

    lines = [r"\begin{tabular}{" + "l" * len(head) + "}", r"\hline",
             " & ".join(map(safe, head)) + r" \\", r"\hline"]
    lines += [" & ".join(map(cell_of, row)) + r" \\" for row in table]
    return "\n".join([*lines, r"\hline", r"\end{tabular}"]) + "\n"


FORMATS = {"text": text, "markdown": markdown, "csv": comma, "latex": latex}


def show(runs, form):
    if len({tuple(r.metrics()) for r in runs}) > 1:
        fail("the runs are of different tasks: their metrics are not the same")
    return FORMATS[form](*make(runs))


def main():
    parser = Parser("table", __doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN[=LABEL]")
    parser.add_argument("--format", choices=FORMATS, default="text")
    args = parser.parse_args()
    print(show([Run(word) for word in args.runs], args.format), end="")


if __name__ == "__main__":
    main()
