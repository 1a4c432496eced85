# SPDX-License-Identifier: Apache-2.0
"""A cell of runs.yaml: one run with one seed, trained, evaluated, verified, and made a row of."""
import json
import os
import shlex
import subprocess
import sys
import time

import yaml

from results import ROOT

TUNING = (0.5, 1, 2)  # of the recipe's learning rate
RECIPES = os.path.join(ROOT, "recipes")


def log_of(folder):
    with open(os.path.join(folder, "metrics.jsonl")) as f:
        return [json.loads(line) for line in f]


def by_epoch(log):
    """Of each epoch the share of oscillating weights, and how many pictures more are right with
    batch-norm statistics estimated anew."""
    share = {e["step"]: e["oscillating"] for e in log
             if e["kind"] == "oscillation" and e["layer"] == "all"}
    return [(share[e["step"]], e["test_correct"] - e["test_correct_before"]) for e in log
            if e["kind"] == "epoch" and "test_correct_before" in e and e["step"] in share]


def last_of(log, kind, key):
    values = [e[key] for e in log if e["kind"] == kind and e["layer"] == "all"]
    return values[-1] if values else ""


def with_nets(keys, folder):
    return [k.replace("{nets}", folder) for k in keys]


class Runner:
    """`args`: data, nets, runs (folders), detent, threads, max_steps."""

    def __init__(self, args):
        self.args = args

    def init_of(self, table, key="init"):
        """The overrides that a table's float net takes, and how they are told."""
        init = table.get(key)
        if not init:
            return [], []
        below = os.path.join(self.args.nets, init)
        if not os.path.exists(below):
            below = os.path.join(self.args.runs, init, "seed-1", "last.h5")
            if not os.path.exists(os.path.join(os.path.dirname(below), "DONE")):
                sys.exit(f"{table['table']}: starts from '{init}', which is no file of --nets and no finished run")
        return [f"model.init={below}"], [f"model.init={init}"]

    def json_of(self, *words):
        out = subprocess.run([self.args.detent, *words, "--json"], check=True, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL).stdout
        return json.loads(out)

    def train(self, name, table, spec, seed, more, start="init"):
        """Trains to the end, or goes on with it, from the table's net `start`. The folder, and what the
        command was."""
        folder = os.path.join(self.args.runs, name)
        init, init_told = self.init_of(table, start)
        keys = [*table.get("keys", []), *spec.get("keys", []), f"train.seed={seed}", *more]
        if self.args.max_steps:
            keys.append(f"train.max_steps={self.args.max_steps}")
        command = [self.args.detent, "train", os.path.join(RECIPES, spec["recipe"]),
                   f"data.root={self.args.data}", *init, *with_nets(keys, self.args.nets),
                   "--out", folder, "--resume", "--threads", str(self.args.threads)]
        if not os.path.exists(os.path.join(folder, "DONE")):
            code = self.count(command, folder)
            if code:
                sys.exit(f"{name} ended with exit code {code}; start again to go on: {folder}/log")
        told = ["detent", "train", f"recipes/{spec['recipe']}", "data.root=D", *init_told,
                *with_nets(keys, "C")]
        return folder, " ".join(map(shlex.quote, told))

    def count(self, command, folder):
        """Runs it; its processor time is kept beside the run, also if this script is killed."""
        os.makedirs(folder, exist_ok=True)
        earlier = self.seconds(folder)
        with open(os.path.join(folder, "log"), "a") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        while True:
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
            if done:
                break
            with open(f"/proc/{process.pid}/stat") as f:
                spent = sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))
            self.keep_seconds(folder, earlier + spent / os.sysconf("SC_CLK_TCK"))
            time.sleep(2)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.keep_seconds(folder, earlier + usage.ru_utime + usage.ru_stime)
        return process.returncode

    @staticmethod
    def keep_seconds(folder, seconds):
        path = os.path.join(folder, "core_seconds")
        with open(path + ".new", "w") as f:
            f.write(f"{seconds:.1f}\n")
        os.replace(path + ".new", path)

    @staticmethod
    def seconds(folder):
        path = os.path.join(folder, "core_seconds")
        if not os.path.exists(path):
            return 0
        with open(path) as f:
            return float(f.read())

    def effective(self, spec, table):
        """The recipe as `detent` reads it, with the cell's keys."""
        keys = with_nets([*table.get("keys", []), *spec.get("keys", [])], self.args.nets)
        done = subprocess.run([self.args.detent, "train", os.path.join(RECIPES, spec["recipe"]),
                               f"data.root={self.args.data}", *keys, "--dry-run"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"{table['table']}, {spec['recipe']}: {done.stderr.strip()}")
        return yaml.safe_load(done.stdout[:done.stdout.index("\nrecipe hash ")])

    def rates_of(self, recipe, factor):
        """The learning rate of the recipe times `factor`, and the overrides that set it and those of
        parameter groups, which stay in proportion."""
        train = recipe["train"]
        lr = factor * float(train["optimizer"]["lr"])
        return lr, [f"train.optimizer.lr={lr:g}"] + [
            f"train.groups.{name}.lr={factor * float(group['lr']):g}"
            for name, group in train.get("groups", {}).items()]

    def tune(self, table, cell, spec, seed):
        """The factor that is best on held-out pictures, and the seconds that it took to find."""
        best, spent, recipe = None, 0, self.effective(spec, table)
        start = "tune_init" if "tune_init" in table else "init"
        for factor in TUNING:
            lr, more = self.rates_of(recipe, factor)
            folder, _ = self.train(f"{table['table']}/{cell}/lr-{lr:g}", table, spec, seed,
                                   ["train.epochs=2", "data.val=5000", *more], start)
            spent += self.seconds(folder)
            top1 = [e["val_top1"] for e in log_of(folder) if e["kind"] == "epoch"][-1]
            print(f"{cell}: lr {lr:g}: {top1:.2f}% of the held-out pictures", flush=True)
            if best is None or top1 > best[0]:
                best = (top1, factor)
        return best[1], spent

    def proved(self, folder, is_integer):
        """The tier, how many test pictures the integer model has right, and whether `verify` finds it to
        be the trained net."""
        last = os.path.join(folder, "last.h5")
        data = [f"data.root={self.args.data}", "--threads", str(self.args.threads)]
        score = self.json_of("eval", last, *data, *(["--arith", "integer"] if is_integer else []))
        if not is_integer:
            return score["isa"], "", ""
        verified = self.json_of("verify", last, *data)["verified"]
        return score["isa"], score["correct"], "yes" if verified else "no"

    def cell(self, table, cell, spec, seed):
        """The row of a finished run."""
        recipe = self.effective(spec, table)
        factor, spent = self.tune(table, cell, spec, seed) if table.get("tune") else (1, 0)
        lr, more = self.rates_of(recipe, factor)
        folder, command = self.train(f"{table['table']}/{cell}/seed-{seed}", table, spec, seed,
                                     more if table.get("tune") else [])
        log = log_of(folder)
        last = [e for e in log if e["kind"] == "epoch"][-1]
        quant = recipe.get("quant")
        is_integer = isinstance(quant, dict) and quant.get("placement") == "deploy"
        isa, integer, verified = self.proved(folder, is_integer)
        inspected = self.json_of("inspect", os.path.join(folder, "last.h5"))
        return {"table": table["table"], "cell": cell, "recipe": spec["recipe"], "seed": seed,
                "recipe_hash": inspected["recipe.hash"], "epochs": last["epoch"], "lr": f"{lr:g}",
                "correct": last["test_correct"], "count": last["test_count"],
                "correct_integer": integer, "verified": verified,
                "correct_before_bn": last.get("test_correct_before", ""),
                "oscillating": last_of(log, "oscillation", "oscillating"),
                "frozen": last_of(log, "freezing", "frozen"),
                "by_epoch": " ".join(f"{share:.4g}:{gain}" for share, gain in by_epoch(log)),
                "core_hours": f"{(spent + self.seconds(folder)) / 3600:.2f}", "isa": isa,
                "sha256": inspected["sha256"], "command": command}
