#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the graphs of every recipe to graphs.txt, which has a SHA-256 of the text of each.

    graphs.py PROGRAM SOURCE            compare; 1 when a graph is another one, or has no line
    graphs.py PROGRAM SOURCE --update   write graphs.txt anew

The program prints the text itself (graphs RECIPE KEY=VALUE...), so that the one before a change and
the one after it can be laid side by side with diff."""
import pathlib
import subprocess
import sys
import tempfile

# One recipe of each family is looked at with these besides; what a family has not is left out.
FAMILIES = ["builtin/smallcnn", "builtin/smallcnn-lsq-w4a4", "cifar10/resnet20-lsq-w4a4",
            "cifar10/resnet20-apot-w4a4", "cifar10/mobilenetv2-lsq-w4a4", "cifar10/vit-d192-lsq-w4a4"]
VARIANTS = [
    ["data.train=[mixup: {alpha: 0.2}]", "train.label_smoothing=0.1", "train.accumulate=2"],
    ["quant.share=false"],
    ["quant.placement=paper"],
    ["train.epochs=3", "phases=[{epoch: 1, weight_bits: 32}, {epoch: 2, activation_bits: 32}]"],
    ["quant.fold_norm=true"],
    ["train.epochs=3", "phases=[{epoch: 1, norm: frozen}]", "quant.fold_norm=true"],
]


def wanted(source):
    """Recipes by path, each with the overrides to look at."""
    for path in sorted((source / "recipes").glob("*/*.yaml")):
        if path.parent.name in ("onnx", "folder"):  # their graphs are in files, which e2e_onnx and its like have
            continue
        yield str(path.relative_to(source)), []
    for family in FAMILIES:
        quantized, norms = "lsq" in family or "apot" in family, "vit" not in family
        for overrides in VARIANTS[: 1 if not quantized else 6 if norms else 4]:
            yield f"recipes/{family}.yaml", overrides


def main():
    program, source = sys.argv[1], pathlib.Path(sys.argv[2])
    known = source / "tests" / "train" / "graphs.txt"
    lines = ["\t".join(["-", name, *overrides]) for name, overrides in wanted(source)]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as todo:
        todo.write("\n".join(lines) + "\n")
        todo.flush()
        done = subprocess.run([program, "--sums", todo.name, str(source)], stdout=subprocess.PIPE,
                              text=True, check=False)
    if done.returncode:
        return 1
    if "--update" in sys.argv:
        known.write_text(done.stdout)
        return 0
    before = dict(reversed(line.split("\t", 1)) for line in known.read_text().splitlines())
    now = dict(reversed(line.split("\t", 1)) for line in done.stdout.splitlines())
    bad = 0
    for what in sorted(before.keys() | now.keys()):
        if before.get(what) == now.get(what):
            continue
        bad += 1
        reason = "is another graph" if what in before and what in now else \
            "has no line; --update" if what in now else "is not there any more; --update"
        print(f"{what.replace(chr(9), ' ')}: {reason}")
    print(f"{len(now)} recipes and variants, {bad} differ")
    return 1 if bad or not now else 0


if __name__ == "__main__":
    sys.exit(main())
