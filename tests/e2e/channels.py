# SPDX-License-Identifier: Apache-2.0
"""Samples of other than three channels: nets of the house, a list of layers, and networks of ONNX files
(channels first, last, sizes open, rows of numbers) train on them, and what is exported gives their codes.
Wants numpy.

usage: channels.py DETENT FOLDER [all]     FOLDER of a Python environment with the packages of
tests/requirements-runtimes.txt, made where it is not there; all: every net in every runtime
"""
import json
import os
import subprocess
import sys

from support import TESTS, Test, environment, main

RECIPE = """\
model: {{{model}, classes: 4}}
data: {{name: arrays, root: ., {x}y: y.npy, test_y: test_y.npy, batch: 16,
  normalize: {{mean: 0, std: 1}}{more}}}
quant: {{weights: {{method: lsq, bits: 4}}, activations: {{method: lsq, bits: 4}}}}
train: {{epochs: 1, max_steps: 3, optimizer: {{name: sgd, lr: 0.01}}}}
eval: {{batch: 32}}
"""
LAYERS = """\
layers:
- {name: conv1, op: conv2d, out: 6, kernel: 3, pad: 1, bias: false}
- {name: bn1, op: batchnorm}
- {op: relu}
- {name: conv2, op: conv2d, out: 6, kernel: 3, pad: 1, stride: 2}
- {op: relu}
- {op: gap}
- {name: fc, op: linear, out: classes}
"""
# The files that need numpy and onnx are made by the environment's Python.
MAKE = '''
import sys
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
rng = np.random.default_rng(3)

def save(name, dims, nodes, constants):
    dims = dims if isinstance(dims, dict) else {"in": dims}
    graph = helper.make_graph([helper.make_node(op, i, [o], **kw) for op, i, o, kw in nodes], name,
                              [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in dims.items()],
                              [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["N", 4])],
                              [numpy_helper.from_array((rng.standard_normal(s) * 0.3).astype("<f4"), n)
                               for n, s in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 7
    onnx.save(model, name + ".onnx")

for C in 1, 2, 5:
    for kind in "first", "last", "open":
        last, S = kind != "first", "S" if kind == "open" else 12
        nodes = [("Transpose", ["in"], "t", {"perm": [0, 3, 1, 2]})] if last else []
        nodes += [("Conv", ["t" if last else "in", "w1", "b1"], "c1", {"pads": [1] * 4}), ("Relu", ["c1"], "r1", {}),
                  ("Conv", ["r1", "w2", "b2"], "c2", {"pads": [1] * 4, "strides": [2, 2]}),
                  ("Relu", ["c2"], "r2", {}), ("GlobalAveragePool", ["r2"], "p", {}),
                  ("Flatten", ["p"], "f", {}), ("Gemm", ["f", "w3", "b3"], "out", {"transB": 1})]
        save(f"{kind}{C}", ["N", S, S, C] if last else ["N", C, S, S], nodes,
             {"w1": (6, C, 3, 3), "b1": (6,), "w2": (6, 6, 3, 3), "b2": (6,), "w3": (4, 6), "b3": (4,)})
save("rows", ["N", 144], [("Gemm", ["in", "w1", "b1"], "h", {"transB": 1}), ("Relu", ["h"], "r", {}),
                          ("Gemm", ["r", "w2", "b2"], "out", {"transB": 1})],
     {"w1": (16, 144), "b1": (16,), "w2": (4, 16), "b2": (4,)})
save("two", {"seen": ["N", 2, 12, 12], "told": ["N", 6]},
     [("Conv", ["seen", "w1", "b1"], "c1", {"pads": [1] * 4, "strides": [2, 2]}), ("Relu", ["c1"], "r1", {}),
      ("GlobalAveragePool", ["r1"], "p", {}), ("Flatten", ["p"], "f", {}),
      ("Gemm", ["told", "w2", "b2"], "g", {"transB": 1}), ("Relu", ["g"], "r2", {}),
      ("Concat", ["f", "r2"], "k", {"axis": 1}), ("Gemm", ["k", "w3", "b3"], "out", {"transB": 1})],
     {"w1": (6, 2, 3, 3), "b1": (6,), "w2": (5, 6), "b2": (5,), "w3": (4, 11), "b3": (4,)})
for prefix, count in ("", 64), ("test_", 48):
    y = np.arange(count) % 4
    np.save(prefix + "told.npy", rng.standard_normal((count, 6)).astype("<f4"))
    np.save(prefix + "y.npy", y)
    for C in 1, 2, 5:
        x = 0.3 * rng.standard_normal((count, 12, 12, C)).astype("<f4")
        for i, q in enumerate(y):
            x[i, 6 * (q // 2):6 * (q // 2) + 6, 6 * (q % 2):6 * (q % 2) + 6] += 1
        np.save(f"{prefix}x{C}.npy", x)
'''


