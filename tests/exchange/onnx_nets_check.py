# SPDX-License-Identifier: Apache-2.0
"""Networks that are read from ONNX files and written back in float, against the files themselves, both in
onnxruntime; and each as 4-bit integers, trained for some steps and verified.

usage: onnx_nets_check.py DETENT FOLDER       with packages of tests/requirements.txt
"""
import os
import subprocess
import sys

import numpy as np
import onnxruntime

import onnx_nets

BOUND = 1e-4  # of 1 + the largest logit
RECIPE = """\
model: {{onnx: {name}.onnx}}
data: {{name: builtin, normalize: none, batch: 32, train_pictures: 128, test_pictures: 64}}
train: {{epochs: 1, max_steps: 3, optimizer: {{name: sgd, lr: 0.001}}}}
"""
QUANT = "quant: {weights: {method: lsq, bits: 4}, activations: {method: lsq, bits: 4}}\n"


def detent(program, *args, fails=False):
    done = subprocess.run([program, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    if bool(done.returncode) != fails:
        sys.exit(f"detent {' '.join(args)}:\n{done.stdout}")
    return done.stdout


def logits(path, pictures):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    if given.shape[3] == 3:
        pictures = pictures.transpose(0, 2, 3, 1)
    return session.run(None, {given.name: np.ascontiguousarray(pictures)})[0]


def main(program, folder):
    onnx_nets.main(folder)
    pictures = np.random.default_rng(1).uniform(0, 1, (5, 3, 32, 32)).astype(np.float32)
    failures = 0
    for make in onnx_nets.NETS:
        name = make.__name__
        recipe = os.path.join(folder, name + ".yaml")
        with open(recipe, "w", encoding="utf-8") as f:
            f.write(RECIPE.format(name=name))
        back = os.path.join(folder, name + "-back.onnx")
        detent(program, "export", recipe, "--allow-float", "--out", back)
        want, have = logits(os.path.join(folder, name + ".onnx"), pictures), logits(back, pictures)
        worst = float(np.abs(want - have).max() / (1 + np.abs(want).max()))
        good = want.shape == have.shape and worst <= BOUND
        with open(recipe, "a", encoding="utf-8") as f:
            f.write(QUANT)
        run = os.path.join(folder, name)
        detent(program, "train", recipe, "--out", run)
        said = detent(program, "verify", recipe, f"model.init={run}/last.h5", "--images", "32",
                      "--runtime", "ort", "--python", sys.executable, fails=name in onnx_nets.FLOAT)
        good = good and onnx_nets.FLOAT.get(name, "\nverified") in said
        failures += not good
        print(f"{name}: {worst:.2g} of the logits, {said.strip().splitlines()[-1 if name in onnx_nets.FLOAT else -3]}")
    return failures


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:]) else 0)
