# SPDX-License-Identifier: Apache-2.0
"""Bad input: exit code 1, one line that names place, value and rule, nothing lost or half-written.

usage: bad_input.py DETENT
       bad_input.py DETENT --disk-full FOLDER   (called by itself, where FOLDER can be mounted on)
"""
import os
import json
import pickle
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import zipfile

from support import RECIPE, Test, leftovers, main, png

TWO = "train.max_steps=2"
# What a run tells before anything goes wrong.
CHATTER = re.compile(r"override: |recipe \w+, hash |quantization site |\S+_quant  +lsq |batch norm: |"
                     r"plan: |memory: |resumed at step |epoch \d+ step |evaluating |no model.init: |"
                     r"step \d+: '\S+' held at |warning: no model.init: |imported |  matched |  missing |  unexpected ")


def refused(test, what, args, *parts, **options):
    """Exit code 1 and exactly one line of refusal, the last one, with every part in it."""
    code, out, err = test.run(*args, **options)
    lines = err.splitlines()
    told = [line for line in lines if not CHATTER.match(line)]
    line = told[0] if told else ""
    test.check(code == 1, f"{what}: exit code {code}, not 1: {err}")
    test.check(len(told) == 1 and lines[-1] == line, f"{what}: not one line at the end: {err}")
    for part in parts:
        test.check(part in line, f"{what}: no '{part}' in: {line}")
    test.check("last step" not in out, f"{what}: claims to be finished")
    return line


def split_folder(test):
    """A set with train/ and test/."""
    for split in "train", "test":
        for name in "ab":
            os.makedirs(test.path("split", split, name))
            test.write(f"split/{split}/{name}/1.png", png(8, 8, [bytes(24)] * 8))
    return test.path("split")


