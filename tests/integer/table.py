# SPDX-License-Identifier: Apache-2.0
"""The table of docs/export.md: ResNet-20, placement `deploy`, trained by this script from the published
float checkpoint at 8, 4, 3 and 2 bits; the integer model compared with itself, with the float network,
with the compiled C export and, where --python names an interpreter that has the packages of
tests/requirements-runtimes.txt, with onnxruntime and LiteRT, over the test split; and the proof with
its time.

usage: table.py DETENT SOURCE_ROOT [--python V] [--steps N] [--bits 8,4,3,2] [--images N]
                [--c-images N] [--litert-images N]

An epoch of training each (--steps: so many steps instead), all 10,000 pictures, in onnxruntime too;
500 of them through LiteRT (a tenth through its reference kernels) and through the C export (a tenth
under the sanitizer and with the other roundings). Exit status 77: no CIFAR-10 or checkpoint in the
folder DETENT_SHARED."""
import argparse
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from support import SKIP, Test, main, shared  # noqa: E402

UBSAN = "gcc -O2 -fsanitize=undefined"
POINTS = 0.3  # top-1 of F and E are at most so far apart
SECONDS = 60  # of a proof


def arguments(words):
    p = argparse.ArgumentParser()
    p.add_argument("detent")
    p.add_argument("root")
    p.add_argument("--steps", type=int)
    p.add_argument("--bits", default="8,4,3,2")
    p.add_argument("--images", type=int, default=10000)
    p.add_argument("--c-images", type=int, default=500)
    p.add_argument("--litert-images", type=int, default=500)
    p.add_argument("--python")
    return p.parse_args(words)


def train(test, a, bits, data, start):
    """A checkpoint."""
    out = test.path(f"w{bits}a{bits}")
    length = f"train.max_steps={a.steps}" if a.steps else "train.epochs=1"
    test.succeed("train", a.root + "/recipes/cifar10/resnet20-lsq-w4a4.yaml", "data.root=" + data,
                 "model.init=" + start, f"quant.weights.bits={bits}",
                 f"quant.activations.bits={bits}", length, "--out", out, timeout=7200)
    return out + "/last.h5"


def compare(test, a, checkpoint, row):
    """E against I and F."""
    code, out, err = test.run("verify", checkpoint, "--images", a.images, "--json", timeout=7200)
    test.check(code in (0, 1) and out, err)
    r = json.loads(out)
    sites = [n for n in r["nodes"] if "float_isolated" in n]
    row["values"] = sum(n["engine_chained"]["checked"] for n in r["nodes"])
    row["differ"] = sum(n["engine_chained"]["differ"] + n["engine_isolated"]["differ"]
                        for n in r["nodes"])
    row["F"], row["E"] = (100 * r[k] / r["pictures"] for k in ("correct_float", "correct_integer"))
    for way in "isolated", "chained":
        parts = [n["float_" + way] for n in sites]
        row[way] = 100 * sum(p["differ"] for p in parts) / sum(p["checked"] for p in parts)
        row[way + "_most"] = max(p["largest"] for p in parts)
    test.check(row["differ"] == 0, f"{row['name']}: E is not I, first at {r['first_engine']}")
    test.check(r["first_float"] is None, f"{row['name']}: F is too far at {r['first_float']}")
    if a.images >= 10000:
        test.check(abs(row["F"] - row["E"]) <= POINTS, f"{row['name']}: {row['F']} and {row['E']}")


def prove(test, checkpoint, row):
    start = time.monotonic()
    r = json.loads(test.succeed("verify", checkpoint, "--prove", "--json"))
    row["seconds"] = time.monotonic() - start
    row["equal"] = [name for name, equal in r["equal"].items() if equal]
    row["ways"] = [name for name in r["equal"] if name != "engine"]
    row["layers"] = {}  # node: {way: cases that differ}
    for d in r["differ"]:
        ways = row["layers"].setdefault(d["node"], {})
        ways[d["rounding"]] = ways.get(d["rounding"], 0) + d["differ"]
    test.check(r["proved"] and r["equal"]["engine"], f"{row['name']}: not proved")
    test.check(row["seconds"] < SECONDS, f"{row['name']}: the proof took {row['seconds']:.0f} s")


def run_other(test, row, checkpoint, title, *options):
    """The export in another runtime; into row["runtimes"]."""
    code, out, err = test.run("verify", checkpoint, "--json", *options, timeout=7200)
    test.check(code in (0, 1) and out, err)
    r = json.loads(out)
    row["runtimes"][title] = (r["differ"], r["checked"], r["pictures"])
    test.check(r["verified"] and r["differ"] == 0, f"{row['name']}: {title}: {r['first']}")


