# SPDX-License-Identifier: Apache-2.0
"""The runs of `detent quantize` whose tables are in docs/ptq.md: runs what is not there yet, and prints a
table for each group.

usage: ptq_tables.py --data FOLDER --nets FOLDER [--pictures FOLDER] [--vit CHECKPOINT] [--keep FOLDER]
                     [--only GROUP,...] [--threads N] [--table]

--data has CIFAR-10's binary files, --nets the float nets (resnet20-12fca82f.th, resnet8-mlperf-tiny.onnx,
efficientnet-lite0.onnx), --pictures a folder with train/ and test/ of pictures for the last of them, as
ptq_peers.py leaves it, --vit a trained checkpoint of recipes/cifar10/vit-d192.yaml. Groups whose files
are not given are left out. Groups that choose settings read held-out training pictures only. Wall and
processor seconds are of the whole command. Intervals are McNemar's, of the difference to the float net in
points.
"""
import argparse
import csv
import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DETENT = os.path.join(ROOT, "build", "detent")
SHORT = "ptq.stages.2.reconstruct.iterations="
VAL = "data.val=5000 ptq.score=val"
SOLVE = '"ptq.stages=[{ranges: {weights: %s, activations: mse}}, {solve: {solvers: [gptq, quantease], rows: 16384}}]"'
METRICS = ("kl", "fisher", "gradient", "mse", "trace", "pairs --allocator swap --widths 3,4,6")


def presets():
    listed = subprocess.run([DETENT, "list", "presets", "--json"], capture_output=True, text=True, check=True)
    return [row["name"] for row in json.loads(listed.stdout)]


# Group: the net, and its runs (a name, options, rates of an epoch behind it).
def groups():
    uniform = lambda bits: [("uniform", f"--bits {bits} --method blockwise {SHORT}500")]
    mixed = [(metric.split()[0], f"--bits mixed --budget bits=4 --metric {metric} --method blockwise {SHORT}500")
              for metric in METRICS]
    both = [(f"{bits} {method}", f"--bits {bits} --method {method} {more}")
            for bits in ("8", "W4A8") for method, more in (("nearest", ""), ("gptq", ""), ("blockwise", SHORT + "300"))]
    both += [(f"{bits} solve", f"--bits {bits} --method nearest {SOLVE % rule}")
             for bits, rule in (("8", "mse"), ("W4A8", "pnorm"))]
    return {
        "widths": ("resnet20", [
            ("W8A8", "--bits 8 --method nearest"), ("W4A4 tensor", f"--method blockwise {SHORT}500"),
            ("W4A4 channel", f"--method blockwise {SHORT}500 quant.weights.granularity=channel"),
            ("W3A3", f"--bits W3A3 --method blockwise {SHORT}500")]),
        "methods": ("resnet20", [(name, f"--method {name}") for name in presets()] + [
            ("brecq, fisher", "--method brecq ptq.stages.1.reconstruct.loss=fisher")]),
        "resnet8": ("resnet8", [("8 gptq", "--bits 8 --method gptq"),
                                ("W4A8 blockwise", f"--bits W4A8 --method blockwise {SHORT}500")]),
        "efficientnet-choice": ("efficientnet", [(n, o + " data.val=50 ptq.images=150 ptq.score=val")
                                                 for n, o in both]),
        "efficientnet": ("efficientnet", both),
        "vit": ("vit", [(f"W{b}A{b} {method}", f"--bits {b} --method {method}")
                        for b in (8, 6, 4) for method in ("nearest", "smoothquant", "repq_vit")]),
        "mixed-resnet20": ("resnet20", uniform("W4A4") + mixed), # a recipe's activations, of 4 bits here
        "mixed-resnet8": ("resnet8", uniform("W4A8") + mixed), # of a file's: 8 bits
        "six-choice": ("resnet20", [("quantize and an epoch", f"--method blockwise {SHORT}500 {VAL}",
                                     ["0.0003", "0.001", "0.003", "0.01"])]),
        "six": ("resnet20", [("quantize and an epoch", f"--method blockwise {SHORT}500", ["0.003"])]),
    }


def source(args, net):
    """What comes behind `detent quantize`; None: a file of it is not given."""
    if net == "efficientnet":
        return args.pictures and [os.path.join(args.nets, "efficientnet-lite0.onnx"), "--data", args.pictures,
                                  "--normalize", "half"]
    if net == "resnet8":
        return [os.path.join(args.nets, "resnet8-mlperf-tiny.onnx"), "--data", args.data, "--normalize",
                "{mean: 0, std: 1, range: 255}"]
    if net == "vit":
        return args.vit and [os.path.join(ROOT, "recipes/cifar10/vit-d192-lsq-w4a4.yaml"),
                             "data.root=" + args.data, "model.init=" + args.vit]
    return [os.path.join(ROOT, "recipes/cifar10/resnet20-lsq-w4a4.yaml"), "data.root=" + args.data,
            "model.init=" + os.path.join(args.nets, "resnet20-12fca82f.th")]


