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
round.

With --keep FILE a trial's times and the rounds are kept there, and what is there is not measured again:
later runs time the fastest variants only; rounds are those of one program and begin anew with another.
The trial's variants then run one after the other. --minutes M ends in time with exit code 75, and the same command goes on:

    until bench/vs_pytorch.py --model vit --keep build-bench/vit.json --minutes 7; do sleep 1; done
    bench/vs_pytorch.py --table build-bench/*.json

The second prints the rows of docs/performance.md. Memory is the peak while steps are timed less what the process had before the net was built, with
the compiler loaded.
"""
import argparse
import dataclasses
import gc
import hashlib
import itertools
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time

import kept as keeping
import torch_env
import torch_tables
from torch_tables import DEPLOY, FLOAT, PAPER

TRIAL_TURNS, WARM_TURNS = 5, 2
MEMORY_KEPT = 1.5  # so many times what processes took must be there for as many more


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
    "resnet8": Model("ResNet-8 of MLPerf Tiny (zoo/resnet8.yaml)", 32, 128, 10, "sgd",
                     "cifar10/resnet20-lsq-w4a4-paper.yaml",
                     keys=(f"model={{file: {torch_env.ROOT}/zoo/resnet8.yaml, classes: 10}}",)),
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


def variants(placement):
    return list(itertools.product((False, True), (False, True)[: 1 + bool(placement)], (False, True)))


def worker(model, placement, args):
    """Reads numbers of steps, a line each; answers with a line of JSON each."""
    hello = {"choice": json.loads(args.choice) if args.choice else None}
    if not hello["choice"]:
        hello["choice"], found = fastest(variants(placement), args.one_by_one, args.threads, model,
                                         placement, args.batch)
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


class NoSteps(Exception):
    """A PyTorch process ended before its first step."""


class Torch:
    """A PyTorch process that runs steps when it is asked to. What its trial chose outlives it."""

    def __init__(self, placement, args, choice=None):
        self.python = args.python
        self.command = [args.python, os.path.abspath(__file__), "--worker", placement or "float"]
        self.command += ["--model", args.model, "--batch", str(args.batch)]
        self.command += ["--threads", str(args.threads)]
        self.command += ["--one-by-one"] if args.one_by_one else []
        self.command += ["--choice", json.dumps(choice)] if choice else []
        self.start()
        if not choice:
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
            raise NoSteps(f"{self.python} has no working PyTorch or torchvision; see --python")
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


def try_variant(placement, args, choice):
    """Its median step in ms, for a trial that is kept; infinite where it does not run."""
    try:
        torch = Torch(placement, args, choice)
    except NoSteps:
        return float("inf")
    ms = statistics.median(torch.measure(1)["ms"] for _ in range(TRIAL_TURNS))
    torch.end()
    print(f"{placement or 'float'}, {told(choice)}: {ms:.1f} ms", file=sys.stderr)
    return ms


def choose(case, placement, args, kept):
    """The fastest variant, and its trial in words; None: the process finds that out by itself."""
    if not kept.path:
        return None, {}
    choice, found = kept.trial(case, variants(placement),
                               lambda c: try_variant(placement, args, c))
    if found[choice] == float("inf"):
        raise NoSteps(f"{args.python} runs no variant of '{case}'; see --python")
    return choice, {"trial": {told(c): ms for c, ms in found.items()}}


def program(args):
    return args.detent or os.path.join(torch_env.ROOT, "build", "detent")


def detent(name, threads, args):
    model = MODELS[args.model]
    recipe, options, _ = model.cases()[name]
    command = [program(args), "bench", "step"]
    command += [os.path.join(torch_env.ROOT, "recipes", recipe), f"data.batch={args.batch}"]
    command += [*model.keys, *options]
    command += ["--threads", str(threads), "--steps", str(args.steps), "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"vs_pytorch: {done.stderr}")
    r = json.loads(done.stdout)
    return {"ms": r["ms_median"], "mb": r["peak_mb"] - r["base_mb"], "isa": r["isa"]}


def take_turns(theirs, alone, args):
    """One round of all cases: [[side, case, result]]."""
    row = []
    for name, torch in theirs.items():
        row.append(["PyTorch", name, torch.measure(args.steps)])
        if alone:
            torch.end()
        row.append(["Detent", name, detent(name, args.threads, args)])
    if args.threads > 1:
        row.append(["one thread", PAPER, detent(PAPER, 1, args)])
    return row


def measure(args, kept):
    """Does the rounds that are missing."""
    theirs, cases = {}, MODELS[args.model].cases()
    for name in cases:
        choice, trial = choose(name, cases[name][2], args, kept)
        theirs[name] = kept.piece("start", f"{name} in PyTorch",
                                  lambda n=name, c=choice: Torch(cases[n][2], args, c))
        theirs[name].end()  # the next one's trial has the memory
        kept.data["hellos"][name] = {**theirs[name].hello, **trial}
    alone = args.one_by_one or Memory.short_for(sum(t.mb for t in theirs.values()))
    try:
        while len(kept.data["rounds"]) < args.rounds:
            turn = f"round {len(kept.data['rounds']) + 1} of {args.rounds}"
            print(turn, file=sys.stderr)
            kept.round(turn, lambda: take_turns(theirs, alone, args))
    except KeyboardInterrupt:  # what was finished is shown
        pass
    finally:
        for t in theirs.values():
            t.end()


def processor():
    try:
        with open("/proc/cpuinfo") as f:
            return next(line.split(":", 1)[1].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        return "unknown processor"


def open_kept(args):
    """Trials are of PyTorch and the machine; rounds are of this program too."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "requirements.txt")) as f:
        wanted = f.read()
    trial = {"model": args.model, "batch": args.batch, "threads": args.threads,
             "processor": processor(), "python": args.python, "requirements": wanted}
    try:
        with open(program(args), "rb") as f:
            ours = hashlib.sha256(f.read()).hexdigest()
    except OSError as e:
        sys.exit(f"vs_pytorch: {e}; build it or name it with --detent")
    model = MODELS[args.model]
    title = f"{model.title}, {model.side}x{model.side}"
    return keeping.Kept(args.keep, args.minutes, trial,
                        {**trial, "title": title, "steps": args.steps, "detent": ours})


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
    p.add_argument("--keep", metavar="FILE", help="what is measured is kept there")
    p.add_argument("--minutes", type=float, help="end before, with what was kept; exit code 75")
    p.add_argument("--table", nargs="+", metavar="FILE", help="only print what such files have")
    p.add_argument("--json", action="store_true", help="print JSON instead of tables")
    p.add_argument("--worker", help=argparse.SUPPRESS)
    p.add_argument("--choice", help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.minutes and not args.keep:
        p.error("--minutes wants --keep FILE, else what was measured would be lost")
    if args.table:
        torch_tables.show_all(args.table)
        return
    args.batch = args.batch or MODELS[args.model].batch
    if args.worker:
        worker(MODELS[args.model], None if args.worker == "float" else args.worker, args)
        return
    args.python = args.python or torch_env.interpreter()
    kept = open_kept(args)
    try:
        if len(kept.data["rounds"]) < args.rounds:
            measure(args, kept)
    except NoSteps as e:
        sys.exit(f"vs_pytorch: {e}")
    if not kept.data["rounds"]:
        sys.exit("vs_pytorch: no round was finished")
    if args.json:
        rows = torch_tables.by_case(kept.data["rounds"])
        cases = [{"side": a, "case": b, "rounds": r} for (a, b), r in rows.items()]
        result = {"processor": processor(), "pytorch": kept.data["hellos"], "cases": cases}
        print(json.dumps({**result, "ratios": dict(torch_tables.ratios(rows))}))
    else:
        torch_tables.show(kept.data)


if __name__ == "__main__":
    main()
