# SPDX-License-Identifier: Apache-2.0
"""Tasks beside classes, on arrays that numpy writes and the same in HDF5: nets of flags and of numbers are trained with
quantizers everywhere, killed and resumed to the same bits, evaluated, exported, and verified; and what
is wrong with such files is told in one line. Wants Debian's python3-numpy.

usage: tasks.py DETENT NPY_TO_HDF5 [FOLDER of a Python environment with onnxruntime, made where it is not there]
"""
import json
import os
import re
import signal
import subprocess

import numpy as np
from support import Test, main, onnxruntime_python

SPOTTING = """\
model: {name: smallcnn, classes: 5, width: 8}
task: {name: multilabel}
data: {name: arrays, root: ., x: x.npy, y: flags.npy, test_x: test_x.npy, test_y: test_flags.npy, batch: 32, val: 64}
quant: {weights: {method: lsq, bits: 4}, activations: {method: lsq, bits: 4}}
train: {epochs: 8, optimizer: {name: adamw, lr: 0.02}, seed: 3}
eval: {batch: 48}
"""
# Three numbers of every sample: bands that are loud, first less last, how loud all of it is.
LEVELS = SPOTTING.replace("multilabel", "regress").replace("flags", "levels").replace("classes: 5",
                                                                                       "classes: 3")
# The inputs themselves through a narrow layer, in 8 bits; of five axes beside the samples.
ANOMALY = """\
model: {name: mlp, classes: 200, widths: [48, 16, 48]}
task: {name: regress}
data:
  {name: arrays, root: ., x: deep.npy, test_x: test_deep.npy, flatten: true, batch: 32, normalize: {mean: 0.1, std: 0.5}}
quant: {weights: {method: lsq, bits: 8}, activations: {method: lsq, bits: 8}}
train: {epochs: 40, optimizer: {name: adamw, lr: 0.01}, seed: 4}
eval: {batch: 48}
"""
# Two inputs by their names: four flags are told, and all make sound.
SEVERAL = SPOTTING.replace("epochs: 8", "epochs: 16").replace("{name: smallcnn, classes: 5, width: 8}", "{file: several.layers, classes: 5}").replace(
    "test_x: test_x.npy", "test_inputs: [sound=test_x.npy, told=test_told.npy]").replace(
    "x: x.npy", "inputs: [sound=x.npy, told=told.npy]")
SEVERAL_LAYERS = """\
layers:
- {name: conv1, op: conv2d, out: 8, kernel: 3, pad: 1, bias: false, from: sound}
- {name: bn1, op: batchnorm}
- {op: relu}
- {name: conv2, op: conv2d, out: 16, kernel: 3, stride: 2, pad: 1}
- {op: relu}
- {name: heard, op: gap}
- {name: fc1, op: linear, out: 8, from: told}
- {name: read, op: relu}
- {name: both, op: concat, from: [heard, read]}
- {name: fc, op: linear, out: classes}
"""
RECIPES = {"spotting": SPOTTING, "levels": LEVELS, "anomaly": ANOMALY, "several": SEVERAL}
# The same arrays in one HDF5 file: test_x.npy is test/x there.
for net in list(RECIPES):
    in_hdf5 = re.sub(r"test_(\w+)\.npy", r"all.h5:test/\1", RECIPES[net])
    RECIPES[net + "-hdf5"] = re.sub(r"(\w+)\.npy", r"all.h5:\1", in_hdf5)


def make_files(test, to_hdf5):
    """[samples,20,10,1], as features of sound: bands that are loud where a flag is set."""
    rng = np.random.default_rng(1)
    for prefix, count in ("", 384), ("test_", 100):
        flags = rng.random((count, 5)) < 0.4
        x = 0.2 * rng.standard_normal((count, 20, 10, 1))
        for band in range(5):
            x[:, 4 * band:4 * band + 3, 2 * band:2 * band + 2] += flags[:, band, None, None, None]
        levels = np.stack([flags.sum(1), flags[:, 0] - 1.0 * flags[:, 4], 20 * x.mean((1, 2, 3))], 1)
        np.save(test.path(prefix + "x.npy"), x.astype("<f4"))
        np.save(test.path(prefix + "deep.npy"), x.reshape(count, 5, 4, 5, 2, 1).astype("<f4"))
        np.save(test.path(prefix + "flags.npy"), flags)
        told = flags[:, 1:] + 0.1 * rng.standard_normal((count, 4))
        np.save(test.path(prefix + "told.npy"), told.astype("<f4"))
        np.save(test.path(prefix + "levels.npy"), levels)  # float64
    pairs = [f"{prefix.replace('_', '/')}{name}={test.path(prefix + name)}.npy"
             for prefix in ("", "test_") for name in ("x", "deep", "flags", "levels", "told")]
    subprocess.run([to_hdf5, test.path("all.h5"), *pairs], check=True)


