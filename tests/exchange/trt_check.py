# SPDX-License-Identifier: Apache-2.0
"""Checks the structure of a file for TensorRT (--format onnx_trt) against its documented rules for
explicit quantization. TensorRT cannot be had: nothing is executed in it.

    trt_check.py MODEL.onnx

Activations and weights int8 (no uint8), all zero points 0, scales positive constants, one for an
activation and one or one an output for a weight; no DequantizeLinear of int32; only QuantizeLinear,
DequantizeLinear and float operators. onnxruntime must run the file too. Exit status: 0, or 1 with
what is wrong."""
import sys

import numpy as np
import onnx
import onnxruntime as ort

FLOAT = {"Add", "Clip", "Conv", "Flatten", "Gemm", "GlobalAveragePool", "MaxPool", "Relu"}


def main(path):
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    failures = []
    for n in model.graph.node:
        if n.op_type not in FLOAT | {"QuantizeLinear", "DequantizeLinear"}:
            failures.append(f"{n.name}: operator {n.op_type}")
        if not n.op_type.endswith("tizeLinear"):
            continue
        scale, zero = constants.get(n.input[1]), constants.get(n.input[2]) if len(n.input) > 2 else None
        if scale is None or zero is None:
            failures.append(f"{n.name}: scale or zero point is no constant")
            continue
        if zero.dtype != np.int8 or zero.any():
            failures.append(f"{n.name}: zero point {zero.dtype} {zero.flat[0]}")
        if not (scale > 0).all():
            failures.append(f"{n.name}: scale {scale.min()}")
        weight = constants.get(n.input[0])
        if weight is None and scale.ndim:
            failures.append(f"{n.name}: {scale.size} scales of an activation")
        if weight is not None and (weight.dtype != np.int8 or weight.min() < -127 or
                                   scale.size not in (1, weight.shape[0])):
            failures.append(f"{n.name}: weight {weight.dtype}, {scale.size} scales")
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    shape = [1] + session.get_inputs()[0].shape[1:]
    y = session.run(None, {"input": np.random.default_rng(1).normal(size=shape).astype(np.float32)})
    if not np.isfinite(y[0]).all():
        failures.append("onnxruntime gives no finite logits")
    print(f"{sum(n.op_type == 'QuantizeLinear' for n in model.graph.node)} QuantizeLinear, "
          f"{len(failures)} rules broken")
    for text in failures:
        print("FAIL:", text)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
