# SPDX-License-Identifier: Apache-2.0
"""Runs an exported ONNX file in OpenVINO and compares classes, every code and the logits with Detent's.
`detent verify --runtime openvino` starts it; cli/runtime.c tells what comes through standard input.

OpenVINO keeps no contract of rounding: it chooses for each layer whether it computes in integers,
and scales in floats of its own. So codes may differ, and this says how many, how far and from where
on. Classes and logits are those of the file as it is; codes those of the same with an output for
each node."""
import collections
import tempfile

import numpy as np
import onnx
import openvino
import comparison
from verify_ort import channels_last, with_codes


def compile_model(core, model):
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(model.SerializeToString())
        file.flush()
        return core.compile_model(core.read_model(file.name), "CPU",
                                  {"INFERENCE_PRECISION_HINT": "f32"})


def products(compiled):
    """How many convolutions and products run in each precision."""
    counts = collections.Counter()
    for op in compiled.get_runtime_model().get_ops():
        info = op.get_rt_info()
        if str(info["layerType"].astype(str)) in ("Convolution", "FullyConnected", "MatMul"):
            counts[str(info["runtimePrecision"].astype(str))] += 1
    return dict(sorted(counts.items()))


class Compared(comparison.Runtime):
    def __init__(self, header):
        self.name = f"OpenVINO {openvino.__version__}"
        self.shapes = comparison.shapes_of(header)
        model, self.outputs = with_codes(header["model"], self.shapes)
        core = openvino.Core()
        plain = onnx.load(header["model"])
        self.plain = compile_model(core, plain)
        self.ends = dict(zip(comparison.outputs_of_net(header),
                             [value.name for value in plain.graph.output]))
        self.full = compile_model(core, model)
        self.same = self.pictures = 0

    def forward(self, x, ours):
        x = comparison.as_inputs(x)
        ends = self.plain(x)
        theirs = {name: ends[value] for name, value in self.ends.items()}
        got = self.full(x)
        for name, output in self.outputs.items():
            theirs[name] = channels_last(got[output], self.shapes[name])
        first = next(iter(self.ends))
        same = theirs[first].argmax(axis=1) == ours[first].argmax(axis=1)
        self.same += int(same.sum())
        self.pictures += len(same)
        return theirs

    def facts(self):
        return {"same_class": self.same, "precisions": {"file": products(self.plain),
                                                        "with outputs": products(self.full)}}

    def summary(self):
        return f"products by precision {products(self.plain)}, with outputs {products(self.full)}"

    def notes(self):
        return [f"the same class for {self.same} of {self.pictures} pictures"]


def main(stream, as_json):
    return comparison.run(Compared, stream, as_json)
