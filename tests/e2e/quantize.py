# SPDX-License-Identifier: Apache-2.0
"""`detent quantize` of a small net: every preset ends in a net that verifies, can be exported and
trained from; stops, and what is refused.

usage: quantize.py DETENT
"""
import json
import os
import re
import signal
import time

from support import RECIPE, TEACHER, Test, main

FLOAT = TEACHER.replace("width: 12", "width: 8").replace("epochs: 1", "epochs: 2")
PTQ = RECIPE + "ptq: {images: 64, batch: 32}\n"

def presets(test):
    listed = test.succeed("list", "presets", "--json")
    return [row["name"] for row in json.loads(listed)]


def quantize(test, name, *keys):
    return test.run("quantize", test.path("ptq.yaml"), "model.init=" + test.path("float/last.h5"),
                    "--out", test.path(name), *keys)


def check_presets(test):
    for name in presets(test):
        stages = test.succeed("quantize", test.path("ptq.yaml"), "--method", name, "--dry-run")
        rows = re.findall(r"^  - (\w+)", stages.split("ptq:")[1], re.M)
        short = [f"ptq.stages.{i}.{row}.iterations=20" for i, row in enumerate(rows)
                 if row in ("reconstruct", "distill")]
        code, out, err = quantize(test, name, "--method", name, "--json", *short)
        test.check(code == 0, f"{name}: {err}")
        report = json.loads(out)
        test.check(report["method"] == name and report["integer"]["count"] == 64
                   and report["quantized"]["kl"] >= 0, f"{name}: {out}")
        for score in report["quantized"], report["integer"]:
            low, high = score["difference"]
            apart = 100 * (score["gained"] - score["lost"]) / score["count"]
            test.check(abs(score["top1"] - report["float"]["top1"] - apart) < 1e-6 and low <= apart <= high
                       and score["lost"] + score["gained"] <= score["count"] - score["agree"], f"{name}: {score}")
        for unit in report["units"]:
            test.check(unit["after"] <= unit["before"], f"{name}: {unit}")
        result = test.path(name, "quantized.h5")
        test.check(report["proof"]["proved"] and report["proof"]["cases"] > 1000, f"{name}: no proof")
        told = json.loads(test.succeed("verify", result, "--images", "64", "--json"))
        test.check(told["verified"], f"{name}: verify")
        test.check(os.path.exists(test.path(name, report["recipe"] + ".onnx")), f"{name}: no export")
        test.check(not os.path.exists(test.path(name, "last.h5")), f"{name}: last.h5 stayed")
        test.succeed("train", test.path("ptq.yaml"), "model.init=" + result, "train.max_steps=2",
                     "--out", test.path(name + " train"))


def check_again(test):
    """The recipe in the folder does it again."""
    again = test.path("again")
    test.succeed("quantize", test.path("qdrop", "recipe.yaml"), "--out", again)
    test.check(test.sha256(test.path("qdrop", "quantized.h5")) == test.sha256(again + "/quantized.h5"),
               "the folder's recipe gives another net")


def check_warning(test):
    """Pictures that are normalised in another way than the net's are told by its first batch norm."""
    for how, warns in (("imagenet", False), ("{mean: 0, std: 1, range: 255}", True)):
        code, _, err = quantize(test, f"warns {warns}", "--method", "nearest", f"data.normalize={how}")
        test.check(code == 0 and ("knows other pictures" in err) == warns, f"{how}: {err}")


def check_kill(test):
    """Killed after some units, it goes on and ends in the bits of an undisturbed run."""
    keys = "--method", "qdrop", "ptq.stages.1.reconstruct.iterations=60", "--threads", "1"
    code, _, err = quantize(test, "whole", *keys)
    test.check(code == 0, err)
    process = test.start("quantize", test.path("ptq.yaml"),
                         "model.init=" + test.path("float/last.h5"), "--out", test.path("cut"),
                         *keys)
    while not os.path.exists(test.path("cut", "last.h5")) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    test.check(process.returncode == -signal.SIGKILL, "it ended before it was killed")
    code, _, err = quantize(test, "cut", *keys)
    test.check(code == 1 and "--resume" in err, f"a second start: {err}")
    code, _, err = quantize(test, "cut", *keys, "--resume", "ptq.images=65")
    test.check(code == 1 and "another recipe" in err, f"another recipe: {err}")
    code, _, err = quantize(test, "cut", *keys, "--resume")
    test.check(code == 0, err)
    test.check(test.sha256(test.path("whole", "quantized.h5"))
               == test.sha256(test.path("cut", "quantized.h5")), "a stop changes the result")
    reports = [json.load(open(test.path(n, "report.json"))) for n in ("whole", "cut")]
    test.check(reports[0]["units"] == reports[1]["units"], "units of a run that went on differ")


