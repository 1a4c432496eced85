# SPDX-License-Identifier: Apache-2.0
"""A net that Brevitas quantized and exported as QCDQ (QuantizeLinear, Clip, DequantizeLinear): weights of 8, 4 and 3
bits, some with a scale for each output, activations of 8 and 4 bits. Its codes in onnxruntime against those of the file
that Detent writes of it; then trained on and verified.

usage: brevitas_qcdq.py DETENT [FOLDER]     ends with 1 where a code differs, 77 without Brevitas
"""
import os
import sys
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
for folder in ("tests/support", "tests/exchange"):
    sys.path.insert(0, os.path.join(ROOT, folder))
import environment

ENVIRONMENT = os.path.join(ROOT, "build-bench", "brevitas")
SIDE, CLASSES, PICTURES, BATCHES = 32, 10, 64, 8


def make(path):
    """Ranges are those of BATCHES batches of noise, weights PyTorch's starts: this proves no accuracy."""
    warnings.simplefilter("ignore")
    import onnx
    import onnxoptimizer  # noqa: F401  Brevitas wants both to be loaded before it
    import torch
    from torch import nn
    import brevitas.nn as qnn
    from brevitas.export import export_onnx_qcdq
    from brevitas.quant import (Int8ActPerTensorFloat, Int8WeightPerChannelFloat, Int8WeightPerTensorFloat,
                                Int32Bias, Uint8ActPerTensorFloat)

    def values(bits, kind=qnn.QuantReLU, quant=Uint8ActPerTensorFloat, tensor=True):
        return kind(act_quant=quant, bit_width=bits, return_quant_tensor=tensor)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            each, one = {"weight_quant": Int8WeightPerChannelFloat}, {"weight_quant": Int8WeightPerTensorFloat}
            self.q = values(8, qnn.QuantIdentity)
            self.c1 = qnn.QuantConv2d(3, 16, 3, padding=1, bias_quant=Int32Bias, **each)
            self.r1 = values(4)
            self.c2 = qnn.QuantConv2d(16, 24, 3, stride=2, padding=1, weight_bit_width=4, bias_quant=Int32Bias, **each)
            self.r2 = values(4)
            self.c3 = qnn.QuantConv2d(24, 32, 3, stride=2, padding=1, bias=False, weight_bit_width=3, **one)
            self.r3 = values(4)
            self.pool = nn.AdaptiveAvgPool2d(1)
            self.q4 = values(8, qnn.QuantIdentity)
            self.fc = qnn.QuantLinear(32, CLASSES, bias=True, bias_quant=Int32Bias, **one)
            self.q5 = values(8, qnn.QuantIdentity, Int8ActPerTensorFloat, False)

        def forward(self, x):
            x = self.r3(self.c3(self.r2(self.c2(self.r1(self.c1(self.q(x)))))))
            x = self.pool(x.value if hasattr(x, "value") else x)
            return self.q5(self.fc(self.q4(torch.flatten(x, 1))))

    torch.manual_seed(7)
    net = Net().train()
    with torch.no_grad():
        for _ in range(BATCHES):
            net(torch.rand(16, 3, SIDE, SIDE))
    export_onnx_qcdq(net.eval(), torch.rand(1, 3, SIDE, SIDE), export_path=path, opset_version=17, dynamo=False)
    model = onnx.load(path)  # for any number of pictures
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.shape.dim[0].dim_param = "N"
    onnx.save(model, path)


def main(args):
    python = environment.interpreter(ENVIRONMENT, os.path.join(HERE, "requirements-brevitas.txt"))
    if not python:
        print("SKIP: no Brevitas")
        return 77
    if os.path.abspath(sys.prefix) != os.path.abspath(ENVIRONMENT):
        os.execv(python, [python, os.path.abspath(__file__), *args])
    return check(os.path.abspath(args[0]), args[1] if len(args) > 1 else None)


def check(detent, folder):
    import tempfile

    import numpy as np
    import onnx_nets_check
    with tempfile.TemporaryDirectory() as own:
        folder = folder or own
        make(os.path.join(folder, "brevitas.onnx"))
        pictures = np.random.default_rng(1).uniform(0, 1, (PICTURES, 3, SIDE, SIDE)).astype(np.float32)
        return 0 if onnx_nets_check.quantized(detent, folder, "brevitas", pictures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
