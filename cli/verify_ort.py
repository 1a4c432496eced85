# SPDX-License-Identifier: Apache-2.0
"""Runs an exported ONNX file in onnxruntime, all optimisations on, and compares every quantized value
and the outputs with Detent's. `detent verify --runtime ort` starts it; cli/runtime.c tells what comes
through standard input.

Every integer output of a QuantizeLinear or an integer operator (or the Clip behind it) becomes an
output of the model: that leaves the fusion into integer operators as it is, which is checked too: an
operator left in float is a failure."""
import collections
import os
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
import comparison


def with_codes(path, names):
    """The model with the codes of `names` as outputs; {name: output}."""
    model = onnx.load(path)
    outputs = comparison.outputs_of(model.graph.node, names)
    for output in outputs.values():
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(output, onnx.TensorProto.UINT8, None))
    return model, outputs


def open_session(model, folder):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.optimized_model_filepath = os.path.join(folder, "optimized.onnx")
    options.log_severity_level = 4
    options.intra_op_num_threads = 2
    session = ort.InferenceSession(model.SerializeToString(), options,
                                   providers=["CPUExecutionProvider"])
    graph = onnx.load(options.optimized_model_filepath).graph
    return session, collections.Counter(n.op_type for n in graph.node), float_operators(graph)


def float_operators(graph):
    """Operators that were left in float, with their number: those that read the picture, or a
    dequantized value, and do not quantize it."""
    floats, left = {value.name for value in graph.input}, collections.Counter()
    for n in graph.node:
        if n.op_type == "DequantizeLinear":
            floats.update(n.output)
        elif n.op_type != "QuantizeLinear" and floats & set(n.input):
            floats.update(n.output)
            left[n.op_type] += 1
    return dict(sorted(left.items()))


def channels_last(value, shape):
    h, w, c = shape
    return value.reshape(len(value), c, h, w).transpose(0, 2, 3, 1)


class Compared(comparison.Runtime):
    def __init__(self, header):
        self.name = f"onnxruntime {ort.__version__}"
        self.shapes = comparison.shapes_of(header)
        model, self.outputs = with_codes(header["model"], self.shapes)
        with tempfile.TemporaryDirectory() as folder:
            self.session, self.operators, self.floats = open_session(model, folder)
        self.ends = dict(zip(comparison.outputs_of_net(header),
                             [value.name for value in self.session.get_outputs()]))

    def forward(self, x, _ours):
        names = list(self.outputs)
        got = self.session.run([*self.ends.values(), *(self.outputs[k] for k in names)],
                               comparison.as_inputs(x))
        theirs = dict(zip(self.ends, got))
        for name, value in zip(names, got[len(self.ends):]):
            theirs[name] = channels_last(value, self.shapes[name])
        return theirs

    def facts(self):
        return {"floats": self.floats, "operators": dict(sorted(self.operators.items()))}

    def summary(self):
        return comparison.listed(self.operators)

    def notes(self):
        return [f"in float: {comparison.listed(self.floats)}"] if self.floats else []

    def good(self):
        return not self.floats


def main(stream, as_json):
    return comparison.run(Compared, stream, as_json)
