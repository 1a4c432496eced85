# SPDX-License-Identifier: Apache-2.0
"""Drives the operators that onnxruntime fuses an exported file into through everything that can occur:
QLinearConv, QGemm and QLinearGlobalAveragePool through both sides of every threshold of every
channel, QLinearAdd and QLinearMul through all pairs of codes. With the fusion that `verify --runtime ort` checks,
equal here means equal for every picture. `detent verify --prove --runtime ort` starts it; one line of
JSON a node comes through standard input (cli/runtime.c).

A sum is made of codes 0..255 and weights 64, -64, 1 and -1, the same for all channels, so that no
kernel can saturate on the way."""
import json

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

COARSE, COLUMNS = 64, 4096
F32, U8 = np.float32, np.uint8


def run(op, inputs, constants, **attributes):
    """One operator, "domain:name" or "name" of ONNX itself; `inputs` are uint8 arrays, `constants`
    the rest, both in the operator's order."""
    order = [*inputs, *constants]
    names = attributes.pop("order", order)
    node = helper.make_node(op.split(":")[-1], names, ["y"], domain=op.rpartition(":")[0],
                            **attributes)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node], op, [value(k, TensorProto.UINT8, v.shape) for k, v in inputs.items()],
        [value("y", TensorProto.UINT8, None)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()])
    model = helper.make_model(graph, ir_version=7, opset_imports=[
        helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)])
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options,
                                   providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def sums_to_codes(sums):
    """Codes [n,K] and weights [K] with these sums."""
    coarse, fine = np.divmod(np.abs(sums), COARSE)
    many = int(coarse.max() // 255 + 1)
    x = np.zeros((len(sums), 2 * many + 2), U8)
    weights = np.repeat(np.array([COARSE, -COARSE, 1, -1], np.int8), [many, many, 1, 1])
    parts = np.clip(coarse[:, None] - 255 * np.arange(many), 0, 255)
    negative = sums < 0
    x[~negative, :many] = parts[~negative]
    x[negative, many:2 * many] = parts[negative]
    x[~negative, -2] = fine[~negative]
    x[negative, -1] = fine[negative]
    assert (x.astype(np.int64) @ weights.astype(np.int64) == sums).all()
    return x, weights


def product_constants(node, weights):
    """Those that rows and pictures share, and the weights [C,K]."""
    scales = np.array(node["w_scale"], F32)
    grid, C = node["grid"], len(scales)
    w = np.tile(weights, (C, 1))
    constants = {"xs": F32(node["x_scale"]), "xz": U8(0), "ws": scales,
                 "wz": np.zeros(C, np.int8), "ys": F32(grid["scale"]), "yz": U8(grid["zero"])}
    return constants, w


def rows(node, sums):
    """What onnxruntime gives: codes [n,C]."""
    x, weights = sums_to_codes(sums)
    constants, w = product_constants(node, weights)
    constants.update(w=w, b=np.zeros(len(w), np.int32))
    return run(node["operator"], {"x": x}, constants, transB=1,
               order=["x", "xs", "xz", "w", "ws", "wz", "b", "ys", "yz"])


def pixels(node, sums):
    """A pixel for each sum."""
    x, weights = sums_to_codes(sums)
    constants, w = product_constants(node, weights)
    constants.update(w=w.reshape(*w.shape, 1, 1))
    y = run(node["operator"], {"x": x.T.reshape(1, -1, 1, len(sums))}, constants,
            order=["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"])
    return y.reshape(len(w), -1).T


def means(node, sums):
    """A picture for each sum: the pool of a channel."""
    n, zero, grid = node["pixels"], node["x_zero"], node["grid"]
    total = sums + n * zero
    x = (total[:, None] // n + (np.arange(n) < (total % n)[:, None])).astype(U8)
    assert (x.sum(axis=1, dtype=np.int64) == total).all()
    constants = {"xs": F32(node["x_scale"]), "xz": U8(zero), "ys": F32(grid["scale"]),
                 "yz": U8(grid["zero"])}
    y = run(node["operator"], {"x": x.reshape(1, len(sums), n, 1)}, constants)
    return np.repeat(y.reshape(-1, 1), len(node["w_scale"]), axis=1)


# By the operator that a form names (integer/form.h): how it is given a sum.
DRIVERS = {"QLinearConv": pixels, "QGemm": rows, "QLinearGlobalAveragePool": means}


def compare_stairs(node):
    """(cases, differing) over both sides of every threshold within each channel's reach."""
    grid = node["grid"]
    steps, low, high = grid["high"] - grid["low"], np.array(node["low"]), np.array(node["high"])
    thresholds = np.array(node["thresholds"], np.int64).reshape(len(low), steps)
    edges = np.concatenate([thresholds, thresholds - 1, low[:, None], high[:, None]], axis=1)
    sums = np.unique(np.clip(edges, low[:, None], high[:, None]))
    cases = differ = 0
    drive = DRIVERS[node["operator"].split(":")[-1]]
    for at in range(0, len(sums), COLUMNS):
        part = sums[at:at + COLUMNS]
        got = np.clip(drive(node, part), grid["low"], grid["high"])  # the Clip behind the operator
        for c in range(len(low)):
            inside = (part >= low[c]) & (part <= high[c])
            want = grid["low"] + np.searchsorted(thresholds[c], part[inside], side="right")
            cases += int(inside.sum())
            differ += int((got[inside, c] != want).sum())
    return cases, differ


def compare_pairs(node):
    a = np.repeat(np.arange(256, dtype=U8), 256)
    b = np.tile(np.arange(256, dtype=U8), 256)
    constants = {}
    for k, grid in ("a", node["a"]), ("b", node["b"]), ("c", node["grid"]):
        constants[k + "s"], constants[k + "z"] = F32(grid["scale"]), U8(grid["zero"])
    got = run(node["operator"], {"a": a, "b": b}, constants,
              order=["a", "as", "az", "b", "bs", "bz", "cs", "cz"])
    got = np.clip(got, node["grid"]["low"], node["grid"]["high"])
    return len(a), int((got != np.array(node["codes"])).sum())


def main(stream, as_json):
    rows = []
    for line in stream:
        if not line.strip():
            break
        node = json.loads(line)
        cases, differ = compare_pairs(node) if "codes" in node else compare_stairs(node)
        rows.append({"name": node["name"], "operator": node["operator"], "cases": cases,
                     "differ": differ})
    total = sum(r["differ"] for r in rows)
    good = total == 0 and len(rows) > 0
    if as_json:
        print(json.dumps({"verified": good, "runtime": f"onnxruntime {ort.__version__}",
                          "differ": total, "nodes": rows}))
        return good
    print(f"onnxruntime {ort.__version__}")
    for r in rows:
        operator = r["operator"].split(":")[-1]
        print(f"{r['name']:30} {operator:24} {r['differ']:9} of {r['cases']:9} differ")
    print("proved" if good else "NOT proved")
    return good
