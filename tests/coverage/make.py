# SPDX-License-Identifier: Apache-2.0
"""What a network of networks.txt is compared with, made by PyTorch and onnxruntime in a folder:

    script.onnx, dynamo.onnx   of an exporter (dynamo.onnx.data beside it)
    script.npy, dynamo.npy     logits of that file in onnxruntime [4,4]
    batch.bin      float64 pictures [4,side,side,3] from -1 to 1, int32 labels [4]
    pictures/      the same as PNG files, a class each, for the program's folder data set
    gradients.npz  of the loss in training mode, in double: "g:<name>" and, in single, "w:<name>"

script makes all but the other exporter's files.

Weights are random, so this proves the plumbing and no accuracy. They are PyTorch's own starts, but for
those which hide a part of the net or a mistake in it: tensors of one number. Zeros become normal of
deviation 0.1; other numbers, and weights of norms, uniform from 0.5 to 1.5. Running statistics are
those of BATCHES batches of noise.
"""
import copy
import os
import warnings
from unittest import mock

import numpy as np
import onnxruntime
import torch
from PIL import Image

import choose

SEED, BATCHES, BATCH = 7, 4, 16
OPSET_SCRIPT, OPSET_DYNAMO = 17, 18
NORMS = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.GroupNorm, torch.nn.LayerNorm,
         torch.nn.modules.instancenorm._InstanceNorm)


def seed_weights(net):
    with torch.no_grad():
        for module in net.modules():
            for name, p in module.named_parameters(recurse=False):
                scale = name == "weight" and isinstance(module, NORMS)
                if scale or (bool((p == p.flatten()[0]).all()) and float(p.flatten()[0]) != 0):
                    torch.nn.init.uniform_(p, 0.5, 1.5)
                elif bool((p == 0).all()):
                    torch.nn.init.normal_(p, 0, 0.1)


def still(net):
    """Nothing random is left in training mode."""
    for m in net.modules():
        for name in ("p", "drop_prob", "drop_rate"):
            if isinstance(getattr(m, name, None), float) and "rop" in type(m).__name__ + name:
                setattr(m, name, 0.0)
        if type(m).__name__ == "StochasticDepth":
            m.p = 0.0


def round_constants(net):
    """A file has them in single precision: PyTorch in double has the same numbers then."""
    for m in net.modules():
        if isinstance(getattr(m, "eps", None), float):
            m.eps = float(np.float32(m.eps))


def noise(generator, count, side):
    """Pictures of coarse and fine noise, as bytes."""
    coarse = torch.rand(count, 3, 4, 4, generator=generator)
    coarse = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")
    fine = torch.rand(count, 3, side, side, generator=generator)
    return (0.7 * coarse + 0.3 * fine).mul(255).round().byte()


def normalised(pictures):
    return pictures.double() / 127.5 - 1


def estimate_norms(net, generator, side):
    for m in net.modules():
        if isinstance(m, torch.nn.modules.batchnorm._BatchNorm) and m.track_running_stats:
            m.reset_running_stats()
            m.momentum = None  # a mean of all batches
    net.train()
    with torch.no_grad():
        for _ in range(BATCHES):
            net(normalised(noise(generator, BATCH, side)).float())
    for m in net.modules():
        if isinstance(m, torch.nn.modules.batchnorm._BatchNorm):
            m.momentum = 0.1


def write_pictures(folder, pictures, side):
    for i, p in enumerate(pictures.permute(0, 2, 3, 1).numpy()):
        for split in ("train", "test"):
            path = os.path.join(folder, "pictures", split, f"class{i}")
            os.makedirs(path, exist_ok=True)
            Image.fromarray(p).save(os.path.join(path, "0.png"))
    with open(os.path.join(folder, "batch.bin"), "wb") as f:
        f.write(normalised(pictures).permute(0, 2, 3, 1).contiguous().numpy().tobytes())
        f.write(np.arange(len(pictures), dtype="<i4").tobytes())


def export(net, way, side, path):
    """TorchScript with an open number of pictures; dynamo with one."""
    x = torch.zeros(1, 3, side, side)
    net.eval()
    if way == "script":
        torch.onnx.export(net, (x,), path, dynamo=False, opset_version=OPSET_SCRIPT,
                          training=torch.onnx.TrainingMode.PRESERVE, input_names=["input"],
                          output_names=["output"], dynamic_axes={"input": {0: "N"}, "output": {0: "N"}})
    else:
        torch.onnx.export(net, (x,), path, dynamo=True, opset_version=OPSET_DYNAMO)


def logits(path, x):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: p[None]})[0] for p in x.float().numpy()])


def hard_sigmoid(x, inplace=False):
    """As a file has it, whose slope is in single precision; 1/6 in double is another one, by which gradients
    of MobileNetV3 are off by 2e-6."""
    return (x * float(np.float32(1 / 6)) + 0.5).clamp(0, 1)


def in_double(x, *args, **more):
    """What networks compute in single precision whatever goes in, in double too."""
    return x.double()


def write_gradients(net, x, path):
    out = {}
    for name, p in net.named_parameters():
        out["w:" + name] = p.detach().numpy().copy()
    kept = copy.deepcopy(net.state_dict())
    net.double().train()
    with mock.patch.object(torch.nn.functional, "hardsigmoid", hard_sigmoid), \
            mock.patch.object(torch.Tensor, "float", in_double):
        torch.nn.functional.cross_entropy(net(x), torch.arange(len(x))).backward()
    for name, p in net.named_parameters():
        if p.grad is not None:
            out["g:" + name] = p.grad.numpy()
    np.savez(path, **out)
    net.float().zero_grad()
    net.load_state_dict(kept)


def make(library, name, side, way, folder):
    """Raises whatever an exporter or a network of others raises."""
    warnings.simplefilter("ignore")
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    net = choose.build(library, name, side)
    seed_weights(net)
    still(net)
    round_constants(net)
    pictures = noise(generator, choose.BATCH, side)
    estimate_norms(net, generator, side)
    if way == "script":
        write_pictures(folder, pictures, side)
        write_gradients(net, normalised(pictures), os.path.join(folder, "gradients.npz"))
    path = os.path.join(folder, way + ".onnx")
    export(net, way, side, path)
    np.save(path[:-5] + ".npy", logits(path, normalised(pictures)))
