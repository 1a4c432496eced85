# SPDX-License-Identifier: Apache-2.0
"""Modules of PyTorch, by way of ONNX."""
import inspect
import os
import tempfile
import warnings

import numpy

from ._library import Error
from ._net import Net

_OPSET = 17
# Of the largest output: both sum in their own order.
_NEAR = 1e-3


def _export(torch, module, example, path):
    """The old exporter where there are two: it writes what is traced, and needs no other package."""
    options = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, example, path, opset_version=_OPSET, input_names=["input"],
                          output_names=["output"],
                          dynamic_axes={"input": {0: "N"}, "output": {0: "N"}}, **options)


def from_torch(module, example, path=None, *, threads=0):
    """A module as a float Net: exported to ONNX, read, and compared on the example.

    `example` is a tensor [N, C, H, W] as the module expects it; the Net takes [N, H, W, C]. The file
    stays at `path`, without one it is temporary and goes with the Net. `net.source` is its path, for
    train and quantize. The module is left in the mode that it was in."""
    import torch

    if example.dim() != 4:
        raise Error(f"example: {list(example.shape)} is no batch [N, C, H, W]")
    temporary = None if path else tempfile.TemporaryDirectory(prefix="detent-torch-")
    path = os.path.abspath(path or os.path.join(temporary.name, "net.onnx"))
    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            want = module(example).numpy()
            _export(torch, module, example, path)
    finally:
        module.train(training)
    net = Net(path, threads=threads)
    net._temporary = temporary
    if len(net.output_shapes) > 1:
        net.close()
        raise Error(f"{path}: has several outputs, {', '.join(net.output_shapes)}; Net(path) opens it")
    got = net(example.permute(0, 2, 3, 1).numpy())
    if got.shape != want.shape:
        net.close()
        raise Error(f"{path}: gives {list(got.shape)} where the module gives {list(want.shape)}; a Net has "
                    "one output of numbers for each sample")
    off = float(numpy.abs(got - want).max() / max(numpy.abs(want).max(), 1e-30))
    if not off <= _NEAR:
        net.close()
        raise Error(f"{path}: differs from the module by {off:.3g} of the largest output")
    return net
