#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Training steps of a model (--model) in Detent and in PyTorch: the same network, quantizers,
optimizer, batch and number of threads, on random pictures.

All cases are timed in turn, round after round, so that a slow spell of the machine meets them all.
A round's number of a case is the median of its steps; the tables show the median of the rounds and,
in brackets, their smallest and largest. Ratios are taken within each round.

    ninja -C build detent && bench/vs_pytorch.py --rounds 15 [--model mobilenet_v2]

PyTorch is that of requirements.txt, installed at the first run into a folder that git ignores; --python
names another interpreter that has one. Every case runs in a process of its own. In a trial, five steps
of each in turn after a first two, it picks what is fastest there: the memory format, LSQ written in
tensor operations (divide, clamp, round, multiply) or with the fused
torch._fake_quantize_learnable_per_tensor_affine, and either as it is or through torch.compile, after an
eager step in which LSQ's scales start. Compiled code is kept beside the environment. Where the
processes do not fit into memory together they run one after the other, and are started anew in each
round. Memory is the peak while steps are timed less what the process had before the net was built, with
the compiler loaded.
"""
import argparse
import dataclasses
import gc
import itertools
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time

import torch_env

TRIAL_TURNS, WARM_TURNS = 5, 2
MEMORY_KEPT = 1.5  # so many times what processes took must be there for as many more
STEPS_HEADER = "| step | PyTorch, ms | Detent, ms | PyTorch, MB | Detent, MB | PyTorch's fastest |"
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


class Memory:
    """Of this process, in MB. Linux forgets a peak when it is told to; elsewhere it is that of its life."""

    @staticmethod
    def status(key, path="/proc/self/status"):
        with open(path) as f:
            return next(int(line.split()[1]) * 1024 / 1e6 for line in f if line.startswith(key + ":"))

    @classmethod
    def peak(cls):
        try:
            return cls.status("VmHWM")
        except (OSError, StopIteration):
            import resource

            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6

    @staticmethod
    def forget_peak():
        try:
            with open("/proc/self/clear_refs", "w") as f:
                f.write("5")
        except OSError:
            pass

    @classmethod
    def short_for(cls, mb):
        """Whether so much more does not fit, with some to spare; where nothing tells, it does."""
        try:
            return cls.status("MemAvailable", "/proc/meminfo") < MEMORY_KEPT * mb
        except (OSError, StopIteration):
            return False


def timed(steps, count):
    times = []
    for _ in range(count):
        start = time.perf_counter()
        steps.step()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


class Trial:
    """A variant in a process of its own, which times steps when it is asked to."""

    def __init__(self, words, threads):
        fork = multiprocessing.get_context("fork")
        self.pipe, end = fork.Pipe()
        self.child = fork.Process(target=self.work, args=(end, words, threads))
        self.child.start()
        end.close()
        self.mb, self.times = 0, []
        for _ in range(WARM_TURNS):
            self.turn()
        self.times = []

    @staticmethod
    def work(pipe, words, threads):
        import torch
        import torch_nets

        torch.set_num_threads(threads)
        steps = torch_nets.Steps(*words)
        while pipe.recv():
            pipe.send((timed(steps, 1), Memory.peak()))

    def turn(self):
        try:
            self.pipe.send(True)
            ms, self.mb = self.pipe.recv()
        except (EOFError, OSError):  # it ended: for want of memory, or it cannot be compiled
            ms = float("inf")
        self.times.append(ms)

    def end(self):
        if self.child.is_alive():
            try:
                self.pipe.send(False)
            except OSError:
                pass
        self.child.join()
        return statistics.median(self.times)


def fastest(choices, one_by_one, threads, *words):
    """The choice with the fastest steps, and the times of all of them. They are timed in turn, so that
    all have the same hour, unless they do not fit into memory together."""
    found, trials = {}, {}
    for choice in choices:
        trial = trials[choice] = Trial((*words, *choice), threads)
        one_by_one = one_by_one or Memory.short_for(trial.mb * (len(choices) - len(trials)))
        if one_by_one:
            for other, waiting in trials.items():
                for _ in range(TRIAL_TURNS):
                    waiting.turn()
                found[other] = waiting.end()
            trials = {}
    for _ in range(TRIAL_TURNS):
        for trial in trials.values():
            trial.turn()
    found.update({choice: trial.end() for choice, trial in trials.items()})
    return min(choices, key=found.get), found


def told(choice):
    """(channels_last, fused, compiled) in words"""
    last, fused, compiled = choice
    return (("channels_last" if last else "contiguous") + (", fused LSQ" if fused else "")
            + (", compiled" if compiled else ""))


def worker(model, placement, args):
    """Reads numbers of steps, a line each; answers with a line of JSON each."""
    hello = {"choice": json.loads(args.choice) if args.choice else None}
    if not hello["choice"]:
        choices = list(itertools.product((False, True), (False, True)[: 1 + bool(placement)],
                                         (False, True)))
        hello["choice"], found = fastest(choices, args.one_by_one, args.threads, model, placement,
                                         args.batch)
        hello["trial"] = {told(choice): ms for choice, ms in found.items()}
    import torch
    import torch_nets

    torch.set_num_threads(args.threads)
    if hello["choice"][2]:
        torch_nets.load_compiler()
    Memory.forget_peak()
    base = Memory.peak()
    steps = torch_nets.Steps(model, placement, args.batch, *hello["choice"])
    timed(steps, 3)
    gc.collect()
    Memory.forget_peak()
    hello.update(version=torch.__version__, how=told(hello["choice"]))
    print(json.dumps(hello), flush=True)
    for line in sys.stdin:
        ms = timed(steps, int(line))
        print(json.dumps({"ms": ms, "mb": Memory.peak() - base}), flush=True)


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


class Torch:
    """A PyTorch process that runs steps when it is asked to. What its trial chose outlives it."""

    def __init__(self, placement, args):
        self.python = args.python
        self.command = [args.python, os.path.abspath(__file__), "--worker", placement or "float"]
        self.command += ["--model", args.model, "--batch", str(args.batch)]
        self.command += ["--threads", str(args.threads)]
        self.command += ["--one-by-one"] if args.one_by_one else []
        self.start()
        print(json.dumps(self.hello), file=sys.stderr)
        self.command += ["--choice", json.dumps(self.hello["choice"])]
        self.mb = self.measure(1)["mb"]

    def start(self):
        env = dict(os.environ, TORCHINDUCTOR_CACHE_DIR=os.path.join(
            torch_env.FOLDER, "compiled"))
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=env)
        first = self.process.stdout.readline()
        if not first:
            sys.exit(f"vs_pytorch: {self.python} has no working PyTorch or torchvision; see --python")
        self.hello = json.loads(first)

    def measure(self, steps):
        if not self.process:
            self.start()
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            self.process = None


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


def take_turns(rows, theirs, alone, args):
    """One round of all cases."""
    for name, torch in theirs.items():
        rows.setdefault(("PyTorch", name), []).append(torch.measure(args.steps))
        if alone:
            torch.end()
        rows.setdefault(("Detent", name), []).append(detent(name, args.threads, args))
    if args.threads > 1:
        rows.setdefault(("one thread", PAPER), []).append(detent(PAPER, 1, args))


def measure(args):
    """Rows {case: [a result a round]}; cases are (side, name, threads)."""
    cases = MODELS[args.model].cases()
    theirs = {}
    for name in cases:
        theirs[name] = Torch(cases[name][2], args)
        theirs[name].end()  # the next one's trial has the memory
    alone = args.one_by_one or Memory.short_for(sum(t.mb for t in theirs.values()))
    rows = {}
    try:
        for turn in range(args.rounds):
            print(f"round {turn + 1} of {args.rounds}", file=sys.stderr)
            take_turns(rows, theirs, alone, args)
    except KeyboardInterrupt:  # what was finished is shown
        args.rounds = min(len(r) for r in rows.values())
        rows = {case: r[: args.rounds] for case, r in rows.items()}
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
    print(f"{STEPS_HEADER}\n| --- | ---: | ---: | ---: | ---: | --- |")
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
    p.add_argument("--python", help="interpreter that has PyTorch; default: one that is made")
    p.add_argument("--one-by-one", action="store_true", help="one PyTorch process at a time")
    p.add_argument("--detent", help="the program; default: build/detent")
    p.add_argument("--json", action="store_true", help="print JSON instead of tables")
    p.add_argument("--worker", help=argparse.SUPPRESS)
    p.add_argument("--choice", help=argparse.SUPPRESS)
    args = p.parse_args()
    args.batch = args.batch or MODELS[args.model].batch
    if args.worker:
        worker(MODELS[args.model], None if args.worker == "float" else args.worker, args)
        return
    args.python = args.python or torch_env.interpreter()
    rows, hellos = measure(args)
    if args.json:
        cases = [{"side": a, "case": b, "rounds": r} for (a, b), r in rows.items()]
        result = {"processor": processor(), "pytorch": hellos, "cases": cases}
        print(json.dumps({**result, "ratios": dict(ratios(rows))}))
    else:
        show(rows, hellos, args)


if __name__ == "__main__":
    main()
