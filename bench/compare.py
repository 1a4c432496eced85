#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Comparisons of methods on CIFAR-10, one cell a run, kept in docs/results.csv.

    bench/compare.py table --data FOLDER --init FLOAT        # ResNet-20, methods side by side
    bench/compare.py oscillation --data FOLDER --init FLOAT  # MobileNetV2, weights that oscillate
    bench/compare.py render                                  # tables of docs/results.md from the csv

Every method gets the same tuning: three learning rates, those of its parameter groups in proportion,
for two epochs each, scored on 5,000 training pictures that are held out; then the best one on all of
them for the recipe's epochs; the last epoch counts. A cell that is in the csv is not run again.
Killed, it goes on where it was when it is started again: runs lie below --runs, and `detent train
--resume` continues them.
--only takes a part of a cell's name, --epochs replaces the recipe's own number (not in tuning),
--max-steps cuts every run short to try the script (no row is written then).
"""
import argparse
import csv
import json
import os
import resource
import shlex
import subprocess
import sys

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RESULTS = os.path.join(ROOT, "docs", "results.csv")
PAGE = os.path.join(ROOT, "docs", "results.md")
FIELDS = ["table", "cell", "recipe", "recipe_hash", "seed", "lr", "epochs", "correct", "count",
          "correct_before_bn", "oscillating", "frozen", "by_epoch", "core_hours", "command"]
METHODS = {"lsq": "LSQ", "lsqplus": "LSQ+", "apot": "APoT", "pact": "PACT", "dorefa": "DoReFa",
           "ewgs": "EWGS on LSQ", "statsq": "StatsQ"}
BITS = ["w4a4", "w2a2"]  # in this order
TUNING = (0.5, 1, 2)  # of the recipe's learning rate
KINDS = {"": "LSQ", "-dampening": "LSQ, dampening", "-freezing": "LSQ, freezing"}


def cells(table):
    """(cell, recipe, whether its rate is tuned)"""
    if table == "oscillation":
        return [(f"w{bits}{kind}", f"mobilenetv2-lsq-w{bits}{kind}-paper.yaml", False)
                for bits in (4, 3) for kind in KINDS]
    control = [("float", "resnet20-finetune.yaml", True)]
    return control + [(f"{m}-{b}", f"resnet20-{m}-{b}-paper.yaml", True) for b in BITS for m in METHODS]


def rows_of_csv():
    if not os.path.exists(RESULTS):
        return []
    with open(RESULTS, newline="") as f:
        return list(csv.DictReader(f))


def append(row):
    new = not os.path.exists(RESULTS)
    with open(RESULTS, "a", newline="") as f:
        writer = csv.DictWriter(f, FIELDS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def log_of(folder):
    with open(os.path.join(folder, "metrics.jsonl")) as f:
        return [json.loads(line) for line in f]


def cpu_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Runner:
    def __init__(self, args):
        self.args = args
        self.detent = args.detent or os.path.join(ROOT, "build", "detent")

    def inspect(self, folder):
        out = subprocess.run([self.detent, "inspect", os.path.join(folder, "last.h5"), "--json"],
                             check=True, stdout=subprocess.PIPE).stdout
        return json.loads(out)

    def train(self, name, recipe, overrides):
        """Trains to the end, or goes on with it. The folder, and what the command was."""
        folder = os.path.join(self.args.runs, name)
        common = [f"data.root={self.args.data}", f"model.init={self.args.init}",
                  f"train.seed={self.args.seed}", *overrides]
        if self.args.max_steps:
            common.append(f"train.max_steps={self.args.max_steps}")
        command = [self.detent, "train", os.path.join(ROOT, "recipes", "cifar10", recipe), *common,
                   "--out", folder, "--resume"]
        if self.args.threads:
            command += ["--threads", str(self.args.threads)]
        if not os.path.exists(os.path.join(folder, "DONE")):
            code = self.count(command, folder)
            if code:
                sys.exit(f"compare: {name} ended with exit code {code}; start again to go on")
        told = ["detent", "train", f"recipes/cifar10/{recipe}", "data.root=D", "model.init=FLOAT",
                f"train.seed={self.args.seed}", *overrides]
        return folder, " ".join(map(shlex.quote, told))

    def count(self, command, folder):
        """Runs it; its processor time is kept beside the run, also if this script is killed."""
        os.makedirs(folder, exist_ok=True)
        earlier, before, ticks = self.seconds(folder), cpu_of_children(), os.sysconf("SC_CLK_TCK")
        process = subprocess.Popen(command)
        while True:
            try:
                process.wait(5)
                break
            except subprocess.TimeoutExpired:
                with open(f"/proc/{process.pid}/stat") as f:
                    spent = sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13])) / ticks
                self.keep_seconds(folder, earlier + spent)
        self.keep_seconds(folder, earlier + cpu_of_children() - before)
        return process.returncode

    def keep_seconds(self, folder, seconds):
        path = os.path.join(folder, "core_seconds")
        with open(path + ".new", "w") as f:
            f.write(f"{seconds:.1f}\n")
        os.replace(path + ".new", path)

    def seconds(self, folder):
        path = os.path.join(folder, "core_seconds")
        if not os.path.exists(path):
            return 0
        with open(path) as f:
            return float(f.read())

    def rates_of(self, recipe, factor):
        """The learning rate of the recipe times `factor`, and the overrides that set it and those of
        parameter groups, which stay in proportion."""
        out = subprocess.run([self.detent, "train", os.path.join(ROOT, "recipes", "cifar10", recipe),
                              f"data.root={self.args.data}", "--dry-run"], check=True,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        train = yaml.safe_load(out[:out.index("\nrecipe hash ")])["train"]
        lr = factor * float(train["optimizer"]["lr"])
        return lr, [f"train.optimizer.lr={lr:g}"] + [
            f"train.groups.{name}.lr={factor * float(group['lr']):g}"
            for name, group in train.get("groups", {}).items()]

    def tune(self, table, cell, recipe):
        """The factor that is best on held-out pictures, and the seconds that it took to find."""
        best, spent = None, 0
        for factor in TUNING:
            lr, overrides = self.rates_of(recipe, factor)
            folder, _ = self.train(f"{table}/{cell}/lr-{lr:g}", recipe,
                                   ["train.epochs=2", "data.val=5000", *overrides])
            spent += self.seconds(folder)
            top1 = [e["val_top1"] for e in log_of(folder) if e["kind"] == "epoch"][-1]
            print(f"{cell}: lr {lr:g}: {top1:.2f}% of the held-out pictures", flush=True)
            if best is None or top1 > best[0]:
                best = (top1, factor)
        return best[1], spent

    def cell(self, table, cell, recipe, tuned):
        factor, spent = self.tune(table, cell, recipe) if tuned else (1, 0)
        name = f"{table}/{cell}/seed-{self.args.seed}"
        lr, overrides = self.rates_of(recipe, factor)
        if not tuned:
            overrides = []
        if self.args.epochs:
            overrides.append(f"train.epochs={self.args.epochs}")
        folder, command = self.train(name, recipe, overrides)
        log = log_of(folder)
        epochs = [e for e in log if e["kind"] == "epoch"]

        def last(kind, key):
            values = [e[key] for e in log if e["kind"] == kind and e["layer"] == "all"]
            return values[-1] if values else ""

        row = {"table": table, "cell": cell, "recipe": recipe, "seed": self.args.seed,
               "recipe_hash": self.inspect(folder)["recipe.hash"], "epochs": epochs[-1]["epoch"],
               "lr": f"{lr:g}", "correct": epochs[-1]["test_correct"],
               "count": epochs[-1]["test_count"],
               "correct_before_bn": epochs[-1].get("test_correct_before", ""),
               "oscillating": last("oscillation", "oscillating"), "frozen": last("freezing", "frozen"),
               "by_epoch": " ".join(f"{share:.4g}:{gain}" for share, gain in by_epoch(log)),
               "core_hours": f"{(spent + self.seconds(folder)) / 3600:.2f}", "command": command}
        print(json.dumps(row), flush=True)
        if not self.args.max_steps:
            append(row)


def ranks(values):
    order = sorted(values)
    return [order.index(v) + (order.count(v) - 1) / 2 for v in values]


def by_epoch(log):
    """Of each epoch the share of oscillating weights, and how many pictures more are right with
    batch-norm statistics estimated anew."""
    share = {e["step"]: e["oscillating"] for e in log
             if e["kind"] == "oscillation" and e["layer"] == "all"}
    return [(share[e["step"]], e["test_correct"] - e["test_correct_before"]) for e in log
            if e["kind"] == "epoch" and "test_correct_before" in e and e["step"] in share]


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


def percent(row, key="correct"):
    return f"{100 * int(row[key]) / int(row['count']):.2f} %" if row and row[key] else "not run"


def share(row, key):
    return f"{100 * float(row[key]):.2f} %" if row and row[key] else ("-" if row else "not run")


def render_table(found):
    lines = ["| method | " + " | ".join(b.upper() for b in BITS) + " |",
             "| --- |" + " --- |" * len(BITS)]
    for method, name in METHODS.items():
        lines.append(f"| {name} | " +
                     " | ".join(percent(found.get(f"{method}-{b}")) for b in BITS) + " |")
    lines.append("| float, trained on | " + percent(found.get("float")) + " | |")
    return lines


def render_oscillation(found):
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
        rows = [row for cell, row in found.items() if cell.startswith(f"w{bits}")]
        lines.append(f"| {len(rows)} runs with {bits} bits | {correlation(rows)} |")
    lines.append(f"| both | {correlation(list(found.values()))} |")
    return lines


def render():
    with open(PAGE) as f:
        page = f.read()
    for table, make in ("table", render_table), ("oscillation", render_oscillation):
        found = {r["cell"]: r for r in rows_of_csv() if r["table"] == table}
        begin, end = f"<!-- {table}: begin -->\n", f"<!-- {table}: end -->"
        if begin not in page or end not in page:
            sys.exit(f"compare: docs/results.md has no place for '{table}'")
        head, rest = page.split(begin, 1)
        page = head + begin + "\n".join(make(found)) + "\n" + rest[rest.index(end):]
    with open(PAGE + ".tmp", "w") as f:
        f.write(page)
    os.replace(PAGE + ".tmp", PAGE)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", choices=["table", "oscillation", "render"])
    parser.add_argument("--data", help="folder with CIFAR-10")
    parser.add_argument("--init", help="checkpoint of the float net")
    parser.add_argument("--runs", default=os.path.join(ROOT, "runs", "compare"))
    parser.add_argument("--only", default="", help="cells with this in their name")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=0, help="default: what the recipe says")
    parser.add_argument("--max-steps", type=int, default=0)
    parser.add_argument("--detent", help="the program; default: build/detent")
    args = parser.parse_args()
    if args.what == "render":
        render()
        return
    if not args.data or not args.init:
        parser.error("--data and --init are needed")
    args.data, args.init = os.path.abspath(args.data), os.path.abspath(args.init)
    done = {(r["table"], r["cell"], r["seed"]) for r in rows_of_csv()}
    runner = Runner(args)
    for cell, recipe, tuned in cells(args.what):
        if args.only in cell and (args.what, cell, str(args.seed)) not in done:
            runner.cell(args.what, cell, recipe, tuned)
            if not args.max_steps:
                render()


main()
