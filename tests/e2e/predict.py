# SPDX-License-Identifier: Apache-2.0
"""detent predict against eval on the same pictures, in float and in integers; eval of a checkpoint,
of fewer pictures, and its predictions with the names of files; what train --json tells.

usage: predict.py DETENT"""
import json
import os
import random

from support import RECIPE, Test, main, png

CLASSES = "ash", "birch", "cedar"


def draw(test):
    """A set that can be learned: each class has its colour, with noise. The path of its recipe."""
    rng = random.Random(4)
    for split, count in ("train", 40), ("test", 12):
        for c, name in enumerate(CLASSES):
            os.makedirs(test.path("set", split, name))
            for k in range(count):
                rows = [bytes(min(255, 40 + 150 * (i % 3 == c) + rng.randrange(60))
                              for i in range(96)) for _ in range(32)]
                test.write(f"set/{split}/{name}/{k:02d}.png", png(32, 32, rows))
    return test.write("recipe.yaml", RECIPE.replace("width: 8", "width: 8, classes: 3").replace(
        "name: builtin, batch: 32", "name: folder, root: set, batch: 12").replace(
        ", train_pictures: 320, test_pictures: 64", ""))


def run(args):
    test = Test(args[0])
    recipe = draw(test)
    test.succeed("train", recipe, "train.epochs=4", "--out", test.path("run"))
    net = test.path("run", "last.h5")

    out = test.succeed("train", recipe, "train.epochs=2", "--json", "--out", test.path("told"))
    lines = [json.loads(line) for line in out.splitlines()]
    with open(test.path("told", "metrics.jsonl")) as f:
        logged = [e for e in map(json.loads, f) if e["kind"] == "epoch"]
    test.check([e["kind"] for e in lines] == ["epoch", "epoch", "end"] and
               all(a[k] == b[k] for a, b in zip(lines, logged)
                   for k in ("epoch", "step", "train_loss", "test_loss", "test_top1")) and
               lines[2]["test_top1"] == logged[1]["test_top1"], f"train --json: {out}")

    # A checkpoint is enough, and says the same as the recipe with it.
    scores = [json.loads(test.succeed("eval", *words, "--json")) for words in
              ([net], [recipe, "model.init=" + net])]
    test.check(scores[0] == scores[1] and scores[0]["count"] == 36, str(scores))
    test.check(scores[0]["correct"] >= 24, f"nothing was learned: {scores[0]}")
    for count in 9, 36, 50:
        some = json.loads(test.succeed("eval", net, f"eval.pictures={count}", "--json"))
        test.check(some["count"] == min(count, 36), f"eval.pictures={count}: {some}")

    lines = {}
    for arith in "float", "integer":
        out = test.path(arith + ".txt")
        test.succeed("eval", net, "--arith", arith, "--predictions", out)
        with open(out) as f:
            lines[arith] = [line.rstrip("\n").split("\t") for line in f]
    names = [f"{name}/{k:02d}.png" for name in CLASSES for k in range(12)]
    test.check([name for _, name in lines["float"]] == names, f"names: {lines['float'][:3]}")
    out = test.path("some.txt")
    test.succeed("eval", net, "eval.pictures=9", "--predictions", out)
    with open(out) as f:
        some = [line.rstrip("\n").split("\t") for line in f]
    test.check([name for _, name in some] == names[::4] and some == lines["float"][::4],
               f"nine pictures: {some}")

    files = [test.path("set", "test", name) for name in names]
    for arith, more in ("float", []), ("integer", ["--integer"]):
        told = json.loads(test.succeed("predict", net, *files, *more, "--json"))
        test.check([t["picture"] for t in told] == files, f"{arith}: pictures")
        test.check([str(t["classes"][0]["class"]) for t in told] == [c for c, _ in lines[arith]],
                   f"{arith}: predict and eval differ")
        for t in told:
            shares = [c["score"] for c in t["classes"]]
            test.check(abs(sum(shares) - 1) < 1e-6 and shares == sorted(shares, reverse=True) and
                       all(c["name"] == CLASSES[c["class"]] for c in t["classes"]), str(t))
    out = test.succeed("predict", net, files[0])
    test.check(out.startswith(f"{files[0]}: ") and all(c in out for c in CLASSES), out)

    big = test.write("big.png", png(48, 40, [bytes(144)] * 40))
    for format in "onnx", "tflite", "safetensors":
        test.succeed("export", net, "--format", format, "--out", test.path("net." + format))
    for words, *parts in (([test.path("net.onnx"), big], "net.onnx: is a model (onnx)",
                           "the checkpoint that it was made of, or a recipe with model: {onnx"),
                          ([test.path("net.tflite"), big], "net.tflite: is a model (tflite)"),
                          ([test.path("net.safetensors"), big], "holds weights (safetensors)",
                           "model.init="),
                          ([net, big], "big.png: 48x40 pixels; the net takes 32x32",
                           "data.test=[resize: 32, center_crop: 32]"),
                          ([net, test.path("none.png")], "none.png", "No such file"),
                          ([net, recipe], "recipe.yaml", "neither PNG nor JPEG"),
                          ([net, "eval.batch=2"], "no picture is named"),
                          ([test.path("none.h5"), big], "none.h5", "No such file"),
                          ([recipe, big], "quantizers")):
        code, out, err = test.run("predict", *words)
        test.check(code == 1 and all(p in err for p in parts), f"{words}: {err}")
    test.succeed("predict", net, big, "data.test=[resize: 32, center_crop: 32]")
    return test.end()


if __name__ == "__main__":
    main(run)
