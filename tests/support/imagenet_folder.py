# SPDX-License-Identifier: Apache-2.0
"""Draws a folder of the shape of ImageNet: train/<wnid>/*.JPEG and val/<wnid>/*.JPEG.

usage: imagenet_folder.py OUT [--classes 100] [--train 20] [--val 5] [--side 96] [--seed 1]

A class is a pair of colours and a grating of its own angle and width, with noise on it, so a small
net learns to tell them apart in a few epochs. Sizes differ (side/2 .. 3/2 side), some pictures are
grey, CMYK or progressive, as in ImageNet. The same arguments give the same bytes (of the same
Pillow and libjpeg). Exit status 77 without Pillow.
"""
import argparse
import colorsys
import math
import os
import random
import sys

try:
    from PIL import Image
except ImportError:
    print("SKIP: no Pillow for", sys.executable)
    sys.exit(77)


def grating(rng, angle, period, W, H):
    """Stripes as a grey picture; drawn small and turned by Pillow, which is fast."""
    side = int(math.hypot(W, H)) + 2
    phase = rng.random() * period
    row = bytes(int(127.5 + 127.5 * math.sin(2 * math.pi * (x + phase) / period))
                for x in range(side))
    stripes = Image.frombytes("L", (side, 1), row).resize((side, side))
    turned = stripes.rotate(angle + rng.uniform(-4, 4), Image.BILINEAR)
    left, top = (side - W) // 2, (side - H) // 2
    return turned.crop((left, top, left + W, top + H))


def draw(rng, k, classes, side):
    W, H = (rng.randrange(side // 2, side * 3 // 2 + 1) for _ in range(2))
    hue = (k * 0.618034) % 1
    colours = [tuple(int(255 * v) for v in colorsys.hsv_to_rgb((hue + turn) % 1, 0.7, value))
               for turn, value in ((0, 0.9), (0.35 + 0.1 * (k % 3), 0.5))]
    period = (5, 9, 16)[k % 3]
    mask = grating(rng, 180 * k / classes * 7 % 180, period, W, H)
    picture = Image.composite(Image.new("RGB", (W, H), colours[0]),
                              Image.new("RGB", (W, H), colours[1]), mask)
    coarse = Image.frombytes("RGB", (9, 9), bytes(rng.randrange(256) for _ in range(243)))
    return Image.blend(picture, coarse.resize((W, H), Image.BICUBIC), 0.25)


def save(rng, picture, path):
    kind = rng.randrange(40)
    if kind == 0:
        picture = picture.convert("L")
    elif kind == 1:
        picture = picture.convert("CMYK")
    picture.save(path, format="JPEG", quality=rng.randrange(70, 96), progressive=kind == 2)


def make(out, classes=100, train=20, val=5, side=96, seed=1):
    for split, count in ("train", train), ("val", val):
        for k in range(classes):
            wnid = f"n{10000000 + 37 * k:08d}"
            folder = os.path.join(out, split, wnid)
            os.makedirs(folder, exist_ok=True)
            for i in range(count):
                rng = random.Random(f"{seed} {split} {k} {i}")
                save(rng, draw(rng, k, classes, side), os.path.join(folder, f"{wnid}_{i}.JPEG"))


if __name__ == "__main__":
    a = argparse.ArgumentParser()
    a.add_argument("out")
    for name, default in ("classes", 100), ("train", 20), ("val", 5), ("side", 96), ("seed", 1):
        a.add_argument("--" + name, type=int, default=default)
    args = a.parse_args()
    make(args.out, args.classes, args.train, args.val, args.side, args.seed)
