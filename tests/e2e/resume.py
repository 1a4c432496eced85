# SPDX-License-Identifier: Apache-2.0
"""A run that is killed and resumed ends in the bits of an undisturbed one; Ctrl-C saves, as SIGTERM
and SIGHUP do.

usage: resume.py DETENT [KILLS [SEED]]
"""
import json
import os
import random
import re
import shutil
import signal
import time

from support import DYNAMICS, FOLDED, RECIPE, TEACHER, Test, default_signals, leftovers, main

LIVELY = ["train.epochs=6", "train.save_minutes=0.0003"]  # 60 steps, a checkpoint every 20 ms


def log(folder):
    """metrics.jsonl without the seconds."""
    with open(os.path.join(folder, "metrics.jsonl")) as f:
        return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in f]


def state(folder):
    """Everything that is kept between steps."""
    with open(os.path.join(folder, "last.h5"), "rb") as f:
        return f.read()


def rows(folder):
    """summary.csv without the seconds, which no two runs share."""
    with open(os.path.join(folder, "summary.csv")) as f:
        return [line.rsplit(",", 1)[0] for line in f]


def expect_equal(test, folder, whole, what):
    for name in "last.h5", "best.h5":
        same = test.sha256(os.path.join(folder, name)) == test.sha256(os.path.join(whole, name))
        test.check(same, f"{what}: {name} differs from the undisturbed run's")
    test.check(state(folder) == state(whole), f"{what}: last.h5 differs in its bytes")
    test.check(rows(folder) == rows(whole), f"{what}: summary.csv differs")
    test.check(log(folder) == log(whole), f"{what}: metrics.jsonl differs")
    test.check(os.path.exists(os.path.join(folder, "DONE")), f"{what}: no DONE")
    test.check(not leftovers(folder), f"{what}: left {leftovers(folder)}")


def kill_and_resume(test, recipe, whole, seconds, kills, rng):
    """Returns how many kills hit a run under way; every finished run is compared."""
    folder, done, steps, finished = test.path("killed"), 0, [], 0
    while done < kills or not finished or (len(set(steps)) < 2 and done < 5 * kills):
        to_the_end = done >= kills and (not finished or done >= 5 * kills)
        process = test.start("train", recipe, *LIVELY, "--out", folder, "--resume", "--threads", 2)
        try:
            err = process.communicate(timeout=None if to_the_end
                                      else rng.uniform(0, 0.8 * seconds))[1]
        except Exception:  # TimeoutExpired: it runs still
            process.send_signal(signal.SIGKILL)
            process.communicate()
        if process.returncode == 0:
            expect_equal(test, folder, whole, f"after {done} kills")
            finished += 1
            shutil.rmtree(folder)
            continue
        if process.returncode != -signal.SIGKILL:
            raise SystemExit(f"exit code {process.returncode}: {err}")
        done += 1
        last = os.path.join(folder, "last.h5")
        if os.path.exists(last):
            test.check(len(test.sha256(last)) == 64, "the checkpoint is whole")
            steps.append([line.split()[1] for line in test.succeed("inspect", last).splitlines()
                          if line.startswith("step ")][0])
    print(f"{done} kills, {finished} finished runs; steps on disk after kills: {' '.join(steps)}")
    test.check(len(set(steps)) > 1 or kills < 3, "kills came at one moment only")


def ignored(test, recipe, whole):
    """nohup and background jobs are not stopped by what their shell has ignored for them."""
    def ignore():
        default_signals()
        for number in signal.SIGINT, signal.SIGHUP:
            signal.signal(number, signal.SIG_IGN)

    folder = test.path("ignored")
    process = test.start("train", recipe, *LIVELY, "--out", folder, "--threads", 1,
                         preexec_fn=ignore)
    for line in process.stderr:
        if line.startswith("epoch 1 step"):
            break
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate()
    test.check(process.returncode == 0, f"ignored signals: {process.returncode} {err}")
    expect_equal(test, folder, whole, "ignored signals")


def interrupt(test, recipe, whole, number):
    what = signal.Signals(number).name
    folder = test.path("interrupted")
    process = test.start("train", recipe, *LIVELY, "train.save_minutes=0", "--out", folder,
                         "--threads", 1)
    for line in process.stderr:
        if line.startswith("epoch 1 step"):
            break
    process.send_signal(number)
    out, err = process.communicate()
    test.check(process.returncode == 130, f"{what}: exit code {process.returncode}, not 130")
    test.check("resume with --resume" in err, f"{what}: says nothing of resuming: {err}")
    test.check("last step" not in out, f"{what}: claims to be finished")
    test.check(not os.path.exists(os.path.join(folder, "DONE")), f"{what}: DONE is there")
    test.check(not leftovers(folder), f"{what}: temporary files are left")
    test.succeed("train", recipe, *LIVELY, "--out", folder, "--resume")
    expect_equal(test, folder, whole, what)


