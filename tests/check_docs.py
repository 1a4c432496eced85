#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What documents say twice, or say of a script, is the same in all places; the files and names of C that READMEs,
CONTRIBUTING and architecture.md name are there, READMEs name every row of their tables, and nothing names a folder of
the machine that made it.

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


# Tables that a folder's README lists row by row.
LISTED = ["comm/comm", "data/datasets", "data/transforms", "dynamics/dynamics", "exchange/exporters",
          "exchange/importers", "fakequant/quantizers", "fakequant/ranges", "ptq/stages", "tasks/tasks"]
ELSEWHERE = {"mpi.h"}  # others' headers


def tree():
    """Paths of files below the root, without what builds leave there."""
    root = sys.argv[1]
    for at, folders, names in os.walk(root):
        here = os.path.relpath(at, root)
        folders[:] = [f for f in folders if not f.startswith((".", "build")) and f not in ("shared", "__pycache__")
                      and (here == "." or not os.path.isfile(os.path.join(at, f, "build.ninja")))]
        yield from (os.path.normpath(os.path.join(here, name)) for name in names)


def what_is_named(paths):
    """Pages that name what is not there, or leave out a row."""
    ends = {"/" + p for p in paths}
    ends |= {"/" + "/".join(p.split("/")[i:]) for p in paths for i in range(1, p.count("/") + 1)}
    code = "".join(text(p) for p in paths if p.endswith((".c", ".h", ".def", ".py", ".map")))
    symbols = set(re.findall(r"\b(?:dt|DT)_\w+", code))
    for page in sorted(p for p in paths if p.endswith("README.md") or p in ("CONTRIBUTING.md", "docs/architecture.md")):
        for line, words in enumerate(text(page).splitlines(), 1):
            for span in re.findall(r"`([^`]+)`", words):
                if "<" in span:
                    continue
                for word in re.findall(r"[\w./*-]+", span):
                    if re.search(r"\w\.(?:c|h|def|py)$", word) and "*" not in word and word[0] != "_":
                        if "/" + word not in ends and word not in ELSEWHERE:
                            yield f"{page}:{line}: there is no {word}"
                    elif re.fullmatch(r"(?:dt|DT)_\w+", word) and word not in symbols:
                        yield f"{page}:{line}: nothing is called {word}"
    for table in LISTED:
        page = os.path.join(os.path.dirname(table), "README.md")
        for row in re.findall(r"^DT_\w+\((\w+)", text(table + ".def"), re.M):
            if f"`{row}`" not in text(page):
                yield f"{page}: leaves out {row}, a row of {table}.def"


def folders_of_a_machine(paths):
    for page in sorted(p for p in paths if p.endswith((".md", ".csv", ".json", ".yaml"))):
        for line, words in enumerate(text(page).splitlines(), 1):
            if re.search(r"(?<![\w.-])/(?:root|home|work|mnt|Users)/", words):
                yield f"{page}:{line}: names a folder of one machine"


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
    wrong += what_is_named(list(tree()))
    wrong += folders_of_a_machine(tree())
    print("\n".join(wrong) or "ok")
    sys.exit(bool(wrong))


main()
