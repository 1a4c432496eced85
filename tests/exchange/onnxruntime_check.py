# SPDX-License-Identifier: Apache-2.0
"""Loads an exported model in onnxruntime, looks at what it was fused into and compares the classes
it predicts with those of `detent eval --predictions`.

    onnxruntime_check.py check --model M.onnx --pictures test_batch.bin --predictions P.txt
                               [--expect QLinearConv=21]... [--max-differ N] [--save-optimized F]
    onnxruntime_check.py make-pictures FOLDER

`check` prints one line of results and exits with 1 when anything is not as expected. Pictures are a
file of CIFAR-10's binary version; they are normalised by the numbers in the model's metadata.
`make-pictures` writes such files of coloured noise, 5 x 128 for training and 250 for tests."""
import argparse
import collections
import os
import sys
import tempfile

import numpy as np

FLOAT_OPS = {"Conv", "FusedConv", "Gemm", "Add", "MatMul", "GlobalAveragePool", "Relu"}


def make_pictures(folder):
    """Ten classes of noise that differ in colour, the last two in stripes."""
    os.makedirs(folder, exist_ok=True)
    rng = np.random.default_rng(7)

    def write(name, count):
        labels = rng.integers(0, 10, count)
        x = rng.integers(0, 180, (count, 3, 32, 32))
        for i, k in enumerate(labels):
            for c in range(3):
                x[i, c, :, ::1 if k < 8 else 2] += 75 * (k >> c & 1)
        rows = np.concatenate([labels[:, None], x.reshape(count, -1)], axis=1)
        rows.astype(np.uint8).tofile(os.path.join(folder, name))

    for i in range(1, 6):
        write(f"data_batch_{i}.bin", 128)
    write("test_batch.bin", 250)


def read_pictures(path, meta):
    """Bytes to the network's input, in float32 and in the order of operations of training."""
    rows = np.fromfile(path, np.uint8).reshape(-1, 3073)
    mean, std = (np.array([float(v) for v in meta[k].split()], np.float32).reshape(1, 3, 1, 1)
                 for k in ("detent.input.mean", "detent.input.std"))
    x = rows[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / np.float32(255)
    return (x - mean) / std, rows[:, 0]


def open_session(path, optimized):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.optimized_model_filepath = optimized
    options.log_severity_level = 3
    options.intra_op_num_threads = 2
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def check(args):
    import onnx
    onnx.checker.check_model(args.model, full_check=True)
    optimized = args.save_optimized or os.path.join(tempfile.mkdtemp(), "optimized.onnx")
    session = open_session(args.model, optimized)
    ops = collections.Counter(n.op_type for n in onnx.load(optimized).graph.node)
    x, labels = read_pictures(args.pictures, session.get_modelmeta().custom_metadata_map)
    ours = np.loadtxt(args.predictions, dtype=np.int64)
    theirs = np.concatenate([session.run(["logits"], {"input": x[i:i + 250]})[0].argmax(axis=1)
                             for i in range(0, len(x), 250)])
    failures = []
    for text in args.expect:
        op, count = text.split("=")
        if ops[op] != int(count):
            failures.append(f"{ops[op]} {op} instead of {count}")
    if args.integer:
        failures += [f"{ops[op]} {op} in float" for op in sorted(FLOAT_OPS) if ops[op]]
    if len(ours) != len(theirs):
        failures.append(f"{len(ours)} predictions for {len(theirs)} pictures")
        differ = -1
    else:
        differ = int((ours != theirs).sum())
        if differ > args.max_differ * len(ours) / 1000:
            failures.append(f"{differ} predictions differ")
    if len(set(ours.tolist())) < 2:
        failures.append("all predictions are the same class: nothing was compared")
    print(f"onnxruntime top-1 {100 * (theirs == labels).mean():.2f}%, detent eval top-1 "
          f"{100 * (ours == labels[:len(ours)]).mean():.2f}%, {differ} of {len(theirs)} predictions "
          f"differ; {', '.join(f'{k} {v}' for k, v in sorted(ops.items()))}")
    for text in failures:
        print("FAIL:", text)
    return 1 if failures else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    make = verbs.add_parser("make-pictures")
    make.add_argument("folder")
    c = verbs.add_parser("check")
    c.add_argument("--model", required=True)
    c.add_argument("--pictures", required=True)
    c.add_argument("--predictions", required=True)
    c.add_argument("--expect", action="append", default=[], metavar="OP=COUNT")
    c.add_argument("--integer", action="store_true", help="no float operator may be left")
    c.add_argument("--max-differ", type=float, default=5, help="predictions in 1000; default 5")
    c.add_argument("--save-optimized", metavar="FILE")
    args = parser.parse_args()
    if args.verb == "make-pictures":
        make_pictures(args.folder)
        return 0
    return check(args)


if __name__ == "__main__":
    sys.exit(main())
