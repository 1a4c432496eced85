# SPDX-License-Identifier: Apache-2.0
"""A run's events as TensorBoard reads them: tags, steps, values of the other logs; after a kill and a
resume the same as undisturbed; a damaged end is cut off.

usage: tensorboard.py DETENT VENV

Exit status 77 (skipped) where TensorBoard cannot be installed."""
import json
import os
import subprocess
import sys

from support import DYNAMICS, TEACHER, TESTS, Test, environment, main

FILE = "events.out.tfevents.detent"
# By TensorBoard's own loader: {tag: [[step, value]]}.
READ = """
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
a = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
a.Reload()
print(json.dumps({tag: [[e.step, e.value] for e in a.Scalars(tag)] for tag in a.Tags()["scalars"]}))
"""


def read(python, folder):
    done = subprocess.run([python, "-c", READ, folder], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"TensorBoard does not read {folder}")
    return json.loads(done.stdout)


def lines(folder, kind):
    with open(os.path.join(folder, "metrics.jsonl")) as f:
        return [o for o in map(json.loads, f) if o["kind"] == kind]


def same(test, what, got, want):
    near = len(got) == len(want) and all(
        a[0] == b[0] and abs(a[1] - b[1]) <= 1e-6 * max(1, abs(b[1])) for a, b in zip(got, want))
    test.check(near, f"{what}: {got[:3]}... of {len(got)}, want {want[:3]}... of {len(want)}")


def run(args):
    python = environment.interpreter(args[1], os.path.join(TESTS, "requirements-tensorboard.txt"))
    if not python:
        return 77
    test = Test(args[0])
    test.succeed("train", test.write("teacher.yaml", TEACHER), "--out", test.path("teacher"))
    recipe = test.write("recipe.yaml", DYNAMICS)
    whole, cut = test.path("whole"), test.path("cut")
    more = "data.val=64", "train.log_steps=4"
    test.succeed("train", recipe, *more, "--out", whole)
    told = read(python, whole)
    steps, epochs = lines(whole, "step"), lines(whole, "epoch")
    test.check(len(steps) > 8 and len(epochs) == 6, f"{len(steps)} steps, {len(epochs)} epochs")
    for tag, of, value in (("train/loss", steps, lambda e: e["loss"]),
                           ("train/learning_rate", steps, lambda e: e["lr"]),
                           ("train/top1", epochs, lambda e: e["train_top1"]),
                           ("val/top1", epochs, lambda e: e["val_top1"]),
                           ("test/loss", epochs, lambda e: e["test_loss"]),
                           ("test/top5", epochs, lambda e: e["test_top5"])):
        same(test, tag, told.get(tag, []), [[e["step"], value(e)] for e in of])
    for kind, key in ("oscillation", "flip_rate"), ("freezing", "frozen"):
        for layer in "all", "conv2.weight":
            same(test, f"osc/{layer}/{key}", told.get(f"osc/{layer}/{key}", []),
                 [[e["step"], e[key]] for e in lines(whole, kind) if e["layer"] == layer])
    for tag in ("val/loss", "val/top5", "perf/img_per_s", "quant/conv2.weight_quant/scale",
                "quant/conv2.weight_quant/clipped", "quant/conv2.weight_quant/sqnr_db",
                "quant/conv2.input_quant/scale"):
        test.check(told.get(tag), f"no {tag} among {sorted(told)}")
    low, high = (f([v for _, v in told["quant/conv2.weight_quant/sqnr_db"]]) for f in (min, max))
    test.check(0 < low <= high < 100, f"SQNR {low}..{high}")

    # Stopped twice, once with half a record at the end.
    test.succeed("train", recipe, *more, "train.max_steps=13", "--out", cut)
    test.succeed("train", recipe, *more, "train.max_steps=31", "--out", cut, "--resume")
    with open(os.path.join(cut, FILE), "r+b") as f:
        f.truncate(os.path.getsize(os.path.join(cut, FILE)) - 7)
    test.succeed("train", recipe, *more, "--out", cut, "--resume")
    again = read(python, cut)
    test.check(sorted(again) == sorted(told), f"tags: {sorted(set(again) ^ set(told))}")
    for tag in told:
        if tag != "perf/img_per_s":
            same(test, f"{tag} after resuming", again.get(tag, []), told[tag])
    # What is no record is thrown away, not read.
    with open(os.path.join(whole, FILE), "r+b") as f:
        f.seek(60)
        f.write(b"\xff" * 40)
    test.succeed("train", recipe, *more, "train.epochs=6", "--out", whole, "--resume")
    test.check(os.path.getsize(os.path.join(whole, FILE)) <= 60, "damaged records are kept")
    return test.end()


main(run)