def recipes(test, recipe):
    def refused_text(what, text, *parts):
        path = test.write("bad.yaml", text)
        refused(test, what, ["train", path, "--out", test.path("never")], path, *parts)
        test.check(not os.path.exists(test.path("never")), f"{what}: the run folder was made")

    def changed(a, b):
        assert a in RECIPE
        return RECIPE.replace(a, b)

    refused_text("unknown key", changed("weights: {method: lsq, bits: 4}",
                                        "weights: {method: lsq, bitz: 4}"),
                 ":4: quant.weights.bitz: ", "did you mean 'bits'?")
    refused_text("bits 17", changed("activations: {method: lsq, bits: 4}",
                                    "activations: {method: lsq, bits: 17}"),
                 ":5: quant.activations.bits: 17", "1..8")
    refused_text("repeated key", RECIPE + "eval: {batch: 32}\n", ":8: eval: ")
    refused_text("unknown method", changed("{method: lsq, bits: 4}\n  act",
                                           "{method: lsqq, bits: 4}\n  act"),
                 ":4: quant.weights.method: ", "lsqq", "lsq")
    refused_text("rule without layer", changed("train: {epochs", "  rules: [{layers: 'conv9*', "
                                               "weights: {bits: 3}}]\ntrain: {epochs"),
                 ":6: quant.rules", "conv9*")
    refused_text("no YAML", "model: {name: [\n", ":2: ")
    refused_text("empty", "")
    refused(test, "override", ["train", recipe, "train.epochs=0", "--out", test.path("never")],
            "command line", "train.epochs: 0 is outside 1..100000")
    for what, override, *parts in [
            ("no blanks", "quant.weights={method:lsq,bits:4}", "command line: quant.weights.method:lsq: ",
             "a blank is missing behind the colon: method: lsq"),
            ("no blank in a model", "model={name:smallcnn}", "model.name:smallcnn: a blank is missing"),
            ("no blanks of an edge", "quant.first={weights:none}", "quant.first.weights:none: a blank"),
            ("more classes than the set has", "model.classes=11",
             "model.classes: 11 is not the 10 classes of dataset 'builtin'"),
            ("fewer classes than the set has", "model.classes=9", "model.classes: 9 is not the 10"),
            ("a method of one body, edges of 8 bits", "quant.last={weights: {method: pact, bits: 1}}",
             "quant.last.weights.bits: 1 is outside 2..8, the bits of 'pact'; quant.last.weights may"),
            ("no steps between logs", "train.log_steps=0", "train.log_steps: 0 is outside 1.."),
            ("a share of a set with both folders", f"data={{name: folder, root: {split_folder(test)}, test_share: 0.2}}",
             "data.test_share: ", "has folders of its splits"),
            ("a share of a set without folders", "data.test_share=0.2", "data.test_share: ",
             "unknown key"),
            ("no word of orientations", "data.orientation=turn", "data.orientation: turn is not one of ignore|apply"),
            ("a value that is none", "train.epochs=many", "train.epochs: many is not a whole number"),
            ("a key of the wrong section", "data.lr=0.1", "data.lr: unknown key"),
            ("braces that a shell took", "quant.weights=method:lsq", "quant.weights: must be a map of keys",
             "in a shell it is quoted"),
            ("a rule of a layer of another name", "quant.rules=[{layers: conv9, weights: {bits: 3}}]",
             "quant.rules.0.layers: 'conv9' matches no layer; there is 'conv"),
            ("a GPU", "device=gpu", "device: unknown key; everything runs on processors", "other machines "
             "take what detent export writes"),
            ("a GPU to train on", "train.device=cuda", "train.device: unknown key; everything runs on processors"),
            ("a key of other programs", "train.learning_rate=0.1", "the key is train.optimizer.lr"),
            ("a map for a number", "train.seed={a: 1}", "train.seed: "),
            ("a negative rate", "train.optimizer.lr=-1", "train.optimizer.lr: -1 is outside 0..1000"),
            ("an optimizer of another name", "train.optimizer.name=adam", "train.optimizer.name: ",
             "did you mean 'adamw'?"),
            ("a schedule of another name", "train.schedule.name=cos", "train.schedule.name: "),
            ("a transform of another name", "data.train=[crop: 4]", "data.train.0", "crop"),
            ("a dataset of another name", "data.name=cifar", "data.name: ", "cifar10"),
            ("a model of another name", "model.name=resnet19", "model.name: ", "'resnet18'"),
            ("an override without a value", "train.epochs", "'train.epochs' is not of the form")]:
        refused(test, what, ["train", recipe, override, "--dry-run"], *parts)
    refused(test, "nothing to fold",
            ["train", recipe, "quant.fold_norm=true", "quant.weights=none", "quant.first=none",
             "--out", test.path("never")], "quant.fold_norm: no batch norm follows")
    for what, override, *parts in [
            ("8-bit APoT", "quant.weights={method: apot, bits: 8}", "weight_quant: ",
             "no level set of 8 bits"),
            ("EWGS without rounding", "quant.weights={method: apot, bits: 4, ste: ewgs}",
             "weight_quant: ", "needs a step that rounds"),
            ("EWGS of a float side", "quant.weights={method: none, ste: ewgs}", "command line",
             "method none has none"),
            ("PACT of weights", "quant.weights={method: pact, bits: 4}", "weight_quant: ",
             "weights take 'dorefa'"),
            ("freezing without tracker", "dynamics={freezing: {}}", "dynamics.freezing: ",
             "needs dynamics.oscillation"),
            ("means of no checkpoint", "model.ema=true", "model.ema: ", "model.init"),
            ("a teacher's place without a teacher", "distill={temperature: 2}", "command line",
             "distill: ", "needs a 'teacher'"),
            ("a teacher that is not there", "distill={teacher: none.h5}", "none.h5",
             "No such file"),
            ("a teacher of no known kind", f"distill={{teacher: {recipe}}}", "recipe.yaml",
             "known kind"),
            ("a phase after the end", "phases=[{epoch: 2}]", "phases.0.epoch: 2 is after the last"),
            ("a phase of more bits than there are",
             "phases=[{epoch: 1, weight_bits: 12}]", "phases.0.weight_bits: 12"),
            ("curvature without EWGS", "dynamics={ewgs_curvature: {}}", "dynamics.ewgs_curvature: ",
             "ste: ewgs"),
            ("a strength of what has none",
             "quant.weights={method: lsq, bits: 4, ste: stochastic, ste_strength: 1}",
             "weight_quant: ", "ste_strength 1 is outside 0..0"),
            ("a group without parameters", "train.groups={quant_weight: {}}", "train.groups.",
             "did you mean 'quant_weights'?"),
            ("StatsQ of activations", "quant.activations={method: statsq, bits: 4}",
             "input_quant: ", "statsq is of weights")]:
        refused(test, what, ["train", recipe, override, "quant.first=none", "quant.last=none",
                             "--out", test.path("never")], *parts)
    refused(test, "freezing of codes drawn at random",
            ["train", recipe, "quant.weights={method: lsq, bits: 4, ste: stochastic}",
             "dynamics={oscillation: {max_bits: 8}, freezing: {}}", "--out", test.path("never")],
            "dynamics.freezing: ", "ste stochastic")


