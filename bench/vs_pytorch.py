#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Training steps of a model (--model) in Detent and in PyTorch: the same network, quantizers,
optimizer, batch and number of threads, on random pictures.

All cases are timed in turn, round after round, so that a slow spell of the machine meets them all.
A round's number of a case is the median of its steps; the tables show the median of the rounds and,
in brackets, their smallest and largest. Ratios are taken within each round.

    ninja -C build detent && bench/vs_pytorch.py --rounds 15 [--model mobilenet_v2]

Every PyTorch case runs in a process of its own with the interpreter --python. In a trial, five steps
of each in turn after a first one, it picks what is fastest there: the memory format, and of LSQ written
in tensor operations (divide, clamp, round, multiply) or with the fused
torch._fake_quantize_learnable_per_tensor_affine. Memory is the peak of the process less what it had
before the net was built.
"""
import argparse
import dataclasses
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time

TRIAL_TURNS = 5
FLOAT, PAPER, DEPLOY = "float", "W4A4 LSQ, paper", "W4A4 LSQ, deploy"


@dataclasses.dataclass
class Model:
    """A network of torch_nets.NETS, and the recipe that trains the same one. `keys` make the recipe's
    quantizers those that torch_nets puts in: LSQ, a scale for a tensor, sites of their own."""

    title: str
    side: int
    batch: int
    classes: int
    optimizer: str
    recipe: str
    deploy: str = None  # a recipe of that placement, which is another case to time
    keys: tuple = ()
    name: str = None

    def cases(self):
        """{case: recipe, options, placement of PyTorch's quantizers (None: float)}"""
        cases = {FLOAT: (self.recipe, ["--float"], None), PAPER: (self.recipe, [], "paper")}
        return {**cases, DEPLOY: (self.deploy, [], "deploy")} if self.deploy else cases


OWN_SITES = ("quant.share=false",)
OF_TENSORS = ("quant.weights.granularity=tensor",)
LSQ = ("quant.weights.method=lsq", "quant.activations.method=lsq")
MODELS = {
    "resnet20": Model("ResNet-20", 32, 128, 10, "sgd", "cifar10/resnet20-lsq-w4a4-paper.yaml",
                      deploy="cifar10/resnet20-lsq-w4a4.yaml"),
    "resnet18": Model("ResNet-18", 224, 16, 1000, "sgd",
                      "imagenet/resnet18-lsq-w4a4-paper.yaml", keys=OWN_SITES),
    "mobilenet_v2": Model("MobileNetV2", 224, 16, 1000, "sgd",
                          "imagenet/mobilenetv2-lsq-w4a4-paper.yaml"),
    "vit": Model("ViT (patch 4, width 192, 6 blocks, 3 heads)", 32, 128, 10, "adamw",
                 "cifar10/vit-d192-lsq-w4a4-paper.yaml", keys=OF_TENSORS),
    "deit_tiny_patch16_224": Model("DeiT-Ti", 224, 16, 1000, "adamw",
                                   "imagenet/deit-tiny-w4a4.yaml", keys=LSQ + OF_TENSORS),
}
for name, model in MODELS.items():
    model.name = name


def peak_mb():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def timed(steps, count):
    times = []
    for _ in range(count):
        start = time.perf_counter()
        steps.step()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def trial(pipe, threads, *words):
    """Times a step for every True that comes."""
    import torch
    import torch_nets

    torch.set_num_threads(threads)
    steps = torch_nets.Steps(*words)
    while pipe.recv():
        pipe.send(timed(steps, 1))


def fastest(choices, threads, *words):
    """The choice with the fastest steps, each timed in its turn, so that all have the same hour; each
    in a process of its own, so that memory tells of the chosen one only."""
    fork = multiprocessing.get_context("fork")
    times = {choice: [] for choice in choices}
    pipes, children = {}, []
    for choice in choices:
        pipes[choice], end = fork.Pipe()
        children.append(fork.Process(target=trial, args=(end, threads, *words, *choice)))
        children[-1].start()
        end.close()
    for turn in range(1 + TRIAL_TURNS):
        for choice, pipe in pipes.items():
            try:
                pipe.send(True)
                ms = pipe.recv()
            except (EOFError, OSError):  # it ended, for want of memory
                ms = float("inf")
            if turn:
                times[choice].append(ms)
    for pipe, child in zip(pipes.values(), children):
        if child.is_alive():
            pipe.send(False)
        child.join()
    return min(choices, key=lambda choice: statistics.median(times[choice]))


def worker(model, placement, batch, threads):
    """Reads numbers of steps, a line each; answers with a line of JSON each."""
    choices = [(last, fused) for last in (False, True) for fused in (False, True)[: 1 + bool(placement)]]
    best = fastest(choices, threads, model, placement, batch)
    import torch
    import torch_nets

    torch.set_num_threads(threads)
    base = peak_mb()
    steps = torch_nets.Steps(model, placement, batch, *best)
    timed(steps, 3)
    how = ("channels_last" if best[0] else "contiguous") + (", fused LSQ" if best[1] else "")
    print(json.dumps({"version": torch.__version__, "how": how}), flush=True)
    for line in sys.stdin:
        ms = timed(steps, int(line))
        print(json.dumps({"ms": ms, "mb": peak_mb() - base}), flush=True)


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


class Torch:
    """A PyTorch process that runs steps when it is asked to."""

    def __init__(self, placement, args):
        command = [args.python, os.path.abspath(__file__), "--worker", placement or "float"]
        command += ["--model", args.model, "--batch", str(args.batch)]
        command += ["--threads", str(args.threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        first = self.process.stdout.readline()
        if not first:
            sys.exit(f"vs_pytorch: {args.python} has no working PyTorch or torchvision; see --python")
        self.hello = json.loads(first)

    def measure(self, steps):
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def detent(name, threads, args):
    model = MODELS[args.model]
    recipe, options, _ = model.cases()[name]
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    command = [args.detent or os.path.join(root, "build", "detent"), "bench", "step"]
    command += [os.path.join(root, "recipes", recipe), f"data.batch={args.batch}"]
    command += [*model.keys, *options]
    command += ["--threads", str(threads), "--steps", str(args.steps), "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"vs_pytorch: {done.stderr}")
    r = json.loads(done.stdout)
    return {"ms": r["ms_median"], "mb": r["peak_mb"] - r["base_mb"], "isa": r["isa"]}


def measure(args):
    """Rows {case: [a result a round]}; cases are (side, name, threads)."""
    cases = MODELS[args.model].cases()
    theirs = {name: Torch(cases[name][2], args) for name in cases}
    rows = {}
    for turn in range(args.rounds):
        print(f"round {turn + 1} of {args.rounds}", file=sys.stderr)
        for name in cases:
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
        ("Detent W4A4 step / PyTorch float step", ratio(rows, ours, ("PyTorch", FLOAT))),
        ("float step: PyTorch / Detent", ratio(rows, ("PyTorch", FLOAT), ("Detent", FLOAT))),
        ("Detent W4A4 step / Detent float step", ratio(rows, ours, ("Detent", FLOAT))),
        ("W4A4 memory: PyTorch / Detent", ratio(rows, theirs, ours, "mb")),
        ("Detent memory: W4A4 / float", ratio(rows, ours, ("Detent", FLOAT), "mb")),
    ]
    if ("Detent", DEPLOY) in rows:
        deploy = ratio(rows, ("PyTorch", DEPLOY), ("Detent", DEPLOY))
        out.insert(1, ("W4A4 step, deploy: fastest PyTorch LSQ / Detent", deploy))
    if ("one thread", PAPER) in rows:
        out.append(("W4A4 step: 1 thread / all threads", ratio(rows, ("one thread", PAPER), ours)))
    return out


def show(rows, hellos, args):
    isa, model = rows[("Detent", FLOAT)][0]["isa"], MODELS[args.model]
    print(
        f"{model.title}, {model.side}x{model.side}, batch {args.batch}, {args.threads} threads; {args.rounds} rounds of "
        f"{args.steps} steps; {processor()}, {isa}; PyTorch {hellos[FLOAT]['version']}\n"
    )
    print("| step | PyTorch, ms | Detent, ms | PyTorch, MB | Detent, MB | PyTorch's fastest |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    for name in hellos:
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
    p.add_argument("--model", choices=MODELS, default="resnet20")
    p.add_argument("--rounds", type=int, default=15)
    p.add_argument("--steps", type=int, default=5, help="timed in each round, after warming up")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--batch", type=int, help="default: that of the model")
    p.add_argument("--python", default="/usr/bin/python3", help="interpreter that has PyTorch")
    p.add_argument("--detent", help="the program; default: build/detent")
    p.add_argument("--json", action="store_true", help="print JSON instead of tables")
    p.add_argument("--worker", help=argparse.SUPPRESS)
    args = p.parse_args()
    args.batch = args.batch or MODELS[args.model].batch
    if args.worker:
        worker(MODELS[args.model], None if args.worker == "float" else args.worker, args.batch, args.threads)
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