def log(folder):
    with open(os.path.join(folder, "metrics.jsonl")) as f:
        return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in f]


def same_bits(test, name, recipe, whole):
    """Another number of threads, and a run that is killed in the middle."""
    folder = test.path(name + "-killed")
    process = test.start("train", recipe, "--out", folder, "--threads", 2, "train.save_minutes=0.0001")
    for line in process.stdout:
        if line.startswith("epoch   2"):
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    test.check(not os.path.exists(os.path.join(folder, "DONE")), f"{name}: it was too fast to be killed")
    test.succeed("train", recipe, "--out", folder, "--threads", 1, "--resume",
                 "train.save_minutes=0.0001")
    for file in "last.h5", "best.h5":
        test.check(test.sha256(os.path.join(folder, file)) == test.sha256(os.path.join(whole, file)),
                   f"{name}: {file} of the resumed run differs")
    test.check(log(folder) == log(whole), f"{name}: metrics.jsonl differs")


def verified(test, name, init, python, *more):
    code, out, err = test.run("verify", test.path(name + ".yaml"), init, "--json", *more)
    facts = json.loads(out) if code == 0 else {}
    test.check(code == 0 and facts.get("verified"), f"{name}: verify {more}: {err} {out[:300]}")
    return facts


def check_net(test, name, metrics, python, runtimes=("c",), formats=("onnx",)):
    recipe, folder = test.write(name + ".yaml", RECIPES[name]), test.path(name)
    test.succeed("train", recipe, "--out", folder, "--threads", 1)
    same_bits(test, name, recipe, folder)
    init = f"model.init={folder}/last.h5"
    scores = json.loads(test.succeed("eval", recipe, init, "--json"))
    integer = json.loads(test.succeed("eval", recipe, init, "--json", "--arith", "integer"))
    epoch = [line for line in log(folder) if line["kind"] == "epoch"][-1]
    with open(os.path.join(folder, "summary.csv")) as f:
        columns = f.readline().strip().split(",")
    for metric, good in metrics.items():
        test.check(good(scores[metric]), f"{name}: {metric} is {scores[metric]}")
        test.check(scores[metric] == epoch["test_" + metric], f"{name}: {metric} of the log differs")
        test.check(abs(scores[metric] - integer[metric]) <= 0.05 * abs(scores[metric]),
                   f"{name}: {metric} is {integer[metric]} in integers")
        test.check("test_" + metric in columns, f"{name}: no column of {metric}")
    facts = verified(test, name, init, python)
    test.check(sum(n["engine_chained"]["differ"] + n["engine_isolated"]["differ"]
                   for n in facts.get("nodes", [])) == 0, f"{name}: E is not I")
    for runtime in runtimes:
        verified(test, name, init, python, "--runtime", runtime)
    for form in formats:
        test.succeed("export", recipe, init, "--format", form, "--out", test.path(name + ".onnx"))
        if not python:
            continue
        facts = verified(test, name, init, python, "--runtime", "ort", "--format", form, "--python", python)
        test.check(facts.get("differ") == 0 and facts.get("checked", 0) > 0,
                   f"{name}: codes differ in onnxruntime, {form}")
    return scores


