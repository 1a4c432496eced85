#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the same nets with two programs and compares their weights by name, bit for bit.

    same_weights.py BEFORE AFTER [NAME...]    programs, and some of the cases (default: all)

For changes that must move no bit: BEFORE is built of the commit before the change, on the same
machine with the same options. 20 steps of each case, with 1 and 2 threads. A case that BEFORE cannot
do is an error."""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

DATA = "{name: builtin, train_pictures: 160, test_pictures: 32, batch: 16}"
CNN = "{name: smallcnn, classes: 10}"
RESNET = "{name: resnet20, classes: 10}"
MOBILE = "{name: mobilenet_v2, classes: 10, width: 0.25, stem: cifar}"
VIT = "{name: vit, classes: 10, patch: 8, dim: 48, depth: 2, heads: 3}"
SGD = "epochs: 2, optimizer: {name: sgd, lr: 0.02, momentum: 0.9, weight_decay: 1e-4}"


def quant(weights, activations=None, more="placement: deploy", first=8):
    return (f"{{{more}, weights: {{{weights}}}, activations: {{{activations or weights}}}, "
            f"first: {{weights: {first}, activations: 8}}, last: {{weights: 8, activations: 8}}}}")


def paper(weights, activations=None, more=""):
    """As published: without a method's own limits on what first and last layers can have."""
    return (f"{{placement: paper{more}, weights: {{{weights}}}, "
            f"activations: {{{activations or weights}}}, first: none, last: none}}")


LSQ = "method: lsq, bits: 4"
CASES = {  # name: model, quant, train, other sections
    "float": (CNN, None, SGD, ""),
    "float-resnet": (RESNET, None, SGD, ""),
    "float-mobilenet": (MOBILE, None, SGD, ""),
    "float-vit": (VIT, None, "epochs: 2, optimizer: {name: adamw, lr: 2e-4}, clip_norm: 1", ""),
    "lsq": (RESNET, quant(LSQ), SGD, ""),
    "lsq-paper": (RESNET, quant(LSQ, more="placement: paper"), SGD, ""),
    "lsq-channel": (CNN, quant(LSQ + ", granularity: channel", LSQ), SGD, ""),
    "lsq-group": (CNN, quant(LSQ + ", granularity: group, group: 16", LSQ, "placement: paper",
                             "none"), SGD, ""),
    "lsq-unshared": (RESNET, quant(LSQ, more="placement: deploy, share: false"), SGD, ""),
    "lsq-log": (CNN, quant(LSQ + ", domain: log"), SGD, ""),
    "lsq-two-bits": (CNN, quant("method: lsq, bits: 2"), SGD, ""),
    "lsqplus": (CNN, paper("method: lsqplus, bits: 4"), SGD, ""),
    "apot": (CNN, paper("method: apot, bits: 4"), SGD, ""),
    "asymmetric": (CNN, paper("method: asymmetric, bits: 4"), SGD, ""),
    "dorefa": (CNN, paper("method: dorefa, bits: 4"), SGD, ""),
    "maxabs": (CNN, paper("method: maxabs, bits: 4", LSQ), SGD, ""),
    "pact": (CNN, paper("method: dorefa, bits: 4", "method: pact, bits: 4"), SGD, ""),
    "statsq": (CNN, paper("method: statsq, bits: 4", LSQ), SGD, ""),
    "ewgs": (CNN, quant(LSQ + ", ste: ewgs"), SGD, ""),
    "stochastic": (CNN, quant(LSQ + ", ste: stochastic"), SGD, ""),
    "folded": (RESNET, quant(LSQ, more="placement: deploy, fold_norm: true"), SGD, ""),
    "clipped": (CNN, quant(LSQ), SGD + ", clip_norm: 0.5", ""),
    "accumulate": (RESNET, quant(LSQ), SGD + ", accumulate: 2", ""),
    "mixed": (CNN, quant(LSQ), SGD + ", label_smoothing: 0.1", "mixup"),
    "groups": (CNN, quant(LSQ), SGD + ", groups: {quant: {name: adamw, lr: 1e-3}}", ""),
    "ema": (CNN, quant(LSQ), SGD, "dynamics: {weight_ema: {decay: 0.9}}"),
    "oscillation": (CNN, quant(LSQ), SGD,
                    "dynamics: {oscillation: {momentum: 0.1}, dampening: {}, bn_estimate: {batches: 2}}"),
    "freezing": (CNN, quant("method: lsq, bits: 3"), SGD,
                 "dynamics: {oscillation: {momentum: 0.1}, "
                 "freezing: {start: 0.1, end: 0.011, momentum: 0.1}}"),
    "curvature": (CNN, paper(LSQ + ", ste: ewgs"), SGD, "dynamics: {ewgs_curvature: {every: 1}}"),
    "phases": (RESNET, quant(LSQ), SGD.replace("epochs: 2", "epochs: 3"),
               "phases: [{epoch: 0, weight_bits: 32, activation_bits: 8}, "
               "{epoch: 1, weight_bits: 8}, {epoch: 2, ranges: frozen, norm: frozen}]"),
    "mobilenet": (MOBILE, quant(LSQ), SGD, ""),
    "mobilenet-folded": (MOBILE, quant(LSQ, more="placement: deploy, fold_norm: true"), SGD, ""),
    "vit": (VIT, quant(LSQ), "epochs: 2, optimizer: {name: adamw, lr: 2e-4}, clip_norm: 1", ""),
    "vit-paper": (VIT, quant(LSQ, more="placement: paper"),
                  "epochs: 2, optimizer: {name: adamw, lr: 2e-4}", ""),
    "distill": (CNN, quant(LSQ), SGD, "distill"),
}


