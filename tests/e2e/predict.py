# SPDX-License-Identifier: Apache-2.0
"""detent predict against eval on the same pictures, in float and in integers; eval of a checkpoint,
of fewer pictures, and its predictions with the names of files; what train --json tells.

usage: predict.py DETENT"""
import json
import os
import random
import shutil

from support import DYNAMICS, RECIPE, TEACHER, TESTS, Test, main, png

ROOT = os.path.dirname(TESTS)
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


def exported(test, recipe, net, files, integer):
    """An ONNX file that we wrote is as good as its checkpoint: it says what the integer model says."""
    for format in "onnx", "onnx_int4":
        file = test.path(format + ".onnx")
        test.succeed("export", net, "--format", format, "--out", file)
        want = json.loads(test.succeed("predict", net, *files, "--integer", "--json"))
        for more in [], ["--integer"]:
            told = json.loads(test.succeed("predict", file, *files, *more, "--json"))
            off = max(abs(a["score"] - b["score"]) for t, w in zip(told, want)
                      for a, b in zip(t["classes"], w["classes"]))
            test.check([t["classes"][0]["class"] for t in told] == [w["classes"][0]["class"] for w in want]
                       and off < 1e-6 and {c["name"] for c in told[0]["classes"]} == set(CLASSES),
                       f"{format} {more}: scores are off by {off}")
        out = test.path(format + ".txt")
        test.succeed("eval", file, "data.root=" + test.path("set"), "--arith", "integer", "--predictions", out)
        with open(out) as f:
            test.check([line.split("\t")[0] for line in f] == [c for c, _ in integer],
                       f"{format}: eval of the file and of the checkpoint differ")
    # Of a recipe with all that is no part of the net: a teacher, phases, dynamics.
    test.succeed("train", test.write("teacher.yaml", TEACHER), "train.max_steps=2", "--out", test.path("teacher"))
    test.succeed("train", test.write("dynamics.yaml", DYNAMICS), "train.max_steps=30", "--out", test.path("dynamics"))
    test.succeed("export", test.path("dynamics", "last.h5"), "--out", test.path("dynamics.onnx"))
    shutil.rmtree(test.path("teacher"))
    test.succeed("predict", test.path("dynamics.onnx"), files[0])
    # And of one that was quantized without training.
    test.succeed("quantize", recipe, "--method", "nearest", "ptq.images=24", "model.init=" + net, "--out", test.path("q"))
    test.succeed("export", test.path("q", "quantized.h5"), "--out", test.path("q.onnx"))
    test.check(test.succeed("predict", test.path("q.onnx"), *files) ==
               test.succeed("predict", test.path("q", "quantized.h5"), *files, "--integer"), "of quantized.h5")


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

    exported(test, recipe, net, files, lines["integer"])
    big = test.write("big.png", png(48, 40, [bytes(144)] * 40))
    for format in "qoperator", "tflite", "c", "safetensors":
        test.succeed("export", net, "--format", format, "--out", test.path("net." + format))
    plain = os.path.join(ROOT, "tests", "fuzz", "corpus", "onnx_graph", "residual.onnx")
    for words, *parts in (([test.path("net.tflite"), big], "net.tflite: is a model (tflite)",
                           "the checkpoint that it was made of, or its ONNX form (detent export --format onnx)"),
                          ([test.path("net.qoperator"), big], "QLinearConv: ", "the QDQ form"),
                          ([test.path("net.c"), big], "net.c: is C source", "or its ONNX form"),
                          ([plain, big], "residual.onnx: is a model (onnx)",
                           "or a recipe with model: {onnx: FILE}"),
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