def check_several(test, good, python):
    """Without the dataset the checkpoint knows its inputs; what is amiss with them is told."""
    test.write("several.layers", SEVERAL_LAYERS)
    scores = check_net(test, "several", good, python, ("c",), ("onnx", "qoperator"))
    same = check_net(test, "several-hdf5", good, python, (), ("onnx",))
    test.check(scores == same, f"several: {scores} of .npy, {same} of HDF5")
    last = test.path("several", "last.h5")
    test.succeed("export", last, "--format", "qonnx", "--out", test.path("several.qonnx"))
    with open(test.path("several.qonnx"), "rb") as f:
        names = f.read()
    test.check(b"sound" in names and b"told" in names, "the inputs of the QONNX file have other names")
    x, told = np.load(test.path("x.npy")), np.load(test.path("told.npy"))
    np.save(test.path("few.npy"), told[:9])
    test.write("deaf.layers", SEVERAL_LAYERS.replace("from: sound", "from: told"))
    unread = [line for line in SEVERAL_LAYERS.split("\n") if "fc1" not in line and "read, op" not in line]
    test.write("unread.layers", "\n".join(unread).replace("[heard, read]", "[heard, heard]"))
    test.write("wrong.layers", SEVERAL_LAYERS.replace("from: told", "from: tolt"))
    test.write("twice.layers", SEVERAL_LAYERS.replace("name: read", "name: sound").replace("read]", "sound]"))
    refused(test, [
        ("several", ["data.inputs=[sound=x.npy, told=few.npy]"], r"few\.npy: has 9 samples, .*x\.npy has 384"),
        ("several", ["data.test_inputs=[sound=test_x.npy]"], r"data\.test_inputs: has 1 inputs, data\.inputs has 2"),
        ("several", ["data.test_inputs=[told=test_told.npy, sound=test_x.npy]"],
         r"data\.test_inputs: input 1 is 'told', that of training 'sound'"),
        ("several", ["data.inputs=[sound=x.npy, sound=told.npy]"], r"data\.inputs: has 'sound' twice"),
        ("several", ["data.inputs=[sound=x.npy, told.npy]"], r"data\.inputs: 'told\.npy' is no NAME=FILE"),
        ("several", ["data.x=x.npy"], r"data\.x: stands beside data\.inputs"),
        ("several", ["data.test_inputs=[]", "data.test_x=test_x.npy"], r"data\.test_x: is one input, training has 2"),
        ("several", ["data.test_inputs=[sound=test_told.npy, told=test_x.npy]"],
         r"test_told\.npy: has samples of \[4\], the training file of \[20,10,1\]"),
        ("several", ["model={name: smallcnn, classes: 5}"], r"model\.name: 'smallcnn' takes one input, the data gives 2"),
        ("several", ["model.file=" + test.path("deaf.layers")], r"conv1: takes pictures \[N,H,W,C\]"),
        ("several", ["model.file=" + test.path("unread.layers")], r"no layer reads the input 'told'; from: told does"),
        ("several", ["model.file=" + test.path("wrong.layers")], r"'tolt' is no layer before this one and no input, did you mean 'told'"),
        ("several", ["model.file=" + test.path("twice.layers")], r"'sound' is the name of an input"),
        ("spotting", [f"model={{file: {test.path('several.layers')}, classes: 5}}"], r"'sound' is no layer before this one and no input"),
    ])
    test.succeed("export", last, "--format", "c", "--out", test.path("several.c"))
    with open(test.path("several.h"), encoding="utf-8") as f:
        prefix = re.search(r"#define (\w+)_IN1_AT 200\n", f.read())
    test.check(prefix, "several.h does not tell where its second input begins")
    name = prefix.group(1) if prefix else "NET"
    test.write("self.c", f'#define {name}_SELF_TEST\n#include "several.c"\n'
               f'int main(void) {{ return (int){name.lower()}_self_test(); }}\n')
    subprocess.run(["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", test.path("self.c"), "-o", test.path("self")],
                   check=True)
    test.check(subprocess.run([test.path("self")], check=False).returncode == 0, "the self-test of C fails")


def check_predictions(test):
    """A line a sample, and what the score counts."""
    flags = np.load(test.path("test_flags.npy"))
    out = test.path("predictions.txt")
    init = f"model.init={test.path('spotting')}/last.h5"
    scores = json.loads(test.succeed("eval", test.path("spotting.yaml"), init, "--json",
                                     "--predictions", out))
    said = np.loadtxt(out)
    test.check(said.shape == flags.shape, f"predictions have the shape {said.shape}")
    exact = 100 * (said == flags).all(1).mean()
    hits, wrong = (said * flags).sum(), (said != flags).sum()
    test.check(abs(scores["exact"] - exact) < 1e-6 and
               abs(scores["f1"] - 100 * 2 * hits / (2 * hits + wrong)) < 1e-6,
               f"scores {scores}, of the predictions {exact}")


