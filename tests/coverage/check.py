# SPDX-License-Identifier: Apache-2.0
"""Holds Detent to what make.py made of a network, one stage after another:

    import      the exporter's file becomes a graph
    logits      an evaluation, against onnxruntime: LOGITS times 1 + the largest
    gradients   of training mode, both sides in double: of each tensor the norm of the difference by
                that of PyTorch's. Parameters are found by their values, whatever an exporter called
                or turned them. Those below NOTHING of the largest norm are 0 but for rounding
    trains      STEPS steps of 4-bit weights and activations on the one batch: the loss falls by FALL. Scales
                have a hundredth of the rate, in every net: a step of AdamW is as long as the rate, and a scale
                is some hundred times smaller than what it quantizes
    exports     to ONNX
    verified    in onnxruntime: no code differs, and at least SHARE of the multiplications are ones of
                integers. Where parts stay in float, the order of sums may move a code at a tie; these are told

What comes back tells of each stage numbers, or {"missed": why}.
"""
import itertools
import json
import os
import subprocess
import sys

import numpy as np

BATCH = 4
LOGITS, GRADIENTS, NOTHING = 1e-4, 1e-6, 1e-9
STEPS, FALL, SHARE = 20, 0.1, 95.0
SECONDS = 600  # a command, on a machine that does other things too
RECIPE = """\
model: {model}
data: {{name: folder, root: pictures, batch: 4, normalize: half}}
quant: {{weights: {{method: lsq, bits: 4}}, activations: {{method: lsq, bits: 4}}}}
train: {{epochs: 1, quant_lr: 0.01, optimizer: {{name: adamw, lr: 0.001, weight_decay: 0}}}}
"""


class Missed(Exception):
    """A stage is not reached; says why in a line."""


def call(*args, **more):
    try:
        done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS,
                              text=True, errors="replace", check=False, **more)
    except subprocess.TimeoutExpired:
        raise Missed(f"{os.path.basename(args[0])} takes more than {SECONDS} seconds") from None
    return done


def last_line(done):
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return lines[-1] if lines else f"ended with {done.returncode}"


def need(done):
    if done.returncode:
        raise Missed(last_line(done) if done.returncode > 0 else f"killed by signal {-done.returncode}")
    return done.stdout


def read_tensors(path, dtype):
    out, data, at = {}, open(path, "rb").read(), 0
    while at < len(data):
        end = data.index(b"\n", at)
        rank, rest = data[at:end].decode().split(" ", 1)
        *shape, name = rest.split(" ", int(rank))
        shape = [int(d) for d in shape]
        count = int(np.prod(shape))
        out[name] = np.frombuffer(data, dtype, count, end + 1).reshape(shape)
        at = end + 1 + np.dtype(dtype).itemsize * count
    return out


def refusals(detent, net):
    """[node, operator, reason] of what is refused first, not of what waits for it."""
    done = call(detent, "inspect", net, "--json")
    if done.returncode not in (0, 1) or not done.stdout.strip().startswith("{"):
        raise Missed(last_line(done))
    nodes = json.loads(done.stdout)["nodes"]
    return [[n["name"], n["operator"], n["reason"]] for n in nodes
            if "reason" in n and not n["reason"].startswith("it waits for")]


def logits(step, net, folder, side):
    out = os.path.join(folder, "step.out")
    need(call(step, net, os.path.join(folder, "batch.bin"), str(BATCH), str(side), out))
    have = read_tensors(out, np.float32)["logits"]
    want = np.load(net[:-5] + ".npy")
    if have.shape != want.shape:
        raise Missed(f"logits {have.shape}, not {want.shape}")
    worst = float(np.abs(have - want).max() / (1 + np.abs(want).max()))
    if not worst <= LOGITS:
        raise Missed(f"logits differ by {worst:.1e}")
    return worst


def key_of(values):
    """The same for the same numbers in any order of axes."""
    return hash(np.sort(values, axis=None).tobytes())


def turns(shape, to):
    """Orders of axes that make `shape` from `to`, after axes of 1 went: [ours] from theirs."""
    for order in itertools.permutations(range(len(to))):
        if [to[i] for i in order if to[i] != 1] == [d for d in shape if d != 1]:
            yield order


def as_ours(weight, shape, theirs, gradient):
    """Their gradient in our order of axes; None: the weights are others."""
    for order in turns(shape, theirs.shape):
        if np.array_equal(theirs.transpose(order).reshape(shape), weight):
            return gradient.transpose(order).reshape(shape)
    return None


