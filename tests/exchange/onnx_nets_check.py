# SPDX-License-Identifier: Apache-2.0
"""Networks that are read from ONNX files and written back in float, against the files themselves, both in
onnxruntime; and each as 4-bit integers, trained for some steps and verified. Networks that were quantized
elsewhere: their codes in onnxruntime against those of the file that is written of them.

usage: onnx_nets_check.py DETENT FOLDER       with packages of tests/requirements.txt
"""
import os
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../cli"))
import comparison  # noqa: E402
import onnx_nets  # noqa: E402

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


def run(path, outputs, pictures):
    """{name: value}, {"logits": ...} of a file whose values `outputs` {name: value} become outputs, with
    all of onnxruntime's optimisations; signed codes 128 higher, as Detent's files have them."""
    model = onnx.load(path)
    kinds = {c.name: c.data_type for c in model.graph.initializer}
    for node in model.graph.node:
        if node.output[0] in outputs.values():
            kind = kinds.get(node.input[-1], onnx.TensorProto.UINT8)
            model.graph.output.append(onnx.helper.make_tensor_value_info(node.output[0], kind, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0].name
    names = ["logits"] + list(outputs)
    got = session.run([session.get_outputs()[0].name] + list(outputs.values()), {given: pictures})
    return {k: v.astype(np.int16) + 128 if v.dtype == np.int8 else v for k, v in zip(names, got)}


def their_codes(path):
    """{site, as the reader names it: codes} of values, not of weights."""
    graph, found = onnx.load(path).graph, {}
    constant = {c.name for c in graph.initializer}
    for node in graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] not in constant:
            name = node.name.strip("/").replace("/", ".")
            name = name.removesuffix("_QuantizeLinear").removesuffix(".QuantizeLinear")
            found[name + "_quant"] = node.output[0]
        if node.op_type == "Clip":
            found.update({k: node.output[0] for k, v in found.items() if v == node.input[0]})
    return found


def compare_codes(theirs, ours, pictures):
    """(codes compared, how many differ, sites) of two files; every site of ours is one of theirs."""
    outputs = their_codes(theirs)
    mine = comparison.outputs_of(onnx.load(ours).graph.node, outputs)
    a, b = run(theirs, outputs, pictures), run(ours, mine, pictures)
    if not mine or len(mine) < len(outputs) // 2:
        sys.exit(f"{ours}: has {len(mine)} of the {len(outputs)} quantizers of {theirs}")
    differ = {k: int((a[k].reshape(b[k].shape) != b[k]).sum()) for k in mine}
    return sum(b[k].size for k in mine), differ, len(mine)


def quantized(program, folder, name, pictures):
    """A net that another program quantized: its codes in onnxruntime and ours, then trained on."""
    theirs, recipe = (os.path.join(folder, name + end) for end in (".onnx", ".yaml"))
    with open(recipe, "w", encoding="utf-8") as f:
        f.write(RECIPE.format(name=name))
    ours, trained = os.path.join(folder, name + "-ours.onnx"), os.path.join(folder, name)
    detent(program, "export", recipe, "--out", ours)
    count, differ, sites = compare_codes(theirs, ours, pictures)
    said = detent(program, "verify", recipe, "--images", "32", "--runtime", "ort", "--python",
                  sys.executable)
    detent(program, "train", recipe, "--out", trained)
    after = detent(program, "verify", recipe, f"model.init={trained}/last.h5", "--images", "32",
                   "--runtime", "ort", "--python", sys.executable)
    print(f"{name}: {sum(differ.values())} of {count} codes of {sites} quantizers differ from the file's "
          f"{ {k: v for k, v in differ.items() if v} or ''}")
    return not any(differ.values()) and "verified" in said and "verified" in after


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
                      "--runtime", "ort", "--python", sys.executable)
        good = good and "\nverified" in said
        failures += not good
        print(f"{name}: {worst:.2g} of the logits, {said.strip().splitlines()[-3]}")
    onnx_nets.quantize(folder, pictures)
    for make in onnx_nets.QUANTIZED + onnx_nets.TO_QUANTIZE:
        failures += not quantized(program, folder, onnx_nets.name_of(make), pictures)
    return failures


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:]) else 0)