def recipe(case, folder):
    model, quantizers, train, other = case
    data = DATA if other != "mixup" else DATA.replace("batch: 16", "batch: 16, train: [mixup: {}]")
    if other == "distill":
        other = f"distill: {{teacher: {folder / 'teacher' / 'last.h5'}}}"
    lines = [f"model: {model}", f"data: {data}", "eval: {batch: 16}",
             f"train: {{{train}, seed: 3}}"]
    lines += [f"quant: {quantizers}"] if quantizers else []
    lines += [other] if ":" in other else []
    return "\n".join(lines) + "\n"


def run(*command):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}")


def tensors(program, checkpoint, folder):
    """Name and bytes of everything that a file of weights has."""
    path = folder / "weights.safetensors"
    run(program, "export", checkpoint, "--format", "safetensors", "--out", path)
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    return {name: data[8 + size + t["data_offsets"][0]:8 + size + t["data_offsets"][1]]
            for name, t in header.items() if name != "__metadata__"}


def train(program, name, threads, folder):
    folder.mkdir(exist_ok=True)
    if CASES[name][3] == "distill" and not (folder / "teacher").exists():
        (folder / "teacher.yaml").write_text(recipe(CASES["float"], folder))
        run(program, "train", folder / "teacher.yaml", "--threads", 2, "--out", folder / "teacher")
    path, out = folder / f"{name}.yaml", folder / f"{name}-{threads}"
    path.write_text(recipe(CASES[name], folder))
    run(program, "train", path, "--threads", threads, "--out", out)
    return tensors(program, out / "last.h5", folder)


def main():
    before, after = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
    names = sys.argv[3:] or list(CASES)
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name in names:
            want = train(before, name, 1, root / "before")
            for threads in (1, 2):
                got = train(after, name, threads, root / "after")
                differ = [n for n in sorted(want.keys() | got.keys()) if want.get(n) != got.get(n)]
                bad += bool(differ)
                print(f"{name}, {threads} thread{'s' if threads > 1 else ''}: {len(want)} tensors, "
                      f"{len(differ)} differ{': ' + ', '.join(differ[:4]) if differ else ''}",
                      flush=True)
    print(f"{len(names)} cases, {bad} runs differ")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
