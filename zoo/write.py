#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes networks of torchvision, timm and own.py as lists of layers for `model: {file: NET.yaml}`, traced by
torch.fx: names are those of the modules, so weights of the original are read under their names.

usage: write.py FOLDER [NAME ...]      with torch, torchvision and timm
"""
import operator
import os
import sys

import timm
import torch
import torch.nn.functional as F
import torchvision
from timm.layers import BatchNormAct2d, LayerNorm2d
from torch import fx, nn
from torchvision.models.shufflenetv2 import channel_shuffle

import own

TORCHVISION = ("densenet121", "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "resnet18", "resnet50",
               "shufflenet_v2_x0_5", "squeezenet1_1")
TIMM = {"convnext_atto": "convnext_atto", "efficientnet_lite0": "efficientnet_lite0"}
OWN = {"mobilenet_v1_025": own.MobileNetV1, "vgg_small": own.VGGSmall}
NETS = sorted([*TORCHVISION, *TIMM, *OWN])
PLAIN = {nn.ReLU: "relu", nn.ReLU6: "relu6", nn.Hardswish: "hard_swish", nn.SiLU: "silu",
         nn.Sigmoid: "sigmoid", nn.Tanh: "tanh", nn.Mish: "mish", nn.GELU: "gelu"}


class CannotWrite(Exception):
    pass


def one(value, what):
    """A number that stands for rows and columns."""
    if isinstance(value, int):
        return value
    if len(set(value)) != 1:
        raise CannotWrite(f"{what} {value}")
    return value[0]


def sides(key, value):
    """Keys of a size, or of both."""
    if isinstance(value, int) or len(set(value)) == 1:
        return {key: one(value, key)}
    return {key + "_h": value[0], key + "_w": value[1]}


def of_conv(m):
    if m.dilation != (1, 1) or isinstance(m.padding, str):
        raise CannotWrite(f"dilation {m.dilation}, padding {m.padding}")
    keys = {"op": "conv2d", "out": m.out_channels, **sides("kernel", m.kernel_size)}
    if isinstance(m, own.SameConv2d):
        keys["same"] = "true"
    for key, value in (("stride", m.stride), ("pad", m.padding)):
        keys.update({k: v for k, v in sides(key, value).items() if v != (1 if key == "stride" else 0)})
    if m.groups != 1:
        keys["groups"] = m.groups
    return keys | ({} if m.bias is not None else {"bias": "false"})


def of_norm(m):
    keys = {"op": "batchnorm"}
    if m.eps != 1e-5:
        keys["eps"] = m.eps
    return keys | ({"momentum": m.momentum} if m.momentum != 0.1 else {})


def of_maxpool(m):
    keys = {"op": "maxpool", "kernel": one(m.kernel_size, "kernel")}
    if m.stride != m.kernel_size:
        keys["stride"] = one(m.stride, "stride")
    if one(m.padding, "padding"):
        keys["pad"] = one(m.padding, "padding")
    return keys | ({"ceil": "true"} if m.ceil_mode else {})


def of_avgpool(m):
    kernel, stride = one(m.kernel_size, "kernel"), one(m.stride, "stride")
    if one(m.padding, "padding") or m.ceil_mode:
        raise CannotWrite("padding of an average")
    keys = {"kernel_h": kernel, "kernel_w": kernel, "stride_h": stride, "stride_w": stride}
    return {"op": "avgpool"} | {"window." + k: v for k, v in keys.items()}


def of_layernorm(m):
    return {"op": "layernorm"} | ({"eps": m.eps} if m.eps != 1e-5 else {})


NONE = "StochasticDepth", "DropPath"  # nothing outside of training


def is_mean(m):
    return type(m).__name__ == "SelectAdaptivePool2d" and m.pool_type in ("avg", "fast")


def of_module(m):
    """Keys of a module; None: it is nothing here."""
    if type(m) in PLAIN:
        return {"op": PLAIN[type(m)]}
    if isinstance(m, (nn.Dropout, nn.Identity, nn.Flatten)) or type(m).__name__ in NONE:
        return None
    if isinstance(m, nn.Hardsigmoid):
        return {"op": "hard_sigmoid", "alpha": "0.16666666666666666"}
    pooled = m.pool if type(m).__name__ == "SelectAdaptivePool2d" else m
    if isinstance(pooled, nn.AdaptiveAvgPool2d) and pooled.output_size in (1, (1, 1)) or is_mean(m):
        return {"op": "gap"}
    if isinstance(m, nn.Linear):
        return {"op": "linear", "out": m.out_features} | ({} if m.bias is not None else {"bias": "false"})
    for kind, make in ((nn.Conv2d, of_conv), (nn.BatchNorm2d, of_norm), (nn.MaxPool2d, of_maxpool),
                       (nn.AvgPool2d, of_avgpool), (LayerNorm2d, of_layernorm)):
        if isinstance(m, kind):
            return make(m)
    raise CannotWrite(type(m).__name__)


def acts_behind(m):
    """The function that a module has behind its norm; None: it has none."""
    if not isinstance(m, BatchNormAct2d) or isinstance(m.act, nn.Identity):
        return None
    return of_module(m.act)


FUNCTIONS = {operator.add: "add", torch.add: "add", operator.iadd: "add", operator.mul: "mul",
             torch.cat: "concat", F.relu: "relu", torch.relu: "relu", F.gelu: "gelu", F.adaptive_avg_pool2d: "gap"}
NOTHING = (torch.flatten, F.dropout)


class Leaves(fx.Tracer):
    """Norms and convolutions in a block are modules; checkpoints of DenseNet are not traced."""

    def is_leaf_module(self, m, name):
        return (super().is_leaf_module(m, name) or type(m).__name__ in (*NONE, "SelectAdaptivePool2d") or
                isinstance(m, (own.SameConv2d, BatchNormAct2d, LayerNorm2d)))


MOST = 16  # layers that one reads


class Writer:
    def __init__(self, net):
        self.net, self.layers, self.names = net, [], {}
        self.constants, self.chunks = {}, {}  # parameters by node; how many parts

    def add(self, node, name, keys, sources):
        if keys["op"] == "concat" and len(sources) > MOST:  # those in front are joined before
            self.add((node, "part"), name + "_part", {"op": "concat"}, sources[:MOST])
            sources = [(node, "part"), *sources[MOST:]]
        where = [self.names[s] for s in sources]
        before = self.layers[-1]["name"] if self.layers else "input"
        layer = {"name": name, "op": keys.pop("op")}
        if where != [before]:
            layer["from"] = where[0] if len(where) == 1 else "[" + ", ".join(where) + "]"
        self.layers.append(layer | keys)
        self.names[node] = name

    def values(self, node):
        first = node.args[0]
        if isinstance(first, (list, tuple)):
            return list(first)
        return [a for a in node.args if isinstance(a, fx.Node)]

    def scale(self, node):
        """A product with a parameter "<layer>.gamma"."""
        values = [a for a in node.args if a not in self.constants]
        name, _, last = next(self.constants[a] for a in node.args if a in self.constants).rpartition(".")
        if last != "gamma" or node.target not in (operator.mul, "mul", torch.mul):
            raise CannotWrite(f"{node.target} {last}")
        self.add(node, name, {"op": "layer_scale"}, values)

    def write(self, node):
        if node.op == "placeholder":
            self.names[node] = "input"
        elif node.op == "call_module":
            keys = of_module(self.net.get_submodule(node.target))
            if keys is None:
                self.names[node] = self.names[node.args[0]]
                return
            name = node.target
            if name in {layer["name"] for layer in self.layers}:  # of one module more than once
                name = node.name
            self.add(node, name, keys, self.values(node))
            act = acts_behind(self.net.get_submodule(node.target))
            if act:
                self.add(node, name + ".act", act, [node])
        elif node.op == "get_attr" or (node.op == "call_method" and node.args[0] in self.constants):
            self.constants[node] = self.constants.get(node.args[0] if node.args else None, node.target)
        elif any(a in self.constants for a in node.args):  # y = x gamma
            self.scale(node)
        elif node.target is channel_shuffle:
            self.add(node, node.name, {"op": "channel_shuffle", "groups": node.args[1]}, node.args[:1])
        elif node.op == "call_method" and node.target == "chunk":
            self.chunks[node] = node.args[1]
        elif node.target is operator.getitem:
            keys = {"op": "slice", "part": node.args[1], "parts": self.chunks[node.args[0]]}
            self.add(node, node.name, keys, node.args[0].args[:1])
        elif node.op == "call_function" and node.target in FUNCTIONS:
            self.add(node, node.name, {"op": FUNCTIONS[node.target]}, self.values(node))
        elif node.op == "call_function" and node.target in NOTHING:
            self.names[node] = self.names[node.args[0]]
        elif node.op == "call_method" and node.target == "flatten":
            self.names[node] = self.names[node.args[0]]
        elif node.op == "call_method" and node.target == "mean":
            self.add(node, node.name, {"op": "gap"}, self.values(node))
        elif node.op != "output":
            raise CannotWrite(f"{node.op} {node.target}")

    def text(self, title):
        next(layer for layer in reversed(self.layers) if "out" in layer)["out"] = "classes"
        lines = [f"# {title}; written by zoo/write.py.", "layers:"]
        for layer in self.layers:
            keys = ", ".join(f"{k}: {v}" for k, v in layer.items() if v is not None)
            lines.append(f"- {{{keys}}}")
        return "\n".join(lines) + "\n"


def layers_of(net, title):
    w = Writer(net)
    for node in Leaves(autowrap_functions=(channel_shuffle,)).trace(net).nodes:
        w.write(node)
    return w.text(title)


def make(name, **more):
    if name in OWN:
        return OWN[name](**more).eval()
    if name in TIMM:
        return timm.create_model(TIMM[name], **more).eval()
    return getattr(torchvision.models, name)(weights=None, **more).eval()


def source(name):
    return f"{name} of {'own.py' if name in OWN else 'timm' if name in TIMM else 'torchvision'}"


def main(folder, *names):
    for name in names or NETS:
        try:
            text = layers_of(make(name), source(name))
        except CannotWrite as why:
            print(f"{name}: {why}")
            continue
        with open(os.path.join(folder, name + ".yaml"), "w", encoding="utf-8") as f:
            f.write(text)
        print(f"{name}: {text.count(chr(10)) - 2} layers")


if __name__ == "__main__":
    main(*sys.argv[1:])
