#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What training dynamics and other quantizers cost: steps of ResNet-20 W4A4 on 32x32 pictures with
each of them, against plain LSQ.

All cases are timed in turn, round after round, and the ratio to LSQ is taken within each round.
The table shows the median of the ratios, their smallest and largest, and the middle half.

    ninja -C build detent && bench/extras.py --rounds 15
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

HEADER = "| case | ms a step | to LSQ | middle half | spread | aim |"
LSQ = "resnet20-lsq-w4a4-paper.yaml"
TRACKER = "dynamics.oscillation={}"
# name: recipe, overrides, the most that it may cost. Freezing threshold 0: every weight whose code
# has turned back once is frozen, so there is something to hold.
CASES = {
    "LSQ": (LSQ, [], None),
    "tracker": (LSQ, [TRACKER], 1.05),
    "dampening": (LSQ, ["dynamics.dampening={}"], 1.05),
    "tracker and freezing": (LSQ, [TRACKER, "dynamics.freezing={start: 0, end: 0}"], 1.05),
    "EWGS": ("resnet20-ewgs-w4a4-paper.yaml", [], 1.05),
    "APoT": ("resnet20-apot-w4a4-paper.yaml", [], 1.1),
}


def measure(args, recipe, overrides):
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    command = [args.detent or os.path.join(root, "build", "detent"), "bench", "step",
               os.path.join(root, "recipes", "cifar10", recipe), f"data.batch={args.batch}",
               *overrides, "--threads", str(args.threads), "--steps", str(args.steps), "--json"]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(result.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=10, help="steps of a case in a round")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--detent", help="the program; default: build/detent")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    times = {name: [] for name in CASES}
    for turn in range(args.rounds):
        print(f"round {turn + 1} of {args.rounds}", file=sys.stderr)
        for name, (recipe, overrides, _) in CASES.items():
            last = measure(args, recipe, overrides)
            times[name].append(last["ms_median"])
    print(f"batch {args.batch}, {args.threads} threads, {last['isa']}, {args.rounds} rounds of "
          f"{args.steps} steps", file=sys.stderr)
    rows = []
    for name, (_, _, most) in CASES.items():
        ratios = sorted(a / b for a, b in zip(times[name], times["LSQ"]))
        quarter = len(ratios) // 4
        rows.append({"case": name, "ms": statistics.median(times[name]),
                     "ratio": statistics.median(ratios), "min": ratios[0], "max": ratios[-1],
                     "low": ratios[quarter], "high": ratios[-1 - quarter], "aim": most})
    if args.json:
        print(json.dumps(rows))
        return
    print(f"{HEADER}\n| --- | --- | --- | --- | --- | --- |")
    for r in rows:
        print(f"| {r['case']} | {r['ms']:.1f} | {r['ratio']:.3f} | {r['low']:.3f}..{r['high']:.3f} | "
              f"{r['min']:.3f}..{r['max']:.3f} | {r['aim'] or ''} |")


main()
