# SPDX-License-Identifier: Apache-2.0
"""detent plot on runs with and without dynamics: panels, labels, the same bytes twice; refusals.

usage: plot.py DETENT

Exit status 77 (skipped) without matplotlib."""
import os
import subprocess
import sys
import xml.etree.ElementTree

from support import DYNAMICS, RECIPE, TEACHER, Test, leftovers, main

# The interpreter that has matplotlib comes first.
PATH = os.path.dirname(sys.executable) + ":" + os.environ["PATH"]


def plot(*args):
    return subprocess.run([DETENT, "plot", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env=dict(os.environ, PATH=PATH))


def texts(svg):
    return ["".join(e.itertext()) for e in xml.etree.ElementTree.parse(svg).iter()
            if e.tag.endswith("}text")]


def draw(test, out, *runs):
    done = plot(*runs, "--out", test.path(out))
    test.check(done.returncode == 0 and not done.stderr, f"{out}: {done.stderr}")
    return test.path(out)


def run(args):
    try:
        import matplotlib
    except ImportError:
        return 77
    global DETENT
    test = Test(args[0])
    DETENT = test.detent
    test.succeed("train", test.write("teacher.yaml", TEACHER), "--out", test.path("teacher"))
    for name, text in ("plain", RECIPE), ("lively", DYNAMICS):
        test.succeed("train", test.write(name + ".yaml", text), "--out", test.path(name))
    runs = test.path("plain"), test.path("lively") + "=frozen & <more>"
    said = texts(draw(test, "both.svg", *runs))
    for want in ("plain", "frozen & <more>", "Test top-1, %", "Weights that oscillate, %",
                 "Frozen weights, %", "Weights by their distance from a threshold, %"):
        test.check(want in said, f"the picture lacks '{want}': {said}")
    alone = texts(draw(test, "alone.svg", runs[0]))
    test.check("Test top-1, %" in alone and "Frozen weights, %" not in alone, str(alone))
    again = draw(test, "again.svg", *runs)
    with open(test.path("both.svg"), "rb") as a, open(again, "rb") as b:
        test.check(a.read() == b.read(), "two pictures of the same runs differ")
    with open(draw(test, "both.png", *runs), "rb") as f:
        test.check(f.read(8) == b"\x89PNG\r\n\x1a\n", "both.png is none")
    os.makedirs(test.path("torn"))
    test.write("torn/metrics.jsonl", '{"kind":"step","step":50,"loss":1}\n{"kind":"ep')
    os.makedirs(test.path("empty"))
    test.write("empty/metrics.jsonl", "")
    for words, out, part in (((test.path("none"),), "x.svg", "none/metrics.jsonl: No such file"),
                             ((test.path("torn"),), "x.svg", "torn/metrics.jsonl:2: no JSON"),
                             ((test.path("empty"),), "x.svg", "told nothing yet"),
                             (runs, "x.foo", "x.foo: its ending names no format"),
                             (runs, "no/x.svg", "no/x.svg")):
        done = plot(*words, "--out", test.path(out))
        test.check(done.returncode == 1 and part in done.stderr and done.stderr.count("\n") == 1
                   and not done.stdout, f"{part}: {done.returncode} {done.stderr}")
        test.check(not os.path.exists(test.path(out)), f"{out} was written")
    test.check(not leftovers(test.folder), f"left {leftovers(test.folder)}")
    return test.end()


main(run)