def recipe_of(test, model, C, more, x="x: x{C}.npy, test_x: test_x{C}.npy, "):
    return test.write("net.recipe", RECIPE.format(model=model, more=more, x=x.format(C=C)))


def check(test, name, model, C, runtimes, python, more="", *x):
    recipe, folder = recipe_of(test, model, C, more, *x), test.path(name)
    test.succeed("train", recipe, "--out", folder, "--threads", 1)
    init = f"model.init={folder}/last.h5"
    code, out, err = test.run("verify", recipe, init, "--json", "--threads", 1)
    facts = json.loads(out) if code == 0 else {}
    test.check(facts.get("verified") and facts["nodes"] and
               not sum(n["engine_chained"]["differ"] for n in facts["nodes"]), f"{name}: {err}")
    for runtime in runtimes:
        code, out, err = test.run("verify", recipe, init, "--json", "--threads", 1, "--runtime", runtime,
                                  "--python", python)
        facts = json.loads(out) if code == 0 else {}
        test.check(facts.get("verified") and facts.get("checked", 0) > 0 and facts.get("differ") == 0,
                   f"{name} in {runtime}: {err} {out[:300]}")


def refuse(test, model, C, pattern, more=""):
    recipe = recipe_of(test, model, C, more)
    code, _, err = test.run("train", recipe, "--out", test.path("refused"))
    test.check(code == 1 and pattern in err.strip().split("\n")[-1], f"{model}: {code} {err}")


def run(args):
    test = Test(args[0])
    python = environment.interpreter(args[1], os.path.join(TESTS, "requirements-runtimes.txt"))
    whole = len(args) > 2
    if not python:
        test.skip("the runtimes are not there")
        return test.end()
    subprocess.run([python, "-c", MAKE], cwd=test.folder, check=True)
    test.write("layers.yaml", LAYERS)
    every = ["c", "ort", "litert"]
    for C in (1, 2, 5) if whole else (1, 5):
        house = ["smallcnn, width: 4"]
        if whole:
            house += ["resnet20", "mobilenet_v2, width: 0.25, stem: cifar"]
        for model in house:
            check(test, f"{model[:6]}{C}", "name: " + model, C, every if whole or C == 1 else ["ort"], python)
        check(test, f"layers{C}", "file: layers.yaml", C, every if whole else ["litert"], python)
        for kind in "first", "last", "open":
            check(test, f"{kind}{C}", f"onnx: {kind}{C}.onnx", C, every if whole else [], python)
    check(test, "rows", "onnx: rows.onnx", 1, every if whole else ["ort"], python, ", flatten: true")
    several = ", inputs: [seen=x2.npy, told=told.npy], test_inputs: [seen=test_x2.npy, told=test_told.npy]"
    check(test, "two", "onnx: two.onnx", 2, ["ort"], python, several, "")
    refuse(test, "onnx: first5.onnx", 2, "first5.onnx: in: wants 5 channels, the data has 2")
    refuse(test, "onnx: last1.onnx", 5, "last1.onnx: in: wants 1 channels, the data has 5")
    refuse(test, "onnx: rows.onnx", 1, "rows.onnx: in: has 2 dimensions, the data gives [1,12,12,1]")
    refuse(test, "onnx: first1.onnx", 1, "in: has 4 dimensions, the data gives [1,144]", ", flatten: true")
    return test.end()


if __name__ == "__main__":
    main(run)