def check_memory(test):
    """More pictures' values than memory may hold lie in files, and change no bit."""
    keys = "--method", "qdrop", "ptq.images=320", "ptq.stages.1.reconstruct.iterations=20"
    for name, memory in ("held", "4G"), ("spilled", "40M"):
        code, _, err = quantize(test, name, *keys, "--memory", memory)
        test.check(code == 0 and ("lie in files" in err) == (name == "spilled"), f"{memory}: {err}")
        test.check(not [f for f in os.listdir(test.path(name)) if f.startswith(".spill")],
                   "a file was left")
    test.check(test.sha256(test.path("held", "quantized.h5"))
               == test.sha256(test.path("spilled", "quantized.h5")), "memory changes the result")


def check_refused(test):
    for keys, text in (
            (("ptq.images=5000",), "is more than the 320 training pictures"),
            (("--bits", "W9A4"), "is no width"),
            (("--bits", "W4A"), "is no width"),
            (("--bits", "1"), "bits of 'lsq'"),
            (("--method", "qdrap"), "did you mean 'qdrop'"),
            (("quant=none",), "give --bits"),
            (("--memory", "20M", "ptq.images=320"), "bytes of memory are needed"),
            (("quant.fold_norm=true",), "is for training"),
            (("ptq.score=val",), "there is no validation split"),
            (("--format", "onx"), "did you mean 'onnx'")):
        code, _, err = quantize(test, "refused", *keys)
        lines = [line for line in err.splitlines() if not line.startswith(("override:", "batch norm"))]
        test.check(code == 1 and len(lines) == 1 and text in lines[0], f"{keys}: {err}")
    code, _, err = test.run("quantize", test.path("ptq.yaml"), "--out", test.path("random"))
    test.check(code == 1 and "model.init" in err, err)
    code, _, err = quantize(test, "nearest", "--method", "nearest")
    test.check(code == 1 and "holds a quantized net" in err, err)
    # A key of ptq in a recipe that has no such section, and no --method.
    out = test.succeed("quantize", test.path("float.yaml"), "--bits", "8", "ptq.images=64", "--dry-run")
    test.check("images: 64" in out and "method: blockwise" in out and "stages: []" not in out, out)

    # From a float recipe, by --bits alone.
    code, out, err = test.run("quantize", test.path("float.yaml"), "--bits", "8", "--method",
                              "nearest", "--json", "ptq.images=64",
                              "model.init=" + test.path("float/last.h5"), "--out", test.path("eight"))
    test.check(code == 0 and json.loads(out)["weight_bits"] == 8, err)


def check_sensitivity(test):
    """Bits layer by layer: the rules are the recipe's, the budget is kept."""
    init = "model.init=" + test.path("float/last.h5")
    told = json.loads(test.succeed("sensitivity", test.path("ptq.yaml"), init, "--json", "--budget",
                                   "bits=4", "--widths", "2,4,8"))
    chosen = {row["layer"]: row["chosen"] for row in told["layers"]}
    test.check(chosen["conv1"] is None and chosen["fc"] is None and chosen["conv3"] in (2, 4, 8),
               f"chosen: {chosen}")
    changed = [row for row in told["layers"] if row["chosen"]]
    bits = sum(row["weights"] * row["chosen"] for row in changed)
    test.check(bits <= 4 * sum(row["weights"] for row in changed), f"{bits} bits")
    text = test.succeed("sensitivity", test.path("ptq.yaml"), init, "--metric", "mse", "--budget",
                        "bits=4", "--widths", "2,4,8")
    rules = text[text.index("quant:"):]
    test.check(rules.count("layers:") == len(changed), rules)
    code, out, err = quantize(test, "mixed", "--bits", "mixed", "--budget", "bits=4", "--method",
                              "nearest", "--json", "--widths", "2,4,8")
    test.check(code == 0 and 3 < json.loads(out)["weight_bits"] <= 5, f"mixed: {err}")
    layers = json.loads(test.succeed("inspect", test.path("mixed/quantized.h5"), "--json"))["layers"]
    test.check({l["name"]: l["weight_bits"] for l in layers if chosen.get(l["name"])}
               == {k: v for k, v in chosen.items() if v}, f"{chosen} became {layers}")
    test.write("times.csv", "layer,weight bits,input bits,microseconds\n" + "".join(
        f"{row['layer']},{bits},4,{bits * 10}\n" for row in changed for bits in (2, 4, 8)))
    timed = json.loads(test.succeed("sensitivity", test.path("ptq.yaml"), init, "--json", "--metric", "mse",
                                    "--budget", f"latency={test.path('times.csv')},{40 * len(changed)}",
                                    "--widths", "2,4,8"))
    spent = sum(10 * row["chosen"] for row in timed["layers"] if row["chosen"])
    test.check(20 * len(changed) <= spent <= 40 * len(changed), f"{spent} microseconds")
    for keys, text in ((("--budget", "latency=none.csv,5"), "none.csv"),
                       (("--budget", "latency=" + test.path("times.csv")), "latency=TABLE,MICROSECONDS"),
                       (("--budget", "latency=" + test.path("ptq.yaml") + ",5"), "is not of the form"),
                       (("--budget", "bits=1"), "below the least possible, 2, of all layers at 2"),
                       (("--budget", "bits"), "is not of the form"),
                       (("--budget", "byte=4"), "did you mean 'bytes'"),
                       (("--metric", "tracee"), "did you mean 'trace'"),
                       (("--widths", "4,2"), "is no ascending list")):
        code, _, err = test.run("sensitivity", test.path("ptq.yaml"), init, "--metric", "mse", *keys)
        lines = [line for line in err.splitlines() if not line.startswith("override:")]
        test.check(code == 1 and len(lines) == 1 and text in lines[0], f"{keys}: {err}")


