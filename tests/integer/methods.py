# SPDX-License-Identifier: Apache-2.0
"""Every quantizer and every model that has an integer form, at placement `deploy`: a step of training on
pictures that the program draws, then the integer model compared and proved, each format written, and
the exports run. What has no integer form must be refused with layer and rule. Prints a table.

usage: methods.py DETENT [--python V] [--only PART]

Without --python (packages of tests/requirements-runtimes.txt) the C export alone is run."""
import argparse
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from support import Test, main  # noqa: E402

RECIPE = """\
model: {{name: {model}}}
data: {{name: builtin, batch: 16, train_pictures: 64, test_pictures: 32}}
quant:
  weights: {{{weights}}}
  activations: {{{activations}}}
  first: {edge}
  last: {edge}
train: {{epochs: 1, max_steps: 1, optimizer: {{name: sgd, lr: 0.01}}, seed: 1}}
eval: {{batch: 16}}
"""
EDGE = "{weights: {method: lsq, bits: 8, granularity: tensor}, activations: {method: lsq, bits: 8}}"
LSQ = "method: lsq, bits: 4, init: mse"
CNN, SMALL = "resnet20, classes: 10", "mobilenet_v2, classes: 10, width: 0.5, stem: cifar"
# Name, model, weights, activations, what a refusal says; None: it has an integer form.
NETS = (
    ("LSQ", CNN, LSQ, LSQ, None),
    ("LSQ, per channel", CNN, LSQ + ", granularity: channel", LSQ, None),
    ("LSQ+, integer offset", CNN, "method: lsqplus, bits: 4",
     "method: lsqplus, bits: 4, offset: integer, config: unsigned_offset", None),
    ("LSQ+, offset as learned", CNN, "method: lsqplus, bits: 4",
     "method: lsqplus, bits: 4, config: unsigned_offset", "offset: integer"),
    ("PACT", CNN, "method: dorefa, bits: 4", "method: pact, bits: 4", None),
    ("DoReFa", CNN, "method: dorefa, bits: 4", "method: dorefa, bits: 4", None),
    ("StatsQ", CNN, "method: statsq, bits: 4, granularity: channel", LSQ, None),
    ("asymmetric", CNN, LSQ, "method: asymmetric, bits: 4", None),
    ("APoT, 3 bits", CNN, "method: apot, bits: 3", LSQ, None),
    ("APoT, 4 bits", CNN, "method: apot, bits: 4", LSQ, None),
    ("APoT, 5 bits", CNN, "method: apot, bits: 5", LSQ, None),
    ("APoT activations", CNN, LSQ, "method: apot, bits: 4", "uneven steps"),
    ("scales of groups", CNN, LSQ + ", granularity: group, group: 9", LSQ, "several scales"),
    ("MobileNetV2", SMALL, LSQ + ", granularity: channel", LSQ, None),
    ("ResNet-18", "resnet18, classes: 10", LSQ, LSQ, None),
    ("ResNet-34", "resnet34, classes: 10", LSQ, LSQ, None),
    ("ResNet-50", "resnet50, classes: 10", LSQ, LSQ, None),
)
FORMATS = ("c", "onnx", "onnx_int4", "qoperator", "qonnx", "safetensors_codes", "tflite", "tflite_int4")
RUNS = (("onnx", "ort"), ("qoperator", "ort", "--format", "qoperator"), ("qonnx", "qonnx"),
        ("tflite", "litert"))


def compare(test, name, words):
    code, out, err = test.run("verify", *words, "--json", timeout=1800)
    test.check(code in (0, 1) and out, f"{name}: {words}: {err}")
    r = json.loads(out) if out else {"differ": None, "checked": None}
    if "nodes" in r and "engine_chained" in r["nodes"][0]:
        ways = [n["engine_" + way] for n in r["nodes"] for way in ("chained", "isolated")]
        r["differ"], r["checked"] = (sum(w[k] for w in ways) for k in ("differ", "checked"))
    test.check(r["differ"] == 0, f"{name}: {words}: {r['differ']} of {r['checked']} differ")
    return f"{r['differ']} of {r['checked']:,}"


def check_net(test, a, name, checkpoint):
    """The cells of a row."""
    few = ("--images", "4", "--threads", "2")
    cells = [compare(test, name, [checkpoint, *few])]
    proof = json.loads(test.succeed("verify", checkpoint, "--prove", "--json"))
    test.check(proof["proved"], f"{name}: not proved")
    for f in FORMATS:
        test.succeed("export", checkpoint, "--format", f, "--out", test.path("export.c"))
    cells.append(compare(test, name, [checkpoint, *few, "--runtime", "c"]))
    for _, *words in RUNS if a.python else ():
        cells.append(compare(test, name,
                             [checkpoint, *few, "--python", a.python, "--runtime", *words]))
    return cells


def check_refusal(test, name, checkpoint, refusal):
    for words in ["verify", checkpoint, "--images", "4"], ["verify", checkpoint, "--prove"], *(
            ["export", checkpoint, "--format", f, "--out", test.path("export.c")] for f in FORMATS):
        code, out, err = test.run(*words)
        line = err.splitlines()[-1] if err else ""
        test.check(code == 1 and refusal in line and "_quant: " in line, f"{name}: {words}: {line}")


def run(words):
    p = argparse.ArgumentParser()
    p.add_argument("detent")
    p.add_argument("--python")
    p.add_argument("--only", default="")
    a = p.parse_args(words)
    test = Test(a.detent)
    print("| net | engine, reference | c | " + "".join(f"{r[0]} | " for r in RUNS if a.python))
    print("| --- | --- | --- |" + " --- |" * (len(RUNS) if a.python else 0))
    for name, model, weights, activations, refusal in NETS:
        if a.only not in name:
            continue
        recipe = test.write("net.yaml", RECIPE.format(model=model, weights=weights, edge=EDGE,
                                                      activations=activations))
        out = test.path(name.replace(" ", "-").replace(",", ""))
        test.succeed("train", recipe, "--out", out, timeout=1800)
        if refusal:
            check_refusal(test, name, out + "/last.h5", refusal)
            print(f"| {name} | refused: \"{refusal}\" |", flush=True)
        else:
            print(f"| {name} | " + " | ".join(check_net(test, a, name, out + "/last.h5")) + " |",
                  flush=True)
    return test.end()


main(run)
