# SPDX-License-Identifier: Apache-2.0
"""Runs an exported ONNX file in OpenVINO and compares classes, every code and the logits with Detent's.
`detent verify --runtime openvino` starts it; cli/runtime.c tells what comes through standard input.

    verify_openvino.py --text|--json

OpenVINO keeps no contract of rounding: it chooses for each layer whether it computes in integers,
and scales in floats of its own. So codes may differ, and this says how many, how far and from where
on. Classes and logits are those of the file as it is; codes those of the same with an output for
each node. Exit status: 0 all equal, 1 something differs, 77 OpenVINO is not there."""
import collections
import json
import struct
import sys
import tempfile

try:
    import numpy as np
    import onnx
    import openvino
    from verify_ort import read, with_codes
except ImportError as error:
    print(f"verify_openvino: {error}", file=sys.stderr)
    sys.exit(77)


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


def main(stream, as_json):
    header = json.loads(stream.readline())
    shapes = {n["name"]: (n["H"], n["W"], n["C"]) for n in header["nodes"]}
    model, outputs = with_codes(header["model"], shapes)
    core = openvino.Core()
    plain, full = compile_model(core, onnx.load(header["model"])), compile_model(core, model)
    differ, checked, largest = (collections.Counter() for _ in range(3))
    pictures = same = 0
    while True:
        n = struct.unpack("<q", stream.read(8))[0]
        if n == 0:
            break
        x = read(stream, "<f4", n, header["H"], header["W"], header["C"])
        ours = {name: read(stream, np.uint8, n, *shape) for name, shape in shapes.items()}
        ours["logits"] = read(stream, "<f4", n, header["classes"])
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
        theirs = {"logits": plain({"input": x})["logits"]}
        got = full({"input": x})
        for name, output in outputs.items():
            h, w, c = shapes[name]
            theirs[name] = got[output].reshape(n, c, h, w).transpose(0, 2, 3, 1)
        for name, value in theirs.items():
            distance = np.abs(value.astype(np.float64) - ours[name])
            differ[name] += int((distance != 0).sum())
            checked[name] += distance.size
            largest[name] = max(largest[name], float(distance.max()))
        same += int((theirs["logits"].argmax(axis=1) == ours["logits"].argmax(axis=1)).sum())
        pictures += n
    first = next((name for name in list(shapes) + ["logits"] if differ[name]), None)
    good = not sum(differ.values()) and pictures > 0
    precisions = {"file": products(plain), "with outputs": products(full)}
    if as_json:
        print(json.dumps({"verified": good, "runtime": f"openvino {openvino.__version__}",
                          "pictures": pictures, "same_class": same,
                          "checked": sum(checked.values()), "differ": sum(differ.values()),
                          "first": first, "precisions": precisions,
                          "nodes": [{"name": k, "checked": checked[k], "differ": differ[k],
                                     "largest": largest[k]} for k in checked]}))
        return good
    print(f"OpenVINO {openvino.__version__}, products by precision: {precisions['file']}, "
          f"with outputs {precisions['with outputs']}")
    for name in list(shapes) + ["logits"]:
        if differ[name]:
            print(f"  {name}: {100 * differ[name] / checked[name]:.4f}% of {checked[name]} differ, "
                  f"by up to {largest[name]:g}")
    print(f"{pictures} pictures, the same class for {same}; {len(outputs)} nodes and the logits: "
          f"{sum(differ.values())} of {sum(checked.values())} values differ"
          + (f", first at '{first}'" if first else ""))
    print("verified" if good else "NOT verified")
    return good


if __name__ == "__main__":
    sys.exit(0 if main(sys.stdin.buffer, "--json" in sys.argv[1:]) else 1)
