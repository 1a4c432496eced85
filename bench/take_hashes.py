#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Takes anew the hashes of the first steps that recipes record (expect.quick), for each tier of this
machine (the scalar one with OpenBLAS's kernels for one kind of core): after a change that moves bits and says so.

    take_hashes.py DETENT [--core Haswell] [--tiers scalar,avx2,avx512] RECIPE [KEY=VALUE...]"""
import argparse
import json
import os
import re
import subprocess
import sys


def take(detent, recipe, keys, tier, core):
    """TAG=HASH, or None where the machine lacks the tier."""
    done = subprocess.run([detent, "repro", "--quick", "--json", "--isa", tier, recipe, *keys],
                          env={**os.environ, "OPENBLAS_CORETYPE": core}, capture_output=True, text=True)
    if not done.stdout:
        sys.exit(done.stderr)
    said = json.loads(done.stdout)
    return f'{said["tag"]}={said["sha256"]}' if said["tag"].startswith(tier + "/") else None


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("detent")
    p.add_argument("recipe")
    p.add_argument("keys", nargs="*")
    p.add_argument("--core", default="Haswell")
    p.add_argument("--tiers", default="scalar,avx2,avx512")
    args = p.parse_args()
    with open(args.recipe, encoding="utf-8") as f:
        text = f.read()
    words = [take(args.detent, args.recipe, args.keys, tier, args.core) for tier in args.tiers.split(",")]
    line = "  quick: [" + ",\n          ".join(w for w in words if w) + "]\n"
    new, count = re.subn(r"^  quick: \[[^\]]*\]\n", line, text, flags=re.M)
    if count != 1:
        sys.exit(f"{args.recipe}: wants one block 'expect:' with a line '  quick: []'")
    with open(args.recipe, "w", encoding="utf-8") as f:
        f.write(new)


if __name__ == "__main__":
    main()
