# SPDX-License-Identifier: Apache-2.0
"""Nets of several outputs, each trained on an answer of its own, beside one that nobody trains: killed
and resumed to the same bits, evaluated output by output, exported, and every output compared in every
runtime. The same of one that an ONNX file describes, and what is wrong is told in one line.

usage: outputs.py DETENT NPY_TO_HDF5 FOLDER     FOLDER of a Python environment with the packages of
tests/requirements-runtimes.txt, made where it is not there, which this then runs in
"""
import json
import os
import re
import subprocess
import sys

from launch import Launcher
from support import TESTS, Test, environment, main, png


def environment_of(folder):
    """Its interpreter, which goes on with this script unless it runs it already."""
    python = environment.interpreter(folder, os.path.join(TESTS, "requirements-runtimes.txt"))
    if not python:
        print("SKIP: the runtimes are not there")
        sys.exit(77)
    if os.path.realpath(sys.prefix) != os.path.realpath(folder):
        os.execv(python, [python, *sys.argv])
    return python


PYTHON = environment_of(sys.argv[3])
import numpy as np
import tasks

LAYERS = """\
layers:
- {name: conv1, op: conv2d, out: 8, kernel: 3, pad: 1, bias: false}
- {name: bn1, op: batchnorm}
- {op: relu}
- {name: conv2, op: conv2d, out: 16, kernel: 3, stride: 2, pad: 1}
- {op: relu}
- {name: heard, op: gap}
- {name: fc_kind, op: linear, out: 5}
- {name: fc_more, op: linear, out: 3, from: heard}
- {name: fc_level, op: linear, out: 2, from: heard}
- {name: fc_flags, op: linear, out: 5, from: heard}
outputs: {kind: fc_kind, more: fc_more, level: fc_level, flags: fc_flags}
"""
RECIPE = """\
model: {file: heads.layers}
tasks:
- {output: kind, target: label, name: classify}
- {output: level, name: regress, weight: 0.5, loss: {name: huber}}
- {output: flags, name: multilabel, threshold: 0.4}
data: {name: arrays, root: ., x: x.npy, targets: [label=label.npy, level=level.npy, flags=flags.npy], test_x: test_x.npy, test_targets: [flags=test_flags.npy, label=test_label.npy, level=test_level.npy], batch: 32, val: 64}
quant: {weights: {method: lsq, bits: 4}, activations: {method: lsq, bits: 4}}
train: {epochs: 8, optimizer: {name: adamw, lr: 0.005}, seed: 3}
eval: {batch: 48}
"""
# Two inputs, two outputs: what is told beside the sound makes the level easy.
BOTH_LAYERS = """\
layers:
- {name: conv1, op: conv2d, out: 8, kernel: 3, stride: 2, pad: 1, bias: false, from: sound}
- {name: bn1, op: batchnorm}
- {op: relu}
- {name: heard, op: gap}
- {name: fc1, op: linear, out: 8, from: told}
- {name: read, op: relu}
- {name: both, op: concat, from: [heard, read]}
- {name: fc2, op: linear, out: 16}
- {name: met, op: relu}
- {name: fc_kind, op: linear, out: 5}
- {name: fc_level, op: linear, out: 2, from: met}
outputs: {kind: fc_kind, level: fc_level}
"""
BOTH = re.sub(r"- .*multilabel.*\n", "", RECIPE).replace("heads.layers", "both.layers")
BOTH = BOTH.replace(", flags=flags.npy", "").replace("flags=test_flags.npy, ", "").replace("epochs: 8", "epochs: 4")
BOTH = BOTH.replace(" x: x.npy", " inputs: [sound=x.npy, told=told.npy]")
BOTH = BOTH.replace("test_x: test_x.npy", "test_inputs: [sound=test_x.npy, told=test_told.npy]")
GOOD = {"kind_top1": lambda v: v > 90, "level_r2": lambda v: 0.6 < v < 1, "flags_f1": lambda v: v > 90}
ENDS = {"kind": 5, "more": 3, "level": 2, "flags": 5}


