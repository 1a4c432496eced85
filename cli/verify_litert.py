# SPDX-License-Identifier: Apache-2.0
"""Runs an exported TFLite file in LiteRT and compares every code and the logits with Detent's.
`detent verify --runtime litert` starts it; cli/runtime.c tells what comes through standard input.

    verify_litert.py --text|--json

Every tensor that has the name of a node becomes an output of the model, so that it is kept; the
model takes the codes of the picture. With the rounding `double` TFLite's reference kernels run,
otherwise XNNPACK, as LiteRT does by itself. Exit status: 0 all equal, 1 something differs, 77 LiteRT
is not there."""
import collections
import json
import struct
import sys

try:
    import flatbuffers
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    from importlib.metadata import version
except ImportError as error:
    print(f"verify_litert: {error}", file=sys.stderr)
    sys.exit(77)

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


def read(stream, dtype, *shape):
    count = int(np.prod(shape))
    data = stream.read(count * np.dtype(dtype).itemsize)
    return np.frombuffer(data, dtype, count).reshape(shape)


def open_model(content, rounding):
    kind = OpResolverType.BUILTIN_REF if rounding == "double" else OpResolverType.AUTO
    return Interpreter(model_content=content, experimental_op_resolver_type=kind, num_threads=1)


def main(stream, as_json):
    header = json.loads(stream.readline())
    shapes = {n["name"]: (n["H"], n["W"], n["C"]) for n in header["nodes"]}
    content, ops = with_outputs(header["model"], shapes)
    model = open_model(content, header["rounding"])
    differ, checked, largest = (collections.Counter() for _ in range(3))
    pictures = size = 0
    codes_in = header["nodes"][0]["name"]
    outputs = {}
    while True:
        n = struct.unpack("<q", stream.read(8))[0]
        if n == 0:
            break
        read(stream, "<f4", n, header["H"], header["W"], header["C"])
        ours = {name: read(stream, np.uint8, n, *shape) for name, shape in shapes.items()}
        ours["logits"] = read(stream, "<f4", n, header["classes"])
        if n != size:
            model.resize_tensor_input(model.get_input_details()[0]["index"],
                                      [n, *shapes[codes_in]])
            model.allocate_tensors()
            outputs = {d["name"]: d for d in model.get_output_details()}
            size = n
        codes = (ours[codes_in].astype(np.int16) - ZERO).astype(np.int8)
        model.set_tensor(model.get_input_details()[0]["index"], codes)
        model.invoke()
        theirs = {name: model.get_tensor(d["index"]).reshape(n, *shapes[name]).astype(np.int16) + ZERO
                  for name, d in outputs.items() if name in shapes and name != codes_in}
        scale, zero = outputs["logits"]["quantization"]
        codes = model.get_tensor(outputs["logits"]["index"]).astype(np.int16)
        theirs["logits"] = (codes - zero).astype(np.float32) * np.float32(scale)
        for name, value in theirs.items():
            distance = np.abs(value.astype(np.float64) - ours[name])
            differ[name] += int((distance != 0).sum())
            checked[name] += distance.size
            largest[name] = max(largest[name], float(distance.max()))
        pictures += n
    missing = [name for name in shapes if name not in outputs and name != codes_in]
    first = next((name for name in list(shapes) + ["logits"] if differ[name]), None)
    good = not sum(differ.values()) and not missing and pictures > 0
    runtime = f"LiteRT {version('ai-edge-litert')}"
    kernels = "reference kernels" if header["rounding"] == "double" else "XNNPACK"
    if as_json:
        print(json.dumps({"verified": good, "runtime": runtime, "kernels": kernels,
                          "pictures": pictures, "checked": sum(checked.values()),
                          "differ": sum(differ.values()), "first": first, "missing": missing,
                          "operators": dict(sorted(ops.items())),
                          "nodes": [{"name": k, "checked": checked[k], "differ": differ[k],
                                     "largest": largest[k]} for k in checked]}))
        return good
    print(f"{runtime}, {kernels}: {', '.join(f'{v} {k}' for k, v in sorted(ops.items()))}")
    for name in checked:
        if differ[name]:
            print(f"  {name}: {differ[name]} of {checked[name]} differ, by up to {largest[name]:g}")
    if missing:
        print(f"  not in the file: {', '.join(missing)}")
    print(f"{pictures} pictures, {len(theirs) - 1} nodes and the logits: {sum(differ.values())} of "
          f"{sum(checked.values())} values differ" + (f", first at '{first}'" if first else ""))
    print("verified" if good else "NOT verified")
    return good


if __name__ == "__main__":
    sys.exit(0 if main(sys.stdin.buffer, "--json" in sys.argv[1:]) else 1)
