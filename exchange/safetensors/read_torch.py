# SPDX-License-Identifier: Apache-2.0
"""A net of PyTorch with the weights and grids of `detent export --format safetensors`.

    apply(net, *read("net.safetensors"))

For nets whose quantizers sit at inputs and outputs of modules that are called as the sites are."""
import json
import struct

import torch


def read(path):
    """(tensors, grids) of a file, both by name."""
    with open(path, "rb") as f:
        head = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        body = bytearray(f.read())
    texts = head.pop("__metadata__")
    tensors = {name: torch.frombuffer(body, dtype=torch.float32, offset=t["data_offsets"][0],
                                      count=(t["data_offsets"][1] - t["data_offsets"][0]) // 4)
               .reshape(t["shape"]).clone() for name, t in head.items()}
    return tensors, {k[5:]: json.loads(v) for k, v in texts.items() if k.startswith("grid.")}


def quantize(x, grid):
    """x on the grid: a scale for all of it, or one for each output channel of a weight."""
    scale = torch.tensor(grid["scale"], dtype=torch.float32).reshape(-1, *[1] * (x.dim() - 1))
    offset = -grid["zero_point"] * scale  # of code 0
    codes = torch.clamp((x - offset) / scale, grid["low"], grid["high"])
    return torch.round(codes) * scale + offset


def apply(net, tensors, grids):
    net.load_state_dict({k: v for k, v in tensors.items() if k in net.state_dict()}, strict=False)
    modules = dict(net.named_modules())
    for site, grid in grids.items():
        name, _, part = site.rpartition(".")
        if part == "weight_quant":
            modules[name].weight.data = quantize(modules[name].weight.data, grid)
        elif part == "input_quant":
            modules[name].register_forward_pre_hook(lambda m, x, g=grid: (quantize(x[0], g),))
        elif part == "output_quant":
            modules[name].register_forward_hook(lambda m, x, y, g=grid: quantize(y, g))
    return net.eval()
