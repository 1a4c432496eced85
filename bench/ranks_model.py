#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a step of a net costs among many hosts, from three measured numbers: alpha, the seconds of a
message; beta, the seconds of a byte sent; and the milliseconds of one batch on one host.

A step is the batch's forward and backward pass, and the sums, of which all but the last bucket can
travel during the backward pass (2/3 of the batch); then the records of all ranks.

    sums    = buckets * 2 log2(n) alpha + 2 (n - 1) / n * 4 P beta
    records = 3 log2(n) alpha + (n - 1) (68 + 8 M) beta
    step    = batch + max(last bucket's sum, sums - 2/3 batch) + records

usage: ranks_model.py BATCH_MS [ALPHA_US [PARAMETERS STATISTICS]]
       ranks_model.py --check FILE      (rows of `detent bench ranks --json`: fits alpha and beta,
                                        and tells how far the model is from each row)
"""
import json
import math
import sys

BUCKET = 1 << 17 # numbers, as comm/reduce.h
RESNET50 = 25557136, 2 * 26560 # numbers that are learned; means and variances


def sums(n, numbers, alpha, beta):
    buckets = max(1, math.ceil(numbers / BUCKET))
    return buckets * 2 * math.log2(n) * alpha + 2 * (n - 1) / n * 4 * numbers * beta


def step(n, batch, alpha, beta, parameters, statistics):
    one = sums(n, min(BUCKET, parameters), alpha, beta)
    exposed = max(one, sums(n, parameters, alpha, beta) - 2 / 3 * batch)
    records = 3 * math.log2(n) * alpha + (n - 1) * (68 + 8 * statistics) * beta
    return batch + exposed + records, exposed, records


def table(batch_ms, alpha_us=30, parameters=RESNET50[0], statistics=RESNET50[1]):
    batch, alpha = batch_ms / 1e3, alpha_us / 1e6
    print(f"batch {batch_ms:g} ms, alpha {alpha_us:g} us, {parameters} parameters, {statistics} "
          "numbers of statistics\n")
    print("| hosts | Gbit/s | sums, ms | not hidden, ms | records, ms | step, ms | efficiency |\n"
          "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for n in 8, 64, 512:
        for gbit in 10, 100:
            beta = 8 / (gbit * 1e9)
            whole, exposed, records = step(n, batch, alpha, beta, parameters, statistics)
            print(f"| {n} | {gbit} | {1e3 * sums(n, parameters, alpha, beta):.0f} | "
                  f"{1e3 * exposed:.1f} | {1e3 * records:.1f} | {1e3 * whole:.0f} | "
                  f"{batch / whole:.2f} |")


def check(path):
    with open(path) as f:
        rows = [json.loads(line) for line in f if line.startswith("{")]
    for n in sorted({row["ranks"] for row in rows}):
        compare(n, [row for row in rows if row["ranks"] == n])


def compare(n, rows):
    small, large = rows[0], rows[-1]
    alpha = small["ms"] / 1e3 / (2 * math.log2(n))
    beta = (large["ms"] / 1e3 - sums(n, large["numbers"], alpha, 0)) / \
        (2 * (n - 1) / n * 4 * large["numbers"])
    print(f"{n} ranks: alpha {1e6 * alpha:.0f} us, beta {1e9 * beta:.2f} ns a byte "
          f"({8 / beta / 1e9:.2f} Gbit/s)\n\n| numbers | measured, ms | model, ms | ratio |\n"
          "| ---: | ---: | ---: | ---: |")
    for row in rows:
        model = 1e3 * sums(n, row["numbers"], alpha, beta)
        print(f"| {row['numbers']} | {row['ms']:.3f} | {model:.3f} | {model / row['ms']:.2f} |")


if sys.argv[1:2] == ["--check"]:
    check(sys.argv[2])
elif len(sys.argv) > 1:
    table(*(float(x) if i < 2 else int(x) for i, x in enumerate(sys.argv[1:])))
else:
    sys.exit(__doc__)