def timed(command):
    """Seconds of wall and processors; ends the script if it fails."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    if subprocess.run(command, stdout=subprocess.DEVNULL).returncode != 0:
        sys.exit(f"failed: {shlex.join(command)}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (time.monotonic() - start,
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def train_on(args, out, folder, rate, options):
    """One epoch from the quantized net; what its integer model counts and proves, and its export, or how the
    net does on the pictures that settings are chosen by."""
    recipe = source(args, "resnet20")[:2]
    threads = ["--threads", str(args.threads)]
    val = [o for o in options if o.startswith("data.val")]
    wall, cpu = timed([DETENT, "train", *recipe, "model.init=" + os.path.join(out, "quantized.h5"),
                       "train.epochs=1", "train.optimizer.lr=" + rate, *val, *threads, "--out", folder])
    told, start = {"rate": rate, "wall": wall, "cpu": cpu}, time.monotonic()
    if val:
        with open(os.path.join(folder, "summary.csv")) as f:
            last = list(csv.DictReader(f))[-1]
        return {**told, "val": last["val_top1"]}
    init = "model.init=" + os.path.join(folder, "last.h5")
    for verb, more in ("eval", ["--arith", "integer"]), ("verify", ["--prove"]):
        told[verb] = json.loads(subprocess.run([DETENT, verb, *recipe, init, "--json", *more, *threads],
                                               capture_output=True, text=True, check=True).stdout)
    told["verify"].pop("differ", None) # of other contracts
    timed([DETENT, "export", *recipe, init, "--out", os.path.join(folder, "model.onnx")])
    return {**told, "judged": time.monotonic() - start}


def run(args, group, net, name, options, rates=()):
    out = os.path.join(args.keep, group, "".join(c if c.isalnum() else "-" for c in name))
    mark = out + ".json"
    if os.path.exists(mark):
        return
    print(f"{group}: {name}", file=sys.stderr)
    shutil.rmtree(out, ignore_errors=True)
    wall, cpu = timed([DETENT, "quantize", *source(args, net), *shlex.split(options), "--threads", str(args.threads),
                       "--out", out])
    with open(os.path.join(out, "report.json")) as f:
        report = json.load(f)
    report.update(name=name, options=options, wall=wall, cpu=cpu, trained=[])
    for rate in rates:
        folder = f"{out}.train-{rate}"
        shutil.rmtree(folder, ignore_errors=True)
        report["trained"].append(train_on(args, out, folder, rate, shlex.split(options)))
    with open(mark + ".part", "w") as f:
        json.dump(report, f)
    os.rename(mark + ".part", mark)


def table(args, group, runs):
    print(f"\n{group}\n\n| run | right, float arithmetic | integer | to float, 95 % | agrees with float | KL | bits | wall s | "
          "processor s |\n| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for name, *_ in runs:
        mark = os.path.join(args.keep, group, "".join(c if c.isalnum() else "-" for c in name)) + ".json"
        if not os.path.exists(mark):
            continue
        with open(mark) as f:
            r = json.load(f)
        best = r["integer"] or r["quantized"]
        right = lambda s: f"{s['top1']:.2f} %" if s and "top1" in s else "-"
        ends = "{:+.2f} to {:+.2f}".format(*best["difference"]) if "difference" in best else "-"
        print(f"| {name} | {right(r['quantized'])} | {right(r['integer'])} | {ends} | {best['agreement']:.2f} % | "
              f"{best['kl']:.5f} | {r['weight_bits']:.2f} | {r['wall']:.1f} | {r['cpu']:.1f} |")
        for t in r["trained"]:
            told = f"{t['val']} % of validation" if "val" in t else json.dumps({k: t[k] for k in ("eval", "verify")})
            whole = f", {r['wall'] + t['wall'] + t['judged']:.1f} s in all" if "judged" in t else ""
            print(f"  and an epoch at {t['rate']}, {t['wall']:.1f} s, {t['cpu']:.1f} s of processors{whole}: {told}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name in ("data", "nets"):
        parser.add_argument("--" + name, required=True)
    for name in ("pictures", "vit", "only"):
        parser.add_argument("--" + name)
    parser.add_argument("--keep", default="ptq-tables-kept")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    all_groups = groups()
    only = args.only.split(",") if args.only else list(all_groups)
    for group in only:
        if group not in all_groups:
            sys.exit(f"no group '{group}'; there are {', '.join(all_groups)}")
        net, runs = all_groups[group]
        if not source(args, net):
            continue
        os.makedirs(os.path.join(args.keep, group), exist_ok=True)
        for name, options, *more in runs:
            if not args.table:
                run(args, group, net, name, options, *more)
        table(args, group, runs)


if __name__ == "__main__":
    main()
