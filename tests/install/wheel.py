# SPDX-License-Identifier: Apache-2.0
"""pip install of the source tree into an environment of its own; its module and its program work.

usage: wheel.py SOURCE_ROOT

Exit status 77 (skipped) where packages cannot be had."""
import os
import subprocess
import sys
import tempfile

RECIPE = """\
model: {name: smallcnn, width: 8}
data: {name: builtin, batch: 32, train_pictures: 320, test_pictures: 64}
quant: {weights: {method: lsq, bits: 4}, activations: {method: lsq, bits: 4}}
train: {epochs: 1, optimizer: {name: sgd, lr: 0.02}}
eval: {batch: 64}
"""
USE = """\
import detent, numpy, sys
events = list(detent.train("recipe.yaml", "run"))
assert events[-1]["kind"] == "end" and events[-1]["finished"], events[-1]
assert detent.evaluate("run/last.h5")["count"] == 64
with detent.Net("run/last.h5") as net:
    assert net(numpy.zeros((3, 32, 32, 3))).shape == (3, 10)
    net.export("onnx", "net.onnx")
try:
    detent.Net("none.h5")
except detent.Error as error:
    assert "none.h5" in str(error)
else:
    sys.exit("no error")
"""


def main():
    root = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="detent-wheel-") as folder:
        subprocess.run([sys.executable, "-m", "venv", os.path.join(folder, "venv")], check=True)
        python = os.path.join(folder, "venv", "bin", "python")
        pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        if subprocess.run([*pip, "numpy", "meson-python==0.18.0", "ninja"]).returncode:
            sys.exit(77)
        subprocess.run([*pip, root], check=True)
        with open(os.path.join(folder, "recipe.yaml"), "w") as f:
            f.write(RECIPE)
        env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "DETENT_LIBRARY")}
        subprocess.run([python, "-c", USE], cwd=folder, env=env, check=True)
        program = os.path.join(folder, "venv", "bin", "detent")
        subprocess.run([program, "eval", "run/last.h5"], cwd=folder, env=env, check=True)


main()
