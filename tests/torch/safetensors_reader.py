# SPDX-License-Identifier: Apache-2.0
"""A safetensors export in PyTorch by way of exchange/safetensors/read_torch.py: the class of all of 500
pictures is that of `detent eval`, with scales for a tensor and for a channel.

usage: safetensors_reader.py DETENT

Exit status 77 (skipped) without PyTorch or Pillow."""
import os
import random
import subprocess
import sys
import tempfile

try:
    import torch
    from PIL import Image
except ImportError:
    sys.exit(77)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "exchange", "safetensors"))
import read_torch

RECIPE = """\
model: {name: smallcnn, width: 8, classes: 5}
data: {name: folder, root: set, batch: 25, normalize: half}
quant:
  weights: {method: lsq, bits: 4, granularity: GRANULARITY}
  activations: {method: METHOD, bits: 4}
train: {epochs: 2, optimizer: {name: sgd, lr: 0.02}, seed: 3}
eval: {batch: 100}
"""
CLASSES, PICTURES = 5, 500


class SmallCNN(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        c = 3
        for i, (w, stride) in enumerate([(1, 1), (2, 2), (2, 1), (4, 2), (4, 1)], 1):
            self.add_module(f"conv{i}", torch.nn.Conv2d(c, w * width, 3, stride, 1, bias=False))
            self.add_module(f"bn{i}", torch.nn.BatchNorm2d(w * width))
            c = w * width
        self.avgpool = torch.nn.AdaptiveAvgPool2d(1)
        self.fc = torch.nn.Linear(c, CLASSES)

    def forward(self, x):
        for i in range(1, 6):
            x = torch.relu(getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(x)))
        return self.fc(self.avgpool(x).flatten(1))


def draw(folder):
    """Noise on a colour and a direction for each class: neither easy nor hopeless."""
    rng = random.Random(6)
    for split, count in ("train", 40), ("test", PICTURES // CLASSES):
        for c in range(CLASSES):
            os.makedirs(os.path.join(folder, "set", split, str(c)))
            for k in range(count):
                data = bytes(rng.randrange(120) + 25 * ((x * (c + 1) // 8 + y * (c % 2)) % 5)
                             for y in range(32) for x in range(32) for _ in range(3))
                Image.frombytes("RGB", (32, 32), data).save(
                    os.path.join(folder, "set", split, str(c), f"{k:03d}.png"), compress_level=1)


def detent(*args):
    done = subprocess.run([sys.argv[1], *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{args}: {done.stderr}")


def compare(folder, granularity, method):
    run, recipe = os.path.join(folder, granularity + method), os.path.join(folder, "recipe.yaml")
    with open(recipe, "w") as f:
        f.write(RECIPE.replace("GRANULARITY", granularity).replace("METHOD", method))
    detent("train", recipe, "--out", run)
    net, exported, told = (os.path.join(run, n) for n in ("last.h5", "net.safetensors", "told"))
    detent("export", net, "--format", "safetensors", "--out", exported)
    detent("eval", net, "--predictions", told, "--labels")
    tensors, grids = read_torch.read(exported)
    model = read_torch.apply(SmallCNN(8), tensors, grids)
    with open(told) as f:
        lines = [line.rstrip("\n").split("\t") for line in f]
    pixels = torch.stack([torch.frombuffer(bytearray(Image.open(path).tobytes()), dtype=torch.uint8)
                          .reshape(32, 32, 3) for _, _, path in lines])
    x = ((pixels.float() / 255 - 0.5) / 0.5).permute(0, 3, 1, 2)
    with torch.no_grad():
        ours = model(x).argmax(1)
    same = sum(int(c) == int(p) for (c, _, _), p in zip(lines, ours))
    classes = len({c for c, _, _ in lines})
    print(f"{granularity}, {method}: {same} of {len(lines)} the same, {classes} classes, "
          f"{len(grids)} grids, {len(grids['conv2.weight_quant']['scale'])} scales of conv2")
    want = 16 if granularity == "channel" else 1
    return (same == len(lines) == PICTURES and classes > 1 and
            len(grids["conv2.weight_quant"]["scale"]) == want)


def main():
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="detent-reader-") as folder:
        draw(folder)
        good = [compare(folder, *case) for case in (("tensor", "lsq"), ("channel", "lsq"), ("channel", "asymmetric"))]
    return 0 if all(good) else 1


sys.exit(main())