def run_c(test, a, checkpoint, row):
    few = max(a.c_images // 10, 1)
    for rounding, compiler, images in (("fp32", "gcc -O2", a.c_images), ("fp32", UBSAN, few),
                                       ("single", "gcc -O2", few), ("single", UBSAN, few),
                                       ("double", "gcc -O2", few), ("double", UBSAN, few)):
        run_other(test, row, checkpoint, f"C, {rounding}, {compiler}", "--runtime", "c",
                  "--rounding", rounding, "--compiler", compiler, "--images", images)


def run_packages(test, a, checkpoint, row):
    few = max(a.litert_images // 10, 1)
    python = ("--python", a.python)
    for title, images, options in (
            ("onnxruntime, QDQ", a.images, ("ort",)),
            ("onnxruntime, QOperator", a.images, ("ort", "--format", "qoperator")),
            ("LiteRT, XNNPACK", a.litert_images, ("litert",)),
            ("LiteRT, reference kernels", few, ("litert", "--rounding", "double")),
            ("LiteRT, INT4, reference kernels", few, ("litert", "--format", "tflite_int4"))):
        run_other(test, row, checkpoint, title, *python, "--images", images, "--runtime", *options)
    r = json.loads(test.succeed("verify", checkpoint, "--prove", "--json", "--runtime", "ort", *python))
    cases = sum(node["cases"] for node in r["nodes"])
    row["runtimes"]["onnxruntime, --prove"] = (r["differ"], cases, 0)
    test.check(r["verified"], f"{row['name']}: onnxruntime is not proved")


def print_tables(rows):
    print("\n| net | values | E and I differ | codes of F that differ, node by node (most) | chained "
          "(most) | top-1 of F | of E |\n| --- | --- | --- | --- | --- | --- | --- |")
    for r in rows:
        print(f"| {r['name']} | {r['values']:,} | {r['differ']} | {r['isolated']:.4f} % "
              f"({r['isolated_most']}) | {r['chained']:.2f} % ({r['chained_most']}) | "
              f"{r['F']:.2f} % | {r['E']:.2f} % |")
    print_proofs(rows)
    names = list(rows[0]["runtimes"])
    print("\n| values that differ | " + " | ".join(r["name"] for r in rows) + " |\n| --- |"
          + " --- |" * len(rows))
    for name in names:
        cells = (f"{d} of {c:,}" + (f", {p:,} pictures" if p else "")
                 for d, c, p in (r["runtimes"][name] for r in rows))
        print(f"| {name} | " + " | ".join(cells) + " |")


def print_proofs(rows):
    """Seconds and sums; then every layer that differs somewhere. Those not named are equal."""
    ways = rows[0]["ways"]
    print("\n| net | seconds | " + " | ".join(ways) + " |\n| --- | --- |" + " --- |" * len(ways))
    for r in rows:
        sums = (sum(layer.get(way, 0) for layer in r["layers"].values()) for way in ways)
        print(f"| {r['name']} | {r['seconds']:.1f} | " + " | ".join(f"{n:,}" for n in sums) + " |")
    print("\n| layer | " + " | ".join(r["name"] for r in rows) + " |\n| --- |" + " --- |" * len(rows))
    for name in dict.fromkeys(name for r in rows for name in r["layers"]):
        cells = (", ".join(f"{way} {n:,}" for way, n in r["layers"].get(name, {}).items()) or "equal"
                 for r in rows)
        print(f"| {name} | " + " | ".join(cells) + " |")


def run(words):
    a = arguments(words)
    data = shared(a.root, "data")
    start = shared(a.root, "checkpoints", "resnet20-12fca82f.th")
    if not data or not start:
        print("SKIP no CIFAR-10 or checkpoint in DETENT_SHARED")
        return SKIP
    test = Test(a.detent)
    rows = []
    for bits in a.bits.split(","):
        row = {"name": f"W{bits}A{bits}", "runtimes": {}}
        checkpoint = train(test, a, bits, data, start)
        compare(test, a, checkpoint, row)
        prove(test, checkpoint, row)
        run_c(test, a, checkpoint, row)
        if a.python:
            run_packages(test, a, checkpoint, row)
        rows.append(row)
        print(json.dumps(row), flush=True)
    print_tables(rows)
    return test.end()


main(run)
