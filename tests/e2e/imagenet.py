# SPDX-License-Identifier: Apache-2.0
"""ResNet-18 and MobileNetV2 at W4A4 on a folder that looks like ImageNet's: 100 classes of 20
pictures, made here. They train, resume after a kill in the bits of an undisturbed run, and run in
onnxruntime with the codes and logits of the integer model.

usage: imagenet.py DETENT VENV [SIDE [STEPS]]

VENV has onnxruntime, and is made where it does not exist; without it the exit status is 77."""
import os
import random
import shutil
import signal
import time

from support import Test, main, onnxruntime_python, png

CLASSES, EACH, VAL = 100, 20, 2
NETS = ["resnet18", "mobilenet_v2"]
FLOAT = """\
model: {{name: {net}, classes: 100}}
data:
  name: imagenet
  root: data
  batch: {batch}
  train: [random_resized_crop: {side}, hflip]
  test: [resize: {resize}, center_crop: {side}]
  normalize: imagenet
train: {{epochs: 1, max_steps: {steps}, optimizer: {{name: sgd, lr: 0.02, momentum: 0.9}}, seed: 2}}
eval: {{batch: 50}}
"""
QUANT = """\
quant:
  placement: deploy
  weights: {method: lsq, bits: 4, granularity: channel}
  activations: {method: lsq, bits: 4}
  first: {weights: 8, activations: 8}
  last: {weights: 8, activations: 8}
"""


def picture(label, rng):
    """Any size; the class is in the colours of two stripes and in their width."""
    width, height = rng.randrange(60, 140), rng.randrange(60, 140)
    stripe = 4 + 3 * (label // 25)
    colours = [[(label * f + k * 90) % 200 + rng.randrange(56) for f in (7, 31, 53)]
               for k in range(2)]
    row = b"".join(bytes(colours[x // stripe % 2]) for x in range(width))
    return png(width, height, [row] * height)


def make_folder(root):
    rng = random.Random(1)
    for split, count in ("train", EACH), ("val", VAL):
        for label in range(CLASSES):
            folder = os.path.join(root, split, f"n{label:08d}")
            os.makedirs(folder)
            for i in range(count):
                with open(os.path.join(folder, f"{i}.png"), "wb") as f:
                    f.write(picture(label, rng))


def killed_and_resumed(test, recipe, init, folder):
    """Killed once, as soon as a checkpoint is there."""
    args = ["train", recipe, init, "train.save_minutes=0.0001", "--out", folder]
    process = test.start(*args)
    last = os.path.join(folder, "last.h5")
    while process.poll() is None and not os.path.exists(last):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    test.check(process.returncode == -signal.SIGKILL, "the run was over before it was killed")
    text = test.succeed("inspect", last)
    step = next(line.split()[1] for line in text.splitlines() if line.startswith("step "))
    test.succeed(*args, "--resume")
    return last, step


def check_net(test, net, venv, side, steps):
    sizes = {"net": net, "side": side, "resize": side * 8 // 7, "steps": steps,
             "batch": 32 if side < 128 else 16}
    plain = test.write(f"{net}-float.yaml", FLOAT.format(**sizes))
    recipe = test.write(f"{net}-w4a4.yaml", FLOAT.format(**sizes) + QUANT)
    start = time.monotonic()
    test.succeed("train", plain, "--out", test.path(net + "-float"))
    init = "model.init=" + test.path(net + "-float", "last.h5")
    whole = test.path(net, "last.h5")
    test.succeed("train", recipe, init, "train.save_minutes=0.0001", "--out", test.path(net))
    last, step = killed_and_resumed(test, recipe, init, test.path(net + "-killed"))
    with open(last, "rb") as a, open(whole, "rb") as b:
        test.check(a.read() == b.read(), f"{net}: killed after step {step}, the end differs")
    model = test.path(net + ".onnx")
    test.succeed("export", recipe, "model.init=" + whole, "--out", model)
    print(f"{net} at {side}: {steps} steps in float and at W4A4, killed after step {step} and "
          f"resumed to the same bytes, exported {os.path.getsize(model)} bytes; "
          f"{time.monotonic() - start:.0f} s", flush=True)
    python = onnxruntime_python(venv)
    if not python:
        test.skip("no onnxruntime")
        return
    rounding = "fp32"
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        if " fma " not in f.read():
            rounding = "unfused"
    said = test.succeed("verify", recipe, "model.init=" + whole, "--runtime", "ort", "--python",
                        python, "--images", 20, "--rounding", rounding)
    print("\n".join(said.splitlines()[-2:]), flush=True)
    test.check(said.splitlines()[-1] == "verified", f"{net}: onnxruntime differs")


def run(args):
    test = Test(args[0])
    side = int(args[2]) if len(args) > 2 else 64
    steps = int(args[3]) if len(args) > 3 else 6
    make_folder(test.path("data"))
    for net in NETS:
        check_net(test, net, args[1], side, steps)
    return test.end()


main(run)
