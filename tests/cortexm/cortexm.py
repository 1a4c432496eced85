# SPDX-License-Identifier: Apache-2.0
"""A C export on an emulated Cortex-M4: the codes of every node and the logits are those of the
engine, and what the program takes there.

usage: cortexm.py DETENT [SOURCE_ROOT [IMAGES]]

With SOURCE_ROOT the net is ResNet-20, 20 steps from the published float checkpoint; otherwise a small
one on drawn pictures. Skipped without arm-none-eabi-gcc, newlib, qemu-system-arm or the files."""
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from support import RECIPE, SKIP, Test, main, shared  # noqa: E402

CC = [sys.executable, os.path.join(HERE, "cc.py")]
FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def trained(test, root):
    """A checkpoint."""
    out = test.path("run")
    if not root:
        test.succeed("train", test.write("recipe.yaml", RECIPE), "--out", out)
        return out + "/last.h5"
    float_net, data = shared(root, "checkpoints", "resnet20-12fca82f.th"), shared(root, "data")
    if not float_net or not data:
        print("SKIP no checkpoint or data in DETENT_SHARED")
        sys.exit(SKIP)
    test.succeed("train", root + "/recipes/cifar10/resnet20-lsq-w4a4.yaml", "data.root=" + data,
                 "model.init=" + float_net, "train.max_steps=20", "--out", out)
    return out + "/last.h5"


def sections(path):
    """(text, data, bss) in bytes."""
    out = subprocess.check_output(["arm-none-eabi-size", path], text=True)
    return [int(word) for word in out.splitlines()[1].split()[:3]]


def measure(test, checkpoint):
    """Self-test, stack and sizes of the export on the target."""
    folder = test.path("c")
    report = json.loads(test.succeed("export", checkpoint, "--format", "c", "--prefix", "net",
                                     "--out", folder + "/", "--json"))
    source, program = folder + "/net.c", folder + "/measure"
    subprocess.check_call(["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-O2", *FLAGS, "-c",
                           source, "-o", folder + "/net.o"])
    subprocess.check_call([*CC, *FLAGS, "-DNET_SELF_TEST", "-I", folder, HERE + "/measure.c", source,
                           "-o", program])
    said = json.loads(subprocess.check_output([program], text=True, timeout=300))
    text, data, bss = sections(folder + "/net.o")
    m = report["memory"]
    numbers = m["weights"] + m["biases"] + m["multipliers"] + m["tables"]
    print(f"flash    {text + data:7} bytes: weights {m['weights']}, biases {m['biases']}, multipliers "
          f"{m['multipliers']}, tables {m['tables']}, code and layers {text + data - numbers}")
    print(f"RAM      {bss:7} bytes, the arena")
    print(f"stack    {said['stack']:7} bytes at most")
    test.check(said["self_test"] == 0, f"self-test: {said}")
    test.check(bss == m["arena (RAM)"] == said["arena"], f"RAM is {bss}: {report}")
    test.check(0 < said["stack"] < 1024, f"stack: {said}")
    test.check(m["weights"] == report["trained_bytes"], f"weights: {report}")


def run(args):
    for program in "arm-none-eabi-gcc", "qemu-system-arm":
        if not shutil.which(program):
            print("SKIP no", program)
            return SKIP
    test = Test(args[0])
    root, images = args[1] if len(args) > 1 else None, int(args[2]) if len(args) > 2 else 5
    checkpoint = trained(test, root)
    measure(test, checkpoint)
    for rounding in ("fp32",) if root else ("fp32", "single", "double"):
        r = json.loads(test.succeed("verify", checkpoint, "--runtime", "c", "--rounding", rounding,
                                    "--images", images, "--compiler", " ".join(CC), "--json"))
        print(f"{rounding:8} {r['pictures']} pictures, {r['differ']} of {r['checked']} values differ")
        test.check(r["verified"] and r["differ"] == 0 and r["pictures"] == images, f"{r}")
    return test.end()


main(run)
