# SPDX-License-Identifier: Apache-2.0
"""Weights of other programs: what goes in is told, what cannot is refused with one line.

usage: foreign.py DETENT
"""
import array
import itertools
import json
import math
import os
import struct

from support import RECIPE, TEACHER, Test, main
from foreign_files import read_safetensors, write_safetensors, write_torch

FLOAT = TEACHER.replace("epochs: 1", "epochs: 1, max_steps: 2")


def poke(tensors, name, index, value, wide=False):
    """The same with one other element."""
    shape, data = tensors[name]
    data = array.array("d" if wide else "f", data)
    data[index] = value
    return {**tensors, name: (shape, data)}


def refused(test, what, args, *parts):
    code, out, err = test.run(*args)
    line = err.strip().splitlines()[-1] if err.strip() else ""
    test.check(code == 1 and "Traceback" not in err, f"{what}: exit code {code}: {err}")
    for part in parts:
        test.check(part in line, f"{what}: no '{part}' in: {line}")
    test.check("correct" not in out, f"{what}: a score: {out}")
    return line


def not_finite(test, recipe, tensors):
    """Values that are no numbers of a net, in every kind of file and for everyone who reads it."""
    files = {"nan.safetensors": (poke(tensors, "conv2.weight", 500, math.nan), write_safetensors),
             "nan.pth": (poke(tensors, "conv2.weight", 500, math.nan), write_torch),
             "inf.pth": (poke(tensors, "bn1.running_var", 3, math.inf), write_torch),
             "wide.pth": (poke(tensors, "fc.weight", 3, 1e300, wide=True), write_torch),
             "wide.safetensors": (poke(tensors, "fc.weight", 3, 1e300, wide=True),
                                  write_safetensors),
             "negative.pth": (poke(tensors, "bn3.running_var", 2, -0.5), write_torch)}
    said = {"nan": ("conv2.weight: ", "element [4,7,1,2]", "nan"),
            "inf": ("bn1.running_var: ", "element [3]", "inf"),
            "wide": ("fc.weight: ", "element [0,3]", "1e+300", "float32"),
            "negative": ("bn3.running_var: ", "element [2]", "-0.5")}
    for name, (values, write) in files.items():
        path = test.path(name)
        write(path, values)
        parts = said[name.split(".")[0]]
        for verb in "eval", "export":
            refused(test, f"{verb} {name}", [verb, recipe, "model.init=" + path], name, *parts)
        student = test.write("student.yaml", RECIPE + f"distill: {{teacher: '{path}', "
                             "model: smallcnn, width: 12}\n")
        refused(test, f"teacher {name}", ["train", student, "--out", test.path("never")], name,
                *parts)
    test.check(not os.path.exists(test.path("never")), "a run folder was made")


def lost_in_evaluation(test, recipe, tensors):
    """Statistics that only evaluation uses: the run says so, and its state is there."""
    shape, mean = tensors["bn1.running_mean"]
    path, out = test.path("far.safetensors"), test.path("far")
    far = {**tensors, "bn1.running_mean": (shape, array.array("f", [-3e38] * len(mean)))}
    write_safetensors(path, poke(far, "bn1.running_var", 0, 1e-30))
    refused(test, "far eval", ["eval", recipe, "model.init=" + path], "not finite")
    refused(test, "far eval", ["eval", recipe, "model.init=" + path, "--json"], "not finite")
    refused(test, "far train", ["train", recipe, "model.init=" + path, "--out", out], "epoch 1: ",
            "last.h5")
    with open(os.path.join(out, "metrics.jsonl"), encoding="utf-8") as f:
        last = [json.loads(line) for line in f][-1]
    test.check(last["kind"] == "epoch" and last["test_loss"] is None, f"metrics: {last}")
    test.check(os.path.exists(os.path.join(out, "last.h5")), "no last.h5")
    test.check(not os.path.exists(os.path.join(out, "best.h5")), "a best epoch of no number")


