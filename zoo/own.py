# SPDX-License-Identifier: Apache-2.0
"""Networks that no package has, as modules of PyTorch: what their lists of layers are written from."""
import torch.nn.functional as F
from torch import nn


class SameConv2d(nn.Conv2d):
    """As many outputs as the stride makes of the inputs; an odd zero goes below and right, as Keras has it."""

    def forward(self, x):
        pads = []
        for size, kernel, stride in zip(reversed(x.shape[2:]), reversed(self.kernel_size), reversed(self.stride)):
            more = max(((size + stride - 1) // stride - 1) * stride + kernel - size, 0)
            pads += [more // 2, more - more // 2]
        return super().forward(F.pad(x, pads))


def unit(layers, ins, outs, kernel, stride=1, groups=1):
    layers += [SameConv2d(ins, outs, kernel, stride, groups=groups),
               nn.BatchNorm2d(outs, eps=0.001, momentum=0.01), nn.ReLU()]


class MobileNetV1(nn.Module):
    """A quarter of MobileNetV1's channels (Howard et al. 2017, arXiv:1704.04861), for pictures of 96x96, as
    the visual wake words of MLPerf Tiny have it (Banbury et al. 2021, arXiv:2106.07597): padding and norms as
    in Keras, convolutions with a bias."""

    def __init__(self, num_classes=2):
        super().__init__()
        layers, ins = [], 8
        unit(layers, 3, ins, 3, 2)
        for outs, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2),
                             (256, 1)):
            unit(layers, ins, ins, 3, stride, groups=ins)
            unit(layers, ins, outs, 1)
            ins = outs
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(ins, num_classes)

    def forward(self, x):
        return self.fc(self.pool(self.features(x)).flatten(1))


class VGGSmall(nn.Module):
    """The VGG for pictures of 32x32 that papers on few bits quantize (Zhang et al. 2018, LQ-Nets,
    arXiv:1807.10029): six convolutions, three poolings, one linear layer."""

    def __init__(self, num_classes=10):
        super().__init__()
        layers, ins = [], 3
        for outs, pools in ((128, False), (128, True), (256, False), (256, True), (512, False), (512, True)):
            layers += [nn.Conv2d(ins, outs, 3, padding=1, bias=False), nn.BatchNorm2d(outs)]
            layers += [nn.MaxPool2d(2)] if pools else []
            layers.append(nn.ReLU())
            ins = outs
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Conv2d(512, num_classes, 4)  # a linear layer of all 4x4 pixels
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, x):
        return self.pool(self.classifier(self.features(x))).flatten(1)