def dry_runs(test, recipe):
    """What training refuses before its first step, a dry run refuses in the same words."""
    for what, overrides, *parts in [
            ("a phase of a method's other bits",
             ["quant.weights={method: apot, bits: 4}", "quant.first=none", "quant.last=none",
              "phases=[{epoch: 1, weight_bits: 8}]"], "weight_quant: ", "8 bits"),
            ("a phase without quantizers", ["quant=none", "phases=[{epoch: 1, weight_bits: 4}]"],
             "phases: weight_bits of epoch 1"),
            ("a phase without norms",
             ["model={name: vit, patch: 8, dim: 16, depth: 1, heads: 2}", "quant=none",
              "phases=[{epoch: 1, norm: frozen}]"], "phases: norm of epoch 1: the net has no batch"),
            ("a group without quantizers", ["quant=none", "train.groups={quant: {name: sgd}}"],
             "train.groups.quant: "),
            ("a group that follows a rate of 0",
             ["train.optimizer.lr=0", "train.groups={quant: {name: sgd, lr: 0.1}}"],
             "train.groups.quant: lr 0.1 follows"),
            ("more batches than there are", ["train.accumulate=11"], "train.accumulate: 11")]:
        lines = [refused(test, what, ["train", recipe, *overrides, *last], *parts)
                 for last in (["--dry-run"], ["--out", test.path("never")])]
        test.check(lines[0] == lines[1], f"{what}: a dry run tells something else: {lines}")
    test.check(not os.path.exists(test.path("never")), "dry runs: the run folder was made")


def arguments(test, recipe):
    never = ["--out", test.path("never")]
    refused(test, "threads 0", ["train", recipe, "--threads", "0", *never], "--threads '0'", "1..256")
    refused(test, "threads x", ["train", recipe, "--threads", "x", *never], "--threads 'x'", "1..256")
    refused(test, "threads 257", ["eval", recipe, "--threads", "257"], "--threads '257'", "1..256")
    refused(test, "unknown verb", ["trian", recipe], "'trian'", "did you mean 'train'?")
    refused(test, "no verb's option", ["eval", recipe, "--resume"], "--resume")
    for words in ["--gpu"], ["--device", "gpu"], ["--device=cuda:0"]:
        refused(test, words, ["train", recipe, *words, *never], "detent: train: there is no option '--",
                "everything runs on processors here (--threads: how many", "what detent export writes")
    refused(test, "isa", ["train", recipe, "--isa", "avx9", *never], "isa: 'avx9'", "nearest")
    refused(test, "no words", ["train"], "RECIPE")
    for verb in "report", "plot", "sweep":
        refused(test, f"{verb} without --out", [verb, test.folder], f"detent {verb}: ", "required: --out")
    refused(test, "no run to report", ["table"], "detent table: ", "required: ")
    refused(test, "a format of tables", ["table", test.folder, "--format", "xml"], "'xml'", "'markdown'")
    refused(test, "no such list", ["list", "quantisers"], "did you mean 'quantizers'?")
    refused(test, "a pattern of no key", ["list", "keys", "nothing"], "no name among the keys has")
    test.check("train.log_steps" in test.succeed("list", "keys", "log_") and
               test.succeed("list", "keys", "*.bits").count("default") == 3, "list keys PATTERN")
    for words in ["-h"], ["--help"], ["help"], ["train", "-h"], ["data", "--help"]:
        out = test.succeed(*words)
        test.check("sage: detent" in out and max(map(len, out.splitlines())) <= 100, out)
    forms = [line.split()[1:3] for line in test.succeed("--help").splitlines() if "  detent " in line]
    test.check(["data", "check"] in forms and ["data", "pack"] in forms and
               ["bench", "ops"] in forms, f"forms of verbs: {forms}")
    test.check(not os.path.exists(test.path("never")), "arguments: the run folder was made")


