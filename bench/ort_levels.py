#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How far an exported net's logits depend on onnxruntime's optimisation level: the same pictures of
noise at every level, compared with those at the highest.

    V bench/ort_levels.py MODEL.onnx... [--pictures 32]

V is a Python with tests/requirements.txt."""
import argparse

import numpy as np
import onnxruntime as ort

LEVELS = ("DISABLE_ALL", "BASIC", "EXTENDED", "ALL")


def logits(path, level, pictures):
    options = ort.SessionOptions()
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, "ORT_" + (
        level if level == "DISABLE_ALL" else "ENABLE_" + level))
    options.log_severity_level = 3
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape[1:]
    x = np.random.default_rng(5).standard_normal((pictures, *shape)).astype(np.float32)
    return np.concatenate([session.run(["logits"], {"input": x[i:i + 1]})[0] for i in range(pictures)])


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("model", nargs="+")
    p.add_argument("--pictures", type=int, default=32)
    args = p.parse_args()
    print(f"onnxruntime {ort.__version__}, {args.pictures} pictures of noise; against ALL\n")
    print("| net | level | logits that differ | largest, of the range of logits | other class |\n"
          "| --- | --- | ---: | ---: | ---: |")
    for path in args.model:
        best = logits(path, LEVELS[-1], args.pictures)
        for level in LEVELS[:-1]:
            other = logits(path, level, args.pictures)
            differ = int((other != best).sum())
            largest = float(np.abs(other - best).max() / np.ptp(best))
            classes = int((other.argmax(1) != best.argmax(1)).sum())
            print(f"| {path} | {level} | {differ} of {best.size} | {100 * largest:.2f} % | "
                  f"{classes} of {args.pictures} |")


main()
