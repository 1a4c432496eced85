# SPDX-License-Identifier: Apache-2.0
"""Run folders as the other scripts see them. Python's standard library only."""
import argparse
import csv
import json
import os
import subprocess
import sys

PROGRAM = os.environ.get("DETENT_PROGRAM", "detent")


def fail(text):
    """The end of the command, with one line."""
    sys.exit(f"{os.path.basename(sys.argv[0]).removesuffix('.py')}: {text}")


class Parser(argparse.ArgumentParser):
    """Arguments of a verb, told by the script's own words: the first paragraph, and those behind the
    second. A refusal is one line, as the program's are."""

    def __init__(self, verb, doc):
        first, *rest = doc.split("\n\n", 2)
        super().__init__(prog="detent " + verb, description=first, epilog=rest[1] if len(rest) > 1 else None,
                         formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message):
        sys.exit(f"{self.prog}: {message}; see {self.prog} --help")


def flat(text):
    """{dotted key: value} of an effective recipe, which is written in block style."""
    found, count, path = {}, {}, []
    for line in text.splitlines():
        body = line.lstrip(" ")
        if not body or body.startswith("#"):
            continue
        indent = len(line) - len(body)
        while path and path[-1][0] >= indent:
            path.pop()
        while body.startswith("- "):
            parent = ".".join(p for _, p in path)
            count[parent] = count.get(parent, -1) + 1
            path.append((indent, str(count[parent])))
            body, indent = body[2:], indent + 2
        key, colon, value = body.partition(":")
        if not colon:
            found[".".join(p for _, p in path)] = body
        elif value.strip():
            found[".".join([p for _, p in path] + [key])] = value.strip()
        else:
            path.append((indent, key))
    return found


def split_label(word):
    """(folder, label) of FOLDER or FOLDER=LABEL; both may have "=" in them."""
    cuts = [i for i, c in enumerate(word) if c == "="] if not os.path.isdir(word) else []
    for cut in cuts:
        if os.path.isdir(word[:cut]):
            return word[:cut], word[cut + 1:]
    return (word[:cuts[0]], word[cuts[0] + 1:]) if cuts else (word, "")


# Of a quantized net, beside the task's metrics.
SCORE = "count", "agree", "agreement", "kl", "sqnr_db", "lost", "gained", "difference"


class Run:
    """A folder that `detent train --out` made, or `detent quantize --out`; "FOLDER=LABEL" names it. `net`
    is its checkpoint, `report` what quantize tells of itself, else None."""

    def __init__(self, word):
        self.folder, label = split_label(word)
        self.label = label or os.path.basename(os.path.normpath(self.folder))
        self.lines, self.epoch_of, self.net, self.report = [], {}, "last.h5", None
        if os.path.exists(self.path("report.json")) and not os.path.exists(self.path("metrics.jsonl")):
            self.net, self.report = "quantized.h5", self.read_report()
            return
        path = self.path("metrics.jsonl")
        try:
            with open(path) as f:
                for number, line in enumerate(f, 1):
                    self.lines.append(json.loads(line))
        except OSError as e:
            fail(f"{path}: {e.strerror}; a run is a folder that 'detent train --out' made")
        except ValueError:
            fail(f"{path}:{number}: no JSON")
        self.epoch_of = {e["step"]: e["epoch"] for e in self.of("epoch")}

    def path(self, name):
        return os.path.join(self.folder, name)

    def read_report(self):
        try:
            report = json.loads(self.text("report.json"))
            return {**report, "scores": {k: report[k] for k in ("float", "quantized", "integer") if report[k]}}
        except (ValueError, KeyError, TypeError):
            fail(f"{self.path('report.json')}: is not what 'detent quantize' writes")

    def of(self, kind, layer=None):
        found = [e for e in self.lines if e.get("kind") == kind]
        return [e for e in found if e["layer"] == layer] if layer else found

    def text(self, name):
        try:
            with open(self.path(name)) as f:
                return f.read()
        except OSError as e:
            fail(f"{self.path(name)}: {e.strerror}")

    def recipe(self):
        return flat(self.text("recipe.yaml"))

    def done(self):
        return os.path.exists(self.path(self.net if self.report else "DONE"))

    def metrics(self):
        """Names of what the test split is judged by, the deciding one first."""
        if self.report:
            return [k for k in next(iter(self.report["scores"].values()), {}) if k not in SCORE]
        head = next(csv.reader(self.text("summary.csv").splitlines()), [])
        return [h[5:] for h in head if h.startswith("test_") and h != "test_loss"]

    def last(self):
        """The last epoch; None: none is done."""
        if self.report:
            scores = list(self.report["scores"].values())[-1:]
            return {"epoch": 0, **{f"test_{k}": v for score in scores for k, v in score.items()}}
        epochs = self.of("epoch")
        return epochs[-1] if epochs else None


def detent(*args):
    """(exit code, standard output, last line of standard error)"""
    done = subprocess.run([PROGRAM, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stdout, (done.stderr.strip().splitlines() or [""])[-1]