def files(test, recipe):
    never = ["--out", test.path("never")]
    refused(test, "no recipe", ["train", test.path("no.yaml"), *never], "no.yaml", "No such file")
    refused(test, "no init", ["train", recipe, "model.init=no.pth", *never], "no.pth",
            "No such file")
    refused(test, "inspect nothing", ["inspect", test.path("no.h5")], "no.h5", "No such file")
    refused(test, "inspect a folder", ["inspect", test.folder], test.folder)
    refused(test, "inspect a text", ["inspect", test.write("text.txt", "words\n")], "text.txt", "known kind")
    refused(test, "inspect a recipe", ["inspect", recipe], recipe, "of a recipe, which has a 'model'")
    refused(test, "no dataset", ["train", recipe, "data.name=cifar10", "data.root=nowhere",
                                 "data.train_pictures=", *never])
    cifar = test.write("cifar.yaml", RECIPE.replace("name: builtin", "name: cifar10")
                       .replace(", train_pictures: 320, test_pictures: 64", ", root: cifar"))
    refused(test, "no files", ["train", cifar, *never], "cifar")
    os.mkdir(test.path("cifar"))
    record = bytes([3]) + bytes(3072)
    for name in [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]:
        test.write("cifar/" + name, 10 * record)
    test.succeed("train", cifar, TWO, "--out", test.path("good"))  # it is the damage that counts
    shutil.rmtree(test.path("good"))
    test.write("cifar/data_batch_4.bin", 9 * record + record[:-100])
    refused(test, "truncated .bin", ["train", cifar, *never], "data_batch_4.bin", "30630",
            "multiple of 3073")
    test.write("cifar/data_batch_4.bin", 9 * record)
    refused(test, "shorter .bin", ["train", cifar, *never], "data_batch_4.bin", "9 records")
    test.write("cifar/data_batch_4.bin", 9 * record + bytes([10]) + record[1:])
    refused(test, "label 10", ["train", cifar, *never], "data_batch_4.bin", "label 10", "0..9")
    os.remove(test.path("cifar/test_batch.bin"))
    test.write("cifar/data_batch_4.bin", 10 * record)
    refused(test, "missing .bin", ["train", cifar, *never], "test_batch.bin")
    test.check(not os.path.exists(test.path("never")), "files: the run folder was made")


def damaged_checkpoints(test, recipe, rng):
    test.succeed("train", recipe, TWO, "--out", test.path("run"))
    last = test.path("run", "last.h5")
    with open(last, "rb") as f:
        whole = f.read()
    cuts = [0, 1, 7, 8, 511, 512, 513, len(whole) - 1] + [rng.randrange(len(whole)) for _ in range(12)]
    for size in cuts:
        path = test.write("cut.h5", whole[:size])
        refused(test, f"cut to {size}", ["inspect", path], "cut.h5")
    places = [0, 8, 12, 16, 24, 88, 511, 512] + [rng.randrange(len(whole)) for _ in range(32)]
    for at in places:
        bad = bytearray(whole)
        bad[at] ^= 1 << rng.randrange(8)
        path = test.write("flipped.h5", bytes(bad))
        refused(test, f"bit flipped at {at}", ["inspect", path], "flipped.h5")
    longer = test.write("longer.h5", whole + b"x")
    refused(test, "a byte more", ["inspect", longer], "longer.h5", "changed")
    limit = " 16777216 may be used (--memory)"
    refused(test, "inspect in 16M", ["inspect", last, "--images", "8", "--memory", "16M"], "model.", limit)
    test.succeed("inspect", last, "--images", "8", "--memory", "800M")
    refused(test, "flipped as init", ["eval", recipe, "model.init=" + path], "flipped.h5", "SHA-256")
    shutil.copy(path, last)
    refused(test, "flipped, resumed", ["train", recipe, "--out", test.path("run"), "--resume"],
            "last.h5", "SHA-256")
    with open(last, "rb") as f:
        test.check(f.read() == bytes(bad), "a refused resume changed the checkpoint")
    shutil.rmtree(test.path("run"))


