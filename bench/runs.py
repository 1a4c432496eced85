#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A queue of runs: what runs.yaml beside it lists, in its order, one processor each and behind all
other work; finished ones are rows of docs/results.csv and numbers of docs/results.md.

    bench/runs.py run --data FOLDER --nets FOLDER [--only TABLE[/CELL]] [--jobs 2]
    bench/runs.py status                    # what is done, under way, waiting
    bench/runs.py render                    # tables of docs/results.md from the csv and the recipes
    bench/runs.py check                     # fails where the page is not what render would make

Killed, it goes on where it was when it is started again: runs lie below --runs and `detent train
--resume` continues them. `kill -STOP -- -$(cat RUNS/group)` pauses it with all that it runs, -CONT goes
on. A tuned cell takes the best of three learning rates, those of its parameter groups in proportion,
for two epochs each, scored on 5,000 training pictures that are held out; then that one for all of the
recipe's epochs; the last epoch counts. --max-steps cuts every run short to try the queue; no row is
written then."""
import argparse
import concurrent.futures
import os
import sys
import threading

import yaml

import results
from cells import Runner

HERE = os.path.dirname(os.path.abspath(__file__))


def tables():
    with open(os.path.join(HERE, "runs.yaml")) as f:
        return yaml.safe_load(f)


def wanted(only, done):
    """(table, cell, seed) that are not done, in order."""
    for table in tables():
        for seed in table.get("seeds", [1]):
            for cell in table["cells"]:
                name = f"{table['table']}/{cell}"
                if (name == only or table["table"] == only or not only) and \
                        (table["table"], cell, str(seed)) not in done:
                    yield table, cell, seed


def done_rows():
    return {(r["table"], r["cell"], r["seed"]) for r in results.read()}


class Queue:
    """Cells whose float net is a run wait until that one is done."""

    def __init__(self, args):
        self.args, self.runner = args, Runner(args)
        self.lock = threading.Condition()
        self.left = list(wanted(args.only, done_rows()))
        self.active = []

    def blocked(self, table):
        inits = {table.get("init"), table.get("tune_init")}
        return any(f"{t['table']}/{c}" in inits for t, c, _ in self.left + self.active)

    def take(self):
        """The next cell that can begin; None at the end."""
        with self.lock:
            while self.left:
                for item in self.left:
                    if not self.blocked(item[0]):
                        self.left.remove(item)
                        self.active.append(item)
                        return item
                if not self.active:
                    sys.exit("what is left waits for itself")
                self.lock.wait()
        return None

    def work(self):
        while (item := self.take()) is not None:
            table, cell, seed = item
            print(f"{table['table']}/{cell} seed {seed}", flush=True)
            try:
                row = self.runner.cell(table, cell, table["cells"][cell], seed)
                if not self.args.max_steps:
                    results.append(row)
                    with self.lock:
                        results.render(tables())
                print(f"{table['table']}/{cell} seed {seed}: {row['correct']} of {row['count']}, in integers "
                      f"{row['correct_integer'] or '-'}, {row['core_hours']} core-hours", flush=True)
            finally:
                with self.lock:
                    self.active.remove(item)
                    self.lock.notify_all()


def run(args):
    os.makedirs(args.runs, exist_ok=True)
    if os.getpgrp() != os.getpid():
        os.setpgrp()
    with open(os.path.join(args.runs, "group"), "w") as f:
        f.write(f"{os.getpgrp()}\n")
    os.nice(19)
    queue = Queue(args)
    for table, cell, _ in queue.left:  # what would be refused hours from now is refused now
        queue.runner.effective(table["cells"][cell], table)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for future in [pool.submit(queue.work) for _ in range(args.jobs)]:
            future.result()


def status(args):
    done = done_rows()
    for table in tables():
        for cell in table["cells"]:
            seeds = table.get("seeds", [1])
            have = [s for s in seeds if (table["table"], cell, str(s)) in done]
            begun = [s for s in seeds if s not in have and os.path.exists(
                os.path.join(args.runs, table["table"], cell, f"seed-{s}", "last.h5"))]
            print(f"{table['table'] + '/' + cell:40} {len(have)} of {len(seeds)} done"
                  f"{', under way: seed ' + ', '.join(map(str, begun)) if begun else ''}")


def check():
    with open(results.PAGE) as f:
        if f.read() != results.rendered(tables()):
            sys.exit("docs/results.md is not what 'bench/runs.py render' makes of docs/results.csv and the recipes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "status", "render", "check"])
    parser.add_argument("--data", help="folder with CIFAR-10")
    parser.add_argument("--nets", help="folder with the float nets that runs.yaml names")
    parser.add_argument("--runs", default=os.path.join(results.ROOT, "runs", "queue"))
    parser.add_argument("--only", default="", help="a table, or TABLE/CELL")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side")
    parser.add_argument("--threads", type=int, default=1, help="of each")
    parser.add_argument("--max-steps", type=int, default=0)
    parser.add_argument("--detent", default=os.path.join(results.ROOT, "build", "detent"))
    args = parser.parse_args()
    if args.what == "run" and not (args.data and args.nets):
        parser.error("run needs --data and --nets")
    for name in "data", "nets", "runs", "detent":
        setattr(args, name, os.path.abspath(getattr(args, name) or "."))
    {"run": lambda: run(args), "status": lambda: status(args), "check": check,
     "render": lambda: results.render(tables())}[args.what]()


main()
