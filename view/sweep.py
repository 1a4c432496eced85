# SPDX-License-Identifier: Apache-2.0
"""Many runs of recipes with other settings, and a table of them.

    detent sweep RECIPE... [KEY=VALUE...] --grid KEY=VALUE,VALUE... --seeds N --jobs N --out FOLDER

Every --grid is a dimension. VALUE;VALUE parts values that have commas in them. All runs are tried
without writing (--dry-run) before the first one begins. A run is a folder in --out, named after
what sets it apart; what is done is skipped and what was stopped goes on, so the same command ends
a sweep that was killed.
"""
import ctypes
import itertools
import os
import re
import signal
import subprocess
import sys

import table
from runs import PROGRAM, Parser, Run, detent, fail

DEATH = 1  # PR_SET_PDEATHSIG: who trains for a sweep that was killed saves and ends


def words(args):
    recipes = [w for w in args.words if "=" not in w or os.path.exists(w)]
    if not recipes:
        fail("no recipe is named")
    return recipes, [w for w in args.words if w not in recipes]


def dimension(text):
    """KEY=A,B,C -> [KEY=A, ...]"""
    key, equals, values = text.partition("=")
    if not equals or not key or not values:
        fail(f"--grid '{text}': is not of the form KEY=VALUE,VALUE")
    return [f"{key}={v.strip()}" for v in values.split(";" if ";" in values else ",")]


def plain(text):
    return re.sub(r"[^\w.=+-]+", "_", text).strip("_")


def make_jobs(args):
    """[(folder, words of detent train)]"""
    recipes, overrides = words(args)
    grid = [dimension(g) for g in args.grid]
    seeds = [f"train.seed={s}" for s in range(1, args.seeds + 1)] if args.seeds else []
    dimensions = grid + ([seeds] if seeds else [])
    jobs = {}
    for recipe, *point in itertools.product(recipes, *dimensions):
        name = os.path.basename(recipe).removesuffix(".yaml")
        short = [p.split("=")[0].split(".")[-1] + "=" + p.split("=", 1)[1] for p in point]
        folder = os.path.join(args.out, plain("-".join([name, *short])))
        if folder in jobs:
            fail(f"two runs would have the folder {folder}; name keys or recipes apart")
        jobs[folder] = [recipe, *overrides, *point]
    return list(jobs.items())


def check(jobs):
    for folder, job in jobs:
        code, _, reason = detent("train", *job, "--dry-run")
        if code:
            fail(f"{os.path.basename(folder)}: {reason}")


def with_parent():
    ctypes.CDLL(None).prctl(DEATH, signal.SIGTERM)


def start(folder, job, args):
    os.makedirs(args.out, exist_ok=True)
    log = open(folder + ".log", "a")
    extra = ["--threads", str(args.threads)] if args.threads else []
    process = subprocess.Popen([PROGRAM, "train", *job, "--out", folder, "--resume", *extra],
                               stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                               preexec_fn=with_parent)
    log.close()
    return process


def last_line(path):
    with open(path, errors="replace") as f:
        return ([line.strip() for line in f if line.strip()] or [""])[-1]


def run_all(jobs, args):
    """Folders whose runs failed."""
    waiting, under_way, bad = list(jobs), {}, []
    try:
        while waiting or under_way:
            while waiting and len(under_way) < args.jobs:
                folder, job = waiting.pop(0)
                if os.path.exists(os.path.join(folder, "DONE")):
                    print(f"done already  {os.path.basename(folder)}", file=sys.stderr)
                    continue
                print(f"running       {os.path.basename(folder)}", file=sys.stderr)
                under_way[start(folder, job, args)] = folder
            if not under_way:
                continue
            pid, status = os.wait()
            process = next(p for p in under_way if p.pid == pid)
            process.returncode = os.waitstatus_to_exitcode(status)
            folder = under_way.pop(process)
            if process.returncode:
                bad.append(folder)
                print(f"failed        {os.path.basename(folder)}: {last_line(folder + '.log')}",
                      file=sys.stderr)
    finally:
        for process in under_way:
            process.terminate()
        for process in under_way:
            process.wait()
    return bad


def stop(*_):
    raise KeyboardInterrupt


def main():
    parser = Parser("sweep", __doc__)
    parser.add_argument("words", nargs="+", metavar="RECIPE|KEY=VALUE")
    parser.add_argument("--grid", action="append", default=[], metavar="KEY=VALUE,VALUE...")
    parser.add_argument("--seeds", type=int, default=0, metavar="N", help="train.seed 1 to N")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at a time")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="of each run")
    parser.add_argument("--out", required=True, metavar="FOLDER")
    parser.add_argument("--format", choices=table.FORMATS, default="text", help="of the table")
    parser.add_argument("--dry-run", action="store_true", help="check all runs, write nothing")
    args = parser.parse_intermixed_args()
    if args.jobs < 1 or args.seeds < 0 or args.threads < 0:
        fail("--jobs must be 1 or more, --seeds and --threads 0 or more")
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    try:
        jobs = make_jobs(args)
        check(jobs)
        if args.dry_run:
            print("\n".join(os.path.basename(folder) for folder, _ in jobs))
            return
        bad = run_all(jobs, args)
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        sys.exit(130)
    runs = [Run(folder) for folder, _ in jobs if os.path.exists(os.path.join(folder, "summary.csv"))]
    if runs:
        print(table.show(runs, args.format), end="")
    if bad:
        fail(f"{len(bad)} of {len(jobs)} runs failed, such as {bad[0]}")


if __name__ == "__main__":
    main()