class Touch:
    """Unpickled by Python, it would make the file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, ("touch " + self.path,)


def hostile_pickles(test, recipe):
    marker = test.path("marker")
    for protocol in 0, 1, 2, 4:
        for root in Touch(marker), {"state_dict": {"conv1.weight": Touch(marker)}}:
            text = pickle.dumps(root, protocol=protocol)
            zipped = test.path("evil.pth")
            with zipfile.ZipFile(zipped, "w") as z:
                z.writestr("archive/data.pkl", text)
                z.writestr("archive/version", "3\n")
            legacy = test.write("legacy.pth", pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2) +
                                pickle.dumps(1001, protocol=2) + pickle.dumps({}, protocol=2) + text +
                                pickle.dumps([], protocol=2))
            plain = test.write("plain.pth", text)
            for path in zipped, legacy, plain:
                refused(test, f"os.system, protocol {protocol}", ["inspect", path],
                        os.path.basename(path))
                test.check(not os.path.exists(marker), f"{path}: the pickle was executed")
    line = refused(test, "os.system as init", ["eval", recipe, "model.init=" + zipped], "evil.pth")
    test.check("system" in line, f"os.system is not named: {line}")
    pickle.loads(text)  # the pickle does what it is feared for
    test.check(os.path.exists(marker), "the pickle is harmless: this test shows nothing")
    huge = test.write("huge.safetensors", struct.pack("<Q", 1 << 60) + b"{}")
    refused(test, "huge header", ["inspect", huge], "huge.safetensors")


def no_files(test, recipe):
    """What is no regular file is told at once; a FIFO without a writer would be waited for."""
    fifo = test.path("fifo")
    os.mkfifo(fifo)
    for name in fifo, "/dev/zero", test.folder:
        for words in (["train", name], ["eval", name], ["verify", name], ["export", name],
                      ["inspect", name], ["bench", "step", name], ["data", "check", "/dev/zero"],
                      ["eval", recipe, f"model.init={name}"],
                      ["eval", recipe, f"data={{name: packed, root: {name}}}"]):
            refused(test, f"{words[0]} of {name}", words, "regular file" if words[0] != "data" else "",
                    timeout=20)


# 12.9 billion parameters.
HUGE = """\
model: {name: vit, dim: 4096, depth: 64, heads: 64}
data: {name: builtin, batch: 32, train_pictures: 320, test_pictures: 64}
train: {epochs: 1, optimizer: {name: adamw, lr: 0.001}}
eval: {batch: 64}
"""


def memory(test, recipe):
    """What is too much is refused before it is taken, with the key that helps; nothing is taken to
    find out."""
    def little():
        resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))

    huge = test.write("huge.yaml", HUGE)
    for words in (["train", huge, "--dry-run"], ["train", huge, "--out", test.path("never")],
                  ["eval", huge], ["export", huge, "--out", test.path("never.onnx")],
                  ["verify", huge], ["bench", "step", huge]):
        refused(test, f"{words[0]} of a huge net", [*words, "--memory", "9G"], "model.dim: ",
                " 9663676416 may be used (--memory)", "parameters ", timeout=60)
    limited = refused(test, "address space", ["train", huge, "--dry-run", "--memory", "4T"],
                      "model.d", "RLIMIT_AS", preexec_fn=little)
    test.check("more than" in limited, limited)
    test.check(not os.path.exists(test.path("never")), "a folder was made")
    out = test.succeed("train", huge, "--dry-run", "--memory", "4T", timeout=60)
    test.check("12888829962 parameters" in out, out)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    test.check(peak < 600_000, f"a process had {peak} KiB")
    for key in "data.batch", "eval.batch":
        refused(test, key, ["train", recipe, "--dry-run", f"{key}=320", "--memory", "32M"],
                f"{key}: ", "33554432")
    shape = "stem_3_64_224_n16"
    refused(test, "bench ops", ["bench", "ops", shape, "--memory", "60M"], f"{shape}: ",
            " 62914560 may be used (--memory)", "by its name")
    refused(test, "bench loader", ["bench", "loader", recipe, "data.batch=8192", "--memory", "60M"],
            "data.batch: ", " 62914560 may be used (--memory)")
    refused(test, "large batch", ["train", recipe, "--dry-run", "eval.batch=65536"],
            "eval.batch: 65536 is outside 1..8192")
    refused(test, "no size", ["eval", recipe, "--memory", "8GB"], "--memory '8GB'")


def runs(test, recipe):
    folder = test.path("run")
    refused(test, "lr 1e30", ["train", recipe, "train.optimizer.lr=1e30", "--out", folder],
            "train.optimizer.lr: 1e30 is outside 0..1000")
    for side in "lsq", "none":
        # The decay multiplies weights by -1e4 a step: inf, then nan, in this or the next epoch.
        refused(test, "nan", ["train", recipe, f"quant.weights.method={side}", "--out", folder,
                              "train.optimizer.lr=1000", "train.optimizer.weight_decay=10",
                              "train.epochs=4"], "step ", "'", "train.optimizer.lr")
        test.check(not leftovers(folder) and not os.path.exists(os.path.join(folder, "DONE")),
                   "nan: something half-written is left")
        shutil.rmtree(folder)
    refused(test, "no state", ["eval", recipe], "recipe.yaml", "no state", "--calibrate")
    test.succeed("train", recipe, TWO, "--out", folder)
    before = test.sha256(os.path.join(folder, "last.h5"))
    refused(test, "an existing run", ["train", recipe, "--out", folder], folder, "--resume")
    refused(test, "another recipe", ["train", recipe, "train.seed=4", "--out", folder, "--resume"],
            "last.h5", "train.seed (3 there, 4 here)")
    test.check(test.sha256(os.path.join(folder, "last.h5")) == before, "a refusal changed last.h5")
    test.succeed("train", recipe, "train.max_steps=4", "--out", folder, "--resume")
    shutil.rmtree(folder)


def forbidden(test, recipe):
    file = test.write("file", "text\n")
    refused(test, "a file as folder", ["train", recipe, "--out", file], file)
    refused(test, "a folder in a file", ["train", recipe, "--out", file + "/run"], file)
    with open(file) as f:
        test.check(f.read() == "text\n", "the file was changed")
    as_nobody = {}
    if os.geteuid() == 0:  # permissions do not bind root
        as_nobody["user"] = as_nobody["group"] = 65534
        if subprocess.run([test.detent, "--version"], capture_output=True, **as_nobody).returncode:
            test.skip("no write permission: another user cannot start the program")
            return
    folder = test.path("run")
    test.succeed("train", recipe, TWO, "--out", folder)
    before = sorted((n, os.path.getsize(os.path.join(folder, n))) for n in os.listdir(folder))
    os.chmod(folder, 0o555)
    refused(test, "a folder that is closed", ["train", recipe, "--out", folder, "--resume"], folder,
            "Permission denied", **as_nobody)
    os.mkdir(test.path("closed"), 0o555)
    refused(test, "no new folder", ["train", recipe, "--out", test.path("closed", "run")], "closed",
            "Permission denied", **as_nobody)
    after = sorted((n, os.path.getsize(os.path.join(folder, n))) for n in os.listdir(folder))
    test.check(before == after, f"a closed folder was changed: {before}, {after}")
    os.chmod(folder, 0o755)
    shutil.rmtree(folder)


def little_address_space(test, recipe):
    """What reads files alone does without OpenBLAS, which takes 128 MB for a processor and, where they are
    not to be had, never comes back from being loaded. What needs it says so."""
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (100_000 << 10, 100_000 << 10))

    folder = test.path("little")
    test.succeed("train", recipe, TWO, "--out", folder)
    last = os.path.join(folder, "last.h5")
    for words in ["--version"], ["--help"], ["list", "quantizers"], ["list", "keys"], ["inspect", last]:
        code, out, err = test.run(*words, timeout=20, preexec_fn=limit)
        test.check(code == 0 and out, f"{words} in 100 MB: {code} {err}")
    test.check(test.run("inspect", last, preexec_fn=limit)[1] == test.succeed("inspect", last),
               "inspect says something else in 100 MB")
    code, _, err = test.run("eval", recipe, "model.init=" + last, "--threads", 1, "--isa", "scalar", timeout=20,
                            preexec_fn=limit)
    test.check(code == 1 and "OpenBLAS wants" in err.splitlines()[-1] and "ulimit -v" in err,
               f"eval in 100 MB: {code} {err}")
    shutil.rmtree(folder)


def grow(test, recipe, folder, what, reason, **options):
    """A run whose disk gets full: the checkpoint of before is whole, and goes on later."""
    last = os.path.join(folder, "last.h5")
    with open(last, "rb") as f:
        before = f.read()
    refused(test, what, ["train", recipe, "--out", folder, "--resume"], folder, reason, **options)
    with open(last, "rb") as f:
        test.check(f.read() == before, f"{what}: last.h5 was changed")
    test.check(len(test.sha256(last)) == 64, f"{what}: last.h5 cannot be read")
    test.check(not leftovers(folder), f"{what}: left {leftovers(folder)}")
    test.check(not os.path.exists(os.path.join(folder, "DONE")), f"{what}: DONE is there")


def file_size_limit(test, recipe, whole):
    def limit():  # the program itself sees to it that SIGXFSZ does not end it
        resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))

    folder = test.path("limited")
    test.succeed("train", recipe, TWO, "--out", folder)
    grow(test, recipe, folder, "file size limit", "File too large", preexec_fn=limit)
    test.succeed("train", recipe, "--out", folder, "--resume")
    test.check(test.sha256(os.path.join(folder, "last.h5")) == whole, "file size limit: other bits")


def disk_full(detent, folder):
    """In a mount namespace of its own: a file system of 1 MB, filled up behind the run's back."""
    test = Test(detent)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]).returncode:
        return 3
    recipe, run = test.write("recipe.yaml", RECIPE), os.path.join(folder, "run")
    test.succeed("train", recipe, "--out", test.path("whole"))
    test.succeed("train", recipe, TWO, "--out", run)
    filler = os.path.join(folder, "filler")
    try:
        with open(filler, "wb", buffering=0) as f:
            while True:
                f.write(bytes(4096))
    except OSError:
        pass
    os.truncate(filler, os.path.getsize(filler) - 40960)  # less than a checkpoint is left
    grow(test, recipe, run, "full disk", "No space left on device")
    os.remove(filler)
    test.succeed("train", recipe, "--out", run, "--resume")
    test.check(test.sha256(os.path.join(run, "last.h5")) ==
               test.sha256(test.path("whole", "last.h5")), "full disk: other bits")
    return test.end()


