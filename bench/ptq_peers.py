# SPDX-License-Identifier: Apache-2.0
"""Post-training quantizers beside `detent quantize`, on the same float ONNX file, the same pictures to
calibrate on and the same ones to count: right ones, agreement and KL divergence of the softmax with
the float net, McNemar's interval of the difference to the float net.

usage: ptq_peers.py NET DATA [--normalize none|half|bytes] [--calibrate N] [--only PEER,...] [--bits 8|W4A8]
                    [--detent OPTIONS] [--tflite FLOAT.tflite] [--keep FOLDER] [--table]

DATA: CIFAR-10's binary files (N training pictures calibrate, test pictures count), or a folder of
class folders, of whose pictures every fifth calibrates and the others count (the middle 224 x 224).
Every peer runs in an environment of its own below build-bench/ (ptq-peers/NAME.txt lists what is in
it) and leaves logits and times in the folder; what is there is not run again. Peers of the last rows
of PEERS need hours of processors for large nets: --only leaves them out.

What runs in onnxruntime runs with all optimisations on the processor at hand where its kernels for 8-bit
codes are exact, which they are with VNNI. On AVX2 without it products of unsigned and signed codes
saturate, and the counts are not those of the method (docs/ptq.md); codes are decoded there and the net
runs in float between quantizers. percentile7 is onnxruntime's own way around that: weights of 7 bits.
"""
import argparse
import json
import math
import os
import shlex
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import environment

FOLDER = os.path.join(ROOT, "build-bench")
# environment, method
PEERS = [("onnxruntime", "float"), ("onnxruntime", "minmax"), ("onnxruntime", "entropy"),
         ("onnxruntime", "percentile"), ("onnxruntime", "percentile7"), ("nncf", "mixed"),
         ("litert", "static"), ("aimet", "nearest"), ("aimet", "cle"),
         ("quark", "nearest"), ("quark", "adaquant"), ("quark", "adaround"),
         ("aimet", "adaround")]
NORMALIZE = {"none": "none", "half": "half", "bytes": "{mean: 0, std: 1, range: 255}"}


def python_of(name):
    return environment.interpreter(os.path.join(FOLDER, "peer-" + name),
                                   os.path.join(ROOT, "bench", "ptq-peers", name + ".txt"))


def worker(folder, name, *arguments):
    """Runs ptq_peer_worker.py in the environment of `name`: the seconds of wall and processors. Some peers
    leave files where they are run: in `folder`."""
    python = python_of(name)
    if not python:
        sys.exit(f"{name} cannot be installed")
    start, before = time.monotonic(), os.times()
    code = subprocess.run([python, os.path.join(ROOT, "bench", "ptq_peer_worker.py"), *arguments],
                          cwd=folder).returncode
    after = os.times()
    return code, time.monotonic() - start, (after.children_user - before.children_user
                                            + after.children_system - before.children_system)


def run_peer(args, name, method):
    mark = os.path.join(args.keep, f"{name}-{method}.json")
    if os.path.exists(mark):
        return
    if name == "litert" and not args.tflite:
        return
    code, wall, cpu = worker(args.keep, name, method, args.net, args.keep, f"{name}-{method}", args.bits,
                             args.tflite or "")
    if code != 0:
        print(f"{name} {method}: failed", file=sys.stderr)
        return
    with open(mark + ".part") as f:
        told = json.load(f)
    told.update(wall=wall, cpu=cpu)
    with open(mark, "w") as f:
        json.dump(told, f)
    os.remove(mark + ".part")


