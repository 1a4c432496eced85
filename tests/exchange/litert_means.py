# SPDX-License-Identifier: Apache-2.0
"""Codes that LiteRT's XNNPACK gives to means which the plain formula, rint(M sum), rounds otherwise:
rows of tests/integer/litert_means.inc. A model of one MEAN gets every sum of 4 to 64 codes on grids
where sums meet ties; both zero points are any.

    litert_means.py > tests/integer/litert_means.inc
    litert_means.py tests/integer/litert_means.inc      # compares
"""
import sys
from importlib.metadata import version

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

f32 = np.float32
C, GRIDS, SEED = 32, 120, 7


def tensor(name, shape, kind, buffer, scale=None, zero=None):
    t = schema.TensorT()
    t.name, t.shape, t.type, t.buffer = name, np.array(shape, np.int32), kind, buffer
    if scale is not None:
        t.quantization = schema.QuantizationParametersT()
        t.quantization.scale, t.quantization.zeroPoint = np.array([scale], f32), np.array([zero])
    return t


def model_of(side, x, zx, y, zy):
    m, g, code, op = schema.ModelT(), schema.SubGraphT(), schema.OperatorCodeT(), schema.OperatorT()
    m.version = 3
    empty, axes = schema.BufferT(), schema.BufferT()
    axes.data = np.frombuffer(np.array([1, 2], np.int32).tobytes(), np.uint8)
    m.buffers = [empty, axes]
    int8 = schema.TensorType.INT8
    g.tensors = [tensor(b"x", [1, side, side, C], int8, 0, x, zx),
                 tensor(b"axes", [2], schema.TensorType.INT32, 1), tensor(b"y", [1, C], int8, 0, y, zy)]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.MEAN
    op.inputs, op.outputs = np.array([0, 1], np.int32), np.array([2], np.int32)
    op.builtinOptionsType = schema.BuiltinOptions.ReducerOptions
    op.builtinOptions = schema.ReducerOptionsT()
    g.operators, g.inputs, g.outputs = [op], np.array([0], np.int32), np.array([2], np.int32)
    m.operatorCodes, m.subgraphs = [code], [g]
    b = flatbuffers.Builder(1 << 16)
    b.Finish(m.Pack(b), b"TFL3")
    return bytes(b.Output())


def codes_of(side, x, zx, y, zy):
    """(sums with zero points taken off, LiteRT's codes)"""
    n = side * side
    sums = np.arange(n * 255 // C * C)
    batch = len(sums) // C
    codes = (sums // n)[:, None] + (np.arange(n)[None, :] < (sums % n)[:, None]) - 128
    it = Interpreter(model_content=model_of(side, x, zx, y, zy), num_threads=1)
    at = it.get_input_details()[0]["index"]
    it.resize_tensor_input(at, [batch, side, side, C])
    it.allocate_tensors()
    it.set_tensor(at, codes.reshape(batch, C, n).transpose(0, 2, 1).reshape(batch, side, side, C)
                  .astype(np.int8))
    it.invoke()
    return sums - 128 * n - zx * n, it.get_tensor(it.get_output_details()[0]["index"]).reshape(-1)


def rows():
    rng = np.random.default_rng(SEED)
    for _ in range(GRIDS):
        side, zx = int(rng.integers(2, 9)), int(rng.choice([-128, rng.integers(-128, 128)]))
        zy, x = int(rng.choice([-128, 0, rng.integers(-128, 128)])), f32(rng.uniform(.005, .05))
        n = side * side
        y = f32(x / (n * rng.integers(1, 200) / (2.0 * rng.integers(1, 400))))
        sums, got = codes_of(side, x, zx, y, zy)
        plain = np.clip(np.rint(sums.astype(f32) * f32(f32(x / y) / f32(n))) + zy, -128, 127)
        for k in np.nonzero(plain != got)[0][:3]:
            yield (f"{{ {n}, {{ {float(x).hex()}f, {zx + 128}, 0, 255 }}, {{ {float(y).hex()}f, "
                   f"{zy + 128}, 0, 255 }}, {sums[k]}, {int(got[k]) + 128}, {int(plain[k]) + 128} }},")


def main():
    found = list(rows())
    if len(sys.argv) < 2:
        print("/* litert_means.py with LiteRT", version("ai-edge-litert") + ": codes, grid of x, grid of y, sum "
              "less zero points,\n * LiteRT's code, that of the plain formula. */")
        print("\n".join(found))
        return 0
    with open(sys.argv[1], encoding="utf-8") as f:
        kept = [line.strip() for line in f if line.startswith("{")]
    print(f"means: {len(found)} codes that the plain formula rounds otherwise, "
          f"{len(set(found) ^ set(kept))} are not those that are kept")
    return found != kept or len(found) < 20


if __name__ == "__main__":
    sys.exit(main())
