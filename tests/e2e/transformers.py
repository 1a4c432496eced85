# SPDX-License-Identifier: Apache-2.0
"""DeiT-Ti at W4A4, and a small vision transformer, in onnxruntime: what is fused, and every code
against the float network that is fed onnxruntime's own codes; and what is refused.

usage: transformers.py DETENT VENV

VENV has onnxruntime, and is made where it does not exist; exit status 77 (skipped) without it, when what
needs none holds. The weights come from a seed and a few steps, the pictures are made here."""
import json
import os
import random

from support import Test, main, onnxruntime_python, png

QUANT = """\
quant:
  placement: {placement}
  weights: {{method: lsq, bits: 4, granularity: channel, init: mse}}
  activations: {{method: lsq, bits: 4, init: mse}}
  first: {{weights: 8, activations: 8}}
  last: {{weights: 8, activations: 8}}
train:
  epochs: 1
  max_steps: {steps}
  optimizer: {{name: adamw, lr: 1e-4}}
  seed: 1
"""
DEIT = """\
model: {name: deit_tiny_patch16_224, classes: 4}
data:
  name: imagenet
  root: data
  batch: 2
  train: [resize: 224, center_crop]
  test: [resize: 224, center_crop]
  normalize: imagenet
"""
SMALL = """\
model: {name: vit, patch: 4, dim: 48, depth: 2, heads: 3}
data: {name: builtin, batch: 32, train_pictures: 1280, test_pictures: 200}
"""


DIFFER = 1e-5  # of all codes, by one, where a sum in float is another: 2e-6


def fused(depth):
    """Operators that are to be there: q, k, v, projection and two of the MLP in a block, a head; two
    products of attention; two sums, and one of the positions. GELU is a table of codes, read by Gather;
    one more takes the row that the head reads."""
    return {"QLinearConv": 1, "QGemm": 6 * depth + 1, "QLinearMatMul": 2 * depth,
            "QLinearAdd": 2 * depth + 1,
            "LayerNormalization": 2 * depth + 1, "Erf": 0, "Gather": depth + 1}


def make_pictures(root):
    rng = random.Random(3)
    for split, each in ("train", 1), ("val", 1):
        for label in range(4):
            folder = os.path.join(root, split, f"n{label:08d}")
            os.makedirs(folder)
            colours = [bytes(rng.randrange(256) for _ in range(3)) for _ in range(28)]
            for i in range(each):
                rows = [b"".join(rng.choice(colours) * 8 for _ in range(28)) for _ in range(28)]
                with open(os.path.join(folder, f"{i}.png"), "wb") as f:
                    f.write(png(224, 224, [row for row in rows for _ in range(8)]))


def check_net(test, name, text, depth, steps, pictures, agree, python):
    recipe = test.write(name + ".yaml", text + QUANT.format(placement="deploy", steps=steps))
    test.succeed("train", recipe, "--threads", 1, "--out", test.path(name))
    init = "model.init=" + test.path(name, "last.h5")
    model = test.path(name + ".onnx")
    said = json.loads(test.succeed("export", recipe, init, "--out", model, "--json"))
    test.check(said["format"] == "ONNX opset 17, IR 8", f"{name}: {said['format']}")
    test.check(said["missing"] == 0 and said["floats"] == 3 * depth + 1, f"{name}: {said}")
    test.check("ORT_ENABLE_ALL" in said["depends"], f"{name}: {said['depends']}")
    test.check("blocks.0.norm1.weight" in test.succeed("inspect", model), f"{name}: inspect")
    if not python:
        test.skip("no onnxruntime")
        return
    code, out, err = test.run("verify", recipe, init, "--threads", 1, "--runtime", "ort",
                              "--python", python, "--images", pictures, "--json")
    test.check(code == 0, f"{name}: verify ends with {code}\n{err}")
    found = json.loads(out)
    for op, count in fused(depth).items():
        have = found["operators"].get(op, 0)
        test.check(have == count, f"{name}: {have} {op}, not {count}")
    # In float where a step is very small, see exchange/onnx/onnx_walk.c.
    softmax = [found["operators"].get(op, 0) for op in ("QLinearSoftmax", "Softmax")]
    test.check(sum(softmax) == depth, f"{name}: {softmax} softmaxes")
    test.check(not found["floats"], f"{name}: in float: {found['floats']}")
    checked, differ = (sum(n[k] for n in found["nodes"]) for k in ("checked", "differ"))
    largest = max(n["largest"] for n in found["nodes"])
    test.check(found["pictures"] == pictures and checked > 0, f"{name}: {found['pictures']} pictures")
    test.check(largest <= 1, f"{name}: a code is {largest} apart")
    test.check(differ <= DIFFER * checked, f"{name}: {differ} of {checked} codes differ")
    test.check(found["same_class"] >= agree, f"{name}: {found['same_class']} classes agree")
    print(f"{name}: {found['runtime']}, {softmax[0]} of {depth} softmaxes fused, "
          f"{pictures} pictures, {differ} of {checked} codes differ "
          f"({100 * differ / checked:.4f} %), by up to {largest}; the same class for "
          f"{found['same_class']}", flush=True)


def refuse(test, words, *args):
    code, _, err = test.run(*args)
    test.check(code != 0 and all(w in err for w in words), f"{args}: {code} {err.splitlines()[-1:]}")


def check_refusals(test):
    text = QUANT.format(placement="paper", steps=1)
    paper = test.write("paper.yaml", SMALL + text)
    recipe = test.path("small.yaml")
    init = "model.init=" + test.path("small", "last.h5")
    nowhere = test.path("nowhere.onnx")
    refuse(test, ["output of 'patch_embed.proj'", "--allow-float"], "export", paper, "--out", nowhere,
           "--calibrate")
    offset = "quant.activations.method=lsqplus"
    refuse(test, ["patch_embed", "offset"], "export", recipe, init, offset, "--calibrate", "--out",
           nowhere)
    test.check(not os.path.exists(nowhere), "a refused file was written")
    refuse(test, ["blocks.0.norm1", "--format onnx"], "export", recipe, init, "--format", "c", "--out",
           test.path("c"))
    refuse(test, ["blocks.0.norm1", "no integer form"], "verify", recipe, init)
    refuse(test, ["ort"], "verify", recipe, init, "--runtime", "litert")


def run(args):
    test = Test(args[0])
    python = onnxruntime_python(args[1])
    make_pictures(test.path("data"))
    # Nets that saw 40 and 2 steps have classes close together: 194 of 200 and 4 of 4 are the same, in
    # every tier; by chance 20 and 1 would be.
    check_net(test, "small", SMALL, 2, 40, 200, 184, python)
    check_net(test, "deit", DEIT, 12, 2, 4, 3, python)
    check_refusals(test)
    return test.end()


main(run)