def full_disks(test, recipe):
    test.succeed("train", recipe, "--out", test.path("whole"))
    file_size_limit(test, recipe, test.sha256(test.path("whole", "last.h5")))
    mounted = test.path("mounted")
    os.mkdir(mounted)
    unshare = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    try:
        code = subprocess.run([*unshare, sys.executable, os.path.abspath(__file__), test.detent,
                               "--disk-full", mounted], timeout=300).returncode
    except OSError:
        code = 3
    if code in (0, 1):
        test.check(code == 0, "full disk")
    else:
        test.skip("full disk: cannot mount a small file system here")


EVIL = "\x1b[31m\x07\x7f\x9b\u202e\U000e0041"  # colours, a bell, C1, right to left, a tag


def shows(test, what, *texts):
    """Nothing in them steers a terminal."""
    for text in texts:
        bad = re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]", text)
        test.check(not bad, f"{what}: {bad} reach the terminal")


def safetensors(names, texts):
    header = json.dumps({"__metadata__": texts} | {
        name: {"dtype": "F32", "shape": [1], "data_offsets": [4 * i, 4 * i + 4]}
        for i, name in enumerate(names)}, ensure_ascii=False).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4 * len(names))


def foreign_texts(test, recipe):
    """Names and texts of files are shown, whatever they hold; JSON has them as they are."""
    name, text = f"conv{EVIL}.weight", f"note{EVIL}"
    path = test.write("evil.safetensors", safetensors([name], {f"key{EVIL}": text}))
    out = test.succeed("inspect", path)
    shows(test, "inspect", out)
    test.check(r"conv\u001b[31m\u0007\u007f\u009b\u202e\udb40\udc41.weight" in out and "note\\u001b" in out,
               f"inspect: names are not shown: {out}")
    out = test.succeed("inspect", path, "--json")
    shows(test, "inspect --json", out)
    told = json.loads(out)
    test.check(told["tensors"][0]["name"] == name and told["texts"] == {f"key{EVIL}": text},
               f"inspect --json: {told}")
    path = test.write("lines.safetensors", safetensors(["a\n1 tensor"], {"k\ney": "v"}))
    out = test.succeed("inspect", path)
    test.check(r"a\u000a1 tensor" in out and r"k\u000aey" in out and "\n1 tensor" not in out, f"a name makes a line: {out}")
    path = test.write("evil.safetensors", safetensors([name], {f"key{EVIL}": text}))
    odd = os.path.join(os.fsencode(test.folder), b"a\x1b[31m\xff\x9b\xe2\x80\xae.safetensors")
    shutil.copy(path, odd)
    for args in ["inspect", odd], ["inspect", odd, "--json"], ["eval", recipe, b"model.init=" + odd]:
        done = subprocess.run([os.fsencode(test.detent), *args], capture_output=True)
        shows(test, f"{args[0]} of an odd name", done.stdout.decode(), done.stderr.decode())
        test.check("\\xff\\x9b" in (done.stdout + done.stderr).decode().replace("\\\\", "\\"),
                   f"{args}: the file is not named: {done}")
        if "--json" in args:
            test.check(json.loads(done.stdout)["tensors"][0]["name"] == name, "no JSON")
    named = test.write("named.yaml", RECIPE + 'name: "r\\e[31m\\x7f\\x9b\\u202e"\n')
    for args in (["train", named, "--dry-run"], ["train", named, TWO, "--out", test.path("never")],
                 ["train", recipe, f"model.{EVIL}=1"], [EVIL], ["list", EVIL], ["eval", recipe, EVIL],
                 ["eval", recipe, "--threads", EVIL], ["eval", recipe, "--" + EVIL]):
        shows(test, args, *test.run(*args)[1:])
    shutil.rmtree(test.path("never"), ignore_errors=True)