def make_files(test, to_hdf5):
    """A texture for each label; numbers of it and how loud it is; its flag."""
    rng, beside = np.random.default_rng(1), np.random.default_rng(2)
    for prefix, count in ("", 384), ("test_", 100):
        label = rng.integers(0, 5, count)
        loud = 0.5 + rng.random(count)
        row, column = np.indices((20, 10))
        texture = np.stack([0 * row + 1, row % 2, column % 2, (row + column) % 2, 0 * row - 1])
        x = 0.2 * rng.standard_normal((count, 20, 10, 1))
        x += loud[:, None, None, None] * texture[label][..., None]
        np.save(test.path(prefix + "x.npy"), x.astype("<f4"))
        np.save(test.path(prefix + "label.npy"), label)
        np.save(test.path(prefix + "level.npy"), np.stack([loud, label / 5.0 - 0.5], 1))
        np.save(test.path(prefix + "told.npy"), np.stack([loud + 0.1 * beside.standard_normal(count), 0 * loud], 1))
        np.save(test.path(prefix + "flags.npy"), label[:, None] == np.arange(5))
    np.save(test.path("three.npy"), np.zeros((384, 3)))
    np.save(test.path("nine.npy"), np.arange(384) % 9)
    pairs = [f"{prefix.replace('_', '/')}{name}={test.path(prefix + name)}.npy"
             for prefix in ("", "test_") for name in ("x", "label", "level", "flags")]
    subprocess.run([to_hdf5, test.path("all.h5"), *pairs], check=True)


def in_hdf5(recipe):
    recipe = re.sub(r"test_(\w+)\.npy", r"all.h5:test/\1", recipe)
    return re.sub(r"(\w+)\.npy", r"all.h5:\1", recipe)


def check_exports(test, python):
    """Every format has the outputs by their names, in their order, and gives our codes of each."""
    last = test.path("heads", "last.h5")
    init = f"model.init={last}"
    tasks.verified(test, "heads", init, python, "--runtime", "c")
    runs = [("ort", "onnx"), ("ort", "qoperator"), ("qonnx", "qonnx"), ("litert", "tflite")]
    for runtime, form in runs:
        facts = tasks.verified(test, "heads", init, python, "--runtime", runtime, "--format", form,
                               "--python", python)
        compared = {n["name"]: n["checked"] for n in facts.get("nodes", [])}
        test.check(facts.get("differ") == 0, f"{form}: {facts.get('differ')} values differ")
        for name, count in ENDS.items():
            test.check(compared.get(f"output {name}") == 100 * count, f"{form}: {name}: {compared}")
    for form in "onnx", "qoperator", "qonnx", "tflite", "safetensors", "c":
        test.succeed("export", last, "--format", form, "--out", test.path("heads." + form))
    for form in "onnx", "qoperator", "qonnx", "tflite":
        with open(test.path("heads." + form), "rb") as f:
            content = f.read()
        test.check(b"kind 5;more 3;level 2;flags 5" in content, f"{form} does not tell its outputs")
    with open(test.path("heads.h") if os.path.exists(test.path("heads.h")) else test.path("heads.c.h"),
              encoding="utf-8") as f:
        header = f.read()
    test.check("Output 2, 'level'" in header and re.search(r"_OUT3_AT 10\n", header),
               "the C header does not tell where outputs begin")


def check_inputs(test, python):
    """Of several inputs and outputs a TFLite file's signature has the names, and LiteRT gives our codes."""
    test.succeed("train", test.path("both.yaml"), "--out", test.path("both"))
    last = test.path("both", "last.h5")
    for words in ["--runtime", "litert"], ["--runtime", "litert", "--format", "tflite_int4"]:
        facts = tasks.verified(test, "both", f"model.init={last}", python, *words, "--python", python)
        compared = {n["name"] for n in facts.get("nodes", [])}
        test.check(facts.get("differ") == 0 and {"output kind", "output level"} <= compared,
                   f"both: {words}: {facts.get('differ')} values differ of {compared}")
    test.succeed("export", last, "--format", "tflite", "--out", test.path("both.tflite"))
    from ai_edge_litert.interpreter import Interpreter
    net = Interpreter(test.path("both.tflite")).get_signature_list()["serving_default"]
    test.check(net == {"inputs": ["sound", "told"], "outputs": ["kind", "level"]}, f"the signature is {net}")
    with open(test.path("both.tflite"), "rb") as f:
        test.check(b"sound 20 10 1;told 2" in f.read(), "the TFLite file does not tell its inputs")