def other_nets(test, recipe, tensors):
    """Files of another net: refused by everyone, and no advice that would lose them."""
    path, deep = test.path("deep.safetensors"), test.path("deep.pth")
    extra = {f"layer4.{i}.gamma": ([2], array.array("f", [1, 2])) for i in range(5)}
    write_safetensors(path, {**tensors, **extra})
    write_torch(deep, {"state_dict": {**tensors, **extra}})
    verbs = [["eval", recipe], ["export", recipe], ["verify", recipe], ["train", recipe, "--dry-run"],
             ["train", recipe, "--out", test.path("never")]]
    for words in verbs:
        for file in path, deep:
            refused(test, f"{words[0]} deeper", [*words, "model.init=" + file], file,
                    "5 tensors", "'layer4.0.gamma'", "model.allow_unexpected")
    allowed = ["model.init=" + path, "model.allow_unexpected=layer4.*"]
    for words in [["eval", recipe], ["export", recipe, "--format", "safetensors", "--out",
                                     test.path("x.safetensors")], verbs[3]]:
        code, _, err = test.run(*words, *allowed)
        test.check(code == 0 and "matched" in err and "unexpected 5" in err, f"{words}: {err}")
    code, _, err = test.run("verify", recipe, *allowed)
    test.check("matched" in err and "unexpected 5" in err, f"verify: {err}")
    foreign = test.path("foreign.safetensors")
    write_safetensors(foreign, {"stem." + name: t for name, t in tensors.items()})
    for more in [], ["model.allow_missing=true"], ["model.allow_missing=true",
                                                   "model.allow_unexpected=*"]:
        line = refused(test, "other names", ["export", recipe, "model.init=" + foreign, *more],
                       foreign, "'conv1.weight'")
        test.check("allow_missing" not in line, f"advice: {line}")
    short = test.path("short.safetensors")
    write_safetensors(short, {n: t for n, t in tensors.items() if not n.startswith("fc.")})
    refused(test, "no head", ["eval", recipe, "model.init=" + short], "model.allow_missing=true")
    test.succeed("eval", recipe, "model.init=" + short, "model.allow_missing=true")


def own_checkpoints(test, recipe, last):
    """The same of our own: a quantized net's into a float one, a wider one's."""
    quantized = test.write("quantized.yaml", RECIPE.replace("width: 8", "width: 12").replace(
        "epochs: 2", "epochs: 1, max_steps: 2"))
    test.succeed("train", quantized, "model.init=" + last, "--out", test.path("quantized"))
    init = "model.init=" + test.path("quantized", "last.h5")
    refused(test, "quantized", ["eval", recipe, init], "28 tensors", "conv1.input_quant.scale",
            "model.allow_unexpected")
    test.succeed("eval", recipe, init, "model.allow_unexpected=*_quant.*")
    test.succeed("train", quantized, init, "--out", test.path("again"))
    test.succeed("eval", quantized, init)


def prefixed(front, tensors):
    return {front + name: t for name, t in tensors.items()}


def weights_of(test, what, recipe, path, *more):
    """What went in, and what was said."""
    out = test.path("in.safetensors")
    code, _, err = test.run("export", recipe, "model.init=" + path, *more, "--format",
                            "safetensors", "--out", out)
    test.check(code == 0, f"{what}: {err}")
    return (read_safetensors(out) if code == 0 else {}), err


def write_each(test, name, thing):
    """The same in every kind of file that has dictionaries."""
    for legacy in False, True:
        path = test.path(f"{name}-{legacy}.pth")
        write_torch(path, thing, legacy)
        yield path


