# SPDX-License-Identifier: Apache-2.0
"""The Python environment of requirements.txt beside this file, for scripts that compare with PyTorch.
It lies in build-bench/ of the source, which git ignores, and has 5 GB."""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import environment

FOLDER = os.path.join(ROOT, "build-bench")


def interpreter():
    """The path of its Python; ends the script when it cannot be had."""
    python = environment.interpreter(os.path.join(FOLDER, "torch"),
                              os.path.join(ROOT, "bench", "requirements.txt"))
    if not python:
        sys.exit("PyTorch cannot be installed; --python names an interpreter that has one")
    return python
