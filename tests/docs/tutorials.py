# SPDX-License-Identifier: Apache-2.0
"""The commands of a tutorial, word for word and in their order, at the reduced length that the page's
`short:` comments tell; with --whole at their own length, with the seconds of each block, and those of processors.

usage: tutorials.py [--whole] DETENT PAGE..."""
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
from support import png

CLASSES = "cat", "dog", "fox"


def draw(folder):
    """Pictures of three classes, of several sizes."""
    rng = random.Random(2)
    for c, name in enumerate(CLASSES):
        os.makedirs(os.path.join(folder, "pictures", name))
        for k in range(40):
            side = 32 + 8 * (k % 3)
            rows = [bytes(min(255, 30 + 120 * (i % 3 == c) + rng.randrange(90)) for i in range(3 * side))
                    for _ in range(side)]
            with open(os.path.join(folder, "pictures", name, f"{k:04d}.png"), "wb") as f:
                f.write(png(side, side, rows))


def processors():
    """Seconds that commands before have had of them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def follow(detent, page, folder, whole):
    with open(page, encoding="utf-8") as f:
        text = f.read()
    shorter = re.findall(r"<!-- short: (.*?) -> (.*?) -->", text)
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    for long, short in shorter:
        if not any(long in block for block in blocks):
            sys.exit(f"{page}: no command has '{long}'")
    env = dict(os.environ, PATH=os.path.dirname(detent) + ":" + os.environ["PATH"])
    for block in blocks:
        for long, short in shorter if not whole else []:
            block = block.replace(long, short)
        begun, used = time.monotonic(), processors()
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=folder, env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            sys.exit(f"{page}: exit code {done.returncode} of\n{block}\n{done.stdout}")
        if whole:
            print(f"{time.monotonic() - begun:6.1f} s {processors() - used:6.1f} s  "
                  f"{block.strip().splitlines()[0][:70]}", flush=True)
    return len(blocks)


def main():
    whole = sys.argv[1] == "--whole"
    detent, *pages = sys.argv[1 + whole:]
    for page in pages:
        with tempfile.TemporaryDirectory(prefix="detent-tutorial-") as folder:
            draw(folder)
            count = follow(os.path.abspath(detent), page, folder, whole)
            if count < 3:
                sys.exit(f"{page}: {count} blocks of commands")
            print(f"{os.path.basename(page)}: {count} blocks of commands")


main()
