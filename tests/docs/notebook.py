# SPDX-License-Identifier: Apache-2.0
"""The notebook of the module for Python, run from its first cell to its last; docstrings of whatever is
public, and type stubs that are what the module is.

usage: notebook.py LIBRARY VENV

Exit status 77 (skipped) where what runs it cannot be installed."""
import json
import os
import subprocess
import sys
import tempfile

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(TESTS)
sys.path.insert(0, os.path.join(TESTS, "support"))
import environment

# Prints what the cells print, one JSON list a cell.
RUN = """\
import json, sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=120, resources={"metadata": {"path": sys.argv[2]}}).execute()
for cell in notebook.cells:
    if cell.cell_type == "code":
        print(json.dumps([o.get("text") or o.get("data", {}).get("text/plain", "") for o in cell.outputs]))
"""
UNTOLD = """\
import detent, inspect
parts = [(n, getattr(detent, n)) for n in detent.__all__ if n != "version"]
parts += [(f"{n}.{m}", v) for n, c in parts if inspect.isclass(c) for m, v in vars(c).items()
          if inspect.isfunction(v) and not m.startswith("_")]
assert len(parts) > 12, parts
print([name for name, v in parts if not inspect.getdoc(v)])
"""
MYPY = "[mypy]\nignore_missing_imports = True\n"  # torch need not be there


def main():
    library, venv = sys.argv[1:]
    python = environment.interpreter(venv, os.path.join(TESTS, "requirements-notebook.txt"))
    if not python:
        sys.exit(77)
    api = os.path.join(ROOT, "api")
    env = dict(os.environ, DETENT_LIBRARY=os.path.abspath(library), PYTHONPATH=api, MYPYPATH=api)
    wrong = []
    with tempfile.TemporaryDirectory(prefix="detent-notebook-") as folder:
        env["IPYTHONDIR"] = env["JUPYTER_RUNTIME_DIR"] = os.path.join(folder, "jupyter")
        notebook = os.path.join(ROOT, "docs", "tutorials", "python.ipynb")
        with open(notebook, encoding="utf-8") as f:
            cells = [c for c in json.load(f)["cells"] if c["cell_type"] == "code"]
        wrong += ["the notebook holds outputs; clear them" for c in cells if c["outputs"]][:1]
        told = subprocess.run([python, "-c", RUN, notebook, folder], env=env, check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        shown = [json.loads(line) for line in told.splitlines()]
        print(told)
        wrong += ["cells are left out"] * (len(shown) != len(cells))
        wrong += [f"the notebook does not show '{part}'" for part in
                  ("epoch 6", "W8A8: top-1", "'W2A2, trained'", "right: ", "did you mean 'onnx'?")
                  if part not in told]
        wrong += [f"the notebook wrote no {name}" for name in ("two.onnx", "two.c", "runs/W4A4/report.json")
                  if not os.path.exists(os.path.join(folder, name))]
        untold = subprocess.run([python, "-c", UNTOLD], env=env, check=True, stdout=subprocess.PIPE, text=True)
        wrong += [f"no docstring: {untold.stdout}"] * (untold.stdout.strip() != "[]")
        with open(os.path.join(folder, "mypy.ini"), "w") as f:
            f.write(MYPY)
        done = subprocess.run([python, "-m", "mypy.stubtest", "detent", "--ignore-missing-stub",
                               "--mypy-config-file", "mypy.ini"], cwd=folder, env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        wrong += [f"stubs: {done.stdout}"] * (done.returncode != 0)
    print("\n".join(wrong) or "ok")
    sys.exit(bool(wrong))


main()
