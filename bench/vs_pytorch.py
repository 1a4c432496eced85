#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Training steps of ResNet-20 on 32x32 pictures, in Detent and in PyTorch: the same network,
quantizers, optimizer, batch and number of threads, on random pictures.

The two are timed in turn, round after round, so that a slow spell of the machine meets both. A
round's number is the median of its steps; the table shows the median of the rounds and, in
brackets, their smallest and largest. The ratio is taken within each round.

    ninja -C build detent && bench/vs_pytorch.py --rounds 15

PyTorch runs in a process of its own with the interpreter --python. It uses the memory format
that is faster in a short trial.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

RECIPES = {  # name: recipe, overrides, placement of PyTorch's quantizers (None: float)
    "float": ("resnet20-lsq-w4a4-paper.yaml", ["quant=none"], None),
    "W4A4 LSQ, paper": ("resnet20-lsq-w4a4-paper.yaml", [], "paper"),
    "W4A4 LSQ, deploy": ("resnet20-lsq-w4a4.yaml", [], "deploy"),
}


def build_net(placement):
    """ResNet-20, option A, with LSQ quantizers where `placement` puts them."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    def scaled(s, factor):  # the value of s, its gradient times factor
        return (s - s * factor).detach() + s * factor

    class Quant(nn.Module):
        """y = s * round(clamp(x / s)), straight through the rounding (Esser 2020)."""

        def __init__(self, bits, signed):
            super().__init__()
            self.low = -(1 << (bits - 1)) if signed else 0
            self.high = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1
            self.s = nn.Parameter(torch.ones(()))
            self.started = False

        def forward(self, x):
            if not self.started:
                self.s.data = 2 * x.detach().abs().mean() / self.high**0.5
                self.started = True
            s = scaled(self.s, (x.numel() * self.high) ** -0.5)
            v = (x / s).clamp(self.low, self.high)
            return ((v.round() - v).detach() + v) * s

    def quant(bits, signed):
        return Quant(bits, signed) if placement else nn.Identity()

    def stream(signed):  # placement deploy: what feeds an add or comes from one
        return Quant(8, signed) if placement == "deploy" else nn.Identity()

    class Conv(nn.Module):
        def __init__(self, i, o, stride, bits, signed):
            super().__init__()
            self.conv = nn.Conv2d(i, o, 3, stride, 1, bias=False)
            self.bn = nn.BatchNorm2d(o)
            self.qx, self.qw = quant(bits, signed), quant(bits, True)

        def forward(self, x):
            c = self.conv
            return self.bn(F.conv2d(self.qx(x), self.qw(c.weight), None, c.stride, c.padding))

    class Block(nn.Module):
        def __init__(self, i, o, stride):
            super().__init__()
            self.one, self.two = Conv(i, o, stride, 4, False), Conv(o, o, 1, 4, False)
            self.branch, self.out = stream(True), stream(False)
            self.stride, self.pad = stride, (o - i) // 2

        def forward(self, x):
            y = self.branch(self.two(F.relu(self.one(x))))
            if self.pad:
                x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.pad, self.pad))
            return self.out(F.relu(y + x))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.stem_out = Conv(3, 16, 1, 8, True), stream(False)
            blocks, i = [], 16
            for o in (16, 32, 64):
                for k in range(3):
                    blocks.append(Block(i, o, 2 if k == 0 and o > 16 else 1))
                    i = o
            self.blocks = nn.Sequential(*blocks)
            self.fc = nn.Linear(64, 10)
            self.pooled, self.qy = stream(False), stream(True)
            self.qx, self.qw = quant(8, False), quant(8, True)

        def forward(self, x):
            x = self.blocks(self.stem_out(F.relu(self.stem(x))))
            x = self.qx(self.pooled(x.mean((2, 3))))
            return self.qy(F.linear(x, self.qw(self.fc.weight), self.fc.bias))

    return Net()


class TorchSteps:
    def __init__(self, placement, batch, channels_last):
        import torch

        torch.manual_seed(1)
        form = torch.channels_last if channels_last else torch.contiguous_format
        self.torch = torch
        self.net = build_net(placement).to(memory_format=form)
        self.x = (4.7 * torch.rand(batch, 3, 32, 32) - 2.1).to(memory_format=form)
        self.labels = torch.randint(0, 10, (batch,))
        self.loss = torch.nn.CrossEntropyLoss()
        decayed = [p for p in self.net.parameters() if p.dim() > 1]
        others = [p for p in self.net.parameters() if p.dim() <= 1]
        self.sgd = torch.optim.SGD(
            [{"params": decayed, "weight_decay": 1e-4}, {"params": others}], lr=0.01, momentum=0.9
        )

    def run(self, steps):
        times = []
        for _ in range(steps):
            start = time.perf_counter()
            self.sgd.zero_grad(set_to_none=True)
            self.loss(self.net(self.x), self.labels).backward()
            self.sgd.step()
            times.append(1e3 * (time.perf_counter() - start))
        return statistics.median(times)


def worker(placement, batch, threads):
    """Reads numbers of steps, a line each; answers with a line of JSON each."""
    import resource

    import torch

    torch.set_num_threads(threads)
    trial = {}
    for channels_last in (False, True):
        steps = TorchSteps(placement, batch, channels_last)
        steps.run(2)
        trial[channels_last] = steps.run(3)
        del steps
    best = trial[True] < trial[False]
    steps = TorchSteps(placement, batch, best)
    steps.run(3)
    hello = {"version": torch.__version__, "format": "channels_last" if best else "contiguous"}
    print(json.dumps(hello), flush=True)
    for line in sys.stdin:
        ms = steps.run(int(line))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
        print(json.dumps({"ms": ms, "peak_mb": peak}), flush=True)


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def measure(name, args):
    recipe, overrides, placement = RECIPES[name]
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    detent = [args.detent or os.path.join(root, "build", "detent"), "bench", "step"]
    detent += [os.path.join(root, "recipes", "cifar10", recipe), *overrides]
    detent += [f"data.batch={args.batch}", "--threads", str(args.threads)]
    detent += ["--steps", str(args.steps), "--json"]
    torch = [args.python, os.path.abspath(__file__), "--worker", placement or "float"]
    torch += ["--batch", str(args.batch), "--threads", str(args.threads)]
    with subprocess.Popen(torch, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as theirs:
        first = theirs.stdout.readline()
        if not first:
            sys.exit(f"vs_pytorch: {args.python} has no working PyTorch; see --python")
        hello, a, b = json.loads(first), [], []
        for turn in range(args.rounds):
            print(f"{name}: round {turn + 1} of {args.rounds}", file=sys.stderr)
            theirs.stdin.write(f"{args.steps}\n")
            theirs.stdin.flush()
            a.append(json.loads(theirs.stdout.readline()))
            b.append(json.loads(subprocess.run(detent, check=True, stdout=subprocess.PIPE).stdout))
        theirs.stdin.close()
    return {
        "name": name,
        "pytorch": hello["version"],
        "pytorch_format": hello["format"],
        "isa": b[0]["isa"],
        "pytorch_ms": spread([r["ms"] for r in a]),
        "detent_ms": spread([r["ms_median"] for r in b]),
        "ratio": spread([x["ms"] / y["ms_median"] for x, y in zip(a, b)]),
        "pytorch_peak_mb": max(r["peak_mb"] for r in a),
        "detent_peak_mb": max(r["peak_mb"] for r in b),
    }


def processor():
    try:
        with open("/proc/cpuinfo") as f:
            return next(line.split(":", 1)[1].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        return "unknown processor"


def show(rows, args):
    def ms(s):
        return f"{s['median']:.1f} [{s['min']:.1f}, {s['max']:.1f}]"

    print(
        f"ResNet-20, 32x32, batch {args.batch}, {args.threads} threads; {args.rounds} rounds of "
        f"{args.steps} steps; {processor()}, {rows[0]['isa']}; PyTorch {rows[0]['pytorch']} "
        f"({', '.join(sorted({r['pytorch_format'] for r in rows}))})\n"
    )
    print("| step | PyTorch ms | Detent ms | PyTorch / Detent | PyTorch MB | Detent MB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for r in rows:
        s = r["ratio"]
        print(
            f"| {r['name']} | {ms(r['pytorch_ms'])} | {ms(r['detent_ms'])} | "
            f"{s['median']:.2f} [{s['min']:.2f}, {s['max']:.2f}] | {r['pytorch_peak_mb']:.0f} | "
            f"{r['detent_peak_mb']:.0f} |"
        )


def main():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--rounds", type=int, default=15)
    p.add_argument("--steps", type=int, default=5, help="timed in each round, after warming up")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--only", choices=list(RECIPES), action="append", help="may be repeated")
    p.add_argument("--python", default="/usr/bin/python3", help="interpreter that has PyTorch")
    p.add_argument("--detent", help="the program; default: build/detent")
    p.add_argument("--json", action="store_true", help="print JSON instead of a table")
    p.add_argument("--worker", help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.worker:
        worker(None if args.worker == "float" else args.worker, args.batch, args.threads)
        return
    rows = [measure(name, args) for name in args.only or RECIPES]
    if args.json:
        print(json.dumps({"processor": processor(), "rounds": args.rounds, "rows": rows}))
    else:
        show(rows, args)


if __name__ == "__main__":
    main()
