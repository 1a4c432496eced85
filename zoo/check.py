#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds networks of this folder against their sources (write.py) with seeded weights and statistics, read
under their names and written back as ONNX, whose logits in onnxruntime are compared with PyTorch's.

usage: check.py DETENT [NAME ...]      with torch, torchvision, timm and onnxruntime
"""
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime
import torch

import write

HERE = os.path.dirname(os.path.abspath(__file__))
BOUND, SIDE, CLASSES = 1e-4, 32, 10
RECIPE = """\
model: {{file: {file}, classes: {classes}, init: {init}}}
data: {{name: builtin, normalize: none, train_pictures: 64, test_pictures: 64}}
"""


def seeded(name):
    """The source with random weights, and with statistics of random pictures."""
    torch.manual_seed(1)
    net = write.make(name, num_classes=CLASSES)
    with torch.no_grad():
        for m in net.modules():
            if isinstance(m, write.LayerNorm2d):
                m.weight.uniform_(0.5, 1.5)
                m.bias.normal_(0, 0.1)
            if isinstance(m, torch.nn.BatchNorm2d):
                m.running_mean.normal_(0, 0.1)
                m.running_var.uniform_(0.5, 1.5)
                m.weight.uniform_(0.5, 1.5)
                m.bias.normal_(0, 0.1)
    return net.eval()


def logits(path, pictures):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: pictures})[0]


def compare(detent, name, folder):
    net = seeded(name)
    init, recipe = os.path.join(folder, name + ".pth"), os.path.join(folder, name + ".yaml")
    torch.save(net.state_dict(), init)
    with open(recipe, "w", encoding="utf-8") as f:
        f.write(RECIPE.format(file=os.path.join(HERE, name + ".yaml"), classes=CLASSES, init=init))
    back = os.path.join(folder, name + ".onnx")
    done = subprocess.run([detent, "export", recipe, "--allow-float", "--out", back], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        return f"not exported: {done.stdout.strip().splitlines()[-1]}", False
    pictures = np.random.default_rng(1).uniform(0, 1, (4, 3, SIDE, SIDE)).astype(np.float32)
    with torch.no_grad():
        want = net(torch.from_numpy(pictures)).numpy()
    have = logits(back, pictures)
    worst = float(np.abs(want - have).max() / (1 + np.abs(want).max()))
    return f"{worst:.2g} of 1 + the largest logit", worst <= BOUND


def main(detent, *names):
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names or sorted(write.NETS):
            text, good = compare(detent, name, folder)
            failures += not good
            print(f"{name}: {text}", flush=True)
    return failures


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:]) else 0)
