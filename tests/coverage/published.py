# SPDX-License-Identifier: Apache-2.0
"""Networks with published weights (docs/networks.md), trained on, exported and verified: ResNet-8 of MLPerf Tiny in
its three forms and as onnxruntime quantized it, for an epoch of CIFAR-10; EfficientNet-Lite0 in 8 bits from every fifth
of 1,000 pictures, counted on the others, and 4-bit steps on one batch. Some 10 minutes of a processor.

usage: published.py DETENT TRAIN [resnet8|efficientnet]     ends with 1 where a number is missed, 77 without the files

TRAIN is tests/coverage/train; the files are those of ../shared, or of the folder DETENT_SHARED.
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
for folder in ("tests/support", "tests/e2e"):
    sys.path.insert(0, os.path.join(ROOT, folder))
import environment
from support import SKIP, Test, main, shared

ENVIRONMENT = os.path.join(ROOT, "build-bench", "runtimes")
FORMS = "resnet8-folded", "resnet8-mlperf-tiny", "resnet8-dynamo"
EPOCH = "data.batch=128", "data.train=[hflip, pad_crop: 4]"  # the recipes calibrate on one batch without them
FLOAT, INT8, FOREIGN = 8719, 8697, 8708  # PyTorch; the published int8 file in LiteRT; the QDQ file in onnxruntime
LITE0, LITE0_INT8, FIFTH = 872, 688, 5
STEPS, FALL, PICTURES, FEW = 24, 0.1, 1000, 8


def recipe(name):
    return os.path.join(ROOT, "recipes", "onnx", name + ".yaml")


def right(test, *args):
    return json.loads(test.succeed("eval", *args, "--json", timeout=1800))["correct"]


def verify(test, python, name, runtime, images, *args):
    code, out, err = test.run("verify", *args, "--runtime", runtime, "--images", images, "--python", python, "--json",
                              timeout=1800)
    try:
        nodes = json.loads(out)["nodes"]
    except ValueError:
        nodes = []
    differ, checked = (sum(n[k] for n in nodes) for k in ("differ", "checked"))
    print(f"{name}: {runtime}: {differ} of {checked:,} values differ, {images} pictures", flush=True)
    test.check(code == 0 and checked and not differ, f"{name}: {runtime}: {differ} of {checked}, {err}")


def trained(test, python, name, net, data, before, *more):
    """An epoch; how many are right in integers, then each runtime's codes."""
    common = [recipe(name), f"model.onnx={net}", f"data.root={data}"]
    out = test.path(name)
    test.succeed("train", *common, *more, "--out", out, timeout=3600)
    last = f"model.init={out}/last.h5"
    after = right(test, *common, last, "--arith", "integer")
    print(f"{name}: {before} before an epoch, {after} after it, both in integers", flush=True)
    for runtime in ("ort", "litert", "c"):
        verify(test, python, name, runtime, PICTURES, *common, last)
    return after


def resnet8(test, python):
    data = shared(ROOT, "data", "cifar-10-batches-bin")
    for name in FORMS:
        net = shared(ROOT, "networks", name + ".onnx")
        common = [recipe(name + "-w8a8"), f"model.onnx={net}", f"data.root={data}"]
        count = right(test, *common, "quant=none")
        print(f"{name}: {count} in float", flush=True)
        test.check(abs(count - FLOAT) <= 1, f"{name}: {count} in float, not {FLOAT}")
        count = right(test, *common, "--calibrate", "--arith", "integer")
        test.check(count >= INT8, f"{name}: {count} in integers, less than {INT8}")
        trained(test, python, name + "-w8a8", net, data, count, *EPOCH)
    name = "resnet8-ort-qdq"
    net = shared(ROOT, "networks", name + ".onnx")
    count = right(test, recipe(name), f"model.onnx={net}", f"data.root={data}", "--arith", "integer")
    test.check(abs(count - FOREIGN) <= 2, f"{name}: {count} in integers, not {FOREIGN}")
    after = trained(test, python, name, net, data, count)
    test.check(after > count, f"{name}: an epoch makes {after} of {count}")


def fifths(test, pictures):
    """Every fifth picture for training, in the folder of each class of its five; the test split as it is."""
    classes = sorted(os.listdir(os.path.join(pictures, "val")))
    os.makedirs(test.path("lite0", "train"))
    os.symlink(os.path.abspath(os.path.join(pictures, "val")), test.path("lite0", "val"))
    for i, name in enumerate(classes):
        os.symlink(os.path.abspath(os.path.join(pictures, "val", classes[i - i % FIFTH])),
                   test.path("lite0", "train", name))
    return test.path("lite0")


def others(test, *args):
    """How many of the pictures that are no fifth are right. Pictures are in the order of their classes."""
    file = test.path("predictions")
    test.succeed("eval", *args, "--predictions", file, timeout=3600)
    with open(file, encoding="utf-8") as f:
        said = [int(line.split()[0]) for line in f]
    return sum(p == i for i, p in enumerate(said) if i % FIFTH)


def steps(test, trainer, net, data):
    with open(recipe("efficientnet-lite0-w8a8"), encoding="utf-8") as f:
        text = f.read()
    for a, b in (("bits: 8", "bits: 4"), ("batch: 200", "batch: 16"), ("lr: 0.00001", "lr: 0.0005"),
                 ("quant_lr: 0.01", "quant_lr: 0.1"), ("{name: onnx, ", f"{{name: onnx, onnx: {net}, "),
                 ("name: imagenet", f"name: imagenet\n  root: {data}")):
        text = text.replace(a, b)
    done = subprocess.run([trainer, test.write("steps.yaml", text), str(STEPS), test.path("steps.h5")],
                          stdout=subprocess.PIPE, text=True, check=True)
    return [float(line) for line in done.stdout.split()]


def efficientnet(test, python, trainer):
    net = os.path.abspath(shared(ROOT, "networks", "efficientnet-lite0.onnx"))
    name, data = "efficientnet-lite0", fifths(test, shared(ROOT, "data", "imagenet-1000"))
    common = [recipe(name + "-w8a8"), f"model.onnx={net}", f"data.root={data}"]
    count = right(test, *common, "quant=none")
    kept = others(test, *common, "quant=none")
    print(f"{name}: {count} of 1,000 in float, {kept} of 800", flush=True)
    test.check(abs(count - LITE0) <= 2, f"{name}: {count} in float, not {LITE0}")
    count = others(test, *common, "--calibrate", "--arith", "integer")
    print(f"{name}: {count} of 800 in 8-bit integers", flush=True)
    test.check(count >= LITE0_INT8, f"{name}: {count} in integers, less than {LITE0_INT8}")
    verify(test, python, name, "ort", FEW, *common, "--calibrate")
    losses = steps(test, trainer, net, data)
    print(f"{name}: {STEPS} steps of W4A4 on 16 pictures: loss {losses[0]:.2f} to {losses[-1]:.2f}", flush=True)
    test.check(losses[-1] <= (1 - FALL) * losses[0], f"{name}: loss {losses[0]} to {losses[-1]}")


def run(args):
    test = Test(args[0])
    if not shared(ROOT, "networks") or not shared(ROOT, "data"):
        print("SKIP: no published networks")
        return SKIP
    python = environment.interpreter(ENVIRONMENT, os.path.join(ROOT, "tests", "requirements-runtimes.txt"))
    if not python:
        print("SKIP: no runtimes")
        return SKIP
    if "efficientnet" not in args[2:]:
        resnet8(test, python)
    if "resnet8" not in args[2:]:
        efficientnet(test, python, os.path.abspath(args[1]))
    return test.end()


if __name__ == "__main__":
    main(run)
