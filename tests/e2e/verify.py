# SPDX-License-Identifier: Apache-2.0
"""The integer model from the command line: eval --arith integer and verify, with pictures and without,
of a recipe and of a checkpoint; what is refused.

usage: verify.py DETENT
"""
import glob
import json
import os
import re
import signal
import sys
import time

from support import RECIPE, Test, main


def pictures(test, words, name):
    """verify over pictures."""
    r = json.loads(test.succeed("verify", *words, "--images", 40, "--json"))
    test.check(r["verified"] and r["pictures"] == 40, f"{name}: not verified: {r}")
    test.check(r["first_engine"] is None and r["first_float"] is None, f"{name}: a node is named")
    kinds = [n["kind"] for n in r["nodes"]]
    test.check(kinds.count("product") == 6 and kinds[0] == "input", f"{name}: nodes {kinds}")
    for n in r["nodes"]:
        test.check(n["engine_chained"]["checked"] > 0 and n["engine_chained"]["differ"] == 0,
                   f"{name}: {n['name']}: {n['engine_chained']}")
    return r


def differing(report):
    return sum(n["float_isolated"]["differ"] for n in report["nodes"] if "float_isolated" in n)


# A compiler that adds a thousand to the first bias behind the second layer.
BAD_COMPILER = """\
import os, re, subprocess, sys
main = next(a for a in sys.argv if a.endswith("main.c"))
model = os.path.join(os.path.dirname(main), "model.c")
text = open(model).read()
name = re.findall(r"int32_t (bias_\\d+)", text)[1]
pattern = r"(" + name + r"\\[\\d+\\] = {\\s*)(-?\\d+)"
text = re.sub(pattern, lambda m: m.group(1) + str(int(m.group(2)) + 1000), text)
open(model, "w").write(text)
sys.exit(subprocess.call(["cc", "-O1", *sys.argv[1:]]))
"""


def runtime_c(test, checkpoint):
    """The C export, compiled and run: equal in every rounding; a fault in it is named."""
    words = ["verify", checkpoint, "--runtime", "c", "--images", 10, "--json"]
    for rounding in "fp32", "single", "double":
        r = json.loads(test.succeed(*words, "--rounding", rounding))
        test.check(r["verified"] and r["differ"] == 0 and r["pictures"] == 10, f"{rounding}: {r}")
        test.check(len(r["nodes"]) == 9 and all(n["checked"] for n in r["nodes"]), f"nodes: {r}")
    bad = test.write("bad.py", BAD_COMPILER)
    code, out, err = test.run(*words, "--compiler", f"{sys.executable} {bad}")
    test.check(code == 1, f"a changed bias is not seen: {code} {err}")
    r = json.loads(out)
    codes = [n["name"] for n in r["nodes"]]
    test.check(not r["verified"] and r["first"] == codes[2], f"first {r['first']} of {codes}")
    code, _, err = test.run("verify", checkpoint, "--runtime", "c", "--prove")
    test.check(code == 1 and "pictures only" in err, f"--prove: {code} {err}")

    folder = test.path("c")
    report = json.loads(test.succeed("export", checkpoint, "--format", "c", "--out", folder + "/",
                                     "--prefix", "tiny", "--json"))
    text = open(folder + "/tiny.h", encoding="ascii").read()
    sizes = dict(re.findall(r"#define TINY_(\w+) (\d+)", text))
    test.check(int(sizes["ARENA_BYTES"]) == report["memory"]["arena (RAM)"], f"{sizes} {report}")
    test.check(int(sizes["WEIGHT_BYTES"]) == report["trained_bytes"], f"{sizes} {report}")
    inspected = json.loads(test.succeed("inspect", checkpoint, "--json"))
    test.check(inspected["total"]["low_bytes"] == report["trained_bytes"], f"{inspected['total']}")
    test.check(sum(n["macs"] for n in inspected["layers"]) == inspected["total"]["macs"] > 0,
               f"{inspected['total']}")
    seen = json.loads(test.succeed("inspect", checkpoint, "--images", 20, "--json"))["sites"]
    test.check(all(("clipped" in s) == (s["side"] == "activations") for s in seen), f"{seen}")
    model = test.path("m.onnx")
    test.succeed("export", checkpoint, "--out", model)
    text = test.succeed("inspect", model)
    test.check("onnx.operators" in text and "conv2.weight" in text, text)
    code, _, err = test.run("eval", test.path("recipe.yaml"), "model.init=" + model)
    test.check(code == 1 and "model.onnx reads it" in err, f"model.init=ONNX: {code} {err}")


