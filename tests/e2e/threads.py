# SPDX-License-Identifier: Apache-2.0
"""The same recipe and seed give the same bits with 1, 2 and 4 threads.

usage: threads.py DETENT          20 steps on drawn pictures
       threads.py DETENT ROOT [N] N steps (200) of ResNet-20 on CIFAR-10; ROOT: source root
"""
import os

from support import RECIPE, SKIP, Test, main, shared


def arguments(test, rest):
    """Recipe and overrides, or None when the data is not there."""
    if not rest:
        return [test.write("recipe.yaml", RECIPE)]
    data = shared(rest[0], "data", "cifar-10-batches-bin")
    init = shared(rest[0], "checkpoints", "resnet20-12fca82f.th")
    if not data or not init:
        return None
    recipe = os.path.join(rest[0], "recipes", "cifar10", "resnet20-lsq-w4a4.yaml")
    return [recipe, "data.root=" + os.path.abspath(data), "model.init=" + os.path.abspath(init),
            "train.max_steps=" + (rest[1] if len(rest) > 1 else "200")]


def run(args):
    test = Test(args[0])
    words = arguments(test, args[1:])
    if words is None:
        print("SKIP: no CIFAR-10 or checkpoint; set DETENT_SHARED")
        return SKIP
    hashes, scores = {}, {}
    for threads in 1, 2, 4:
        folder = test.path(f"run{threads}")
        out = test.succeed("train", *words, "--out", folder, "--threads", threads)
        hashes[threads] = test.sha256(os.path.join(folder, "last.h5"))
        scores[threads] = out.splitlines()[-1].split(";")[0]
        print(threads, hashes[threads], scores[threads])
    test.check(len(hashes[1]) == 64, "a SHA-256 has 64 digits")
    test.check(len(set(hashes.values())) == 1, f"weights differ: {hashes}")
    test.check(len(set(scores.values())) == 1, f"scores differ: {scores}")
    # The hash can differ: another seed gives other weights.
    test.succeed("train", *words, "--out", test.path("other"), "train.seed=9", "train.max_steps=2")
    test.check(test.sha256(test.path("other", "last.h5")) not in hashes.values(), "seed 9 is seed 3")
    return test.end()


main(run)