def run_detent(args):
    """Its integer model as ONNX, counted in onnxruntime like the others: with --target ort it computes
    there what the program computes."""
    for number, options in enumerate(args.detent):
        tag = f"detent-{args.bits}-{number}"
        mark = os.path.join(args.keep, tag + ".json")
        if os.path.exists(mark):
            continue
        out = os.path.join(args.keep, tag)
        command = [os.path.join(ROOT, "build", "detent"), "quantize", args.net, "--data",
                   os.path.join(args.keep, "pictures"), "--normalize", NORMALIZE[args.normalize], "--bits",
                   args.bits, "--target", "ort", "--threads", "2", "--out", out, "ptq.score=none",
                   *shlex.split(options)]
        start, before = time.monotonic(), os.times()
        subprocess.run(["rm", "-rf", out])
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode != 0:
            sys.exit(f"detent quantize {options}: failed")
        after = os.times()
        wall = time.monotonic() - start
        cpu = after.children_user - before.children_user + after.children_system - before.children_system
        with open(os.path.join(out, "report.json")) as f:
            model = json.load(f)["export"]
        if worker(args.keep, "onnxruntime", "count", os.path.abspath(model), args.keep, tag, args.bits, "")[0] != 0:
            sys.exit("onnxruntime cannot run the export")
        with open(mark + ".part") as f:
            told = json.load(f)
        told.update(wall=wall, cpu=cpu, method=options, version="detent")
        with open(mark, "w") as f:
            json.dump(told, f)
        os.remove(mark + ".part")


# ---- the table ----

def mcnemar(only_a, only_b, count):
    """95 % interval of the difference b - a in percent, of pictures that only one of them has right."""
    difference = (only_b - only_a) / count
    spread = 1.96 * math.sqrt(max(only_a + only_b - (only_b - only_a) ** 2 / count, 0)) / count
    return 100 * (difference - spread), 100 * (difference + spread)


def table(args):
    import numpy as np
    labels = np.load(os.path.join(args.keep, "test_y.npy"))
    log_softmax = lambda z: z - z.max(1, keepdims=True) - np.log(
        np.exp(z - z.max(1, keepdims=True)).sum(1, keepdims=True))
    read = lambda tag: np.load(os.path.join(args.keep, tag + ".npy")).astype(np.float64)
    truth = read("onnxruntime-float")
    p, right = log_softmax(truth), truth.argmax(1) == labels
    print("| quantizer | method | right | to float, 95 % | agrees | KL | wall s | processor s |\n"
          "| --- | --- | ---: | --- | ---: | ---: | ---: | ---: |")
    for name in sorted(os.listdir(args.keep)):
        if not name.endswith(".json"):
            continue
        with open(os.path.join(args.keep, name)) as f:
            told = json.load(f)
        z = read(name[:-5])
        q, own = log_softmax(z), z.argmax(1) == labels
        low, high = mcnemar(int((right & ~own).sum()), int((own & ~right).sum()), len(labels))
        kl = float((np.exp(p) * (p - q)).sum(1).mean())
        agree = 100 * float((z.argmax(1) == truth.argmax(1)).mean())
        print(f"| {told['version']} | {told['method']} | {int(own.sum())} of {len(labels)} | "
              f"{low:+.2f} to {high:+.2f} | {agree:.2f} % | {kl:.5f} | {told['wall']:.0f} | {told['cpu']:.0f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("net")
    parser.add_argument("data")
    parser.add_argument("--normalize", choices=NORMALIZE, default="none")
    parser.add_argument("--calibrate", type=int, default=1024)
    parser.add_argument("--only")
    parser.add_argument("--bits", default="8")
    parser.add_argument("--detent", action="append", default=[])
    parser.add_argument("--tflite")
    parser.add_argument("--keep", default="ptq-peers-kept")
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    args.net, args.keep = os.path.abspath(args.net), os.path.abspath(args.keep)
    args.tflite = os.path.abspath(args.tflite) if args.tflite else None
    os.makedirs(args.keep, exist_ok=True)
    only = args.only.split(",") if args.only is not None else [f"{n}-{m}" for n, m in PEERS]
    if not os.path.exists(os.path.join(args.keep, "test_y.npy")):
        code, _, _ = worker(args.keep, "onnxruntime", "pictures", os.path.abspath(args.data), args.keep, args.normalize,
                            str(args.calibrate), "")
        if code != 0:
            sys.exit("no pictures")
    if not args.table:
        for name, method in PEERS:
            if f"{name}-{method}" in only or method == "float":
                run_peer(args, name, method)
        run_detent(args)
    if code_of_table(args) != 0:
        sys.exit(1)


def code_of_table(args):
    """numpy may be there only in an environment."""
    try:
        table(args)
        return 0
    except ImportError:
        python = python_of("onnxruntime")
        return subprocess.run([python, os.path.abspath(__file__), args.net, args.data, "--keep", args.keep,
                               "--table"]).returncode


if __name__ == "__main__":
    main()