def peers(test, checkpoint):
    """Whatever the other program does, the answer is one line that names it, and no folder stays."""
    work = test.path('te"mp')
    os.mkdir(work)
    words = ["verify", checkpoint, "--runtime", "c", "--images", 2]
    dies = test.write("dies.sh", "#!/bin/sh\nhead -c 100 >/dev/null\nkill -9 $$\n")
    quiet = test.write("quiet.sh", "#!/bin/sh\necho verified\n")
    lacks = test.write("lacks.sh", f"#!/bin/sh\nexec {sys.executable} -S -I \"$@\"\n")
    for script in dies, quiet, lacks:
        os.chmod(script, 0o755)
    os.environ["TMPDIR"] = work
    for options, *parts in (
            (["--python", "/bin/false"], "--python", "/bin/false", "exit status 1"),
            (["--python", "/bin/true"], "--python", "/bin/true", "exit status 0"),
            (["--python", quiet], "--python", "quiet.sh"),
            (["--python", dies], "--python", "dies.sh", "signal 9"),
            (["--python", "/no/such"], "--python", "/no/such", "No such file"),
            (["--python", lacks, "--runtime", "ort"], "--python", "'ort'", "No module named"),
            (["--python", lacks, "--runtime", "ort", "--prove"], "'ort'", "No module named"),
            (["--compiler", 'cc "-O2'], "--compiler", "No closing quotation"),
            (["--compiler", ""], "--compiler", "names no command"),
            (["--compiler", "no-such-compiler"], "--compiler", "no-such-compiler"),
            (["--compiler", "true"], "--compiler", "made no program"),
            (["--compiler", "cc --no-such-option"], "--compiler", "no-such-option")):
        code, out, err = test.run(*words, *options, timeout=60)
        told = [line for line in err.splitlines() if not line.startswith(("imported ", "  "))]
        test.check(code == 1 and len(told) == 1 and all(p in told[0] for p in parts),
                   f"{options}: {code} {out}{err}")
        test.check(quiet in options or "verified" not in out, f"{options}: claims {out}")
        test.check(not os.listdir(work), f"{options}: left {os.listdir(work)}")

    slow = ["--compiler", "sh -c 'sleep 60'"]
    for number in signal.SIGTERM, signal.SIGHUP, signal.SIGKILL:
        process = test.start(*words, *slow)
        while not glob.glob(glob.escape(work) + "/*/main.c"):
            time.sleep(0.01)
        process.send_signal(number)
        code = process.wait(timeout=30)
        killed = number == signal.SIGKILL
        test.check(code == (-number if killed else 130), f"{number.name}: exit code {code}")
        test.check(len(os.listdir(work)) == killed, f"{number.name}: left {os.listdir(work)}")
    # What a killed one left is removed by the next, once nobody can be at work in it.
    left = os.path.join(work, os.listdir(work)[0])
    mine = os.path.join(work, "detent-work-own")
    os.mkdir(mine)
    for folder in left, mine:
        os.utime(folder, (1, 1))
    test.check("verified\n" in test.succeed(*words), "not verified")
    test.check(os.listdir(work) == ["detent-work-own"], f"a killed run's: {os.listdir(work)}")
    del os.environ["TMPDIR"]


LARGE = """\
model: {name: resnet20}
data: {name: builtin, batch: 8, train_pictures: 16, test_pictures: 32}
quant: {weights: {method: lsq, bits: 4}, activations: {method: lsq, bits: 4}}
train: {max_steps: 1, optimizer: {name: sgd, lr: 0.01}}
"""


