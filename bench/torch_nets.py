# SPDX-License-Identifier: Apache-2.0
"""What vs_pytorch.py trains in PyTorch: networks, and LSQ put into any of them."""
import os
import sys

import torch
import torchvision
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "torch"))
import models  # the vision transformer


def scaled(s, factor):  # the value of s, its gradient times factor
    return (s - s * factor).detach() + s * factor


class Quant(nn.Module):
    """y = s * round(clamp(x / s)), straight through the rounding (Esser 2020). Signed if its first
    tensor has negative numbers, from which it also takes its scale."""

    def __init__(self, bits, fused):
        super().__init__()
        self.bits, self.fused = bits, fused
        self.s = nn.Parameter(torch.ones(1))
        self.register_buffer("zero", torch.zeros(1))
        self.low = self.high = None

    def start(self, x):
        signed = bool((x < 0).any())
        self.low = -(1 << (self.bits - 1)) if signed else 0
        self.high = (1 << (self.bits - signed)) - 1
        self.s.data = (2 * x.abs().mean() / self.high**0.5).reshape(1)

    def forward(self, x):
        if self.low is None:
            self.start(x.detach())
        factor = (x.numel() * self.high) ** -0.5
        if self.fused:
            return torch._fake_quantize_learnable_per_tensor_affine(
                x, self.s, self.zero, self.low, self.high, factor
            )
        s = scaled(self.s, factor)
        v = (x / s).clamp(self.low, self.high)
        return ((v.round() - v).detach() + v) * s


class Quantized(nn.Module):
    """A convolution or linear layer of quantized operands."""

    def __init__(self, layer, bits, fused):
        super().__init__()
        self.layer, self.qx, self.qw = layer, Quant(bits, fused), Quant(bits, fused)

    def forward(self, x):
        layer, x, w = self.layer, self.qx(x), self.qw(self.layer.weight)
        if isinstance(layer, nn.Linear):
            return F.linear(x, w, layer.bias)
        if isinstance(layer, Same):
            x = same(x, layer.kernel_size[0], layer.stride[0])
        return F.conv2d(x, w, layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups)


def quantize(net, bits, fused, placement):
    """LSQ at weights and inputs of every layer, the first and the last at 8 bits, and at the operands
    of attention; with placement `deploy` also wherever the network has a site for its stream."""
    layers = [(n, m) for n, m in net.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    for name, layer in layers:
        parent = net.get_submodule(name.rpartition(".")[0])
        edge = layer in (layers[0][1], layers[-1][1])
        setattr(parent, name.rpartition(".")[2], Quantized(layer, 8 if edge else bits, fused))
    for module in list(net.modules()):
        if isinstance(module, models.Attention):
            for operand in ("q", "k", "v", "probs"):
                setattr(module, operand, Quant(bits, fused))
        for site in getattr(module, "stream_sites", ()) if placement == "deploy" else ():
            setattr(module, site, Quant(8, fused))
    return net


class Block(nn.Module):
    stream_sites = ("branch", "out")

    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.branch, self.out = nn.Identity(), nn.Identity()
        self.stride, self.pad = stride, (o - i) // 2

    def forward(self, x):
        y = self.branch(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        if self.pad:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.pad, self.pad))
        return self.out(F.relu(y + x))


class ResNet20(nn.Module):
    """For 32x32 pictures, with shortcuts of option A (He 2016, arXiv:1512.03385, section 4.2)."""

    stream_sites = ("stem_out", "pooled", "logits")

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        blocks, i = [], 16
        for o in (16, 32, 64):
            for k in range(3):
                blocks.append(Block(i, o, 2 if k == 0 and o > 16 else 1))
                i = o
        self.blocks, self.fc = nn.Sequential(*blocks), nn.Linear(64, 10)
        self.stem_out, self.pooled, self.logits = nn.Identity(), nn.Identity(), nn.Identity()

    def forward(self, x):
        x = self.blocks(self.stem_out(F.relu(self.bn1(self.conv1(x)))))
        return self.logits(self.fc(self.pooled(x.mean((2, 3)))))


class Same(nn.Conv2d):
    """Padding as Keras's "same": where it is odd, the more behind."""

    def __init__(self, i, o, kernel, stride=1):
        super().__init__(i, o, kernel, stride, 0)

    def forward(self, x):
        return super().forward(same(x, self.kernel_size[0], self.stride[0]))


def same(x, kernel, stride):
    pad = max((-(-x.shape[2] // stride) - 1) * stride + kernel - x.shape[2], 0)
    return F.pad(x, (pad // 2, pad - pad // 2) * 2) if pad else x


class ResNet8(nn.Module):
    """Of MLPerf Tiny, as zoo/resnet8.yaml has it."""

    def __init__(self):
        super().__init__()

        def pair(i, o, kernel, stride=1):
            return nn.Sequential(Same(i, o, kernel, stride), nn.BatchNorm2d(o, 0.001, 0.01))

        self.stem, self.a1, self.a2 = pair(3, 16, 3), pair(16, 16, 3), pair(16, 16, 3)
        self.b1, self.b2, self.bs = pair(16, 32, 3, 2), pair(32, 32, 3), Same(16, 32, 1, 2)
        self.c1, self.c2, self.cs = pair(32, 64, 3, 2), pair(64, 64, 3), Same(32, 64, 1, 2)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.stem(x))
        x = F.relu(x + self.a2(F.relu(self.a1(x))))
        x = F.relu(self.bs(x) + self.b2(F.relu(self.b1(x))))
        x = F.relu(self.cs(x) + self.c2(F.relu(self.c1(x))))
        return self.fc(x.mean((2, 3)))


NETS = {
    "resnet20": ResNet20,
    "resnet8": ResNet8,
    "resnet18": torchvision.models.resnet18,
    "mobilenet_v2": torchvision.models.mobilenet_v2,
    "vit": lambda: models.randomize(models.Vit(32, 4, 192, 6, 3, 10), 1),
    "deit_tiny_patch16_224": lambda: models.randomize(models.Vit(224, 16, 192, 12, 3, 1000), 1),
}


def load_compiler():
    """So that what the compiler takes is not counted as a net's memory."""
    x = torch.ones(4, requires_grad=True)
    torch.compile(lambda x: (2 * x).sin().sum())(x).backward()


class Steps:
    """Training steps of a network on one batch of random pictures. The first is taken eagerly: scales
    of LSQ start in it, which is no part of what is compiled."""

    def __init__(self, model, placement, batch, channels_last, fused, compiled):
        torch.manual_seed(1)
        form = torch.channels_last if channels_last else torch.contiguous_format
        net = NETS[model.name]()
        if placement:
            quantize(net, 4, fused, placement)
        net = net.to(memory_format=form)
        x = 4.7 * torch.rand(batch, 3, model.side, model.side) - 2.1
        self.x = x.to(memory_format=form)
        self.labels = torch.randint(0, model.classes, (batch,))
        loss = nn.CrossEntropyLoss()
        self.forward = lambda x, labels: loss(net(x), labels)
        decayed = [p for p in net.parameters() if p.dim() > 1]
        others = [p for p in net.parameters() if p.dim() <= 1]
        groups = [{"params": decayed, "weight_decay": 1e-4}, {"params": others, "weight_decay": 0}]
        if model.optimizer == "adamw":
            self.optimizer = torch.optim.AdamW(groups, lr=1e-4)
        else:
            self.optimizer = torch.optim.SGD(groups, lr=0.01, momentum=0.9)
        self.step()
        if compiled:
            self.forward = torch.compile(self.forward)

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        self.forward(self.x, self.labels).backward()
        self.optimizer.step()
