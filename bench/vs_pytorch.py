#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Training steps of ResNet-20 on 32x32 pictures, in Detent and in PyTorch: the same network,
quantizers, optimizer, batch and number of threads, on random pictures.

All cases are timed in turn, round after round, so that a slow spell of the machine meets them all.
A round's number of a case is the median of its steps; the tables show the median of the rounds and,
in brackets, their smallest and largest. Ratios are taken within each round.

    ninja -C build detent && bench/vs_pytorch.py --rounds 15

Every PyTorch case runs in a process of its own with the interpreter --python. In a short trial it
picks what is fastest there: the memory format, and of LSQ written in tensor operations (divide,
clamp, round, multiply) or with the fused torch._fake_quantize_learnable_per_tensor_affine. Memory is
the peak of the process less what it had before the net was built.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

FLOAT, PAPER, DEPLOY = "float", "W4A4 LSQ, paper", "W4A4 LSQ, deploy"
RECIPES = {  # name: recipe, options, placement of PyTorch's quantizers (None: float)
    FLOAT: ("resnet20-lsq-w4a4-paper.yaml", ["--float"], None),
    PAPER: ("resnet20-lsq-w4a4-paper.yaml", [], "paper"),
    DEPLOY: ("resnet20-lsq-w4a4.yaml", [], "deploy"),
}


def build_net(placement, fused):
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
            self.s = nn.Parameter(torch.ones(1))
            self.register_buffer("zero", torch.zeros(1))
            self.started = False

        def forward(self, x):
            if not self.started:
                self.s.data = (2 * x.detach().abs().mean() / self.high**0.5).reshape(1)
                self.started = True
            factor = (x.numel() * self.high) ** -0.5
            if fused:
                return torch._fake_quantize_learnable_per_tensor_affine(
                    x, self.s, self.zero, self.low, self.high, factor
                )
            s = scaled(self.s, factor)
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
    def __init__(self, placement, batch, channels_last, fused):
        import torch

        torch.manual_seed(1)
        form = torch.channels_last if channels_last else torch.contiguous_format
        self.torch = torch
        self.net = build_net(placement, fused).to(memory_format=form)
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


def peak_mb():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def worker(placement, batch, threads):
    """Reads numbers of steps, a line each; answers with a line of JSON each."""
    import torch

    torch.set_num_threads(threads)
    choices = [(last, fused) for last in (False, True) for fused in (False, True)[: 1 + bool(placement)]]
    trial = {}
    # Each choice in a process of its own, so that memory tells of the chosen one only.
    for choice in choices:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            torch.set_num_threads(threads)
            steps = TorchSteps(placement, batch, *choice)
            steps.run(2)
            os.write(write, str(steps.run(3)).encode())
            os._exit(0)
        os.close(write)
        trial[choice] = float(os.read(read, 100) or "inf")
        os.close(read)
        os.waitpid(child, 0)
    best = min(trial, key=trial.get)
    base = peak_mb()
    steps = TorchSteps(placement, batch, *best)
    steps.run(3)
    how = ("channels_last" if best[0] else "contiguous") + (", fused LSQ" if best[1] else "")
    print(json.dumps({"version": torch.__version__, "how": how}), flush=True)
    for line in sys.stdin:
        ms = steps.run(int(line))
        print(json.dumps({"ms": ms, "mb": peak_mb() - base}), flush=True)


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


