# SPDX-License-Identifier: Apache-2.0
"""detent sweep of 2 methods, 3 rates and 2 seeds on the built-in set, killed twice and ended by the
same command; detent table of it in every format; refusals.

usage: sweep.py DETENT"""
import csv
import io
import os
import signal
import statistics
import time

from support import RECIPE, Test, main

RATES = "0.01", "0.02", "0.04"


def command(test, recipe):
    return ["sweep", recipe, "--grid", "quant.weights.method=lsq,pact", "--grid",
            "train.optimizer.lr=" + ",".join(RATES), "--seeds", "2", "--jobs", "2", "--threads", "1",
            "--out", test.path("sweep")]


def done(test):
    folder = test.path("sweep")
    return [name for name in sorted(os.listdir(folder) if os.path.isdir(folder) else [])
            if os.path.exists(os.path.join(folder, name, "DONE"))]


def kill(test, words, number, when):
    """The sweep, when so many of its runs are done; what it runs ends with it."""
    process = test.start(*words)
    while len(done(test)) < when and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(number)
    process.communicate(timeout=120)
    test.check(process.returncode != 0 and when <= len(done(test)) < 12,
               f"signal {number}: {len(done(test))} runs done, exit code {process.returncode}")


def final(test, name, key):
    with open(test.path("sweep", name, "summary.csv")) as f:
        return float(list(csv.DictReader(f))[-1][key])


def run(args):
    test = Test(args[0])
    # PACT is of activations: the dry run of all tells it before anything is written.
    recipe = test.write("recipe.yaml", RECIPE.replace("epochs: 2", "epochs: 1"))
    recipe_2 = test.write("two.yaml", RECIPE.replace("method: lsq, bits: 4}\n  act",
                                                     "method: maxabs, bits: 4}\n  act"))
    code, out, err = test.run(*command(test, recipe))
    test.check(code == 1 and "weights take 'dorefa'" in err and not done(test) and
               not os.path.exists(test.path("sweep")), f"a sweep of bad runs: {code} {err}")
    words = [w.replace("lsq,pact", "lsq,maxabs") for w in command(test, recipe)]
    kill(test, words, signal.SIGKILL, 2)
    kill(test, words, signal.SIGTERM, 5)
    code, out, err = test.run(*words)
    test.check(code == 0 and len(done(test)) == 12 and "done already" in err, f"{code} {err}")
    lines = out.splitlines()
    test.check(len(lines) == 7 and lines[0].split()[:3] == ["method", "lr", "runs"], out)
    again = test.run(*words)
    test.check(again[0] == 0 and again[1] == out and "running" not in again[2], str(again))

    # The numbers are those of the runs.
    folders = [test.path("sweep", name) for name in done(test)]
    rows = list(csv.DictReader(io.StringIO(test.succeed("table", *folders, "--format", "csv"))))
    test.check(len(rows) == 6, str(rows))
    for row in rows:
        names = [n for n in done(test) if f"method={row['method']}-" in n and
                 f"lr={row['lr']}-" in n]
        values = [final(test, n, "test_top1") for n in names]
        test.check(len(values) == 2 and row["runs"] == "2" and
                   abs(float(row["top1"]) - statistics.fmean(values)) < 0.006 and
                   abs(float(row["top1_std"]) - statistics.stdev(values)) < 0.006,
                   f"{row}: {values}")
    text = test.succeed("table", *folders, "--format", "markdown")
    test.check(text.count("\n") == 8 and all(line.startswith("| ") for line in text.splitlines())
               and "±" in text, text)
    text = test.succeed("table", *folders, "--format", "latex")
    test.check(text.startswith(r"\begin{tabular}{lllllll}") and text.count(r"\\") == 7 and
               r"$\pm$" not in text and r" \pm " in text, text)
    one = test.succeed("table", folders[0] + "=a & b")
    test.check(one.splitlines()[1].startswith("a & b") and "+-" not in one, one)
    test.succeed("sweep", recipe, recipe_2, "--dry-run", "--out", test.path("none"))
    test.check(not os.path.exists(test.path("none")), "a dry run wrote")

    for words, part in (
            (["table", test.path("none")], "none/metrics.jsonl: No such file"),
            (["sweep", recipe, "--grid", "train.epochs", "--out", "x"], "is not of the form"),
            (["sweep", recipe, "--grid", "train.epochs=0,1", "--out", test.path("x")],
             "recipe-epochs=0: command line: train.epochs: 0 is outside 1..100000"),
            (["sweep", recipe, recipe, "--out", test.path("x")], "two runs would have the folder"),
            (["sweep", "train.epochs=1", "--out", "x"], "no recipe is named")):
        code, out, err = test.run(*words)
        test.check(code == 1 and part in err and err.count("\n") == 1, f"{words}: {code} {err}")
    return test.end()


main(run)
