# SPDX-License-Identifier: Apache-2.0
"""train.accumulate, and mixed pictures: a step of several batches is a step of one large batch;
threads and stops change nothing; what was trained so exports and evaluates.

usage: accumulate.py DETENT
"""
import csv
import os

from support import Test, main

# No batch norm: several batches are one large batch up to the rounding of sums.
VIT = """\
model: {name: vit, dim: 24, depth: 2, heads: 2, patch: 8}
data: {name: builtin, batch: 48, train: [pad_crop: 4, hflip], train_pictures: 480, test_pictures: 64}
quant:
  placement: paper
  weights: {method: lsq, bits: 4}
  activations: {method: lsq, bits: 4}
train: {epochs: 2, optimizer: {name: sgd, lr: 0.05}, seed: 3}
eval: {batch: 64}
"""
MIXED = """\
model: {name: smallcnn, width: 8}
data:
  name: builtin
  batch: 16
  train: [pad_crop: 4, hflip, random_erasing, mixup: {alpha: 0.8, p: 0.5}, cutmix: {p: 0.5}]
  train_pictures: 330
  test_pictures: 64
quant:
  weights: {method: lsq, bits: 4}
  activations: {method: lsq, bits: 4}
train: {epochs: 2, accumulate: 3, optimizer: {name: sgd, lr: 0.02}, label_smoothing: 0.1, seed: 3}
eval: {batch: 64}
"""


def losses(folder):
    with open(os.path.join(folder, "summary.csv")) as f:
        return [float(row["train_loss"]) for row in csv.DictReader(f)]


def run(args):
    test = Test(args[0])
    vit, mixed = test.write("vit.yaml", VIT), test.write("mixed.yaml", MIXED)
    for name, quant in ("float", ["quant=none"]), ("lsq", []):
        one, many = test.path(name + "1"), test.path(name + "3")
        # The starting scales come from a batch, so both start from one run's.
        start = test.path(name + "0")
        test.succeed("train", vit, *quant, "train.max_steps=1", "--out", start)
        init = "model.init=" + os.path.join(start, "last.h5")
        test.succeed("train", vit, *quant, init, "--out", one)
        code, _, err = test.run("train", vit, *quant, init, "data.batch=16", "train.accumulate=3",
                                "--out", many)
        test.check(code == 0 and "3 batches of 16, nominal batch 48" in err, err)
        a, b = losses(one), losses(many)
        print(name, a, b)
        test.check(len(a) == len(b) == 2, "two epochs")
        # Codes flip where sums round to the other side of a step, so quantized nets differ more.
        bound = 1e-5 if quant else 2e-4
        test.check(all(abs(x - y) < bound * x for x, y in zip(a, b)), f"{name}: {a} {b}")
        # The bound would notice gradients that are wrong by a tenth.
        other = test.path(name + "tenth")
        test.succeed("train", vit, *quant, init, "train.optimizer.lr=0.055", "--out", other)
        test.check(abs(a[1] - losses(other)[1]) > bound * a[1], f"{name}: {a} {losses(other)}")

    hashes = set()
    for threads in 1, 3:
        folder = test.path(f"mixed{threads}")
        test.succeed("train", mixed, "--out", folder, "--threads", threads)
        hashes.add(test.sha256(os.path.join(folder, "last.h5")))
    test.check(len(hashes) == 1, "threads change nothing")
    # 20 batches an epoch are 6 steps of 3; the stop is in the middle of the second epoch.
    folder = test.path("stopped")
    test.succeed("train", mixed, "train.max_steps=8", "--out", folder)
    test.succeed("train", mixed, "--out", folder, "--resume")
    test.check({test.sha256(os.path.join(folder, "last.h5"))} == hashes, "a stop changes nothing")
    trained = test.path("mixed1", "last.h5")
    test.succeed("export", mixed, "model.init=" + trained, "--out", test.path("x.onnx"))
    out = test.succeed("verify", trained)
    print(out.splitlines()[-1])
    plain = test.path("plain")
    test.succeed("train", mixed, "data.train=[pad_crop: 4, hflip]", "--out", plain)
    test.check(losses(plain) != losses(test.path("mixed1")), "mixing changes the loss")

    code, _, err = test.run("train", mixed, "train.accumulate=21", "--out", test.path("many"))
    test.check(code == 1 and "train.accumulate: 21 is more than the 20 batches" in err, err)
    return test.end()


main(run)
