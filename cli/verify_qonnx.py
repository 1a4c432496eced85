# SPDX-License-Identifier: Apache-2.0
"""Executes an exported QONNX file with the qonnx package and compares every code and the outputs with
Detent's. `detent verify --runtime qonnx` starts it; cli/runtime.c tells what comes through standard
input.

Values of the file are codes less their zero point."""
import collections
import logging

logging.disable(logging.WARNING)
import numpy as np
from importlib.metadata import version
import comparison
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes


def open_model(path, n):
    """The model for batches of n pictures."""
    model = ModelWrapper(path)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = n
    return model.transform(InferShapes())


class Compared(comparison.Runtime):
    def __init__(self, header):
        self.name = f"qonnx {version('qonnx')}"
        self.header, self.shapes = header, comparison.shapes_of(header)
        self.model, self.size = None, 0

    def forward(self, x, ours):
        n = comparison.size_of(ours)
        if n != self.size:
            self.model, self.size = open_model(self.header["model"], n), n
        graph = self.model.graph
        got = execute_onnx(self.model, comparison.as_inputs(x), return_full_exec_context=True)
        theirs = {name: got[value.name] for name, value in
                  zip(comparison.outputs_of_net(self.header), graph.output)}
        made = comparison.outputs_of(self.model.graph.node, self.shapes)
        for node in self.header["nodes"]:
            name = node["name"]
            if name in made:
                h, w, c = self.shapes[name]
                value = got[made[name]].reshape(n, c, h, w).transpose(0, 2, 3, 1)
                theirs[name] = value + node["zero"]
        return theirs

    def operators(self):
        nodes = self.model.graph.node if self.model else ()
        return collections.Counter(node.op_type for node in nodes)

    def facts(self):
        return {"operators": dict(sorted(self.operators().items()))}

    def summary(self):
        return comparison.listed(self.operators())


def main(stream, as_json):
    return comparison.run(Compared, stream, as_json)
