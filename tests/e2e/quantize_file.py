# SPDX-License-Identifier: Apache-2.0
"""`detent quantize NET.onnx --data FOLDER`: one word, with labels and without, and what is refused.

usage: quantize_file.py DETENT
"""
import json
import os

from support import TEACHER, Test, main, png

HOW = "--normalize", "imagenet"


def pictures(test, folder, count, size=32):
    os.makedirs(test.path(folder), exist_ok=True)
    for i in range(count):
        rows = [bytes((x * 7 * (i + 1) + y * 5 * c + 11 * i) % 256 for x in range(size) for c in (1, 2, 3))
                for y in range(size)]
        test.write(f"{folder}/{i}.png", png(size, size, rows))
    return test.path(folder)


def quantize(test, net, *args):
    code, out, err = test.run("quantize", net, *args, "--method", "nearest", "--json")
    test.check(code == 0, f"{args}: {err}")
    return json.loads(out)


def check_unlabelled(test, net):
    """No top-1 is claimed, a fifth is kept, and the recipe in the folder does it again."""
    flat, out = pictures(test, "flat", 40), test.path("out")
    report = quantize(test, net, "--data", flat, *HOW, "--out", out)
    score = report["integer"]
    test.check("top1" not in score and "lost" not in score and score["agree"] <= score["count"] == 8
               and score["kl"] >= 0, f"without labels: {score}")
    test.check(report["pictures"] == 32 and report["weight_bits"] == 8, f"pictures: {report}")
    for name in "quantized.h5", "recipe.yaml", "report.json", "small.onnx":
        test.check(os.path.exists(os.path.join(out, name)), f"no {name}")
    told = json.loads(test.succeed("verify", out + "/quantized.h5", "--images", "8", "--json"))
    test.check(told["verified"], f"verify: {told}")
    text = test.succeed("quantize", net, "--data", flat, *HOW, "--method", "nearest", "--out",
                        test.path("text"))
    test.check("top-1" not in text and "agrees with float" in text, text)
    test.succeed("quantize", out + "/recipe.yaml", "--out", test.path("again"))
    test.check(test.sha256(out + "/quantized.h5") == test.sha256(test.path("again/quantized.h5")),
               "the folder's recipe gives another net")
    # Other sizes are brought to the net's.
    large = pictures(test, "large", 10, 48)
    report = quantize(test, net, "--data", large, *HOW, "--out", test.path("large-out"),
                      "data.train=[center_crop: 32]", "data.test=[center_crop: 32]")
    test.check(report["integer"]["count"] == 2, f"larger pictures: {report}")


def check_target(test, net):
    """Its format is written; what it does not take is refused before anything is computed."""
    flat, out = test.path("flat"), test.path("mcu")
    quantize(test, net, "--data", flat, *HOW, "--target", "mcu", "--out", out)
    test.check(any(name.endswith(".c") for name in os.listdir(out)), f"mcu: {os.listdir(out)}")
    for target, *more in ("litert", "quant.first=none"), ("trt", "--bits", "8"):
        code, _, err = test.run("quantize", net, "--data", flat, *HOW, "--target", target, "--out",
                                test.path(target), "--method", "nearest", *more)
        test.check(code == 1 and "rules are broken" in err and "ranges" not in err
                   and not os.path.exists(test.path(f"{target}/quantized.h5")), f"{target}: {err}")


def check_labelled(test, net):
    for split, count in (("train", 4), ("test", 2)):
        for c in range(10):
            pictures(test, f"classes/{split}/c{c}", count)
    report = quantize(test, net, "--data", test.path("classes"), *HOW, "--bits", "W4A8", "--out",
                      test.path("labelled"))
    test.check(report["integer"]["count"] == 20 and "top1" in report["integer"], f"labels: {report}")
    test.check(report["weight_bits"] < 8, f"W4A8: {report['weight_bits']} bits")
    test.check([l["weight_bits"] for l in report["layers"]] == [8] + [4] * 4 + [8]
               and all(l["sqnr_db"] > 0 for l in report["layers"]), f"layers: {report['layers']}")


def check_refused(test, net, recipe):
    flat, empty = test.path("flat"), test.path("empty")
    os.makedirs(empty)
    for c in range(3):
        pictures(test, f"three/c{c}", 5)
    for args, text in (
            ((net, "--data", flat), "say --normalize none"),
            ((net, *HOW), "say --data FOLDER"),
            ((net, "--data", empty, *HOW), "is no folder with PNG or JPEG files"),
            ((net, "--data", test.path("nowhere"), *HOW), "is no folder with"),
            ((net, "--data", test.path("three"), *HOW), "3 classes, the net has 10 outputs"),
            ((net, "--data", flat, "--normalize", "imagenett"), "data.normalize"),
            ((net, "--data", flat, *HOW, "--target", "ortt"), "did you mean 'ort'"),
            ((net, "--data", flat, *HOW, "--target", "ort", "--format", "c"), "--format"),
            ((net, "--data", flat, *HOW, "ptq.images=100"), "is more than the 32 training pictures"),
            ((net + ".onnx", "--data", flat, *HOW), "No such file"),
            ((recipe, "--data", flat), "is a recipe, which has data.root")):
        code, _, err = test.run("quantize", *args, "--out", test.path("refused"))
        lines = [line for line in err.splitlines() if not line.startswith("override:")]
        test.check(code == 1 and len(lines) == 1 and text in lines[0], f"{args}: {err}")
    # Pictures without labels are for this verb only.
    code, _, err = test.run("eval", test.path("out/recipe.yaml"), "quant=none")
    test.check(code == 1 and "has no labels" in err, f"eval: {err}")
    code, _, err = test.run("train", test.path("out/recipe.yaml"), "--out", test.path("trained"))
    test.check(code == 1 and "has no labels" in err, f"train: {err}")


def run(args):
    test = Test(args[0])
    recipe = test.write("small.yaml", TEACHER.replace("epochs: 1", "epochs: 1, max_steps: 4"))
    net = test.path("small.onnx")
    test.succeed("train", recipe, "--out", test.path("float"))
    test.succeed("export", recipe, "model.init=" + test.path("float/last.h5"), "--allow-float",
                 "--out", net)
    check_unlabelled(test, net)
    check_labelled(test, net)
    check_target(test, net)
    check_refused(test, net, recipe)
    return test.end()


if __name__ == "__main__":
    main(run)
