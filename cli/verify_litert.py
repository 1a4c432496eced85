# SPDX-License-Identifier: Apache-2.0
"""Runs an exported TFLite file in LiteRT and compares every code and the logits with Detent's.
`detent verify --runtime litert` starts it; cli/runtime.c tells what comes through standard input.

Every tensor that has the name of a node becomes an output of the model, so that it is kept; the
model takes the codes of the picture. With the rounding `double` TFLite's reference kernels run,
otherwise XNNPACK, as LiteRT does by itself."""
import collections

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from importlib.metadata import version
import comparison

ZERO = 128  # our codes are unsigned


def with_outputs(path, names):
    """The model with the tensors of `names` as outputs, and its operators by name."""
    with open(path, "rb") as file:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(file.read()))
    graph = model.subgraphs[0]
    index = {t.name.decode(): i for i, t in enumerate(graph.tensors)}
    graph.outputs = np.unique(np.concatenate([graph.outputs, [index[n] for n in names
                                                              if n in index]])).astype(np.int32)
    known = {code: name for name, code in vars(schema.BuiltinOperator).items()
             if isinstance(code, int)}
    ops = collections.Counter(known[model.operatorCodes[op.opcodeIndex].builtinCode]
                              for op in graph.operators)
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output()), ops


def inputs_of(model, header):
    """The nodes whose codes the inputs are: where the net has several, the signature names each as
    the net does."""
    signature = model.get_signature_runner("serving_default").get_input_details()
    nodes = {n["at"]: n["name"] for n in header["nodes"] if n["at"] >= 0}
    found, at = [], 0
    for port in header["inputs"]:
        name = port["name"] if len(header["inputs"]) > 1 else "input"
        if name not in signature or signature[name]["name"] != nodes[at]:
            raise comparison.Failed(f"the signature leads '{name}' to another tensor")
        found.append(nodes[at])
        at += int(np.prod(port["shape"]))
    return found


class Compared(comparison.Runtime):
    def __init__(self, header):
        double = header["rounding"] == "double"
        self.name = f"LiteRT {version('ai-edge-litert')}"
        self.kernels = "reference kernels" if double else "XNNPACK"
        self.shapes = comparison.shapes_of(header)
        content, self.operators = with_outputs(header["model"], self.shapes)
        kind = OpResolverType.BUILTIN_REF if double else OpResolverType.AUTO
        self.model = Interpreter(model_content=content, experimental_op_resolver_type=kind,
                                 num_threads=1)
        self.size, self.inputs, self.outputs = 0, {}, {}
        self.header, self.codes_in = header, inputs_of(self.model, header)
        self.ends = list(comparison.outputs_of_net(header))

    def resize(self, n):
        if n == self.size:
            return
        for detail in self.model.get_input_details():
            self.model.resize_tensor_input(detail["index"], [n, *self.shapes[detail["name"]]])
        self.model.allocate_tensors()
        self.inputs = {d["name"]: d["index"] for d in self.model.get_input_details()}
        self.outputs = {d["name"]: d for d in self.model.get_output_details()}
        self.size = n

    def forward(self, _x, ours):
        n = comparison.size_of(ours)
        self.resize(n)
        for name, index in self.inputs.items():
            self.model.set_tensor(index, (ours[name].astype(np.int16) - ZERO).astype(np.int8))
        self.model.invoke()
        theirs = {}
        for name, detail in self.outputs.items():
            if name in self.shapes and name not in self.inputs:
                value = self.model.get_tensor(detail["index"])
                theirs[name] = value.reshape(n, *self.shapes[name]).astype(np.int16) + ZERO
        for name in self.ends:
            detail = self.outputs[name.removeprefix("output ")]
            scale, zero = detail["quantization"]
            codes = self.model.get_tensor(detail["index"]).astype(np.int16)
            theirs[name] = (codes - zero).astype(np.float32) * np.float32(scale)
        return theirs

    def facts(self):
        return {"kernels": self.kernels, "operators": dict(sorted(self.operators.items()))}

    def summary(self):
        return f"{self.kernels}, {comparison.listed(self.operators)}"


def main(stream, as_json):
    return comparison.run(Compared, stream, as_json)