def check_quantize(test, python):
    """Stages carry all inputs and look at all outputs: bits do not depend on threads or stops, every output
    is reported, layers that one output has to itself have a sensitivity, and the result is verified."""
    plain = [test.path("both.yaml"), "quant=none"]
    test.succeed("train", *plain, "--out", test.path("plain"), "train.epochs=8")
    init = "model.init=" + test.path("plain", "last.h5")
    words = ["quantize", test.path("both.yaml"), init, "ptq.images=256", "ptq.batch=64", "--method", "blockwise",
             "ptq.stages.2.reconstruct.iterations=60", "ptq.stages.2.reconstruct.loss=[pnorm, kl_logits]"]
    report = json.loads(test.succeed(*words, "--out", test.path("q"), "--threads", 1, "--json"))
    test.succeed(*words, "--out", test.path("q2"), "--threads", 2)
    test.check(test.sha256(test.path("q", "quantized.h5")) == test.sha256(test.path("q2", "quantized.h5")),
               "quantize: bits depend on threads")
    for kind in "quantized", "integer":
        told = report[kind]["outputs"]
        test.check(set(told) == {"kind", "level"} and all(0 < v["kl"] < 0.3 and v["sqnr_db"] > 5 for v in told.values())
                   and abs(report[kind]["kl"] - told["kind"]["kl"] - 0.5 * told["level"]["kl"]) < 1e-6 and
                   report[kind]["agreement"] > 90, f"{kind}: {report[kind]}")
    units = {u["unit"]: u for u in report["units"] if u["stage"] == "reconstruct"}
    test.check({"fc_kind", "fc_level"} <= set(units) and all(u["after"] <= u["before"] for u in units.values()),
               f"units: {units}")
    facts = tasks.verified(test, "both", "model.init=" + test.path("q", "quantized.h5"), python, "--runtime", "ort",
                           "--python", python)
    test.check(facts.get("differ") == 0, f"quantized: {facts.get('differ')} values differ")
    for metric in "kl", "fisher", "trace", "gradient":
        table = json.loads(test.succeed("sensitivity", test.path("both.yaml"), init, "ptq.images=128",
                                        "--metric", metric, "--json"))
        damage = {l["layer"]: l["damage"] for l in table["layers"]}
        test.check(all(min(damage[name]) > 0 for name in ("conv1", "fc1", "fc_kind", "fc_level")), f"{metric}: {damage}")


def check_from_onnx(test, python):
    """The float net as a file, and the quantized one as it was exported, are networks of four outputs."""
    float_words = ["quant=none", "train.epochs=2"]
    test.succeed("train", test.path("heads.yaml"), "--out", test.path("float"), *float_words)
    init = f"model.init={test.path('float', 'last.h5')}"
    test.succeed("export", test.path("heads.yaml"), init, "quant=none", "--format", "onnx", "--allow-float",
                 "--out", test.path("float.onnx"))
    recipe = RECIPE.replace("file: heads.layers", "onnx: float.onnx")
    recipe = recipe.replace("batch: 32,", "batch: 32, normalize: {mean: 0, std: 1},")
    tasks.RECIPES["read"] = recipe
    test.write("plain.yaml", recipe.replace("quant: {", "quant: none #{"))
    ours = json.loads(test.succeed("eval", test.path("heads.yaml"), "quant=none", init, "--json"))
    theirs = json.loads(test.succeed("eval", test.path("plain.yaml"), "--json"))
    test.check(all(abs(ours[k] - theirs[k]) <= 1e-5 * abs(ours[k]) for k in ours if isinstance(ours[k], float)),
               f"a float net says {ours}, its file {theirs}")
    tasks.check_net(test, "read", GOOD, python, ("c",), ("onnx",))
    told = json.loads(test.succeed("eval", test.path("heads.onnx"), "data.root=" + test.folder, "--json"))
    last = json.loads(test.succeed("eval", test.path("heads.yaml"), "model.init=" + test.path("heads", "last.h5"),
                                   "--json", "--as-exported"))
    test.check(abs(told["level_rmse"] - last["level_rmse"]) < 0.01 and told["count"] == 100,
               f"the exported file scores {told}, the net {last}")


def check_best(test):
    """Of none marked the loss decides, of one its first metric."""
    for words, key in ([], "val_loss"), (["tasks.1.best=yes"], "val_level_rmse"):
        folder = test.path("best-" + key)
        out = test.succeed("train", test.path("heads.yaml"), "--out", folder, "--json", "train.epochs=6", *words)
        best = [e["epoch"] for e in map(json.loads, out.split("\n")[:-1]) if e["kind"] == "epoch" and e["best"]]
        values = [line[key] for line in tasks.log(folder) if line["kind"] == "epoch"]
        want = [i + 1 for i, v in enumerate(values) if v < min(values[:i], default=np.inf)]
        test.check(best == want, f"{key}: epochs {best} are the best so far, {values} says {want}")