def run(args):
    kills = int(args[1]) if len(args) > 1 else 5
    seed = int(args[2]) if len(args) > 2 else time.time_ns() % 100000
    print(f"seed {seed}")
    test = Test(args[0])
    test.succeed("train", test.write("teacher.yaml", TEACHER), "--out", test.path("teacher"))
    for name, text, number in (("recipe", RECIPE, signal.SIGINT),
                               ("dynamics", DYNAMICS, signal.SIGTERM),
                               ("folded", FOLDED, signal.SIGHUP)):
        check_recipe(test, test.write(name + ".yaml", text), kills, random.Random(seed), number)
    check_held(test)
    return test.end()


def cut(test, recipe, whole):
    """train.max_steps in mid-epoch evaluates where an undisturbed run does not."""
    folder = test.path("cut")
    out = test.succeed("train", recipe, *LIVELY, "train.max_steps=34", "--out", folder)
    score = [line.split(";")[0] for line in out.splitlines() if line.startswith("last step 34")]
    told = test.succeed("eval", recipe, "model.init=" + os.path.join(folder, "last.h5"),
                        "model.ema=true")
    for number in re.findall(r"top-\d [\d.]+%|\d+ of \d+|loss [\d.]+", score[0]):
        test.check(number in told, f"max_steps: last.h5 is not what was scored, {number}: {told}")
    steps = re.search(r"^step +(\d+)$", test.succeed("inspect", os.path.join(folder, "best.h5")), re.M)
    test.check(int(steps.group(1)) in (10, 20, 30), f"max_steps: best.h5 is of step {steps.group(1)}")
    test.succeed("train", recipe, *LIVELY, "--out", folder, "--resume")
    expect_equal(test, folder, whole, "max_steps")
    shutil.rmtree(folder)


def check_held(test):
    """A rate that carries scales past zero: told, held, logged, and resumed with the same bits."""
    recipe = test.write("wild.yaml", RECIPE)
    wild = ["train.quant_lr=100", "train.quant_decay=true", "train.optimizer.weight_decay=1",
            "train.epochs=3"]
    whole, cut = test.path("wild"), test.path("cut")
    code, _, err = test.run("train", recipe, *wild, "--out", whole)
    test.check(code == 0 and "held at half" in err and "held at its floor" in err,
               f"a wild rate: exit code {code}: {err}")
    held = [line for line in log(whole) if line["kind"] == "held"]
    test.check(held and all(line["held"] > 0 for line in held if line["parameter"] == "scale"),
               f"held: {held}")
    sites = json.loads(test.succeed("inspect", os.path.join(whole, "last.h5"), "--json"))["sites"]
    test.check(sites and all(site["scale_low"] > 0 for site in sites), f"scales: {sites}")
    low = [site["name"] for site in sites if site.get("at_floor")]
    test.check(bool(low) == ("at the floor of its range" in err) and
               all(name in err for name in low[:4]), f"the end says nothing of {low}: {err}")
    test.succeed("train", recipe, *wild, "train.max_steps=13", "--out", cut)
    test.succeed("train", recipe, *wild, "--out", cut, "--resume")
    test.check(state(cut) == state(whole), "held ranges: a resumed run has other bits")
    test.check(any(line["step"] == 13 for line in held), f"nothing held at the cut: {held}")
    test.check(log(cut) == log(whole), "held ranges: a resumed run has another log")


def check_recipe(test, recipe, kills, rng, number):
    whole = test.path("whole")
    start = time.monotonic()
    test.succeed("train", recipe, *LIVELY, "--out", whole, "--threads", 2)
    seconds = time.monotonic() - start
    kill_and_resume(test, recipe, whole, seconds, kills, rng)
    interrupt(test, recipe, whole, number)
    if number == signal.SIGINT:
        ignored(test, recipe, whole)
    if recipe.endswith("folded.yaml"):  # whose codes depend on the statistics
        cut(test, recipe, whole)
    # What is finished stays so.
    before = test.sha256(os.path.join(whole, "last.h5"))
    test.succeed("train", recipe, *LIVELY, "--out", whole, "--resume")
    test.check(test.sha256(os.path.join(whole, "last.h5")) == before, "a finished run went on")
    for folder in (whole, *map(test.path, ("interrupted", "ignored", "killed"))):
        shutil.rmtree(folder, ignore_errors=True)


main(run)