def check_max_drop(test):
    """The cheapest widths within a drop: between the ends by bisection, as measured on pictures that
    no stage reads; a stopped search goes on; what cannot be met is told when all is written."""
    def search(name, limit, *keys):
        code, out, err = quantize(test, name, "--method", "nearest", "--max-drop", limit, "--metric",
                                  "mse", "--widths", "2,4,8", "--json", *keys)
        return code, json.loads(out) if out else None, err

    code, none, err = search("drop 100", "100")
    test.check(code == 0 and none["max_drop"]["met"] and none["max_drop"]["tries"] == 2, err)
    code, some, err = search("drop 10", "10", "ptq.score=none")
    told = some["max_drop"]
    test.check(code == 0 and told["met"] and told["drop"] <= 10 and told["held_out"] == 64, err)
    test.check(none["max_drop"]["cost"] <= told["cost"] <= told["widest"]
               and told["points_of"] == "metric", f"{told}")
    tries = os.listdir(test.path("drop 10", "tries"))
    test.check(len(tries) == told["tries"], f"{tries} {told}")
    again = json.loads(open(test.path("drop 10", "tries", tries[0], "drop.json")).read())
    # The same search, stopped behind its tries: none is made again.
    os.remove(test.path("drop 10", "quantized.h5"))
    times = {t: os.stat(test.path("drop 10", "tries", t, "quantized.h5")).st_mtime_ns for t in tries}
    code, _, err = search("drop 10", "10", "ptq.score=none")
    test.check(code == 1 and "go on with --resume" in err, err)
    code, more, err = search("drop 10", "10", "ptq.score=none", "--resume")
    test.check(code == 0 and more["max_drop"] == told, f"{more} {err}")
    test.check(times == {t: os.stat(test.path("drop 10", "tries", t, "quantized.h5")).st_mtime_ns
                         for t in tries} and again["held_out"] == 64, "tries were made again")
    # 2 bits for all lose more than nothing: what is left is told, and in the folder.
    code, least, err = search("drop 0", "0", "quant.activations.bits=2", "ptq.score=none", "--widths",
                              "2")
    lines = [line for line in err.splitlines() if "cannot be met" in line]
    test.check(code == 1 and not least["max_drop"]["met"] and len(lines) == 1
               and "layers that cost the most: " in lines[0], f"{err}")
    test.check(os.path.exists(test.path("drop 0", "quantized.h5")), "the best that was reached is gone")
    for keys, text in ((("--max-drop", "x"), "is no number of points"),
                       (("--max-drop", "1", "--bits", "4"), "--bits is mixed or not given"),
                       (("--max-drop", "1", "--budget", "bits=1"), "below the least possible"),
                       (("--bits", "mixed"), "or --max-drop 0.5")):
        code, _, err = quantize(test, "refused", "--method", "nearest", "--metric", "mse", *keys)
        lines = [line for line in err.splitlines() if not line.startswith("override:")]
        test.check(code == 1 and len(lines) == 1 and text in lines[0], f"{keys}: {err}")


def run(arguments):
    test = Test(arguments[0])
    test.write("float.yaml", FLOAT)
    test.write("ptq.yaml", PTQ)
    test.succeed("train", test.path("float.yaml"), "--out", test.path("float"))
    check_presets(test)
    check_again(test)
    check_sensitivity(test)
    check_max_drop(test)
    check_warning(test)
    check_kill(test)
    check_memory(test)
    check_refused(test)
    return test.end()


if __name__ == "__main__":
    main(run)
