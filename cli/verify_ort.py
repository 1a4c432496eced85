# SPDX-License-Identifier: Apache-2.0
"""Runs an exported ONNX file in onnxruntime, all optimisations on, and compares every quantized value
and the logits with Detent's. `detent verify --runtime ort` starts it; cli/runtime.c tells what comes
through standard input.

    verify_ort.py --text|--json

Every integer output of a QuantizeLinear or an integer operator (or the Clip behind it) becomes an
output of the model: that leaves the fusion into integer operators as it is, which is checked too: an
operator left in float is a failure. Exit status: 0 all equal, 1 something differs, 77 onnxruntime or onnx is not there."""
import collections
import json
import os
import struct
import sys
import tempfile

try:
    import numpy as np
    import onnx
    import onnxruntime as ort
except ImportError as error:
    print(f"verify_ort: {error}", file=sys.stderr)
    sys.exit(77)

FLOAT_OPS = {"Conv", "FusedConv", "Gemm", "Add", "MatMul", "GlobalAveragePool", "Relu"}
# What the codes of a node come out of, in this order: the files' nodes are named node/operator.
CODES = ("Clip", "QuantizeLinear", "QLinearConv", "QGemm", "QLinearAdd", "Flatten", "MaxPool")


def with_codes(path, names):
    """The model with the codes of `names` as outputs; {name: output}."""
    model = onnx.load(path)
    made = {name for node in model.graph.node for name in node.output}
    outputs = {}
    for name in names:
        for suffix in CODES:
            if f"{name}/{suffix}" in made:
                outputs[name] = f"{name}/{suffix}"
                model.graph.output.append(
                    onnx.helper.make_tensor_value_info(outputs[name], onnx.TensorProto.UINT8, None))
                break
    return model, outputs


def open_session(model, folder):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.optimized_model_filepath = os.path.join(folder, "optimized.onnx")
    options.log_severity_level = 3
    options.intra_op_num_threads = 2
    session = ort.InferenceSession(model.SerializeToString(), options,
                                   providers=["CPUExecutionProvider"])
    nodes = onnx.load(options.optimized_model_filepath).graph.node
    return session, collections.Counter(n.op_type for n in nodes), float_operators(nodes)


def float_operators(nodes):
    """Operators that were left in float, with their number. A MaxPool runs on what it is given."""
    maker = {name: n.op_type for n in nodes for name in n.output}
    floats = FLOAT_OPS | {"DequantizeLinear"}
    left = collections.Counter(n.op_type for n in nodes if n.op_type in FLOAT_OPS or
                               n.op_type == "MaxPool" and maker.get(n.input[0]) in floats)
    return dict(sorted(left.items()))


def read(stream, dtype, *shape):
    count = int(np.prod(shape))
    data = stream.read(count * np.dtype(dtype).itemsize)
    return np.frombuffer(data, dtype, count).reshape(shape)


def main(stream, as_json):
    header = json.loads(stream.readline())
    shapes = {n["name"]: (n["H"], n["W"], n["C"]) for n in header["nodes"]}
    model, outputs = with_codes(header["model"], shapes)
    with tempfile.TemporaryDirectory() as folder:
        session, ops, floats = open_session(model, folder)
    differ, checked, largest = (collections.Counter() for _ in range(3))
    pictures = 0
    while True:
        n = struct.unpack("<q", stream.read(8))[0]
        if n == 0:
            break
        x = read(stream, "<f4", n, header["H"], header["W"], header["C"])
        ours = {name: read(stream, np.uint8, n, *shape) for name, shape in shapes.items()}
        logits = read(stream, "<f4", n, header["classes"])
        names = list(outputs)
        got = session.run(["logits"] + [outputs[k] for k in names],
                          {"input": np.ascontiguousarray(x.transpose(0, 3, 1, 2))})
        theirs = {"logits": got[0]}
        for name, value in zip(names, got[1:]):
            h, w, c = shapes[name]
            theirs[name] = value.reshape(n, c, h, w).transpose(0, 2, 3, 1)
        ours["logits"] = logits
        for name, value in theirs.items():
            distance = np.abs(value.astype(np.float64) - ours[name])
            differ[name] += int((distance != 0).sum())
            checked[name] += distance.size
            largest[name] = max(largest[name], float(distance.max()))
        pictures += n
    missing = [name for name in shapes if name not in outputs]
    first = next((name for name in list(shapes) + ["logits"] if differ[name]), None)
    good = not sum(differ.values()) and not floats and not missing and pictures > 0
    if as_json:
        print(json.dumps({"verified": good, "runtime": f"onnxruntime {ort.__version__}",
                          "pictures": pictures, "checked": sum(checked.values()),
                          "differ": sum(differ.values()), "first": first, "missing": missing,
                          "floats": floats, "operators": dict(sorted(ops.items())),
                          "nodes": [{"name": k, "checked": checked[k], "differ": differ[k],
                                     "largest": largest[k]} for k in checked]}))
        return good
    print(f"onnxruntime {ort.__version__}: {', '.join(f'{v} {k}' for k, v in sorted(ops.items()))}")
    for name in checked:
        if differ[name]:
            print(f"  {name}: {differ[name]} of {checked[name]} differ, by up to {largest[name]:g}")
    if floats:
        print(f"  in float: {', '.join(f'{v} {k}' for k, v in floats.items())}")
    if missing:
        print(f"  not in the file: {', '.join(missing)}")
    print(f"{pictures} pictures, {len(outputs)} nodes and the logits: {sum(differ.values())} of "
          f"{sum(checked.values())} values differ" + (f", first at '{first}'" if first else ""))
    print("verified" if good else "NOT verified")
    return good


if __name__ == "__main__":
    sys.exit(0 if main(sys.stdin.buffer, "--json" in sys.argv[1:]) else 1)