def memory(test):
    """What is counted before a comparison is what it then has: the executors' values are most of it."""
    recipe = test.write("large.yaml", LARGE)
    test.succeed("train", recipe, "--out", test.path("large"), "--threads", 1)
    words = ["verify", test.path("large", "last.h5"), "--threads", "1"]
    code, _, err = test.run(*words, "--memory", "70M")
    counted = int((re.search(r"(\d+) bytes of memory are needed", err) or [0, 0])[1])
    process = test.start(*words)
    process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = status
    peak = used.ru_maxrss * 1024
    test.check(code == 1 and status == 0 and peak <= counted <= 1.1 * peak, f"{counted} bytes are counted, {peak} had")


def run(args):
    test = Test(args[0])
    memory(test)
    recipe = test.write("recipe.yaml", RECIPE)
    folder = test.path("run")
    test.succeed("train", recipe, "--out", folder, "--threads", 1)
    checkpoint = folder + "/last.h5"
    words = [recipe, "model.init=" + checkpoint]
    a, b = pictures(test, words, "recipe"), pictures(test, [checkpoint], "checkpoint")
    test.check(a == b, "a checkpoint gives another answer than its recipe")

    # Rounded biases are what separates the float network from the model.
    exported = pictures(test, [checkpoint, "--as-exported"], "as exported")
    test.check(differing(exported) < differing(a) / 4, f"{differing(exported)} of {differing(a)}")

    score = json.loads(test.succeed("eval", *words, "--arith", "integer", "--json"))
    near = json.loads(test.succeed("eval", *words, "--as-exported", "--json"))
    test.check(score["arith"] == "integer, fp32", score["arith"])
    test.check(abs(score["correct"] - near["correct"]) <= 2, f"{score} {near}")
    test.check(score["loss"] != near["loss"], "integer evaluation is the float one")
    tiers = {json.dumps({**json.loads(test.succeed("eval", *words, "--arith", "integer", "--json",
                                                   "--isa", isa)), "isa": ""})
             for isa in ("scalar", score["isa"])}
    test.check(len(tiers) == 1, f"tiers differ: {tiers}")

    proof = json.loads(test.succeed("verify", checkpoint, "--prove", "--json"))
    test.check(proof["proved"] and proof["equal"]["engine"], f"not proved: {proof['equal']}")
    test.check(not proof["equal"]["double"] and proof["differ"], "double rounding is no difference")
    test.check(all(d["got"] != d["want"] and d["differ"] <= d["cases"] for d in proof["differ"]),
               "a difference that is none")
    other = json.loads(test.succeed("verify", checkpoint, "--prove", "--json", "--rounding", "double"))
    test.check(other["proved"] and not other["equal"]["fp32"], "rounding double is not another")
    same = json.loads(test.succeed("verify", checkpoint, "quant.rounding=double", "--prove", "--json"))
    test.check(same == other, "quant.rounding is not --rounding")
    double = json.loads(test.succeed("eval", *words, "quant.rounding=double", "--arith", "integer",
                                     "--json"))
    test.check(double["arith"] == "integer, double", double["arith"])
    text = test.succeed("verify", checkpoint, "--prove")
    test.check(text.splitlines()[-1] == "proved", text[-80:])

    runtime_c(test, checkpoint)
    peers(test, checkpoint)
    test.succeed("train", recipe, "quant.fold_norm=true", "--out", test.path("folded"),
                 "dynamics={oscillation: {momentum: 0.1}, freezing: {start: 0.1, begin: 0.1}}")
    pictures(test, [test.path("folded", "last.h5")], "folded norms")
    for words, said in (
            ([recipe], "no state"),
            ([checkpoint, "--rounding", "dubble"], "did you mean 'double'"),
            ([checkpoint, "quant.rounding=singel"], "quant.rounding: unknown rounding 'singel', did"),
            ([checkpoint, "--runtime", "otr"], "otr"),
            ([recipe, "quant.placement=paper", "--calibrate"], "no quantizer"),
            ([test.write("half.h5", open(checkpoint, "rb").read()[:5000])], "half.h5")):
        code, out, err = test.run("verify", *words)
        test.check(code == 1 and said in err.splitlines()[-1] and not out, f"{words}: {code} {err}")
    code, _, err = test.run("eval", checkpoint, "--arith", "int")
    test.check(code == 1, "eval took the arithmetic 'int'")
    return test.end()


main(run)
