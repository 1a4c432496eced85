# SPDX-License-Identifier: Apache-2.0
"""Which float formula is onnxruntime's QLinearAdd? Runs it on all pairs of codes of random grids and
counts the codes in which each candidate differs; needs onnx, onnxruntime, numpy.

    ort_add.py [TRIPLES]        default: 400 triples of grids

On x86-64 with FMA one candidate is 0: the contract `fp32` of integer/contract.h. Where the processor
(or the build) has no FMA it is `unfused`."""
import sys

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

f = np.float32
A = np.repeat(np.arange(256, dtype=np.uint8), 256)
B = np.tile(np.arange(256, dtype=np.uint8), 256)


def run(**grids):
    node = helper.make_node("QLinearAdd", ["A", "sa", "za", "B", "sb", "zb", "sc", "zc"], ["C"],
                            domain="com.microsoft")
    value = helper.make_tensor_value_info
    graph = helper.make_graph([node], "add", [value(x, TensorProto.UINT8, [A.size]) for x in "AB"],
                              [value("C", TensorProto.UINT8, [A.size])],
                              [numpy_helper.from_array(np.asarray(v), k) for k, v in grids.items()])
    model = helper.make_model(graph, ir_version=7, opset_imports=[
        helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)])
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"A": A, "B": B})[0]


def fma(x, y, z):
    """Rounded once but for sums that need more than 53 bits."""
    return (np.float64(x) * np.float64(y) + np.float64(z)).astype(f)


def candidates(sa, za, sb, zb, sc, zc):
    a, b, x, y = f(sa / sc), f(sb / sc), A.astype(f), B.astype(f)
    zeros = {"unfused": f(f(a * f(za)) + f(b * f(zb))), "fused": fma(a, f(za), f(b * f(zb))),
             "fused the other way": fma(b, f(zb), f(a * f(za)))}
    for name, zero in zeros.items():
        c = f(f(zc) - zero)
        yield f"zeros {name}, sum unfused", (c + x * a).astype(f) + (y * b).astype(f)
        yield f"zeros {name}, fma(a, fma(b))", fma(x, a, fma(y, b, c))
        yield f"zeros {name}, fma(b, fma(a))", fma(y, b, fma(x, a, c))


def main(triples):
    rng = np.random.default_rng(1)
    differ = {}
    for _ in range(triples):
        sa, sb, sc = (f(v) for v in rng.uniform(.01, .1, 3))
        za, zb, zc = (np.uint8(v) for v in rng.integers(0, 256, 3))
        codes = run(sa=sa, za=za, sb=sb, zb=zb, sc=sc, zc=zc)
        for name, v in candidates(sa, za, sb, zb, sc, zc):
            wrong = (np.clip(np.rint(v), 0, 255) != codes).sum()
            differ[name] = differ.get(name, 0) + int(wrong)
    for name, count in differ.items():
        print(f"{count:8d} of {triples * A.size} codes differ: {name}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
