# SPDX-License-Identifier: Apache-2.0
"""Codes of onnxruntime's QLinearSoftmax: rows of tests/integer/ort_softmax.inc, which integer/shares.h must give.
Codes of every size and grids of every length, some of which softmax and quantizer round otherwise.

    ort_softmax.py > tests/integer/ort_softmax.inc
    ort_softmax.py tests/integer/ort_softmax.inc      # compares
"""
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

f32 = np.float32
GRIDS, BATCH, SEED, MOST = 40, 400, 7, 24


def session(C, x, zx, y):
    def constant(name, value):
        return numpy_helper.from_array(np.array(value), name)
    node = helper.make_node("QLinearSoftmax", ["x", "xs", "xz", "ys", "yz"], ["y"], domain="com.microsoft",
                            axis=-1, opset=13)
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("x", TensorProto.UINT8, ["N", C])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, ["N", C])],
        [constant("xs", f32(x)), constant("xz", np.uint8(zx)), constant("ys", f32(y)), constant("yz", np.uint8(0))])
    model = helper.make_model(graph, ir_version=8, opset_imports=[
        helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)])
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def plain_of(codes, x, y):
    v = codes.astype(np.float64) * float(x)
    p = np.exp(v - v.max(1, keepdims=True))
    return np.clip(np.rint(p / p.sum(1, keepdims=True) / float(y)), 0, 255)


def rows():
    """(text, number of codes that are other ones)"""
    rng = np.random.default_rng(SEED)
    for _ in range(GRIDS):
        C, zx = int(rng.integers(2, MOST)), int(rng.choice([0, 128]))
        x, y = f32(rng.uniform(.005, .3)), f32(1 / rng.uniform(3, 255))
        codes = rng.integers(rng.integers(0, 200), 256, (BATCH, C)).astype(np.uint8)
        got = session(C, x, zx, y).run(None, {"x": codes})[0]
        others = (got != plain_of(codes, x, y)).sum(1)
        k = int(others.argmax())
        yield (f"{{ {C}, {{ {float(x).hex()}f, {zx}, 0, 255 }}, {{ {float(y).hex()}f, 0, 0, 255 }},\n"
               f"  {{ {', '.join(map(str, codes[k]))} }},\n  {{ {', '.join(map(str, got[k]))} }} }},"), int(others[k])


def main():
    found = list(rows())
    text = "\n".join(t for t, _ in found)
    others = sum(n for _, n in found)
    if len(sys.argv) < 2:
        print(f"/* ort_softmax.py with onnxruntime {onnxruntime.__version__}: codes of a row, grid of x, grid of y, "
              f"x, y;\n * {others} of y are not those of softmax and quantizer. */")
        print(text)
        return 0
    with open(sys.argv[1], encoding="utf-8") as f:
        kept = f.read().split("*/\n", 1)[1].strip()
    same = kept == text
    print(f"softmax: {others} codes that softmax and quantizer have otherwise, "
          f"{'those' if same else 'not those'} that are kept")
    return not same or others < 20


if __name__ == "__main__":
    sys.exit(main())