def check_refusals(test):
    x = np.load(test.path("x.npy"))
    np.save(test.path("short.npy"), x[:7])
    np.save(test.path("nan.npy"), np.where(np.arange(384)[:, None, None, None] == 5, np.nan, x))
    np.save(test.path("halves.npy"), 0.5 * np.load(test.path("flags.npy")))
    np.save(test.path("fortran.npy"), np.asfortranarray(x))
    np.save(test.path("big.npy"), x.astype(">f4"))
    np.save(test.path("complex.npy"), x.astype("c8"))
    np.save(test.path("flat.npy"), x.reshape(384, -1))
    np.save(test.path("deeper.npy"), x.reshape(384, 5, 4, 5, 1, 2, 1))
    np.save(test.path("labels.npy"), np.arange(384) % 7)
    with open(test.path("x.npy"), "rb") as f:
        test.write("cut.npy", f.read()[:-3])
    cases = [
        ("spotting", ["data.normalize={mean: [1, 2]}"], r"data\.normalize\.mean: has 2 numbers"),
        ("spotting", ["data.normalize={mean: 1}", "data.nonneg=true"], r"data\.nonneg: does not hold"),
        ("spotting", ["data.y=short.npy"], r"short\.npy: has the shape|short\.npy: has 7 samples"),
        ("spotting", ["data.y=halves.npy"], r"halves\.npy: flag \d+ of sample \d+ is 0\.5"),
        ("spotting", ["data.x=nan.npy"], r"nan\.npy: element 0 of sample 5 is nan"),
        ("spotting", ["data.x=fortran.npy"], r"fortran\.npy: is in Fortran's order"),
        ("spotting", ["data.x=big.npy"], r"big\.npy: has elements of type '>f4'"),
        ("spotting", ["data.x=complex.npy"], r"complex\.npy: has elements of type '<c8'"),
        ("spotting", ["data.x=cut.npy"], r"cut\.npy: has \d+ bytes of elements"),
        ("spotting", ["data.x=flat.npy"], r"test_x\.npy: has samples of \[20,10,1\]"),
        ("spotting", ["data.x=deeper.npy"], r"deeper\.npy: has more than 6 "),
        ("spotting", ["data.x=deep.npy", "data.test_x=test_deep.npy"], r"takes (pictures|inputs)"),
        ("spotting", ["data.x=none.npy"], r"none\.npy: cannot open"),
        ("spotting", ["data.x=none.h5:x"], r"none\.h5: cannot open"),
        ("spotting", ["data.x=all.h5"], r"all\.h5: is HDF5: name an array in it, as .*all\.h5:NAME'; it has "
         r"deep, flags, levels, test, told, x"),
        ("spotting", ["data.x=all.h5:z"], r"all\.h5: has no array 'z'; it has deep, flags, levels, test, told, x"),
        ("spotting", ["data.x=x.npy:x"], r"x\.npy: is no HDF5 file, in which 'x' could be"),
        ("spotting", ["data.y=all.h5:levels"], r"all\.h5:levels: flag \d+ of sample \d+ is"),
        ("spotting", ["data.y="], r"data\.y: "),
        ("spotting", ["model.classes=4"], r"model\.classes: 4 outputs; .* have 5 flags"),
        ("spotting", ["task.name=classify", "data.y=labels.npy", "data.test_y=labels.npy"],
         r"labels\.npy: (element 5 is 5; it must be inside 0\.\.4|has 384 samples)"),
        ("spotting", ["task.name=classify"], r"flags\.npy: has the shape"),
        ("spotting", ["model.name=mlp", "model={name: mlp, classes: 5}"], r"takes inputs of 1 axis"),
        ("spotting", ["data.train=[hflip]"], r"data\.train: 'hflip' is for pictures"),
        ("spotting", ["data={name: builtin}"], r"data\.name: samples of 'builtin' have labels"),
        ("spotting", ["task.threshold=1"], r"task\.threshold: 1 is outside"),
        ("spotting", ["task.loss={name: mse}"], r"task\.loss: 'mse' compares with other answers"),
        ("spotting", ["train.label_smoothing=0.1"], r"train\.label_smoothing: 0\.1: loss 'bce'"),
        ("spotting", ["data.nonneg=true"], r"x\.npy: element \d+ of sample \d+ is -0\.\d+, but"),
    ]
    refused(test, cases)


def refused(test, cases):
    for name, overrides, pattern in cases:
        code, _, err = test.run("train", test.path(name + ".yaml"), "--out", test.path("refused"),
                                "train.max_steps=13", *overrides)
        last = err.strip().split("\n")[-1]
        test.check(code == 1 and re.search(pattern, last), f"{overrides}: {code} {last}")


def run(args):
    test = Test(args[0])
    python = onnxruntime_python(args[2]) if len(args) > 2 else None
    if not python:
        test.skip("onnxruntime is not there")
    make_files(test, args[1])
    good = {"spotting": {"f1": lambda v: v > 90, "exact": lambda v: v > 60},
            "levels": {"rmse": lambda v: 0 < v < 0.6, "r2": lambda v: v > 0.5, "mae": lambda v: v > 0}}
    for net in good:
        scores = check_net(test, net, good[net], python)
        same = check_net(test, net + "-hdf5", good[net], python)
        test.check(scores == same, f"{net}: {scores} of .npy, {same} of HDF5")
    check_net(test, "anomaly", {"rmse": lambda v: 0 < v < 0.5, "r2": lambda v: v > 0.4}, python)
    check_several(test, {"f1": lambda v: v > 90, "exact": lambda v: v > 60}, python)
    check_predictions(test)
    check_refusals(test)
    return test.end()


if __name__ == "__main__":
    main(run)
