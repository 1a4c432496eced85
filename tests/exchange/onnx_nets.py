#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small networks as ONNX files, each with something that exporters write: for the comparison with
onnxruntime (onnx_nets_check.py) and as the corpus of the fuzz target of the graph's reader.

usage: onnx_nets.py FOLDER [SIDE]      with packages of tests/requirements.txt; SIDE of pictures: 32
"""
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES = 10


class Net:
    def __init__(self, name, side, opset=13, last=False):
        self.name, self.opset, self.side = name, opset, side
        self.rng = np.random.default_rng(len(name) + 7 * opset)
        self.nodes, self.constants, self.functions = [], [], []
        self.input = ["N", side, side, 3] if last else ["N", 3, side, side]
        self.count = 0

    def real(self, *shape, scale=None):
        n = max(int(np.prod(shape[1:])), 1)
        value = self.rng.normal(0, scale or (2 / n) ** 0.5, shape).astype(np.float32)
        return self.constant(value)

    def constant(self, value, name=None):
        name = name or f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def whole(self, *values):
        return self.constant(np.array(values, dtype=np.int64))

    def __call__(self, op, *inputs, out=None, **attributes):
        self.count += 1
        out = out or f"v{self.count}"
        self.nodes.append(helper.make_node(op, list(inputs), [out], name=f"/{op}_{self.count}",
                                           **attributes))
        return out

    def norm(self, x, channels):
        positive = self.constant(self.rng.uniform(0.5, 1.5, channels).astype(np.float32))
        return self("BatchNormalization", x, self.real(channels, scale=1), self.real(channels, scale=.2),
                    self.real(channels, scale=.2), positive, epsilon=1e-3, momentum=0.99)

    def head(self, x, channels):
        pooled = self("Flatten", self("GlobalAveragePool", x))
        return self("Gemm", pooled, self.real(CLASSES, channels), self.real(CLASSES, scale=.1),
                    transB=1, out="logits")

    def save(self, folder):
        graph = helper.make_graph(
            self.nodes, self.name,
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, self.input)],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", CLASSES])],
            self.constants)
        domains = [helper.make_opsetid("", self.opset)]
        domains += [helper.make_opsetid(d, 1) for d in sorted({f.domain for f in self.functions})]
        model = helper.make_model(graph, opset_imports=domains, functions=self.functions,
                                  producer_name="detent-tests")
        model.ir_version = 7 if self.opset < 15 else 8
        onnx.save(model, os.path.join(folder, self.name + ".onnx"))


def sided(side):
    """Padding by side, as Keras has it; a bias in front of a batch norm; ReLU6 as Clip."""
    n = Net("sided", side)
    x = n("Conv", "image", n.real(6, 3, 3, 3), n.real(6, scale=.1), pads=[0, 0, 1, 1], strides=[2, 2])
    x = n("Clip", n.norm(x, 6), n.constant(np.float32(0)), n.constant(np.float32(6)))
    x = n("Conv", x, n.real(6, 1, 3, 3), group=6, auto_pad="SAME_UPPER", strides=[2, 2])
    x = n("Conv", x, n.real(7, 6, 1, 5), pads=[0, 2, 0, 2])
    x = n("Add", n.real(1, 7, 1, 1, scale=.1), x)
    n.head(n("Relu", x), 7)
    return n


def padded(side):
    """A Pad whose amounts are computed: what exporters write for F.pad."""
    n = Net("padded", side, 17)
    amounts = n.whole(0, 1, 0, 1)
    zeros = n("ConstantOfShape", n.whole(4), value=helper.make_tensor("v", TensorProto.INT64, [1], [0]))
    pairs = n("Reshape", n("Concat", amounts, zeros, axis=0), n.whole(-1, 2))
    turned = n("Slice", pairs, n.whole(-1), n.whole(-2 ** 63 + 1), n.whole(0), n.whole(-1))
    pads = n("Cast", n("Reshape", n("Transpose", turned, perm=[1, 0]), n.whole(-1)), to=7)
    x = n("Conv", n("Pad", "image", pads, mode="constant"), n.real(5, 3, 3, 3), strides=[2, 2])
    n.head(n("Relu", x), 5)
    return n


def residual(side):
    """A sum, a shortcut of 1x1, max pooling, a mean by ReduceMean, x.view(x.size(0), -1)."""
    n = Net("residual", side, 11)
    stem = n("Relu", n("Conv", "image", n.real(4, 3, 3, 3), pads=[1] * 4))
    stem = n("MaxPool", stem, kernel_shape=[2, 2], strides=[2, 2])
    a = n("Relu", n("Conv", stem, n.real(6, 4, 3, 3), n.real(6, scale=.1), pads=[1] * 4, strides=[2, 2]))
    a = n("Conv", a, n.real(6, 6, 3, 3), pads=[1] * 4)
    x = n("Relu", n("Add", a, n("Conv", stem, n.real(6, 4, 1, 1), strides=[2, 2])))
    pooled = n("ReduceMean", x, axes=[2, 3], keepdims=1)
    first = n("Gather", n("Shape", pooled), n.constant(np.int64(0)), axis=0)
    shape = n("Concat", n("Unsqueeze", first, axes=[0]), n.whole(-1), axis=0)
    rows = n("Dropout", n("Reshape", pooled, shape))
    n("Gemm", rows, n.real(6, CLASSES), n.real(CLASSES, scale=.1), out="logits")
    return n


def last(side):
    """Pictures as [N,H,W,C], with the transposes of tf2onnx."""
    n = Net("last", side, 15, last=True)
    x = n("Conv", n("Transpose", "image", perm=[0, 3, 1, 2]), n.real(5, 3, 3, 3), n.real(5, scale=.1),
          auto_pad="SAME_LOWER", strides=[2, 2])
    x = n("Transpose", n("Transpose", n("Relu", x), perm=[0, 2, 3, 1]), perm=[0, 3, 1, 2])
    pooled = n("Squeeze", n("GlobalAveragePool", x), n.whole(3, 2))
    rows = n("MatMul", n("Identity", pooled), n.real(5, CLASSES))
    n("Add", rows, n.real(CLASSES, scale=.1), out="logits")
    return n


def functions(side):
    """Functions of one value, and limits that are no ReLU6."""
    n = Net("functions", side, 14)
    x = "image"
    channels = 3
    for op, attributes in (("Sigmoid", {}), ("HardSwish", {}), ("LeakyRelu", {"alpha": 0.1}),
                           ("Elu", {"alpha": 0.7}), ("Tanh", {}), ("Softplus", {}),
                           ("HardSigmoid", {"alpha": 0.25})):
        x = n(op, n("Conv", x, n.real(4, channels, 1, 1)), **attributes)
        channels = 4
    x = n("Clip", n("Conv", x, n.real(4, 4, 3, 3)), n.constant(np.float32(-0.5)), n.constant(np.float32(1)))
    n.head(x, 4)
    return n


def squeeze(side):
    """Squeeze and excitation, a sum of branches by Concat, SiLU as exporters write it."""
    n = Net("squeeze", side, 16)
    a = n("Conv", "image", n.real(4, 3, 3, 3), n.real(4, scale=.1), pads=[1] * 4, strides=[2, 2])
    a = n("Mul", a, n("Sigmoid", a))
    b = n("Conv", "image", n.real(3, 3, 1, 1), n.real(3, scale=.1), strides=[2, 2])
    x = n("Concat", a, b, axis=1)
    s = n("GlobalAveragePool", x)
    s = n("Relu", n("Conv", s, n.real(4, 7, 1, 1), n.real(4, scale=.1)))
    s = n("Sigmoid", n("Conv", s, n.real(7, 4, 1, 1), n.real(7, scale=.1)))
    n.head(n("Conv", n("Mul", x, s), n.real(6, 7, 3, 3)), 6)
    return n


def pools(side):
    """Windows of every kind: by side, rectangular, rounded up, with padding that counts and without."""
    n = Net("pools", side, 19)
    x = n("PRelu", n("Conv", "image", n.real(6, 3, 3, 3), pads=[1] * 4), n.real(6, 1, 1, scale=.3))
    x = n("MaxPool", x, kernel_shape=[3, 2], strides=[2, 1], pads=[0, 1, 1, 0])
    x = n("PRelu", x, n.real(1, scale=.3))
    x = n("AveragePool", x, kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1)
    x = n("Conv", x, n.real(5, 6, 1, 1))
    x = n("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    x = n("AveragePool", n("Relu", x), kernel_shape=[2, 3], strides=[2, 2], auto_pad="SAME_UPPER",
          count_include_pad=1)
    a, b = n("GlobalMaxPool", x), n("ReduceMax", x, n.whole(2, 3), keepdims=1)
    x = n("Flatten", n("Add", a, n("Concat", b, axis=1)))
    n("Gemm", x, n.real(CLASSES, 5), n.real(CLASSES, scale=.1), transB=1, out="logits")
    return n


def borders(side):
    """Means whose divisor is another one at the border: float between quantizers."""
    n = Net("borders", side, 19)
    x = n("Relu", n("Conv", "image", n.real(4, 3, 3, 3), pads=[1] * 4, strides=[2, 2]))
    x = n("AveragePool", x, kernel_shape=[3, 3], pads=[1] * 4)
    x = n("AveragePool", n("Conv", x, n.real(4, 4, 1, 1)), kernel_shape=[3, 3], strides=[2, 2],
          pads=[1, 1, 0, 0], ceil_mode=1, count_include_pad=1)
    x = n("AveragePool", n("Conv", x, n.real(4, 4, 1, 1)), kernel_shape=[3, 3], strides=[2, 2],
          ceil_mode=1)
    n.head(n("Conv", x, n.real(5, 4, 1, 1)), 5)
    return n


def dilated(side):
    """Taps that lie apart: of all channels, of groups, of each channel, padded by side."""
    n = Net("dilated", side, 11)
    x = n("Relu", n("Conv", "image", n.real(6, 3, 3, 3), dilations=[2, 2], pads=[2] * 4))
    x = n("Relu", n("Conv", x, n.real(6, 3, 3, 2), group=2, dilations=[1, 3], pads=[0, 2, 1, 4],
                    strides=[2, 1]))
    x = n("Relu", n("Conv", x, n.real(6, 1, 3, 3), n.real(6, scale=.1), group=6, dilations=[3, 2]))
    n.head(n("Conv", x, n.real(5, 6, 3, 3), dilations=[2, 2], strides=[2, 2], pads=[1, 2, 2, 1]), 5)
    return n


def fronts(side):
    """A Pad in front of pooling: zeros behind a Relu, less than all numbers, zeros that count."""
    n = Net("fronts", side, 13)
    pads = n.whole(0, 0, 0, 1, 0, 0, 1, 0)
    x = n("Relu", n("Conv", "image", n.real(4, 3, 3, 3), pads=[1] * 4))
    x = n("MaxPool", n("Pad", x, pads), kernel_shape=[3, 3], strides=[2, 2])
    x = n("Conv", x, n.real(5, 4, 1, 1))
    x = n("Pad", x, pads, n.constant(np.float32(-np.inf)))
    x = n("MaxPool", x, kernel_shape=[2, 3], strides=[1, 2], pads=[0, 1, 0, 1])
    x = n("AveragePool", n("Pad", n("Conv", x, n.real(5, 5, 1, 1)), pads), kernel_shape=[2, 2])
    n.head(n("Conv", x, n.real(5, 5, 1, 1)), 5)
    return n


def shuffled(side):
    """A unit of ShuffleNetV2, halves of channels by Split and by Slice, Flatten of a picture in front of
    Gemm."""
    n = Net("shuffled", side, 13)
    x = n("Relu", n("Conv", "image", n.real(8, 3, 3, 3), n.real(8, scale=.1), strides=[4, 4]))
    rows = side // 4
    a, b = n("Split", x, n.whole(4, 4), axis=1), f"v{n.count}b"
    n.nodes[-1].output.append(b)
    b = n("Relu", n.norm(n("Conv", b, n.real(4, 4, 3, 3), pads=[1] * 4), 4))
    x = n("Concat", a, b, axis=1)
    x = n("Reshape", x, n.whole(0, 2, 4, rows, rows))
    x = n("Reshape", n("Transpose", x, perm=[0, 2, 1, 3, 4]), n.whole(0, -1, rows, rows))
    a = n("Slice", x, n.whole(0), n.whole(4), n.whole(1))
    b = n("Relu", n("Conv", n("Slice", x, n.whole(4), n.whole(8), n.whole(1)), n.real(4, 4, 3, 3),
                    pads=[1] * 4))
    x = n("MaxPool", n("Concat", b, a, axis=1), kernel_shape=[2, 2], strides=[2, 2])
    flat = n("Flatten", x)
    size = 8 * (rows // 2) ** 2
    x = n("Relu", n("Gemm", flat, n.real(12, size), n.real(12, scale=.1), transB=1))
    n("Gemm", x, n.real(CLASSES, 12), n.real(CLASSES, scale=.1), transB=1, out="logits")
    return n


def moves(side):
    """Elements by indices: padding that nothing takes in, of every kind; rolls, turns, repeats; resized to the
    nearest by whole factors and others; channels that are pixels."""
    n = Net("moves", side, 18)
    x = n("Relu", n("Conv", "image", n.real(4, 3, 3, 3), pads=[1] * 4, strides=[2, 2]))
    rows = side // 2
    factors = lambda *x: n.constant(np.float32((1, 1, *x)))
    y = n("Pad", x, n.whole(1, 2, 0, -1), n.constant(np.float32(0)), n.whole(2, 3))
    y = n("Conv", n("Add", y, n("Pad", x, n.whole(1, 2, 0, -1), "", n.whole(2, 3), mode="reflect")),
          n.real(4, 4, 3, 3), pads=[1, 0, 0, 0])
    y = n("Resize", y, "", factors(1, 1.07), mode="nearest", nearest_mode="floor",
          coordinate_transformation_mode="asymmetric")
    x = n("Relu", n("Add", x, n("Pad", y, n.whole(0, 1, 0, 0, 0, -1, 0, 0), mode="edge")))
    a = n("Slice", x, n.whole(3), n.whole(rows), n.whole(2))
    x = n("Concat", a, n("Slice", x, n.whole(0), n.whole(3), n.whole(2)), axis=2)
    x = n("Slice", x, n.whole(-1), n.whole(-2 ** 63), n.whole(3), n.whole(-1))
    x = n("Conv", x, n.real(8, 4, 1, 1), n.real(8, scale=.1))
    x = n("Relu", n("DepthToSpace", x, blocksize=2, mode="CRD"))
    x = n("Relu", n("Conv", x, n.real(4, 2, 3, 3), strides=[2, 2], pads=[1] * 4))
    x = n("Conv", n("SpaceToDepth", x, blocksize=2), n.real(6, 16, 1, 1))
    x = n("Gather", x, n.whole(5, 4, 3, 2, 1, 0), axis=1)
    s = n("Conv", n("GlobalAveragePool", x), n.real(6, 6, 1, 1), n.real(6, scale=.1))
    x = n("Add", x, s)  # one number for each channel
    x = n("Resize", n("Relu", x), "", factors(2, 2), mode="nearest")
    n.head(n("Conv", x, n.real(5, 6, 3, 3)), 5)
    return n


def transposed(side):
    """Transposed convolutions: strides, groups, padding by side and behind the output, dilation."""
    n = Net("transposed", side, 13)
    x = n("Relu", n("Conv", "image", n.real(4, 3, 3, 3), pads=[1] * 4, strides=[4, 4]))
    x = n("Relu", n("ConvTranspose", x, n.real(4, 6, 3, 3), n.real(6, scale=.1), strides=[2, 2], pads=[1] * 4,
                    output_padding=[1, 0]))
    x = n("ConvTranspose", x, n.real(6, 2, 2, 3), group=3, strides=[1, 2], pads=[0, 2, 1, 0])
    x = n("Relu", n("ConvTranspose", x, n.real(6, 4, 3, 3), dilations=[1, 2], pads=[2, 1, 2, 3]))
    n.head(n("Conv", x, n.real(5, 4, 3, 3)), 5)
    return n


def sums(side):
    """Einsum of heads, softmax over channels, lengths and sums of dimensions, greater of a value and a number:
    float between quantizers."""
    n = Net("sums", side, 13)
    x = n("Relu", n("Conv", "image", n.real(8, 3, 4, 4), n.real(8, scale=.1), strides=[4, 4]))
    count = (side // 4) ** 2
    t = n("Reshape", x, n.whole(0, 2, 4, count))
    p = n("Softmax", n("Einsum", t, t, equation="bhcq,bhck->bhqk"), axis=-1)
    y = n("Reshape", n("Einsum", p, t, equation="b h q k, bhck -> bhcq"), n.whole(0, 8, side // 4, side // 4))
    y = n("Mul", n("Softmax", n("Conv", y, n.real(8, 8, 1, 1)), axis=1), x)
    length = n("Max", n("ReduceL2", y, axes=[1], keepdims=1), n.constant(np.float32(.1)))
    y = n("Div", y, n("Expand", length, n.whole(1, 8, side // 4, side // 4)))
    n.head(n("Add", n("Conv", y, n.real(5, 8, 1, 1)), n("ReduceSum", y, n.whole(1), keepdims=1)), 5)
    return n


def between(side):
    """Resized to what lies between pixels: float between quantizers."""
    n = Net("between", side, 13)
    x = n("Relu", n("Conv", "image", n.real(4, 3, 3, 3), pads=[1] * 4, strides=[2, 2]))
    factors = lambda *x: n.constant(np.float32((1, 1, *x)))
    x = n("Resize", x, "", factors(2, 1.25), mode="linear")
    x = n("Conv", x, n.real(4, 4, 3, 3), strides=[2, 2])
    x = n("Resize", x, "", factors(2, 2), mode="linear", coordinate_transformation_mode="align_corners")
    x = n("Resize", n("Conv", x, n.real(4, 4, 1, 1)), "", factors(.5, 1.5), mode="cubic")
    n.head(n("Conv", x, n.real(5, 4, 3, 3)), 5)
    return n


def gelu(n, x):
    """As exporters write it for opsets without one."""
    y = n("Erf", n("Div", x, n.constant(np.float32(2 ** 0.5))))
    return n("Mul", n("Mul", x, n("Add", y, n.constant(np.float32(1)))), n.constant(np.float32(0.5)))


def gelus(side):
    """Both formulas of GELU, as operators and written out."""
    n = Net("gelus", side, 20)
    x = gelu(n, n("Conv", "image", n.real(5, 3, 3, 3), n.real(5, scale=.1), strides=[2, 2]))
    x = n("Gelu", n("Conv", x, n.real(6, 5, 1, 1), n.real(6, scale=.1)), approximate="tanh")
    x = n("Gelu", n("Conv", x, n.real(4, 6, 3, 3)))
    n.head(n("Conv", x, n.real(5, 4, 1, 1)), 5)
    return n


def lengths(side):
    """Vectors by their lengths, of which some are 0, and the mean of two heads at the end."""
    n = Net("lengths", side, 13)
    low = n.constant(np.full(6, -.5, np.float32))
    x = n("Relu", n("Conv", "image", n.real(6, 3, 3, 3), low, strides=[4, 4]))
    length = n("Sqrt", n("ReduceSum", n("Mul", x, x), n.whole(1)))
    x = n("Div", x, n("Clip", length, n.constant(np.float32(1e-12))))
    rows = n("ReduceMean", n("Conv", x, n.real(8, 6, 1, 1)), axes=[2, 3], keepdims=0)
    heads = [n("Gemm", rows, n.real(CLASSES, 8), n.real(CLASSES, scale=.1), transB=1) for _ in range(2)]
    n("Div", n("Add", *heads), n.constant(np.float32(2)), out="logits")
    return n


def coarse(side):
    """Biases whose steps are many of the codes behind them: the largest weight is of a channel that is 0. A
    norm keeps the net from being integers alone."""
    n = Net("coarse", side, 14)
    stem = n("Relu", n("Conv", "image", n.real(4, 3, 3, 3), n.constant(np.float32([0, 0, 0, -99])), strides=[4, 4]))
    kernel = n.rng.normal(0, .02, (5, 4, 1, 1)).astype(np.float32)
    kernel[:, 3] = 8
    x = n("Conv", stem, n.constant(kernel), n.real(5, scale=.02))
    x = n("InstanceNormalization", n("HardSwish", x), n.real(5), n.real(5))
    n.head(n("Conv", x, n.real(6, 5, 1, 1)), 6)
    return n


def layernorm(n, x, channels):
    """The same of a layer norm."""
    d = n("Sub", x, n("ReduceMean", x, axes=[-1]))
    v = n("ReduceMean", n("Pow", d, n.constant(np.float32(2))), axes=[-1])
    y = n("Div", d, n("Sqrt", n("Add", v, n.constant(np.float32(1e-6)))))
    return n("Add", n("Mul", y, n.real(channels, scale=1)), n.real(channels, scale=.2))


def arithmetic(side):
    """Values and numbers, factors and shifts of channels, differences, quotients, powers."""
    n = Net("arithmetic", side, 15)
    number = lambda x: n.constant(np.float32(x))
    x = n("Sub", n("Mul", "image", number(2)), number(1))
    a = n("Conv", x, n.real(6, 3, 3, 3), strides=[2, 2])
    a = n("Mul", n("Relu", a), n.real(1, 6, 1, 1, scale=1))
    a = n("Add", n.real(6, 1, 1, scale=.5), n("Abs", a))
    b = n("Sigmoid", n("Conv", x, n.real(6, 3, 3, 3), strides=[2, 2]))
    x = n("Div", n("Sub", a, n("Pow", b, number(2))), n("Add", b, number(1.5)))
    x = n("Sub", number(1), n("Conv", x, n.real(5, 6, 1, 1)))
    s = n("Sigmoid", n("GlobalAveragePool", x))
    n.head(n("Conv", n("Div", x, n("Add", s, number(1))), n.real(5, 5, 3, 3)), 5)
    return n


def pixels(side):
    """A block of ConvNeXt: channels last by Transpose, layer norms of pixels, the scale of a layer."""
    n = Net("pixels", side, 17)
    x = n("Conv", "image", n.real(8, 3, 4, 4), n.real(8, scale=.1), strides=[4, 4])
    y = n("Conv", x, n.real(8, 1, 3, 3), n.real(8, scale=.1), pads=[1] * 4, group=8)
    y = n("Transpose", y, perm=[0, 2, 3, 1])
    y = n("LayerNormalization", y, n.real(8, scale=1), n.real(8, scale=.2), axis=-1, epsilon=1e-6)
    y = gelu(n, n("Add", n("MatMul", y, n.real(8, 16)), n.real(16, scale=.1)))
    y = n("Transpose", n("Add", n.real(8, scale=.1), n("MatMul", y, n.real(16, 8))), perm=[0, 3, 1, 2])
    x = n("Add", n("Mul", y, n.real(8, 1, 1, scale=.5)), x)
    x = layernorm(n, n("Transpose", x, perm=[0, 2, 3, 1]), 8)
    n.head(n("Transpose", x, perm=[0, 3, 1, 2]), 8)
    return n


def tokens(side):
    """A transformer: a joint layer of queries, keys and values, heads as dimensions of their own."""
    n = Net("tokens", side, 14)
    size, heads, count = 12, 3, 17
    x = n("Conv", "image", n.real(size, 3, side // 4, side // 4), n.real(size, scale=.1),
          strides=[side // 4] * 2)
    x = n("Transpose", n("Reshape", x, n.whole(0, size, -1)), perm=[0, 2, 1])
    batch = n("Slice", n("Shape", x), n.whole(0), n.whole(1))
    token = n("Expand", n.real(1, 1, size, scale=1), n("Concat", batch, n.whole(1, 1), axis=0))
    x = n("Concat", token, x, axis=1)
    x = n("Add", x, n.real(1, count, size, scale=.5))
    y = layernorm(n, x, size)
    y = n("Add", n("MatMul", y, n.real(size, 3 * size)), n.real(3 * size, scale=.1))
    y = n("Transpose", n("Reshape", y, n.whole(-1, count, 3, heads, size // heads)), perm=[2, 0, 3, 1, 4])
    q, k, v = (n("Gather", y, n.constant(np.int64(i)), axis=0) for i in range(3))
    q = n("Mul", q, n.constant(np.float32(0.5)))
    p = n("MatMul", q, n("Transpose", k, perm=[0, 1, 3, 2]))
    p = n("Softmax", n("Add", p, n.real(heads, count, count, scale=.3)), axis=-1)
    y = n("Reshape", n("Transpose", n("MatMul", p, v), perm=[0, 2, 1, 3]), n.whole(-1, count, size))
    x = n("Add", x, n("Add", n("MatMul", y, n.real(size, size)), n.real(size, scale=.1)))
    y = gelu(n, n("Add", n("MatMul", layernorm(n, x, size), n.real(size, 20)), n.real(20, scale=.1)))
    x = n("Add", x, n("Add", n("MatMul", y, n.real(20, size)), n.real(size, scale=.1)))
    x = n("Gather", layernorm(n, x, size), n.constant(np.int64(0)), axis=1)
    n("Gemm", x, n.real(CLASSES, size, scale=.5), n.real(CLASSES, scale=.1), transB=1, out="logits")
    return n


def pixel(side):
    """Pictures of one pixel, which are rows too: convolutions of each channel, squeeze and excitation, sums,
    halves beside each other, pooling."""
    n = Net("pixel", side, 13)
    x = n("Relu", n("Conv", "image", n.real(6, 3, 3, 3), strides=[4, 4], pads=[1] * 4))
    x = n("Conv", x, n.real(6, 6, side // 4, side // 4), n.real(6, scale=.1))
    s = n("Conv", n("GlobalAveragePool", x), n.real(6, 6, 1, 1), n.real(6, scale=.1))
    y = n("Conv", n("Mul", n("Sigmoid", s), x), n.real(6, 1, 3, 3), n.real(6, scale=.1), group=6,
          pads=[1] * 4)
    y = n("Conv", n("Relu", y), n.real(6, 6, 1, 1))
    x = n("Relu", n("Add", n("Conv", s, n.real(6, 6, 1, 1)), n("Add", y, x)))
    x = n("Concat", x, n("MaxPool", n("Relu", s), kernel_shape=[1, 1]), axis=1)
    n.head(n("Relu", x), 12)
    return n


def dense(side):
    """More values beside each other than a node takes, each read by all that follow, norms in front of
    convolutions."""
    n = Net("dense", side, 13)
    parts = [n("MaxPool", n("Relu", n("Conv", "image", n.real(4, 3, 3, 3), strides=[3, 3])),
               kernel_shape=[2, 2], strides=[2, 2])]
    for i in range(18):
        x = n("Concat", *parts, axis=1) if i else parts[0]
        x = n("Relu", n.norm(x, 4 + 2 * i))
        parts.append(n("Conv", x, n.real(2, 4 + 2 * i, 1, 1)))
    n.head(n("Relu", n.norm(n("Concat", *parts, axis=1), 40)), 40)
    return n


def masks(side):
    """Constants that are computed: positions by CumSum, Sin and Cos, masks by comparisons and ScatterND."""
    n = Net("masks", side, 16)
    real = lambda *x: n.constant(np.array(x, dtype=np.float32))
    ones = n.constant(np.ones((1, 6), dtype=np.int64))
    at = n("Cast", n("CumSum", ones, n.constant(np.int64(1)), exclusive=1), to=1)
    back = n("CumSum", n("Sin", at), n.constant(np.int64(-1)), reverse=1)
    shift = n("Add", n("Cos", back), n("Mul", n("Floor", n("Div", at, real(2))), real(.1)))
    near = n("And", n("Greater", at, real(0.5)), n("Not", n("GreaterOrEqual", at, real(4))))
    far = n("Or", n("Less", at, real(1)), n("Xor", n("LessOrEqual", at, real(2)), n("Equal", at, real(5))))
    shift = n("Where", near, shift, n("Ceil", n("Where", far, shift, real(.3))))
    grid = n("Tile", n("Reshape", shift, n.whole(1, 2, 3)), n.whole(2, 1, 2))
    rows = n.constant(np.array([[0, 1], [1, -2]]))
    grid = n("ScatterND", grid, rows, n.constant(n.rng.normal(0, 1, (2, 6)).astype(np.float32)))
    row = n("Reshape", grid, n.whole(24, 1, 1))
    x = n("Conv", "image", n.real(24, 3, 3, 3), strides=[2, 2])
    n.head(n("Relu", n("Add", n("Relu", x), row)), 24)
    return n


def merged(side):
    """LeViT: batch norms of rows that are tokens of all pictures, [N T,C], and of [N,C,L]."""
    n = Net("merged", side, 17)
    size = 12
    x = n("Conv", "image", n.real(size, 3, side // 4, side // 4), strides=[side // 4] * 2)
    x = n("Transpose", n.norm(n("Reshape", x, n.whole(0, size, -1)), size), perm=[0, 2, 1])
    y = n("MatMul", x, n.real(size, 20))
    rows = n.norm(n("Reshape", y, n.whole(-1, 20)), 20)
    y = n("HardSwish", n("Reshape", rows, n("Shape", y)))
    y = n("MatMul", y, n.real(20, size))
    x = n("Add", x, n("Reshape", n.norm(n("Flatten", y, axis=2), size), n("Shape", y)))
    x = n.norm(n("ReduceMean", layernorm(n, x, size), axes=[1], keepdims=0), size)
    n("Gemm", x, n.real(CLASSES, size, scale=.5), n.real(CLASSES, scale=.1), transB=1, out="logits")
    return n


def crossed(side):
    """CrossViT: a class token of one branch in front of the other's patches, and back; the mean of two heads,
    stacked in front of the samples."""
    n = Net("crossed", side, 17)
    size = 12
    end = 2 ** 63 - 1

    def patches(k):
        x = n("Conv", "image", n.real(size, 3, side // k, side // k), strides=[side // k] * 2)
        x = n("Transpose", n("Reshape", x, n.whole(0, size, -1)), perm=[0, 2, 1])
        batch = n("Slice", n("Shape", x), n.whole(0), n.whole(1))
        token = n("Expand", n.real(1, 1, size, scale=1), n("Concat", batch, n.whole(1, 1), axis=0))
        return n("Add", n("Concat", token, x, axis=1), n.real(1, k * k + 1, size, scale=.5))

    def cut(x, a, b):
        return n("Slice", x, n.whole(a), n.whole(b), n.whole(1))

    def heads(t, count):
        return n("Transpose", n("Reshape", t, n.whole(-1, count, 3, size // 3)), perm=[0, 2, 1, 3])

    a, b = patches(4), patches(2)
    ca = n("MatMul", layernorm(n, cut(a, 0, 1), size), n.real(size, size))
    mixed = n("Concat", ca, cut(b, 1, end), axis=1)
    y = layernorm(n, mixed, size)
    q = n("MatMul", cut(y, 0, 1), n.real(size, size))
    k = n("MatMul", y, n.real(size, size))
    v = n("MatMul", y, n.real(size, size))
    q, k, v = heads(n("Mul", q, n.constant(np.float32(0.5))), 1), heads(k, 5), heads(v, 5)
    p = n("Softmax", n("MatMul", q, n("Transpose", k, perm=[0, 1, 3, 2])), axis=-1)
    o = n("Reshape", n("Transpose", n("MatMul", p, v), perm=[0, 2, 1, 3]), n.whole(-1, 1, size))
    c = n("Add", cut(mixed, 0, 1), n("MatMul", o, n.real(size, size)))
    a = layernorm(n, n("Concat", c, cut(a, 1, end), axis=1), size)
    x = n("Gather", a, n.constant(np.int64(0)), axis=1)
    z = n("Gather", layernorm(n, b, size), n.constant(np.int64(0)), axis=1)
    rows = [n("Gemm", t, n.real(CLASSES, size, scale=.5), n.real(CLASSES, scale=.1), transB=1) for t in (x, z)]
    stack = n("Concat", *(n("Unsqueeze", r, n.whole(0)) for r in rows), axis=0)
    n("ReduceMean", stack, axes=[0], keepdims=0, out="logits")
    return n
def branch(n, out, *calls):
    """A graph without inputs, of nodes that n makes in `calls`: what an If has."""
    at = len(n.nodes)
    for call in calls:
        call()
    nodes, n.nodes = n.nodes[at:], n.nodes[:at]
    return helper.make_graph(nodes, "branch", [], [helper.make_tensor_value_info(out, TensorProto.FLOAT, None)])


def control(side):
    """What TorchScript writes for squeeze (an If that asks for a size), an If in an If, a Loop of constant
    turns."""
    n = Net("control", side, 16)
    x = n("Relu", n("Conv", "image", n.real(6, 3, 3, 3), pads=[1] * 4, strides=[2, 2]))
    rows = n("Gather", n("Shape", x), n.constant(np.int64(2)), axis=0)
    even = n("Equal", n("Mod", rows, n.constant(np.int64(2))), n.constant(np.int64(0)))
    wide, thin = n.real(8, 6, 3, 3), n.real(8, 6, 1, 1)
    inner = branch(n, "w", lambda: n("Conv", x, wide, pads=[1] * 4, out="w"))
    other = branch(n, "o", lambda: n("Neg", x, out="o"))
    then = branch(n, "a", lambda: n("If", even, then_branch=inner, else_branch=other, out="b"),
                  lambda: n("Relu", "b", out="a"))
    x = n("If", even, then_branch=then, else_branch=branch(n, "t", lambda: n("Conv", x, thin, out="t")))
    weight = n.real(8, 8, 1, 1)
    at = len(n.nodes)
    n("Conv", "state", weight, out="turned")
    n("Add", "state", n("Relu", "turned"), out="next")
    n("Identity", "go", out="goes")
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        n.nodes[at:], "body", [info("i", TensorProto.INT64, []), info("go", TensorProto.BOOL, []),
                               info("state", TensorProto.FLOAT, None)],
        [info("goes", TensorProto.BOOL, []), info("next", TensorProto.FLOAT, None)])
    n.nodes = n.nodes[:at]
    x = n("Loop", n.constant(np.int64(2)), "", x, body=body)
    n.head(n("Relu", x), 8)
    return n


def functions_of(n, name, inputs, outputs, body, attributes=(), defaults=()):
    n.functions.append(helper.make_function(
        "detent.tests", name, inputs, outputs, body, [helper.make_opsetid("", n.opset),
                                                      helper.make_opsetid("detent.tests", 1)],
        list(attributes), attribute_protos=list(defaults)))


def referring(node, **names):
    """A node whose attributes are those of the caller."""
    for name, (kind, ref) in names.items():
        node.attribute.append(onnx.AttributeProto(name=name, ref_attr_name=ref, type=kind))
    return node


def called(side):
    """Functions that the file defines: one in another, attributes of the caller and those that it leaves
    out, GELU in a function."""
    n = Net("called", side, 18)
    make, kinds = helper.make_node, onnx.AttributeProto
    strided = referring(make("Conv", ["x", "w"], ["c"], name="conv"), strides=(kinds.INTS, "by"),
                        pads=(kinds.INTS, "around"))
    functions_of(n, "unit", ["x", "w", "b"], ["y"],
                 [strided, make("Add", ["c", "b"], ["s"]), make("act", ["s"], ["y"], domain="detent.tests")],
                 ["by"], [helper.make_attribute("around", [1, 1, 1, 1])])
    half, root, one = (make("Constant", [], [k], value_float=v) for k, v in
                       (("half", 0.5), ("root", 2 ** 0.5), ("one", 1.0)))
    functions_of(n, "act", ["x"], ["y"], [
        half, root, one, make("Div", ["x", "root"], ["d"]), make("Erf", ["d"], ["e"]),
        make("Add", ["e", "one"], ["g"]), make("Mul", ["x", "g"], ["p"]), make("Mul", ["p", "half"], ["y"])])
    x = n("unit", "image", n.real(6, 3, 3, 3), n.real(1, 6, 1, 1, scale=.1), by=[2, 2], domain="detent.tests")
    x = n("unit", x, n.real(8, 6, 3, 3), n.real(1, 8, 1, 1, scale=.1), by=[2, 2], around=[0, 1, 1, 1],
          domain="detent.tests")
    n.head(x, 8)
    return n


def groups(side):
    """Group norm as PyTorch writes it and as an operator, instance norm."""
    n = Net("groups", side, 21)
    rows = side // 2
    x = n("Conv", "image", n.real(8, 3, 3, 3), strides=[2, 2], pads=[1] * 4)
    one, zero = (n.constant(np.full(4, v, np.float32)) for v in (1, 0))
    y = n("InstanceNormalization", n("Reshape", x, n.whole(0, 4, -1)), one, zero, epsilon=1e-4)
    y = n("Mul", n("Reshape", y, n.whole(0, 8, rows, rows)), n.real(8, 1, 1, scale=1))
    x = n("Relu", n("Add", y, n.real(8, 1, 1, scale=.3)))
    x = n("Conv", x, n.real(6, 8, 3, 3), n.real(6, scale=.1), strides=[2, 2])
    x = n("Relu", n("GroupNormalization", x, n.real(6, scale=1), n.real(6, scale=.3), num_groups=2))
    x = n("Conv", x, n.real(5, 6, 1, 1))
    n.head(n("InstanceNormalization", x, n.real(5, scale=1), n.real(5, scale=.5)), 5)
    return n


def codes(n, value, step, bits=8):
    """A weight as signed codes with a scale for each output, and a bias as integer sums have it, for inputs
    of that step."""
    most = 2 ** (bits - 1) - 1
    scale = np.abs(value).reshape(len(value), -1).max(1) / most
    shape = (-1,) + (1,) * (value.ndim - 1)
    whole = np.rint(value / scale.reshape(shape)).astype(np.int8)
    w = n("DequantizeLinear", n.constant(whole), n.constant(scale.astype(np.float32)),
          n.constant(np.zeros(len(value), np.int8)), axis=0)
    return w, bias(n, scale.astype(np.float32) * np.float32(step))


def bias(n, scale):
    whole = np.rint(n.rng.normal(0, .1, len(scale)) / scale).astype(np.int32)
    return n("DequantizeLinear", n.constant(whole), n.constant(scale),
             n.constant(np.zeros(len(scale), np.int32)), axis=0)


def pair(n, x, scale, zero, limits=None):
    """Quantized and back."""
    s, z = n.constant(np.float32(scale)), n.constant(zero)
    x = n("QuantizeLinear", x, s, z)
    if limits:
        x = n("Clip", x, *(n.constant(zero.dtype.type(k)) for k in limits))
    return n("DequantizeLinear", x, s, z)


def qdq(side):
    """As onnxruntime's static quantization writes it: uint8 with zero points, weights and biases as codes,
    ReLUs left out where codes begin at 0, a pooling between equal grids."""
    n = Net("qdq", side)

    def conv(x, step, outs, ins, kernel):
        value = n.rng.normal(0, (2 / (ins * kernel ** 2)) ** 0.5, (outs, ins, kernel, kernel))
        return n("Conv", x, *codes(n, value, step, 7), pads=[1] * 4)

    u8 = np.uint8
    x = pair(n, "image", 1 / 255, u8(0))
    x = pair(n, conv(x, 1 / 255, 6, 3, 3), 0.02, u8(0))
    x = pair(n, n("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), 0.02, u8(0))
    y = pair(n, conv(x, 0.02, 6, 6, 3), 0.03, u8(117))
    x = pair(n, n("Add", x, y), 0.025, np.int8(-20))
    x = pair(n, n("GlobalAveragePool", x), 0.01, u8(60))
    x = pair(n, n("Flatten", x), 0.01, u8(60))
    head = codes(n, n.rng.normal(0, 0.5, (CLASSES, 6)), 0.01, 7)
    pair(n, n("Gemm", x, *head, transB=1), 0.02, u8(128))
    n.nodes[-1].output[0] = "logits"
    return n


def qcdq(side):
    """As Brevitas writes it: 4 bits by Clip, weights as real numbers in front of QuantizeLinear."""
    n = Net("qcdq", side)

    def weight(step, *shape):
        value = n.rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)
        scale = (np.abs(value).reshape(len(value), -1).max(1) / 7).astype(np.float32)
        s = n.constant(scale)
        z = n.constant(np.zeros(len(value), np.int8))
        q = n("QuantizeLinear", n.constant(value), s, z, axis=0)
        q = n("Clip", q, n.constant(np.int8(-7)), n.constant(np.int8(7)))
        return n("DequantizeLinear", q, s, z, axis=0), bias(n, scale * np.float32(step))

    x = pair(n, "image", 1 / 64, np.int8(0))
    x = n("Relu", n("Conv", x, *weight(1 / 64, 6, 3, 3, 3), strides=[2, 2]))
    x = pair(n, x, 0.1, np.uint8(0), (0, 15))
    x = n("Conv", x, *weight(0.1, 8, 6, 1, 1))
    x = pair(n, n("Relu", x), 0.1, np.uint8(0), (0, 15))
    x = pair(n, n("GlobalAveragePool", x), 0.02, np.uint8(0))
    x = n("Gemm", n("Flatten", x), *weight(0.02, CLASSES, 8), transB=1)
    pair(n, x, 0.02, np.int8(0))
    n.nodes[-1].output[0] = "logits"
    return n


QUANTIZED = qdq, qcdq
NETS = (sided, padded, residual, last, functions, squeeze, pools, borders, dilated, fronts, shuffled, moves,
        transposed, sums, between, arithmetic, pixels, gelus, lengths, coarse, tokens, groups, pixel, dense, masks,
        merged, control, called, crossed)


def folded(side):
    """A residual net whose batch norms were folded: what tools quantize."""
    n = Net("folded", side, 17)

    def conv(x, outs, ins, kernel, **attributes):
        return n("Conv", x, n.real(outs, ins, kernel, kernel), n.real(outs, scale=.1), **attributes)

    x = n("Relu", conv("image", 6, 3, 3, pads=[1] * 4, strides=[2, 2]))
    y = n("Relu", conv(x, 8, 6, 3, pads=[1] * 4, strides=[2, 2]))
    y = conv(y, 8, 8, 3, pads=[1] * 4)
    x = n("Relu", n("Add", y, conv(x, 8, 6, 1, strides=[2, 2])))
    n.head(x, 8)
    return n


TO_QUANTIZE = folded, squeeze  # by onnxruntime


def name_of(make):
    return make.__name__ + "-qdq" if make in TO_QUANTIZE else make.__name__


def quantize(folder, pictures):
    """Static quantization of onnxruntime: 8-bit activations, weights of a scale for each output with a bit
    less, which no runtime's sums of 16 bits can leave."""
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self.left = iter(pictures)

        def get_next(self):
            x = next(self.left, None)
            return None if x is None else {"image": x[None]}

    for make in TO_QUANTIZE:
        quantization.quantize_static(
            os.path.join(folder, make.__name__ + ".onnx"), os.path.join(folder, name_of(make) + ".onnx"),
            Reader(), quant_format=quantization.QuantFormat.QDQ, per_channel=True, reduce_range=True,
            activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8)


def main(folder, side=32):
    os.makedirs(folder, exist_ok=True)
    for make in dict.fromkeys(NETS + QUANTIZED + TO_QUANTIZE):
        make(int(side)).save(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