def check_predictions(test):
    """A line a sample: the class, two numbers, five flags."""
    out = test.path("predictions.txt")
    words = [test.path("heads.yaml"), "model.init=" + test.path("heads", "last.h5")]
    test.succeed("eval", *words, "--predictions", out)
    said = np.loadtxt(out)
    label, level = np.load(test.path("test_label.npy")), np.load(test.path("test_level.npy"))
    scores = json.loads(test.succeed("eval", *words, "--json"))
    test.check(said.shape == (100, 1 + 2 + 5) and (said[:, 0] == label).sum() == scores["kind_correct"] and
               abs(np.sqrt(((said[:, 1:3] - level) ** 2).mean()) - scores["level_rmse"]) < 1e-5,
               f"predictions of the shape {said.shape} are not what scores {scores}")


def check_ranks(test):
    """Ranks read the same arrays, and outputs with norms over all batches of a step have one process's bits."""
    launch = Launcher(test)
    if launch.missing():
        test.skip(launch.missing())
        return
    words = ["train", test.path("heads.yaml"), "train.accumulate=4", "train.epochs=1", "eval.batch=16", "--threads", 1]
    for name, more in ("alone", []), ("joined", ["train.sync_norm=true"]):
        folders = [test.path(f"{name}{ranks}") for ranks in (1, 2)]
        test.succeed(*words, *more, "--out", folders[0])
        launch.succeed(2, *words, *more, "--out", folders[1])
        test.check(test.sha256(folders[0] + "/last.h5") == test.sha256(folders[1] + "/last.h5"), f"{name}: two ranks differ")
        test.check(tasks.log(folders[0])[-1] == tasks.log(folders[1])[-1], f"{name}: two ranks log another epoch")
    os.mkdir(test.path("other"))
    for name in os.listdir(test.folder):
        if name.endswith(".npy"):
            array = np.load(test.path(name))
            np.save(test.path("other", name), array + (name == "level.npy"))
    words += ["--out", test.path("never")]
    code, _, err = launch.run(1, *words, ":", *words, "data.root=" + test.path("other"))
    test.check(code == 1 and "has another data set" in err, f"other answers: {code} {err}")


def check_pictures(test):
    """Of pictures one output is trained on the labels; what is said of one has a part for each."""
    test.write("eyes.layers", LAYERS.replace("out: 5}\n- {name: fc_more", "out: 10}\n- {name: fc_more"))
    recipe = test.write("eyes.yaml", "model: {file: eyes.layers}\n"
                        "tasks: [{output: kind, target: label, name: classify}]\n"
                        "data: {name: builtin, train_pictures: 96, test_pictures: 32, batch: 16}\n"
                        "quant: {weights: {method: lsq, bits: 4}, activations: {method: lsq, bits: 4}}\n"
                        "train: {epochs: 1, optimizer: {name: sgd, lr: 0.02}}\n")
    test.succeed("train", recipe, "--out", test.path("eyes"))
    for words, said in ((["data.train=[mixup: {alpha: 0.2}]"], "data.train: mixes samples, which `tasks` cannot"),
                        (["data.train=[cutmix]"], "data.train: mixes samples, which `tasks` cannot"),
                        (["distill.teacher=" + test.path("eyes", "last.h5")], "distill: is for a net of one output")):
        code, _, err = test.run("train", recipe, "--out", test.path("never"), *words)
        last = err.strip().split("\n")[-1]
        test.check(code == 1 and said in last, f"{words}: {code} {last}")
    picture = test.write("one.png", png(32, 32, [bytes(range(96))] * 32))
    for words in [], ["--integer"]:
        said = json.loads(test.succeed("predict", test.path("eyes", "last.h5"), picture, "--json", *words))[0]
        test.check(len(said["kind"]["classes"]) == 5 and len(said["level"]["numbers"]) == 2 and
                   len(said["flags"]["numbers"]) == 5, f"{words}: {said}")
    lines = test.succeed("predict", test.path("eyes", "last.h5"), picture).strip().split("\n")
    test.check(len(lines) == 4 and lines[1].startswith(f"{picture}: more: "), str(lines))


