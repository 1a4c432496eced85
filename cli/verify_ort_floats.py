# SPDX-License-Identifier: Apache-2.0
"""Runs an exported ONNX file with float nodes in onnxruntime, all optimisations on, and gives back
every code. `detent verify --runtime ort` starts it; cli/runtime_floats.c tells what goes through
standard input and output, and compares.

The codes of every quantizer become outputs of the model, which leaves the fusion into integer
operators as it is."""
import collections
import json
import os
import sys
import tempfile

from comparison import Failed, as_inputs, inputs_of, record_of, batch_size
from verify_ort import np, onnx, open_session, ort

# What the codes of a quantizer come out of, in this order: behind moves, limits, itself, a table, parts.
CODES = ("Reshape", "Flatten", "Transpose", "Clip", "QuantizeLinear", "Gather", "Concat")
# Products and sums: with quantizers around them a runtime can do these in integers.
PRODUCTS = {"Conv", "FusedConv", "Gemm", "Add", "MatMul", "GlobalAveragePool", "Relu"}


def with_codes(path, names):
    """The model with the codes of `names` as outputs; their names there."""
    model = onnx.load(path)
    made = {name for node in model.graph.node for name in node.output}
    outputs = []
    for name in names:
        found = next((f"{name}/{s}" for s in CODES if f"{name}/{s}" in made), None)
        if not found:
            raise Failed(f"no codes of '{name}' in the file")
        outputs.append(found)
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(found, onnx.TensorProto.UINT8, None))
    return model, outputs


def shifts_of(graph):
    """What additions of a constant give, which are no sums: of the index of a table, of a norm, of what is known
    of scores. A constant on a grid comes out of a DequantizeLinear."""
    constant = {c.name for c in graph.initializer}
    return {n.output[0] for n in graph.node if n.op_type == "Add" and constant & set(n.input)}


def products_in_float(path, shifts):
    """Products and sums that were left in float, with their number."""
    left = collections.Counter(n.op_type for n in onnx.load(path).graph.node
                               if n.op_type in PRODUCTS and n.output[0] not in shifts)
    return dict(sorted(left.items()))


def main(stream, _as_json):
    """What is found is Detent's to judge."""
    out = sys.stdout.buffer
    header = json.loads(stream.readline())
    sites = header["sites"]
    model, outputs = with_codes(header["model"], [s["name"] for s in sites])
    with tempfile.TemporaryDirectory() as folder:
        session, ops, _ = open_session(model, folder)
        floats = products_in_float(os.path.join(folder, "optimized.onnx"), shifts_of(model.graph))
    about = {"runtime": f"onnxruntime {ort.__version__}", "operators": dict(sorted(ops.items())),
             "floats": floats}
    out.write(json.dumps(about).encode() + b"\n")
    out.flush()
    ends = [value.name for value in session.get_outputs()[:header["outputs"]]]
    while n := batch_size(stream):
        x = np.frombuffer(stream.read(4 * n * record_of(header)), "<f4").reshape(n, -1)
        got = session.run(ends + outputs, as_inputs(inputs_of(header, x)))
        for site, codes in zip(sites, got[len(ends):]):
            shape = site["shape"]
            if site["map"]:
                codes = codes.reshape(n, shape[2], *shape[:2]).transpose(0, 2, 3, 1)
            out.write(np.ascontiguousarray(codes.reshape(n, *shape)).tobytes())
        out.write(np.concatenate(got[:len(ends)], axis=1).astype("<f4").tobytes())
        out.flush()
    return True