def prefixes(test, recipe, tensors):
    """What wrappers put into names, in any combination, and the dictionaries around them."""
    flat = test.path("prefixed.safetensors")
    parts = "_orig_mod.", "module.", "model.", "net."
    fronts = ["".join(p) for p in itertools.product(parts, parts)]
    for front in fronts[:6] + ["module.module.module.", "model._orig_mod.module.model.",
                               "_fsdp_wrapped_module."]:
        write_safetensors(flat, prefixed(front, tensors))
        test.check(weights_of(test, front, recipe, flat)[0] == tensors, f"{front}: other weights")
    inside = {name.replace("conv2.", "conv2._orig_mod."): t for name, t in tensors.items()}
    for key, values in (("model_state_dict", prefixed("module._orig_mod.", tensors)),
                        ("weights", prefixed("module.model.", tensors)), ("model_ema", tensors),
                        ("anything", inside)):
        for path in write_each(test, key, {"epoch": 3, "optimizer": {"lr": 0.1}, key: values}):
            test.check(weights_of(test, path, recipe, path)[0] == tensors, f"{path}: other weights")


def averages(test, recipe, tensors):
    """Weights and their averages in one file: which went in is told, and a key takes the others."""
    other = poke(tensors, "conv2.weight", 5, 0.25)
    averaged = {"model": prefixed("module.", tensors), "model_ema": prefixed("module.", other)}
    flat = test.path("both.safetensors")
    write_safetensors(flat, {**prefixed("model.", tensors), **prefixed("model_ema.module.", other)})
    for path in flat, *write_each(test, "both", averaged):
        took, said = weights_of(test, path, recipe, path)
        test.check(took == tensors and "model_ema" in said and "model.init_key" in said,
                   f"{path}: {said}")
        took, said = weights_of(test, path, recipe, path, "model.init_key=model_ema")
        test.check(took == other, f"{path}, averages: {said}")
        refused(test, "no such key", ["eval", recipe, "model.init=" + path, "model.init_key=emma"],
                path, "model.init_key", "'emma'", "'model'", "'model_ema'")
        init = ["model.init=" + path]
        for verb in ["eval", recipe], ["verify", recipe], ["train", recipe, "--dry-run"]:
            _, _, said = test.run(*verb, *init)
            test.check("took " in said and "model.init_key" in said, f"{verb}: {said}")
        student = test.write("student.yaml", RECIPE + f"distill: {{teacher: '{path}', "
                             "model: smallcnn, width: 12}\n")
        _, _, said = test.run("train", student, "--dry-run")
        test.check("took " in said and "distill.teacher_key" in said, f"teacher: {said}")
        refused(test, "no such teacher", ["train", student, "distill.teacher_key=emma",
                                          "--dry-run"], path, "distill.teacher_key", "'emma'")
    refused(test, "a key of nothing", ["eval", recipe, "model.init_key=model"], "model.init_key",
            "model.init")
    # The key is of the file that a run begins with, not of its checkpoint.
    test.succeed("train", recipe, "model.init=" + flat, "model.init_key=model_ema", "--out",
                 test.path("averaged"))
    last = test.path("averaged", "last.h5")
    test.succeed("export", last, "--format", "safetensors", "--out", test.path("x.safetensors"))
    test.succeed("inspect", last)
    refused(test, "own", ["eval", recipe, "model.init=" + last, "model.init_key=model"], last,
            "model.init_key")


def run(args):
    test = Test(args[0])
    recipe, run_folder = test.write("float.yaml", FLOAT), test.path("float")
    test.succeed("train", recipe, "--out", run_folder)
    whole = test.path("whole.safetensors")
    test.succeed("export", os.path.join(run_folder, "last.h5"), "--format", "safetensors", "--out",
                 whole)
    tensors = read_safetensors(whole)
    not_finite(test, recipe, tensors)
    lost_in_evaluation(test, recipe, tensors)
    other_nets(test, recipe, tensors)
    prefixes(test, recipe, tensors)
    averages(test, recipe, tensors)
    own_checkpoints(test, recipe, os.path.join(run_folder, "last.h5"))
    return test.end()


main(run)
