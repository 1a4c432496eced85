# SPDX-License-Identifier: Apache-2.0
"""repro: the first steps of three recipes have the recorded weights, what changes them is caught, and
a whole run is held to its number, whether it was killed or not.

usage: repro.py DETENT SOURCE_ROOT
"""
import json
import os
import signal
import time

import support


def quick(test, recipe, *keys):
    """(exit code, what it says)"""
    code, out, err = test.run("repro", "--quick", "--json", "--isa", "avx2", recipe, *keys)
    test.check(out, f"repro --quick {recipe} {keys}: {err}")
    return code, json.loads(out) if out else {}


def first_steps(test, root):
    builtin = os.path.join(root, "recipes", "builtin")
    for name in "smallcnn.yaml", "smallcnn-lsq-w4a4.yaml":
        code, said = quick(test, os.path.join(builtin, name))
        test.check(code == 0 and said["pass"] and said["weights"] == "equal", f"{name}: {said}")
    recipe = os.path.join(builtin, "smallcnn-lsq-w4a4.yaml")
    for key in "quant.activations.init=lsq", "train.seed=2", "train.optimizer.lr=0.021":
        code, said = quick(test, recipe, key)
        test.check(code == 1 and said["weights"] == "different", f"{key} is not caught: {said}")
    data = support.shared(root, "data", "cifar-10-batches-bin")
    init = support.shared(root, "checkpoints", "resnet20-12fca82f.th")
    if not (data and init):
        test.skip("CIFAR-10 or its float net is not there: two recipes of three")
        return
    code, said = quick(test, os.path.join(root, "recipes/cifar10/resnet20-lsq-w4a4.yaml"),
                       "data.root=" + data, "model.init=" + init)
    test.check(code == 0 and said["weights"] == "equal", f"resnet20-lsq-w4a4: {said}")


def whole_runs(test):
    recipe = test.write("mine.yaml", support.RECIPE + "expect: {top1: 0, status: measured}\n")
    code, out, err = test.run("repro", recipe, "--out", test.path("runs"))
    test.check(code == 0 and "pass" in out, f"a run: {code} {out} {err}")
    folder = test.path("runs", "mine")
    code, out, err = test.run("repro", recipe, "--from", folder, "--json")
    said = json.loads(out)
    test.check(code == 0 and said["weights"] == "not recorded", f"--from: {said}")
    right = f"expect.sha256=[{said['tag']}={said['sha256']}]"
    wrong = right.replace(said["sha256"], "0" * 64)
    code, out, _ = test.run("repro", recipe, right, "--from", folder)
    test.check(code == 0 and "equal" in out, f"the recorded weights: {out}")
    code, out, _ = test.run("repro", recipe, wrong, "--from", folder)
    test.check(code == 1 and "different" in out and "FAIL" in out, f"other weights: {out}")
    code, out, _ = test.run("repro", recipe, "expect.top1=100", "--from", folder)
    test.check(code == 1 and "FAIL" in out, f"a number that is missed: {out}")
    # Killed, it goes on, and has the same weights.
    process = test.start("repro", recipe, "train.epochs=40", "train.save_minutes=0.001", "--out",
                         test.path("killed"))
    while not os.path.exists(test.path("killed", "mine", "last.h5")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    code, out, err = test.run("repro", recipe, "train.epochs=40", "--out", test.path("killed"), "--json")
    first = json.loads(out)
    _, out, _ = test.run("repro", recipe, "train.epochs=40", "--out", test.path("whole"), "--json")
    test.check(code == 0 and json.loads(out)["sha256"] == first["sha256"], f"killed: {first} {out}")


def where_the_time_goes(test):
    """bench step --run: an epoch of a run; its parts are all of it, and its folder is gone."""
    recipe, folder = test.write("timed.yaml", support.RECIPE), test.path("tmp")
    os.mkdir(folder)
    code, out, err = test.run("bench", "step", recipe, "--run", "--json",
                              variables={"TMPDIR": folder})
    said = json.loads(out) if code == 0 else {}
    parts = [said.get(f"{name}_s", -1) for name in ("start", "ranges", "waits", "steps", "scores", "writes")]
    test.check(min(parts) >= 0 and min(parts[3:]) > 0 and abs(sum(parts) - said["all_s"]) < 1e-3,
               f"bench step --run: {code} {out} {err}")
    test.check(not os.listdir(folder), f"bench step --run left {os.listdir(folder)}")


def refusals(test):
    bare = test.write("bare.yaml", support.RECIPE)
    for words, wanted in ((["repro", bare], "expect.top1"), (["repro", "--quick", bare], "expect.quick"),
                          (["repro", bare, "expect.top1=1", "--from", test.path("none")], "no file DONE"),
                          (["repro", bare, bare, "--from", test.path("none")], "of one recipe"),
                          (["repro", bare, "expect={top1: 1, sha256: [x=1]}"], "64 lower-case"),
                          (["repro", bare, "expect={tolerance: 1}"], "not_run")):
        code, _, err = test.run(*words)
        test.check(code == 1 and wanted in err and "Traceback" not in err, f"{words}: {code} {err}")


def main(args):
    test = support.Test(args[0])
    first_steps(test, args[1])
    whole_runs(test)
    where_the_time_goes(test)
    refusals(test)
    return test.end()


support.main(main)
