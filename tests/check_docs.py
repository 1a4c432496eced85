#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What documents say twice, or say of a script, is the same in all places.

usage: check_docs.py SOURCE_ROOT
"""
import ast
import os
import re
import sys


def text(*parts):
    with open(os.path.join(sys.argv[1], *parts), encoding="utf-8") as f:
        return f.read()


def constant(script, name):
    """The value of a script's constant, without running it."""
    for node in ast.parse(text("bench", script)).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return ast.literal_eval(node.value)
    return sys.exit(f"{script}: no {name}")


def numbers(page, row):
    """Of the rows that begin so: the numbers of each."""
    rows = [line for line in page.splitlines() if line.startswith(f"| {row}")]
    return [re.findall(r"[\d,]+", line.split("|", 2)[2]) for line in rows]


def main():
    performance, export, readme = (text("docs", "performance.md"), text("docs", "export.md"),
                                   text("README.md"))
    wrong = []
    for script, name in ("extras.py", "HEADER"), ("torch_tables.py", "STEPS_HEADER"):
        if constant(script, name) + "\n" not in performance:
            wrong.append(f"docs/performance.md has no table with the columns of bench/{script}")
    version = re.search(r"^torch==([\d.]+)$", text("bench", "requirements.txt"), re.M)[1]
    for name, page in ("README.md", readme), ("docs/performance.md", performance):
        if f"PyTorch {version}" not in page:
            wrong.append(f"{name} does not name PyTorch {version}, with which bench/ compares")
    for row, again in ("onnx |", "ONNX, QDQ"), ("onnx_int4 |", "ONNX, INT4"):
        (first, *_), second = numbers(export, row)[0], numbers(export, again)[0]
        if first != second[-1]:
            wrong.append(f"docs/export.md: {row[:-2]} has {first} bytes, and {second[-1]}")
    print("\n".join(wrong) or "ok")
    sys.exit(bool(wrong))


main()
