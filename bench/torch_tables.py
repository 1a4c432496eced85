# SPDX-License-Identifier: Apache-2.0
"""The tables of vs_pytorch.py, made of what it keeps (kept.py)."""
import itertools
import json
import statistics
import sys

STEPS_HEADER = "| step | PyTorch, ms | Detent, ms | PyTorch, MB | Detent, MB | PyTorch's fastest |"
FLOAT, PAPER, DEPLOY = "float", "W4A4 LSQ, paper", "W4A4 LSQ, deploy"


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def by_case(rounds):
    """{(side, case): [a result a round]}"""
    rows = {}
    for side, name, result in itertools.chain.from_iterable(rounds):
        rows.setdefault((side, name), []).append(result)
    return rows


def ratio(rows, above, below, key="ms"):
    return spread([a[key] / b[key] for a, b in zip(rows[above], rows[below])])


def text(s, digits):
    return f"{s['median']:.{digits}f} [{s['min']:.{digits}f}, {s['max']:.{digits}f}]"


def ratios(rows):
    """(what, spread) of the comparisons."""
    ours, theirs = ("Detent", PAPER), ("PyTorch", PAPER)
    out = [
        ("W4A4 step: fastest PyTorch LSQ / Detent", ratio(rows, theirs, ours)),
        ("Detent W4A4 step / PyTorch float step", ratio(rows, ours, ("PyTorch", FLOAT))),
        ("float step: PyTorch / Detent", ratio(rows, ("PyTorch", FLOAT), ("Detent", FLOAT))),
        ("Detent W4A4 step / Detent float step", ratio(rows, ours, ("Detent", FLOAT))),
        ("W4A4 memory: PyTorch / Detent", ratio(rows, theirs, ours, "mb")),
        ("Detent memory: W4A4 / float", ratio(rows, ours, ("Detent", FLOAT), "mb")),
    ]
    if ("Detent", DEPLOY) in rows:
        deploy = ratio(rows, ("PyTorch", DEPLOY), ("Detent", DEPLOY))
        out.insert(1, ("W4A4 step, deploy: fastest PyTorch LSQ / Detent", deploy))
    if ("one thread", PAPER) in rows:
        out.append(("W4A4 step: 1 thread / all threads", ratio(rows, ("one thread", PAPER), ours)))
    return out


def numbers(results, key, digits):
    return text(spread([r[key] for r in results]), digits)


def show(data):
    rows, hellos, terms = by_case(data["rounds"]), data["hellos"], data["round_terms"]
    isa = rows[("Detent", FLOAT)][0]["isa"]
    print(
        f"{terms['title']}, batch {terms['batch']}, {terms['threads']} threads; "
        f"{len(data['rounds'])} rounds of {terms['steps']} steps; {terms['processor']}, {isa}; "
        f"PyTorch {hellos[FLOAT]['version']}\n"
    )
    print(f"{STEPS_HEADER}\n| --- | ---: | ---: | ---: | ---: | --- |")
    for name in hellos:
        a, b = rows[("PyTorch", name)], rows[("Detent", name)]
        print(
            f"| {name} | {numbers(a, 'ms', 1)} | {numbers(b, 'ms', 1)} | {max(r['mb'] for r in a):.0f} | "
            f"{max(r['mb'] for r in b):.0f} | {hellos[name]['how']} |"
        )
    print("\n| ratio | median [min, max] |\n| --- | ---: |")
    for what, s in ratios(rows):
        print(f"| {what} | {text(s, 2)} |")


def column(data):
    """{row: cell} of a model in the table of all."""
    rows, cells = by_case(data["rounds"]), {}
    for what, s in ratios(rows):
        cells[what] = text(s, 2)
    for name in data["hellos"]:
        for side in ("PyTorch", "Detent"):
            r = rows[(side, name)]
            ms = statistics.median(x["ms"] for x in r)
            cells[f"{name}: {side}"] = f"{ms:.1f} ms, {max(x['mb'] for x in r):.0f} MB"
        cells[f"PyTorch's fastest, {name}"] = data["hellos"][name]["how"]
    cells["rounds of steps"] = f"{len(data['rounds'])} of {data['round_terms']['steps']}"
    return cells


def show_all(files):
    """A column for each model, as docs/performance.md has them."""
    found = []
    for path in files:
        with open(path) as f:
            data = json.load(f)
        if data["rounds"]:
            found.append((data["round_terms"], data["hellos"][FLOAT]["version"], column(data)))
    if not found:
        sys.exit("vs_pytorch: no file has a round")
    places = sorted({f"{t['processor']}, {t['threads']} threads, PyTorch {v}" for t, v, _ in found})
    print("; ".join(places) + "\n")
    print("| median [min, max] | " + " | ".join(t["model"] for t, _, _ in found) + " |")
    print("| --- |" + " ---: |" * len(found))
    for what in dict.fromkeys(itertools.chain.from_iterable(c for _, _, c in found)):
        print(f"| {what} | " + " | ".join(c.get(what, "-") for _, _, c in found) + " |")
