# SPDX-License-Identifier: Apache-2.0
"""40 steps of three nets among 2 and 4 ranks give the SHA-256 of one process with as many batches a
step.

usage: ranks_models.py DETENT [STEPS]
"""
import os

from launch import Launcher
from support import SKIP, Test, main

TRAIN = "data: {name: builtin, batch: 8, train: [pad_crop: 4, hflip], train_pictures: %d, " \
        "test_pictures: 50}\neval: {batch: 16}\n"
LSQ = "quant: {placement: %s, weights: {method: lsq, bits: 4%s}, activations: {method: lsq, bits: 4}}\n"
# Every row of dynamics, and phases of other bits; four epochs of ten steps.
NETS = {
    "resnet20": "model: {name: resnet20, classes: 10}\n" + LSQ % ("deploy", ", ste: ewgs") + """\
train: {epochs: 4, optimizer: {name: sgd, lr: 0.05}, seed: 3}
dynamics:
  ewgs_curvature: {every: 2, batches: 1, probes: 1}
  oscillation: {momentum: 0.1}
  dampening: {lambda: 0.01, begin: 0.1}
  freezing: {start: 0.3, end: 0.05, begin: 0.1, momentum: 0.1}
  weight_ema: {decay: 0.9}
  bn_estimate: {batches: 2}
phases:
  - {epoch: 0, weight_bits: 32, activation_bits: 32}
  - {epoch: 1, weight_bits: 8}
  - {epoch: 2}
""",
    "mobilenet_v2": "model: {name: mobilenet_v2, classes: 10}\n" + LSQ % ("deploy", "") + """\
train: {epochs: 4, optimizer: {name: sgd, lr: 0.02}, clip_norm: 5, seed: 4}
""",
    "vit": "model: {name: vit, dim: 48, depth: 3, heads: 3, dropout: 0.1, drop_path: 0.1}\n" +
           LSQ % ("paper", "") + """\
train: {epochs: 4, optimizer: {name: adamw, lr: 1e-3}, label_smoothing: 0.1, seed: 5}
""",
}


def run(args):
    test = Test(args[0])
    launch = Launcher(test)
    steps = int(args[1]) if len(args) > 1 else 40
    if launch.missing():
        print("SKIP", launch.missing())
        return SKIP
    print(launch.name)
    for name, text in NETS.items():
        for ranks in 2, 4:
            recipe = test.write(f"{name}{ranks}.yaml", text + TRAIN % (10 * ranks * 8))
            words = ["train", recipe, f"train.accumulate={ranks}", f"train.max_steps={steps}",
                     "--threads", 1]
            alone, among = test.path(f"{name}{ranks}-1"), test.path(f"{name}{ranks}-{ranks}")
            test.succeed(*words, "--out", alone)
            launch.succeed(ranks, *words, "--out", among, timeout=900)
            one, many = (test.sha256(os.path.join(f, "last.h5")) for f in (alone, among))
            test.check(one == many, f"{name} among {ranks} ranks: {many}, one process {one}")
            print(f"{name}, {steps} steps, accumulate: {ranks}, {ranks} ranks: {many}", flush=True)
    return test.end()


main(run)