def check_refusals(test):
    def layers(outputs):
        name = f"{abs(hash(outputs))}.layers"
        return ["model.file=" + test.write(name, re.sub("outputs: .*", "outputs: " + outputs, LAYERS))]
    targets = "label=label.npy, level=level.npy, flags=flags.npy"
    test.write("one.yaml", re.sub(r"tasks:\n(- .*\n)*", "task: {name: classify}\n",
                                  re.sub(r"test_targets: \[.*?\]", "test_y: test_label.npy",
                                         re.sub(r" targets: \[.*?\]", " y: label.npy", RECIPE))))
    tasks.refused(test, [
        ("heads", ["tasks.0.output=kinds"], r"tasks\.0\.output: 'kinds' is no output of the network, whose are: "
         r"kind, more, level, flags; did you mean 'kind'\?"),
        ("heads", ["tasks.1.target=levle"], r"data\.targets: has no target 'levle', did you mean 'level'\?"),
        ("heads", ["tasks.1.output=kind"], r"tasks\.1\.output: 'kind' has a task already, tasks\.0"),
        ("heads", ["tasks.0.weight=nan"], r"tasks\.0\.weight: nan is not"),
        ("heads", ["tasks.0.weight=inf"], r"tasks\.0\.weight: inf is outside"),
        ("heads", ["tasks.0.best=yes", "tasks.1.best=yes"], r"tasks\.1\.best: 'kind' decides already"),
        ("heads", ["tasks.0.loss.name=mse"], r"tasks\.0\.loss: 'mse' compares with other answers"),
        ("heads", ["tasks=[]"], r"tasks: must be a list of 1 to 8 maps"),
        ("heads", ["tasks=[{name: classify}]"], r"tasks\.0: needs an 'output'"),
        ("heads", ["task.name=classify"], r"tasks: stands beside task"),
        ("heads", [f"data.targets=[{targets.replace('level.npy', 'three.npy')}]"],
         r"test_level\.npy: has 2 numbers to a sample, target 'level' of training 3"),
        ("heads", ["tasks.1.output=more"], r"tasks\.1\.target|data\.targets: has no target 'more'"),
        ("heads", ["tasks.1.output=more", "tasks.1.target=level"],
         r"tasks\.1\.target: has 2 numbers to a sample, output 'more' has 3"),
        ("heads", [f"data.targets=[{targets.replace('label.npy', 'nine.npy')}]"],
         r"tasks\.0\.target: has labels up to 8, output 'kind' has 5"),
        ("heads", [f"data.targets=[{targets.replace('label.npy', 'level.npy')}]"],
         r"level\.npy: has 2 numbers to a sample; target 'label' is labels"),
        ("heads", [f"data.targets=[{targets.replace('=flags.npy', '=level.npy')}]"],
         r"level\.npy: flag \d of sample \d+ is"),
        ("heads", ["data.targets=[label=label.npy]"], r"data\.targets: has no target 'level'"),
        ("heads", ["data.targets=[label=label.npy, label=flags.npy]"], r"data\.targets: has 'label' twice"),
        ("heads", ["data.y=label.npy"], r"data\.y: is one answer, `tasks` of the recipe want theirs by name"),
        ("heads", ["data={name: builtin}"], r"data\.name: samples of 'builtin' have labels"),
        ("one", [], r"task: is that of one output, the network has several: kind, more, level, flags; tasks="),
        ("one", ["data.y=", "data.targets=[a=label.npy]"], r"data\.targets: names answers, and the recipe has no"),
        ("heads", layers("{kind: nobody}"), r"outputs\.kind: names no layer"),
        ("heads", layers("[]"), r"outputs: must be 1 to 8 outputs"),
        ("heads", layers("{a: fc_kind, b: fc_kind}"), r"outputs\.b: names layer 'fc_kind' twice"),
        ("heads", layers("{kind: conv1}"), r"outputs\.kind: the output is \[1,20,10,8\]; a row of numbers"),
    ])


def run(args):
    test = Test(args[0])
    make_files(test, args[1])
    test.write("heads.layers", LAYERS)
    test.write("both.layers", BOTH_LAYERS)
    test.write("both.yaml", BOTH)
    tasks.RECIPES.update({"heads": RECIPE, "heads-hdf5": in_hdf5(RECIPE)})
    scores = tasks.check_net(test, "heads", GOOD, PYTHON, (), ())
    same = tasks.check_net(test, "heads-hdf5", GOOD, PYTHON, (), ())
    test.check(scores == same, f"{scores} of .npy, {same} of HDF5")
    check_exports(test, PYTHON)
    check_inputs(test, PYTHON)
    check_quantize(test, PYTHON)
    check_from_onnx(test, PYTHON)
    check_best(test)
    check_predictions(test)
    check_pictures(test)
    check_ranks(test)
    check_refusals(test)
    return test.end()


if __name__ == "__main__":
    main(run)
