# SPDX-License-Identifier: Apache-2.0
"""The module for Python on libdetent.so: training, evaluation and export as the program does them, a
network as a function, weights in and out, refusals as exceptions, no leak over 1,000 passes.

usage: module.py DETENT LIBRARY

Exit status 77 (skipped) without numpy."""
import json
import os
import subprocess
import sys

try:
    import numpy
except ImportError:
    sys.exit(77)

from support import RECIPE, TESTS, Test, main
from taken import taken


def refused(test, what, call, *parts):
    import detent
    try:
        call()
        test.check(False, f"{what}: nothing was refused")
    except detent.Error as error:
        text = str(error)
        test.check(all(p in text for p in parts) and "\n" not in text, f"{what}: {text}")


def run(args):
    test = Test(args[0])
    os.environ["DETENT_LIBRARY"] = os.path.abspath(args[1])
    sys.path.insert(0, os.path.join(os.path.dirname(TESTS), "api"))
    import detent

    names = subprocess.run(["nm", "-D", "--defined-only", args[1]], stdout=subprocess.PIPE, text=True,
                           check=True).stdout.split("\n")
    names = [line.split()[-1] for line in names if line]
    test.check(len(names) > 10 and all("detent_" in n or n.startswith("DETENT_") for n in names) and
               any(n.endswith("@@DETENT_1") for n in names), f"exported names: {names[:20]}")

    recipe = test.write("recipe.yaml", RECIPE)
    events = list(detent.train(recipe, test.path("ours"), overrides={"train.epochs": 2}, threads=1))
    test.succeed("train", recipe, "--out", test.path("theirs"))
    net = test.path("ours", "last.h5")
    test.check(test.sha256(net) == test.sha256(test.path("theirs", "last.h5")),
               "the module trains another net than the program")
    kinds = [e["kind"] for e in events]
    test.check(kinds.count("epoch") == 2 and kinds.count("progress") == 20 and kinds[-1] == "end" and
               events[-1]["finished"], str(kinds))
    score = detent.evaluate(net, overrides={"eval.batch": 32})
    told = json.loads(test.succeed("eval", net, "eval.batch=32", "--json"))
    test.check(score["count"] == told["count"] and abs(score["test_top1"] - told["top1"]) < 1e-6 and
               abs(score["test_loss"] - told["loss"]) < 1e-6, f"{score} {told}")

    # Who stops reading stops the run; it goes on to the same net.
    for event in detent.train(recipe, test.path("cut"), threads=1):
        if event["kind"] == "progress" and event["step"] == 3:
            break
    test.check(not os.path.exists(test.path("cut", "DONE")), "the run was not stopped")
    list(detent.train(recipe, test.path("cut"), threads=1, resume=True))
    test.check(test.sha256(test.path("cut", "last.h5")) == test.sha256(net), "resumed: other bits")

    rng = numpy.random.default_rng(1)
    with detent.Net(net, threads=1) as n:
        test.check(n.input_shape == (32, 32, 3) and n.outputs == 10, f"{n.input_shape} {n.outputs}")
        x = rng.normal(size=(37, 32, 32, 3)).astype(numpy.float32)
        y = n(x)
        test.check(y.shape == (37, 10) and numpy.isfinite(y).all(), "outputs")
        test.check(all((n(x[i:i + 1]) == y[i:i + 1]).all() for i in (0, 20, 36)),
                   "a picture's outputs depend on its batch")
        weights = n.weights()
        test.check(weights["conv2.weight"].shape == (16, 3, 3, 8) and
                   "conv2.weight_quant.scale" in weights, str(sorted(weights)))
        n.set_weights({"fc.bias": weights["fc.bias"] + 1})
        moved = n(x) - y
        test.check((moved >= 0).all() and moved.mean() > 0.3, f"a bias: {moved[0]}")  # codes end
        n.set_weights({"fc.bias": weights["fc.bias"]})
        test.check((n(x) == y).all(), "weights that were put back")
        n.export("onnx", test.path("net.onnx"))
        refused(test, "export", lambda: n.export("onnxx", test.path("x")), "onnxx", "did you mean 'onnx'?")
        refused(test, "shape", lambda: n(x[0]), "[32, 32, 3] is no batch of [32, 32, 3]")
        refused(test, "weights", lambda: n.set_weights({"fc.bias": [1, 2]}), "fc.bias: [2] is not [10]")
        refused(test, "no weights", lambda: n.set_weights({"x": 1}), "x: the network has no such")
        for _ in range(200):
            n(x[:16])
        used, mapped = taken()
        for _ in range(1000):
            n(x[:16])
        used_then, mapped_then = taken()
        test.check(used_then - used < 200 and mapped_then - mapped < 2000,
                   f"1,000 passes: {used} KiB in use and {mapped} mapped before, {used_then} and {mapped_then} behind")
    with open(test.path("net.onnx"), "rb") as a:
        test.succeed("export", net, "--out", test.path("theirs.onnx"))
        with open(test.path("theirs.onnx"), "rb") as b:
            test.check(a.read() == b.read(), "the module exports another file than the program")
    refused(test, "a key", lambda: list(detent.train(recipe, test.path("no"), overrides={"train.epoch": 1})),
            "command line: train.epoch: unknown key, did you mean 'epochs'?")
    refused(test, "no file", lambda: detent.Net(test.path("none.h5")), "none.h5", "No such file")
    refused(test, "no state", lambda: detent.Net(recipe), "quantizers without state")
    refused(test, "done", lambda: list(detent.train(recipe, test.path("ours"))), "holds a run already")
    return test.end()


main(run)
