#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Python environments for programs that we compare with. One is made where it is not there, or was
made of another list or by another interpreter; whoever else wants it meanwhile waits.

usage: environment.py FOLDER REQUIREMENTS     prints the path of its Python; exit status 77 when it cannot be had
"""
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys


def made_of(requirements):
    with open(requirements, "rb") as f:
        return hashlib.sha256(f.read() + sys.version.encode()).hexdigest()


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return None


def install(folder, python, requirements):
    """Modules are compiled when they are imported: few of them are."""
    print(f"installing {requirements} into {folder}", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    commands = ([sys.executable, "-m", "venv", folder],
                [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-compile",
                 "-r", requirements])
    return all(subprocess.run(c, stdout=sys.stderr).returncode == 0 for c in commands)


def interpreter(folder, requirements):
    """The path of the environment's Python, or None. The stamp is written last, so what broke off is
    made anew."""
    folder = os.path.abspath(folder)
    python, stamp = os.path.join(folder, "bin", "python"), os.path.join(folder, "made-of")
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with open(folder + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if read(stamp) == made_of(requirements):
            return python
        if not install(folder, python, requirements):
            return None
        with open(stamp, "w") as f:
            f.write(made_of(requirements))
    return python


def main():
    path = interpreter(*sys.argv[1:])
    if not path:
        print("SKIP: cannot be installed:", sys.argv[2], file=sys.stderr)
        sys.exit(77)
    print(path)


if __name__ == "__main__":
    main()
