# SPDX-License-Identifier: Apache-2.0
"""Executes an exported QONNX file with the qonnx package and compares every code and the logits with
Detent's. `detent verify --runtime qonnx` starts it; cli/runtime.c tells what comes through standard
input.

    verify_qonnx.py --text|--json

Values of the file are codes less their zero point. Exit status: 0 all equal, 1 something differs, 77
qonnx is not there."""
import collections
import json
import logging
import struct
import sys

logging.disable(logging.WARNING)
try:
    import numpy as np
    from importlib.metadata import version
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes
except ImportError as error:
    print(f"verify_qonnx: {error}", file=sys.stderr)
    sys.exit(77)

# What the codes of a node come out of, in this order: the file's nodes are named node/operator.
CODES = ("Clip", "Quant", "MaxPool", "Conv")


def read(stream, dtype, *shape):
    count = int(np.prod(shape))
    data = stream.read(count * np.dtype(dtype).itemsize)
    return np.frombuffer(data, dtype, count).reshape(shape)


def open_model(path, n):
    """The model for batches of n pictures."""
    model = ModelWrapper(path)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = n
    return model.transform(InferShapes())


def main(stream, as_json):
    header = json.loads(stream.readline())
    nodes = header["nodes"]
    differ, checked, largest = (collections.Counter() for _ in range(3))
    pictures = size = 0
    missing, model = [], None
    while True:
        n = struct.unpack("<q", stream.read(8))[0]
        if n == 0:
            break
        x = read(stream, "<f4", n, header["H"], header["W"], header["C"])
        ours = {k["name"]: read(stream, np.uint8, n, k["H"], k["W"], k["C"]) for k in nodes}
        ours["logits"] = read(stream, "<f4", n, header["classes"])
        if n != size:
            model, size = open_model(header["model"], n), n
        got = execute_onnx(model, {"input": np.ascontiguousarray(x.transpose(0, 3, 1, 2))},
                           return_full_exec_context=True)
        theirs = {"logits": got["logits"]}
        for k in nodes:
            names = [f"{k['name']}/{op}" for op in CODES if f"{k['name']}/{op}" in got]
            if names:
                value = got[names[0]].reshape(n, k["C"], k["H"], k["W"]).transpose(0, 2, 3, 1)
                theirs[k["name"]] = value + k["zero"]
        missing = [k["name"] for k in nodes if k["name"] not in theirs]
        for name, value in theirs.items():
            distance = np.abs(value.astype(np.float64) - ours[name])
            differ[name] += int((distance != 0).sum())
            checked[name] += distance.size
            largest[name] = max(largest[name], float(distance.max()))
        pictures += n
    ops = collections.Counter(node.op_type for node in model.graph.node) if model else {}
    first = next((name for name in [k["name"] for k in nodes] + ["logits"] if differ[name]), None)
    good = not sum(differ.values()) and not missing and pictures > 0
    if as_json:
        print(json.dumps({"verified": good, "runtime": f"qonnx {version('qonnx')}",
                          "pictures": pictures, "checked": sum(checked.values()),
                          "differ": sum(differ.values()), "first": first, "missing": missing,
                          "operators": dict(sorted(ops.items())),
                          "nodes": [{"name": k, "checked": checked[k], "differ": differ[k],
                                     "largest": largest[k]} for k in checked]}))
        return good
    print(f"qonnx {version('qonnx')}: {', '.join(f'{v} {k}' for k, v in sorted(ops.items()))}")
    for name in checked:
        if differ[name]:
            print(f"  {name}: {differ[name]} of {checked[name]} differ, by up to {largest[name]:g}")
    if missing:
        print(f"  not in the file: {', '.join(missing)}")
    print(f"{pictures} pictures, {len(checked) - 1} nodes and the logits: {sum(differ.values())} of "
          f"{sum(checked.values())} values differ" + (f", first at '{first}'" if first else ""))
    print("verified" if good else "NOT verified")
    return good


if __name__ == "__main__":
    sys.exit(0 if main(sys.stdin.buffer, "--json" in sys.argv[1:]) else 1)
