#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Weak scaling on one machine: pictures a second of one thread, of two threads, and of two ranks with a
thread each, in turn, from the seconds of an epoch with its evaluation and checkpoint. Needs two
processors with nothing else on them.

usage: ranks_scaling.py [DETENT [ROUNDS]]
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile

STEPS, BATCH = 20, 64 # of an epoch; the second of two is timed
RECIPE = """\
model: {name: resnet20, classes: 10}
data: {name: builtin}
quant: {placement: deploy, weights: {method: lsq, bits: 4}, activations: {method: lsq, bits: 4}}
train: {optimizer: {name: sgd, lr: 0.02}, seed: 3}
eval: {batch: 64}
"""
ENV = dict(os.environ, OMP_WAIT_POLICY="passive", OMPI_ALLOW_RUN_AS_ROOT="1",
           OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")


def rate(detent, recipe, folder, ranks, threads):
    """Pictures a second of the second of two epochs."""
    out = os.path.join(folder, f"r{ranks}t{threads}")
    line = [detent, "train", recipe, f"data.batch={BATCH}", f"train.accumulate={ranks}",
            f"data.train_pictures={BATCH * STEPS * ranks}", "data.test_pictures=64",
            "train.epochs=2", "--threads", str(threads), "--out", out]
    if ranks > 1:
        line = ["mpirun", "-n", str(ranks)] + line
    done = subprocess.run(line, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(done.stdout)
    with open(os.path.join(out, "metrics.jsonl")) as f:
        rows = [json.loads(text) for text in f]
    subprocess.run(["rm", "-r", out], check=True)
    second = [row["seconds"] for row in rows if row.get("kind") == "epoch"][1]
    return BATCH * STEPS * ranks / second


def main():
    detent = sys.argv[1] if len(sys.argv) > 1 else "build/detent"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 6
    ways = (1, 1), (1, 2), (2, 1)
    found = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        recipe = os.path.join(folder, "resnet20.yaml")
        with open(recipe, "w") as f:
            f.write(RECIPE)
        for i in range(rounds + 1): # the first one warms up
            for way in ways if i % 2 else ways[::-1]:
                found[way].append(rate(detent, recipe, folder, *way))
    one, threads, ranks = (found[way][1:] for way in ways)
    print(f"ResNet-20 W4A4 deploy; {rounds} rounds of {STEPS} steps of {BATCH} pictures a rank\n\n"
          "| | pictures/s | efficiency, median [min, max] |\n| --- | ---: | ---: |")
    print(f"| 1 rank, 1 thread | {statistics.median(one):.0f} | |")
    for name, rates in ("1 rank, 2 threads", threads), ("2 ranks, 1 thread each", ranks):
        share = sorted(r / 2 / o for r, o in zip(rates, one))
        print(f"| {name} | {statistics.median(rates):.0f} | {statistics.median(share):.3f} "
              f"[{share[0]:.3f}, {share[-1]:.3f}] |")


main()
