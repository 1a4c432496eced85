# SPDX-License-Identifier: Apache-2.0
"""Published networks (docs/networks.md) in their three forms: the reference's own count in float, and
8-bit integers that start from 1,024 training pictures. Skipped where the files are not there.

usage: onnx_networks.py DETENT SOURCE_ROOT
"""
import json

from support import SKIP, Test, main, shared

FORMS = "resnet8-folded", "resnet8-mlperf-tiny", "resnet8-dynamo"
FLOAT, INT8 = 8719, 8697  # PyTorch, and the published int8 file in LiteRT


def run(args):
    test = Test(args[0])
    data = shared(args[1], "data", "cifar-10-batches-bin")
    nets = [shared(args[1], "networks", f"{name}.onnx") for name in FORMS]
    if not data or not all(nets):
        print("SKIP: no published networks")
        return SKIP
    for name, net in zip(FORMS, nets):
        recipe = f"{args[1]}/recipes/onnx/{name}-w8a8.yaml"
        common = [recipe, f"model.onnx={net}", f"data.root={data}", "--json"]
        count = json.loads(test.succeed("eval", *common, "quant=none"))["correct"]
        test.check(abs(count - FLOAT) <= 1, f"{name}: {count} in float, not {FLOAT}")
        count = json.loads(test.succeed("eval", *common, "--calibrate", "--arith", "integer"))["correct"]
        test.check(count >= INT8, f"{name}: {count} in integers, less than {INT8}")
    return test.end()


if __name__ == "__main__":
    main(run)
