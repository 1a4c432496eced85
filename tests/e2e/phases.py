# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of runs whose bits change: what they hold is of the bits of then.

usage: phases.py DETENT
"""
import json

from support import RECIPE, Test, main

# From a float net over 8 bits to the recipe's own; 10 steps an epoch.
PHASES = RECIPE.replace("epochs: 2", "epochs: 4") + """\
dynamics: {oscillation: {max_bits: 8}}
phases:
  - {epoch: 0, weight_bits: 32, activation_bits: 32}
  - {epoch: 1, weight_bits: 8, activation_bits: 6}
  - {epoch: 2}
  - {epoch: 3, norm: frozen}
"""


def inspect(test, *file):
    return json.loads(test.succeed("inspect", test.path(*file), "--json"))


def bits(told):
    return sorted({(s["side"], s["bits"]) for s in told["sites"]})


def check_float_again(test):
    """Quantizers that a phase leaves out have no gradient: what the last step before it left is
    neither stepped nor clipped by, so a stop in that phase changes nothing."""
    recipe = test.write("again.yaml", RECIPE + """\
phases:
  - {epoch: 1, weight_bits: 32, activation_bits: 32}
""")
    keys = "train.clip_norm=0.5", "train.quant_decay=true"
    test.succeed("train", recipe, *keys, "--out", test.path("again"))
    cut = test.path("cut")
    test.succeed("train", recipe, *keys, "train.max_steps=15", "--out", cut)
    test.succeed("train", recipe, *keys, "--resume", "--out", cut)
    for name in "last.h5", "best.h5":
        test.check(test.sha256(f"{cut}/{name}") == test.sha256(test.path("again", name)),
                   f"a stop in a float phase: {name} differs")


def check_other_bits(test):
    """Scales belong to the bits that they were learned for, in checkpoints and in safetensors."""
    eight = RECIPE.replace("bits: 4", "bits: 8")
    four, eight = test.write("four.yaml", RECIPE), test.write("eight.yaml", eight)
    last = test.path("eight", "last.h5")
    test.succeed("train", eight, "train.max_steps=4", "--out", test.path("eight"))
    test.succeed("export", last, "--format", "safetensors", "--out", test.path("eight.safetensors"))
    for name, init in ("checkpoint", last), ("safetensors", test.path("eight.safetensors")):
        init = f"model.init={init}"
        code, _, err = test.run("train", four, init, "train.max_steps=1", "--out",
                                test.path("four " + name))
        test.check(code == 0 and "'conv3.weight_quant' starts anew from data: lsq, 8 bits" in err
                   and "'conv1.weight_quant' starts" not in err, f"{name}: {err}")
        code, _, err = test.run("eval", four, init)
        test.check(code == 1 and "no state of their bits, such as 'conv2.input_quant'" in err
                   and len(err.strip().splitlines()) < 20, f"{name}, eval: {err}")
        test.succeed("eval", four, init, "--calibrate")
        code, _, err = test.run("train", four, init, "train.max_steps=1", "--out",
                                test.path("eight " + name),
                                "phases=[{epoch: 0, weight_bits: 8, activation_bits: 8}]")
        test.check(code == 0 and "starts anew" not in err, f"{name}, a phase of its bits: {err}")
    # --calibrate starts all of them, also those that fit.
    for flag in [], ["--calibrate"]:
        test.succeed("export", last, *flag, "--format", "safetensors", "--out",
                     test.path(f"{len(flag)}.safetensors"))
    test.check(test.sha256(test.path("0.safetensors")) ==
               test.sha256(test.path("eight.safetensors")), "an export changes scales")
    test.check(test.sha256(test.path("0.safetensors")) != test.sha256(test.path("1.safetensors")),
               "--calibrate is ignored")


def run(args):
    test = Test(args[0])
    recipe = test.write("recipe.yaml", PHASES)
    whole = test.path("whole")
    out = test.succeed("train", recipe, "--out", whole)
    for steps in 10, 20:
        test.succeed("train", recipe, f"train.max_steps={steps}", "--out", test.path(str(steps)))

    # Quantizers of another phase are no state of the recipe's.
    for steps in "10", "20":
        for name in "last.h5", "best.h5":
            code, _, err = test.run("eval", recipe, f"model.init={test.path(steps, name)}")
            test.check(code == 1 and "no state of their bits" in err, f"{steps} {name}: {err}")
    code, _, err = test.run("train", recipe, "phases=[]", "train.max_steps=1",
                            f"model.init={test.path('20', 'last.h5')}", "--out", test.path("next"))
    test.check(code == 0 and err.count("_quant ") > 4, f"quantizers did not start anew: {err}")
    code, _, err = test.run("train", recipe, "phases=[]", "train.max_steps=1",
                            f"model.init={whole}/last.h5", "--out", test.path("other"))
    test.check(code == 0 and err.count("_quant ") == 0, f"quantizers started anew: {err}")

    # They are told as what they are.
    eight = bits(inspect(test, "20", "last.h5"))
    test.check(eight == [("activations", 6), ("activations", 8), ("weights", 8)], f"8 bits: {eight}")
    layers = {(l["weight_bits"], l["input_bits"]) for l in inspect(test, "20", "last.h5")["layers"]}
    test.check(layers == {(8, 6), (8, 8)}, f"layers at 8 bits: {layers}")
    four = bits(inspect(test, "whole", "last.h5"))
    test.check(four == [("activations", 4), ("activations", 8), ("weights", 4),
                        ("weights", 8)], f"the recipe's: {four}")

    # Also where a norm is folded into weights that are not quantized yet.
    folded = test.write("folded.yaml", PHASES.replace("quant:\n", "quant:\n  fold_norm: true\n"))
    test.succeed("train", folded, "train.max_steps=10", "--out", test.path("folded"))
    layers = {l["weight_bits"] for l in inspect(test, "folded", "last.h5")["layers"]}
    test.check(layers == {32}, f"layers of a float phase: {layers}")

    # The best epoch is one of the recipe's bits, however good the float net was.
    best = inspect(test, "whole", "best.h5")
    test.check(bits(best) == four, "the best checkpoint is of another phase")
    test.check(test.run("eval", recipe, f"model.init={whole}/best.h5")[0] == 0, "best.h5")
    starred = [line for line in out.splitlines() if line.endswith("best (selected on test)")]
    test.check(len(starred) >= 3, f"each number of bits has a best epoch: {out}")
    check_float_again(test)
    check_other_bits(test)
    return test.end()


if __name__ == "__main__":
    main(run)