def partial(test, recipe):
    """A checkpoint whose sites cannot be listed is told as far as it is known, with exit code 1."""
    test.succeed("train", recipe, TWO, "--out", test.path("part"))
    for more in [], ["--json"]:
        code, out, err = test.run("inspect", test.path("part", "last.h5"), "model.width=12", *more)
        test.check(code == 1 and "no quantization sites are listed: " in err and "conv1.weight" in out,
                   f"inspect without sites {more}: {code} {err}")
        test.check(not more or json.loads(out)["sites"] == [], f"no JSON: {out}")
    shutil.rmtree(test.path("part"))


def run(args):
    if "--disk-full" in args:
        return disk_full(args[0], args[2])
    test = Test(args[0])
    recipe = test.write("recipe.yaml", RECIPE)
    seed = random.randrange(100000)
    print(f"seed {seed}")
    recipes(test, recipe)
    dry_runs(test, recipe)
    arguments(test, recipe)
    files(test, recipe)
    no_files(test, recipe)
    memory(test, recipe)
    damaged_checkpoints(test, recipe, random.Random(seed))
    hostile_pickles(test, recipe)
    runs(test, recipe)
    forbidden(test, recipe)
    foreign_texts(test, recipe)
    partial(test, recipe)
    little_address_space(test, recipe)
    full_disks(test, recipe)
    return test.end()


if __name__ == "__main__":
    main(run)
