#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`detent eval --arith integer` against onnxruntime on the file exported from the same checkpoint, both with
one thread, in turn, over all test pictures of CIFAR-10.

    detent quantize recipes/cifar10/resnet20-lsq-w4a4.yaml data.root=DATA model.init=FLOAT --out q
    bench/integer_eval.py q/last.h5 DATA [--rounds 5]

Ours is the whole command, its start and the reading of the pictures included; onnxruntime's is the time inside
`run` alone, with the fastest of a few batch sizes, pictures normalised before. The numbers of right answers
stand beside: the model is the same. onnxruntime is that of tests/requirements.txt, installed into build-bench/."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from torch_env import FOLDER, ROOT, environment

BATCHES = (1, 16, 64, 256)


def serve(path, folder):
    """In a process of onnxruntime's environment: a line read is a round, a line written its seconds."""
    import numpy as np
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    net = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    about = net.get_modelmeta().custom_metadata_map
    mean, std = (np.array(about["detent.input." + k].split(), np.float32) for k in ("mean", "std"))
    most = np.float32(1 if about["detent.input.range"] == "255" else 255)
    rows = np.fromfile(os.path.join(folder, "test_batch.bin"), np.uint8).reshape(-1, 3073)
    labels = rows[:, 0]
    pictures = rows[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / most
    pictures = (pictures - mean.reshape(-1, 1, 1)) / std.reshape(-1, 1, 1)

    def evaluate(batch):
        """Seconds, and how many are right."""
        spent = right = 0
        for at in range(0, len(labels), batch):
            start = time.perf_counter()
            logits, = net.run(None, {"input": pictures[at:at + batch]})
            spent += time.perf_counter() - start
            right += int((logits.argmax(1) == labels[at:at + batch]).sum())
        return spent, right

    best = min(BATCHES, key=lambda b: evaluate(b)[0])
    print(json.dumps([onnxruntime.__version__, best]), flush=True)
    for _ in sys.stdin:
        print(json.dumps(evaluate(best)), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("data", help="folder with CIFAR-10")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--detent", default=os.path.join(ROOT, "build", "detent"))
    args = parser.parse_args()
    python = environment.interpreter(os.path.join(FOLDER, "onnxruntime"),
                                     os.path.join(ROOT, "tests", "requirements.txt"))
    if not python:
        sys.exit("onnxruntime cannot be installed")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "net.onnx")
        ours(args, "export", args.checkpoint, "--out", path)
        with subprocess.Popen([python, os.path.abspath(__file__), "--serve", path, args.data], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as ort:
            version, batch = json.loads(ort.stdout.readline())
            rounds = [one_round(args, ort) for _ in range(args.rounds)]
            ort.stdin.close()
    ratios = [theirs / spent for spent, theirs, _, _ in rounds]
    count = rounds[0][3]["count"]
    for name, seconds, right in ("Detent", [r[0] for r in rounds], rounds[0][3]["correct"]), \
            (f"onnxruntime {version}, batch {batch}", [r[1] for r in rounds], rounds[0][2]):
        print(f"{name}: {count / statistics.median(seconds):.0f} pictures/s, {right} of {count} right")
    print(f"onnxruntime's time / ours: {statistics.median(ratios):.2f} "
          f"[{min(ratios):.2f}, {max(ratios):.2f}], {len(rounds)} rounds, {rounds[0][3]['isa']}")


def ours(args, *words):
    """What the program prints."""
    done = subprocess.run([args.detent, *words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr.strip())
    return done.stdout


def one_round(args, ort):
    """Our seconds, theirs, how many they have right, and our score."""
    start = time.perf_counter()
    score = ours(args, "eval", args.checkpoint, f"data.root={args.data}", "--arith", "integer", "--threads", "1",
                 "--json")
    spent = time.perf_counter() - start
    ort.stdin.write("\n")
    ort.stdin.flush()
    theirs, right = json.loads(ort.stdout.readline())
    return spent, theirs, right, json.loads(score)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(*sys.argv[2:4])
    else:
        main()