def find(name, weight, theirs, by_key):
    """PyTorch's gradient of a parameter of ours, and its names there."""
    key = key_of(weight)
    for other in sorted(by_key.get(key, []), key=lambda n: n != name):
        g = as_ours(weight, weight.shape, theirs["w:" + other], theirs["g:" + other])
        if g is not None:
            return g, other
    return None, None


def gradients(step_double, net, folder, side, *layers):
    """(largest relative difference, parameters that PyTorch has none like); `layers`: of a list of layers with
    the file's parameters."""
    out = os.path.join(folder, "double.out")
    theirs = np.load(os.path.join(folder, "gradients.npz"))
    theirs = {k: theirs[k] for k in theirs.files}
    need(call(step_double, net, os.path.join(folder, "batch.bin"), str(BATCH), str(side), out,
              "gradients", *layers))
    ours = read_tensors(out, np.float64)
    os.remove(out)
    by_key, other_names, worst = {}, [], (0.0, "")
    for k in theirs:
        if k.startswith("g:"):
            by_key.setdefault(key_of(theirs["w:" + k[2:]]), []).append(k[2:])
    most = max(np.linalg.norm(theirs[k]) for k in theirs if k.startswith("g:"))
    for k in ours:
        if not k.startswith("g:"):
            continue
        want, name = find(k[2:], ours["w:" + k[2:]].astype(np.float32), theirs, by_key)
        if want is None:
            other_names.append(k[2:])
            continue
        scale = max(np.linalg.norm(want), NOTHING * most / GRADIENTS)
        worst = max(worst, (float(np.linalg.norm(ours[k] - want) / scale), name))
    if not worst[0] <= GRADIENTS:
        raise Missed(f"gradient of {worst[1]} differs by {worst[0]:.1e}")
    if len(other_names) == sum(k.startswith("g:") for k in ours):
        raise Missed("the exporter left no parameter as it was")
    return worst[0], other_names


def train(program, way, folder):
    with open(os.path.join(folder, way + ".yaml"), "w", encoding="utf-8") as f:
        f.write(RECIPE.format(model=f"{{onnx: {way}.onnx}}"))
    return run_train(program, way, folder)


def run_train(program, way, folder):
    """Loss of the first and the last step, by STEPS steps on one batch."""
    recipe = os.path.join(folder, way + ".yaml")
    said = need(call(program, recipe, str(STEPS), os.path.join(folder, way + ".h5")))
    losses = [float(line) for line in said.split()]
    if not losses[-1] <= (1 - FALL) * losses[0]:
        raise Missed(f"loss {losses[0]:.3f} to {losses[-1]:.3f}")
    return losses[0], losses[-1]


def export(detent, way, folder):
    out = os.path.join(folder, way + "-int.onnx")
    last = "model.init=" + os.path.join(folder, way + ".h5")
    need(call(detent, "export", os.path.join(folder, way + ".yaml"), last, "--out", out))
    return True


def verify(detent, way, folder):
    """(values that differ, values, share of multiplications in integers, differing values at ties)."""
    last = "model.init=" + os.path.join(folder, way + ".h5")
    done = call(detent, "verify", os.path.join(folder, way + ".yaml"), last, "--runtime", "ort",
                "--images", str(BATCH), "--json", "--python", sys.executable)
    try:
        said = json.loads(done.stdout)
    except ValueError:
        raise Missed(last_line(done)) from None
    differ, values, ties = (sum(n.get(k, 0) for n in said["nodes"]) for k in ("differ", "checked", "ties"))
    share = 100 * said["integer_macs"]
    if done.returncode or differ or share < SHARE:
        raise Missed(f"{differ} of {values} values differ, {share:.1f} % of the MACs in integers")
    return differ, values, share, ties


def attempt(result, folder, what, fn, *args):
    """True where the stage is reached. Files of `folder` are told without it."""
    try:
        result[what] = fn(*args)
    except Missed as e:
        result[what] = {"missed": str(e).replace(folder + os.sep, "")[:300]}
        return False
    return True


def check(programs, folder, side, way, trains):
    """`trains`: the last three stages too, which are those of the same net in both files."""
    detent, step, step_double, trainer = programs
    net, r = os.path.join(folder, way + ".onnx"), {}
    if not attempt(r, folder, "refused", refusals, detent, net) or r["refused"]:
        return r
    if not attempt(r, folder, "logits", logits, step, net, folder, side):
        return r
    if way == "script":  # the other exporter folds batch norms: in training mode that is another net
        attempt(r, folder, "gradients", gradients, step_double, net, folder, side)
    if trains and attempt(r, folder, "trains", train, trainer, way, folder) and \
            attempt(r, folder, "exports", export, detent, way, folder):
        attempt(r, folder, "verified", verify, detent, way, folder)
    return r
