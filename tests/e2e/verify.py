# SPDX-License-Identifier: Apache-2.0
"""The integer model from the command line: eval --arith integer and verify, with pictures and without,
of a recipe and of a checkpoint; what is refused.

usage: verify.py DETENT
"""
import json

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


def run(args):
    test = Test(args[0])
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
    text = test.succeed("verify", checkpoint, "--prove")
    test.check(text.splitlines()[-1] == "proved", text[-80:])

    for words, said in (
            ([recipe], "no state"),
            ([checkpoint, "--rounding", "dubble"], "did you mean 'double'"),
            ([checkpoint, "--runtime", "otr"], "otr"),
            ([recipe, "quant.placement=paper", "--calibrate"], "no quantizer"),
            ([test.write("half.h5", open(checkpoint, "rb").read()[:5000])], "half.h5")):
        code, out, err = test.run("verify", *words)
        test.check(code == 1 and said in err.splitlines()[-1] and not out, f"{words}: {code} {err}")
    code, _, err = test.run("eval", checkpoint, "--arith", "int")
    test.check(code == 1, "eval took the arithmetic 'int'")
    return test.end()


main(run)