class Torch:
    """A PyTorch process that runs steps when it is asked to."""

    def __init__(self, placement, args):
        command = [args.python, os.path.abspath(__file__), "--worker", placement or "float"]
        command += ["--batch", str(args.batch), "--threads", str(args.threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        first = self.process.stdout.readline()
        if not first:
            sys.exit(f"vs_pytorch: {args.python} has no working PyTorch; see --python")
        self.hello = json.loads(first)

    def measure(self, steps):
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def detent(name, threads, args):
    recipe, options, _ = RECIPES[name]
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    command = [args.detent or os.path.join(root, "build", "detent"), "bench", "step"]
    command += [os.path.join(root, "recipes", "cifar10", recipe), f"data.batch={args.batch}", *options]
    command += ["--threads", str(threads), "--steps", str(args.steps), "--json"]
    r = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return {"ms": r["ms_median"], "mb": r["peak_mb"] - r["base_mb"], "isa": r["isa"]}


def measure(args):
    """Rows {case: [a result a round]}; cases are (side, name, threads)."""
    theirs = {name: Torch(RECIPES[name][2], args) for name in RECIPES}
    rows = {}
    for turn in range(args.rounds):
        print(f"round {turn + 1} of {args.rounds}", file=sys.stderr)
        for name in RECIPES:
            rows.setdefault(("PyTorch", name), []).append(theirs[name].measure(args.steps))
            rows.setdefault(("Detent", name), []).append(detent(name, args.threads, args))
        if args.threads > 1:
            rows.setdefault(("one thread", PAPER), []).append(detent(PAPER, 1, args))
    for t in theirs.values():
        t.end()
    return rows, {name: t.hello for name, t in theirs.items()}


def processor():
    try:
        with open("/proc/cpuinfo") as f:
            return next(line.split(":", 1)[1].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        return "unknown processor"


def ratio(rows, above, below, key="ms"):
    return spread([a[key] / b[key] for a, b in zip(rows[above], rows[below])])


def text(s, digits):
    return f"{s['median']:.{digits}f} [{s['min']:.{digits}f}, {s['max']:.{digits}f}]"


def ratios(rows):
    """(what, spread) of the comparisons."""
    ours, theirs = ("Detent", PAPER), ("PyTorch", PAPER)
    out = [
        ("W4A4 step: fastest PyTorch LSQ / Detent", ratio(rows, theirs, ours)),
        ("W4A4 step, deploy: fastest PyTorch LSQ / Detent",
         ratio(rows, ("PyTorch", DEPLOY), ("Detent", DEPLOY))),
        ("Detent W4A4 step / PyTorch float step", ratio(rows, ours, ("PyTorch", FLOAT))),
        ("float step: PyTorch / Detent", ratio(rows, ("PyTorch", FLOAT), ("Detent", FLOAT))),
        ("Detent W4A4 step / Detent float step", ratio(rows, ours, ("Detent", FLOAT))),
        ("W4A4 memory: PyTorch / Detent", ratio(rows, theirs, ours, "mb")),
        ("Detent memory: W4A4 / float", ratio(rows, ours, ("Detent", FLOAT), "mb")),
    ]
    if ("one thread", PAPER) in rows:
        out.append(("W4A4 step: 1 thread / all threads", ratio(rows, ("one thread", PAPER), ours)))
    return out


def show(rows, hellos, args):
    isa = rows[("Detent", FLOAT)][0]["isa"]
    print(
        f"ResNet-20, 32x32, batch {args.batch}, {args.threads} threads; {args.rounds} rounds of "
        f"{args.steps} steps; {processor()}, {isa}; PyTorch {hellos[FLOAT]['version']}\n"
    )
    print("| step | PyTorch, ms | Detent, ms | PyTorch, MB | Detent, MB | PyTorch's fastest |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    for name in RECIPES:
        a, b = rows[("PyTorch", name)], rows[("Detent", name)]
        print(
            f"| {name} | {text(spread([r['ms'] for r in a]), 1)} | "
            f"{text(spread([r['ms'] for r in b]), 1)} | {max(r['mb'] for r in a):.0f} | "
            f"{max(r['mb'] for r in b):.0f} | {hellos[name]['how']} |"
        )
    print("\n| ratio | median [min, max] |\n| --- | ---: |")
    for what, s in ratios(rows):
        print(f"| {what} | {text(s, 2)} |")


def main():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--rounds", type=int, default=15)
    p.add_argument("--steps", type=int, default=5, help="timed in each round, after warming up")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--python", default="/usr/bin/python3", help="interpreter that has PyTorch")
    p.add_argument("--detent", help="the program; default: build/detent")
    p.add_argument("--json", action="store_true", help="print JSON instead of tables")
    p.add_argument("--worker", help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.worker:
        worker(None if args.worker == "float" else args.worker, args.batch, args.threads)
        return
    rows, hellos = measure(args)
    if args.json:
        cases = [{"side": a, "case": b, "rounds": r} for (a, b), r in rows.items()]
        result = {"processor": processor(), "pytorch": hellos, "cases": cases}
        print(json.dumps({**result, "ratios": dict(ratios(rows))}))
    else:
        show(rows, hellos, args)


if __name__ == "__main__":
    main()
