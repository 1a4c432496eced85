#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes docs/operators.md of what operators.c wrote and golden_check.py compared.

    operators.py SOURCE_ROOT WRITTEN COMPARED            compare; 1 when the page says something else
    operators.py SOURCE_ROOT WRITTEN COMPARED --update   write it

WRITTEN is what `operators FOLDER` printed, COMPARED the table of golden_check.py over that folder."""
import collections
import os
import re
import sys

FORMATS = [("onnx", "ONNX (QDQ), onnxruntime"), ("qoperator", "QOperator, onnxruntime"),
           ("qonnx", "QONNX, qonnx"), ("c", "C99, cc"), ("tflite", "TFLite, XNNPACK"),
           ("tflite-ref", "TFLite, reference kernels")]
HEAD = """# Operators

Operation by format, made by `tests/exchange/operators.py`, which a test runs again (`runtimes`, suite
e2e). For each operation there are two small nets around it (`tests/exchange/operations.h`), one of 4 bits
and one of 8 with a scale for each channel and zero points of every size. They are written in every
format, run by the program that is named, and each code of each node and the logits are compared with the
integer model's. A cell tells how many values were compared and how many of them differ; or why the
format does not have the operation. Every operation's gradient is compared with central differences, and
both executors of the integer model with each other (`op_gradients`, `run`).

"""


def cell(refusals, counts):
    if refusals:
        return "; ".join(sorted(refusals))
    return f"{counts[1]} of {counts[0]:,}"


def page(written, compared):
    refusals, counts = collections.defaultdict(set), collections.defaultdict(lambda: [0, 0])
    names = []
    for line in written:
        name, form, why = line.rstrip("\n").split("\t")
        names += [name] if name not in names else []
        if why:
            refusals[name, form].add(why)
    for line in compared:
        case, form, checked, differ = line.rstrip("\n").split("\t")
        key = re.sub(r"-w\d.*", "", case), form
        counts[key] = [counts[key][0] + int(checked), counts[key][1] + int(differ)]
    out = HEAD + "| operation | " + " | ".join(title for _, title in FORMATS) + " |\n"
    out += "| --- " * (len(FORMATS) + 1) + "|\n"
    for name in names:
        cells = [cell(refusals[name, form], counts[name, form]) for form, _ in FORMATS]
        out += f"| `{name}` | " + " | ".join(cells) + " |\n"
    return out


def main(root, written, compared, update=None):
    path = os.path.join(root, "docs", "operators.md")
    with open(written, encoding="utf-8") as w, open(compared, encoding="utf-8") as c:
        text = page(w, c)
    if update:
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return 0
    with open(path, encoding="utf-8") as f:
        if f.read() == text:
            return 0
    print("docs/operators.md says something else; operators.py --update writes it anew")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
