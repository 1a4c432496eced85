# SPDX-License-Identifier: Apache-2.0
"""The networks of zoo/ against the modules that they were written from (zoo/check.py), in the environment of the
coverage suite.

usage: zoo.py DETENT [NAME...]
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import environment


def main(detent, *names):
    python = environment.interpreter(os.path.join(ROOT, "build-bench", "coverage"),
                                     os.path.join(HERE, "requirements.txt"))
    if not python:
        print("SKIP: no PyTorch")
        return 77
    return subprocess.run([python, os.path.join(ROOT, "zoo", "check.py"), detent, *names], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
