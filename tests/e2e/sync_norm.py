# SPDX-License-Identifier: Apache-2.0
"""train.sync_norm: batches that normalise together are a step of one large batch; threads, stops and
ranks change no bit, whatever else the recipe has; and what goes wrong on one rank is told by its name.

usage: sync_norm.py DETENT [long]
"""
import csv
import os
import re

from launch import Launcher, own_lines
from support import DYNAMICS, FOLDED, TEACHER, Test, leftovers, main, png

# Batch norms and nothing that rounds.
FLOAT = """\
model: {name: smallcnn, width: 8}
data: {name: builtin, batch: 48, train: [pad_crop: 4, hflip], train_pictures: 480, test_pictures: 64}
train: {epochs: 2, optimizer: {name: sgd, lr: 0.01}, seed: 3}
eval: {batch: 64}
"""
MIXED = """\
model: {name: smallcnn, width: 8}
data:
  name: builtin
  batch: 16
  train: [pad_crop: 4, hflip, mixup: {alpha: 0.8, p: 0.5}, cutmix: {p: 0.5}]
  train_pictures: 330
  test_pictures: 64
quant:
  weights: {method: lsq, bits: 4}
  activations: {method: lsq, bits: 4}
train: {epochs: 2, optimizer: {name: sgd, lr: 0.02}, label_smoothing: 0.1, seed: 3}
eval: {batch: 64}
"""
SYNC = "train.sync_norm=true"


def losses(folder):
    with open(os.path.join(folder, "summary.csv")) as f:
        return [[float(row[key]) for key in ("train_loss", "test_loss")] for row in csv.DictReader(f)]


def apart(a, b):
    return max(abs(x - y) / y for p, q in zip(a, b) for x, y in zip(p, q))


def large_and_small(test, recipe, seed):
    """Losses of one batch of 48, of 8 of 6 that normalise together, of 8 that do so alone."""
    small = ["data.batch=6", "train.accumulate=8"]
    folders = {"large": [], "together": [*small, SYNC], "alone": small}
    for name, words in folders.items():
        code, _, err = test.run("train", recipe, *words, f"train.seed={seed}", "--out",
                                test.path(f"{name}-{seed}"))
        test.check(code == 0, err)
        told = "norms: statistics of the step's 8 batches together; 8 of them side by side" in err
        test.check(told == (name == "together"), f"{name}: what it costs is told: {err}")
        if told: # an arena for each
            one, all_of_them = (float(re.search(what + r" arena ([\d.]+) MB", err).group(1))
                                for what in ("plan: train batch 6:", "memory:"))
            test.check(abs(all_of_them - 8 * one) < 0.5, f"{all_of_them} MB for 8 of {one} MB")
    return [losses(test.path(f"{name}-{seed}")) for name in folders]


def one_large_batch(test):
    """Training losses, and those of the test split, which tell of the running statistics. Sums in another
    order move the last bits, and where that turns a ReLU at its kink, with one seed in three, all that comes
    after; a fault is there with every seed."""
    recipe = test.write("float.yaml", FLOAT)
    near, far = [], []
    for seed in 3, 4, 5:
        large, together, alone = large_and_small(test, recipe, seed)
        near.append(apart(together, large))
        far.append(apart(alone, large))
    print("from one batch of 48: together", *(f"{x:.2g}" for x in near), "each alone", *(f"{x:.2g}" for x in far))
    test.check(sorted(near)[1] < 1e-5 and max(near) < 1e-3, "together they are one batch")
    test.check(min(far) > 1e-3, "alone they are not")


def same(test, a, b, what):
    for name in "last.h5", "best.h5":
        with open(os.path.join(a, name), "rb") as x, open(os.path.join(b, name), "rb") as y:
            test.check(x.read() == y.read(), f"{what}: {name} differs")
    test.check(not leftovers(b), f"{what}: left {leftovers(b)}")


def among_ranks(test, launch, name, words, ranks, more=(), stop=13):
    """The bits of one process, with other threads, and gone on with by another number of ranks."""
    whole, shared = test.path(name), test.path(name + "-ranks")
    test.succeed(*words, "--threads", 3, "--out", whole)
    if launch.missing():
        test.skip("ranks: " + launch.missing())
        return
    launch.succeed(ranks, *words, "--threads", 1, "--out", shared, timeout=900)
    same(test, whole, shared, f"{name}, {ranks} ranks")
    for first, then in more:
        folder = test.path(f"{name}-{first}-{then}")
        launch.succeed(first, *words, f"train.max_steps={stop}", "--threads", 1, "--out", folder)
        launch.succeed(then, *words, "--threads", 1, "--resume", "--out", folder)
        same(test, whole, folder, f"{name}, {first} ranks, then {then}")


