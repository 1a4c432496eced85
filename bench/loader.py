#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Training batches of ImageNet pictures, in Detent and in torchvision: random resized crop 224,
mirror image, colour jitter 0.4, normalising; two threads against a DataLoader of two workers.

Both read the same folder, in which the sample pictures are repeated by links, in turn, round after
round. A round's number is pictures a second over the timed batches; ratios are taken within rounds.

    ninja -C build detent && bench/loader.py --rounds 5

Memory is the peak of a process; torchvision's is that of its main process and of one worker.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import torch_env

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
AHEAD = 4  # batches that two workers prepare
RECIPE = """\
model: {{name: resnet20, classes: 2}}
data:
  name: {name}
  root: {root}
  batch: {batch}
  train: [random_resized_crop: 224, hflip, color_jitter: 0.4]
  test: [resize: 256, center_crop: 224]
train: {{epochs: 1}}
"""


def make_folder(samples, folder, count):
    """`count` links in two classes for training, and two pictures for testing."""
    files = sorted(os.path.abspath(os.path.join(samples, f)) for f in os.listdir(samples)
                   if f.endswith(".JPEG"))
    for split, n in ("train", count), ("val", 2):
        for k in range(2):
            os.makedirs(os.path.join(folder, split, f"n{k}"))
        for i in range(n):
            os.symlink(files[i % len(files)],
                       os.path.join(folder, split, f"n{i % 2}", f"{i:06d}.JPEG"))
    return len(files)


def run_torch(folder, batch, batches, workers):
    """In a process of its own; prints one JSON line."""
    import torch
    from torchvision import datasets, transforms
    torch.set_num_threads(1)
    steps = transforms.Compose([
        transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(),
        transforms.ColorJitter(0.4, 0.4, 0.4), transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
    data = datasets.ImageFolder(os.path.join(folder, "train"), steps)
    loader = torch.utils.data.DataLoader(data, batch, shuffle=True, num_workers=workers,
                                         drop_last=True)
    it, start = iter(loader), 0
    for i in range(batches + AHEAD):  # what was prepared meanwhile does not count
        next(it)
        if i == AHEAD - 1:
            start = time.monotonic()
    seconds = time.monotonic() - start
    del it
    mb = [resource.getrusage(who).ru_maxrss * 1024 / 1e6
          for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps({"img_per_s": batch * batches / seconds, "peak_mb": mb}))


def run_detent(args, recipe):
    out = subprocess.run([args.detent, "bench", "loader", recipe, "--steps", str(args.batches),
                          "--threads", "2", "--json"], check=True, capture_output=True, text=True)
    return json.loads(out.stdout)


def show(name, rates, memory):
    print(f"{name:24} {statistics.median(rates):8.0f}  [{min(rates):.0f}, {max(rates):.0f}]"
          f"   {memory} MB")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--batches", type=int, default=12)
    p.add_argument("--detent", default=os.path.join(ROOT, "build", "detent"))
    p.add_argument("--python", help="that has torchvision; default: as vs_pytorch.py")
    p.add_argument("--samples", default=os.path.join(
        os.environ.get("DETENT_SHARED") or os.path.join(ROOT, "..", "shared"),
        "data", "imagenet-samples"))
    p.add_argument("--torch", nargs=3, help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.torch:
        return run_torch(args.torch[0], int(args.torch[1]), int(args.torch[2]), 2)
    args.python = args.python or torch_env.interpreter()
    with tempfile.TemporaryDirectory(prefix="detent-loader-") as folder:
        root, packed = os.path.join(folder, "set"), os.path.join(folder, "set.h5")
        count = args.batch * (args.batches + 3 * AHEAD)
        distinct = make_folder(args.samples, root, count)
        subprocess.run([args.detent, "data", "pack", root, packed], check=True,
                       capture_output=True)
        recipes = {}
        for name, where in ("imagenet", root), ("packed", packed):
            recipes[name] = os.path.join(folder, name + ".yaml")
            with open(recipes[name], "w") as f:
                f.write(RECIPE.format(name=name, root=where, batch=args.batch))
        rates, memory = {"imagenet": [], "packed": [], "torch": []}, {}
        for i in range(args.rounds):
            for name in recipes:
                result = run_detent(args, recipes[name])
                rates[name].append(result["img_per_s"])
                memory[name] = f"{result['peak_mb']:.0f}"
            out = subprocess.run([args.python, os.path.abspath(__file__), "--torch", root,
                                  str(args.batch), str(args.batches)], check=True,
                                 capture_output=True, text=True)
            result = json.loads(out.stdout)
            rates["torch"].append(result["img_per_s"])
            memory["torch"] = " + ".join(f"{m:.0f}" for m in result["peak_mb"])
            print(f"round {i + 1}: " + ", ".join(f"{k} {v[-1]:.0f}" for k, v in rates.items()),
                  file=sys.stderr)
    print(f"{distinct} pictures as {count}, batch {args.batch}, {args.batches} batches a round, "
          f"{args.rounds} rounds; pictures a second: median [smallest, largest]")
    show("Detent, folder", rates["imagenet"], memory["imagenet"])
    show("Detent, packed", rates["packed"], memory["packed"])
    show("torchvision, 2 workers", rates["torch"], memory["torch"])
    for name in "imagenet", "packed":
        ratio = [a / b for a, b in zip(rates[name], rates["torch"])]
        print(f"{name} / torchvision: median {statistics.median(ratio):.2f} "
              f"[{min(ratio):.2f}, {max(ratio):.2f}]")
    return None


main()
