# SPDX-License-Identifier: Apache-2.0
"""Holds a model with packed weights (--format onnx_int4) against the same net in bytes (--format onnx).

    int4_check.py INT4.onnx QDQ.onnx PICTURES

Every weight of up to 4 bits is INT4, and what onnxruntime's DequantizeLinear makes of it are the bits
of the other file's weight; the bytes of the codes are the sum of ceil(parameters * bits / 8); and the
predicted classes are the same (the sums are taken in float: a few codes may differ). PICTURES is a
file of CIFAR-10's binary version. Exit status: 0, or 1 with what is wrong."""
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime_check import read_pictures

MAY_DIFFER = 3  # pictures in 1000: see above


def open_session(model):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def weights(path):
    """{layer: (float array, element type, bytes, parameters)}, the arrays made by onnxruntime."""
    model = onnx.load(path)
    constants = {t.name: t for t in model.graph.initializer}
    nodes = [n for n in model.graph.node
             if n.op_type == "DequantizeLinear" and n.input[0].endswith(".weight")]
    del model.graph.node[:], model.graph.input[:], model.graph.output[:]
    model.graph.node.extend(nodes)
    for n in nodes:
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(n.output[0], onnx.TensorProto.FLOAT, None))
    values = open_session(model.SerializeToString()).run(None, {})
    result = {}
    for n, value in zip(nodes, values):
        t = constants[n.input[0]]
        result[n.input[0][:-len(".weight")]] = (value, t.data_type, len(t.raw_data), value.size)
    return result


def predictions(path, x):
    session = open_session(path)
    return np.concatenate([session.run(["logits"], {"input": x[i:i + 250]})[0].argmax(axis=1)
                           for i in range(0, len(x), 250)])


def main(packed, plain, pictures):
    onnx.checker.check_model(packed, full_check=True)
    meta = {p.key: p.value for p in onnx.load(packed).metadata_props}
    failures, total, least = [], 0, 0
    a, b = weights(packed), weights(plain)
    if a.keys() != b.keys():
        failures.append(f"layers {sorted(a)} and {sorted(b)}")
    for name in a.keys() & b.keys():
        value, kind, size, count = a[name]
        if value.tobytes() != b[name][0].tobytes():
            failures.append(f"{name}: {int((value != b[name][0]).sum())} weights differ")
        text = meta.get("detent.bits." + name)
        if text is None:
            continue  # the zeros and ones of a shortcut, no parameters
        bits = int(text[1:text.index(" ")])
        total += size
        least += (count * bits + 7) // 8
        if (kind == onnx.TensorProto.INT4) != (bits <= 4):
            failures.append(f"{name}: {bits} bits as element type {kind}")
    if total != least and all(meta[k].startswith(("w4", "w8")) for k in meta
                              if k.startswith("detent.bits.")):
        failures.append(f"{total} bytes of codes, not {least}")
    x, labels = read_pictures(pictures, meta)
    ours, theirs = predictions(packed, x), predictions(plain, x)
    differ = int((ours != theirs).sum())
    if differ > MAY_DIFFER * len(x) / 1000:
        failures.append(f"{differ} classes differ")
    print(f"{len(a)} weights, {total} bytes of codes, {least} at their bits; top-1 "
          f"{100 * (ours == labels).mean():.2f}%, {differ} of {len(x)} classes differ")
    for text in failures:
        print("FAIL:", text)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