def refused(test):
    vit = test.write("vit.yaml", FLOAT.replace("smallcnn, width: 8", "vit, dim: 24, depth: 2, heads: 2"))
    code, _, err = test.run("train", vit, SYNC, "train.accumulate=2", "--out", test.path("vit"))
    lines = [line for line in err.splitlines() if not line.startswith(("override:", "recipe "))]
    test.check(code == 1 and len(lines) == 1 and "train.sync_norm: 'vit' has no batch norm" in lines[0],
               err)
    test.check(not os.path.exists(test.path("vit")), "refused before a folder is made")


def make_pictures(root):
    for split, count in ("train", 24), ("test", 4):
        for kind in range(2):
            folder = os.path.join(root, split, f"class{kind}")
            os.makedirs(folder)
            for i in range(count):
                rows = [bytes((7 * i + 13 * y + 90 * kind + k) % 256 for k in range(96))
                        for y in range(32)]
                with open(os.path.join(folder, f"{i:02d}.png"), "wb") as f:
                    f.write(png(32, 32, rows))


def failures(test, launch):
    """Ranks wait for each other at every norm: none may be left waiting."""
    for name in "data", "broken":
        make_pictures(test.path(name))
    for i in range(24):
        with open(test.path("broken", "train", "class1", f"{i:02d}.png"), "r+b") as f:
            f.truncate(60)
    recipe = test.write("folder.yaml", "model: {name: smallcnn, classes: 2, width: 8}\n"
                        "data: {name: folder, batch: 4}\ntrain: {epochs: 2, accumulate: 4, sync_norm: "
                        "true, optimizer: {lr: 0.01}}\neval: {batch: 4}\n")
    words = ["train", recipe, "--threads", 1, "--out", test.path("fails")]
    good, broken = "data.root=" + test.path("data"), "data.root=" + test.path("broken")
    # The decay multiplies weights by -1e4 a step: inf, then nan.
    lost = [good, "train.optimizer.lr=1000", "train.optimizer.weight_decay=10", "data.batch=1"]
    for first, second, wanted in ([good], [broken], ["rank 1 on", test.path("broken")]), \
                                 (lost, lost, ["step ", "bn", "train.optimizer.lr may help"]):
        code, _, err = launch.run(1, *words, *first, "--comm-seconds", 60, ":", *words, *second,
                                  "--comm-seconds", 60, timeout=100)
        told = [line for line in own_lines(err) if line.startswith(("rank ", "step ")) and
                " batches of " not in line]
        test.check(code == 1 and len(told) == 1 and all(w in told[0] for w in wanted),
                   f"{second}: {code} {told}\n{err}")


def run(args):
    test = Test(args[0])
    launch = Launcher(test)
    long = args[1:] == ["long"]
    one_large_batch(test)
    refused(test)
    dynamics = test.write("dynamics.yaml", DYNAMICS)
    test.succeed("train", test.write("teacher.yaml", TEACHER), "--out", test.path("teacher"))
    share = [SYNC, "data.train_pictures=340", "data.test_pictures=150", "data.val=20"]
    steps = ["train", dynamics, *share, "train.accumulate=2"]
    if not long:
        among_ranks(test, launch, "short", [*steps, "train.max_steps=8"], 2)
        return test.end()
    among_ranks(test, launch, "dynamics", steps, 2, [(1, 2), (2, 1)])
    folded = test.write("folded.yaml", FOLDED)
    among_ranks(test, launch, "folded", ["train", folded, *share, "train.accumulate=5"], 3, [(1, 3)],
                stop=5)
    mixed = ["train", test.write("mixed.yaml", MIXED), SYNC, "train.accumulate=4"]
    among_ranks(test, launch, "mixed", mixed, 4)
    among_ranks(test, launch, "plain", [*mixed, "--no-fuse"], 2)
    for net in "resnet20", "mobilenet_v2":
        small = [*mixed, f"model={{name: {net}, classes: 10}}", "train.max_steps=6", "data.batch=8"]
        among_ranks(test, launch, net, small, 4)
    if not launch.missing():
        failures(test, launch)
    return test.end()


main(run)
