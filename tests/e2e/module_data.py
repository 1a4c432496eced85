# SPDX-License-Identifier: Apache-2.0
"""The module for Python on samples of numpy: training, evaluation and quantization of them, recipes as
dictionaries, grids, modules of PyTorch; 1,000 training steps take no more memory than 200.

usage: module_data.py DETENT LIBRARY

Exit status 77 (skipped) without numpy, and in part without PyTorch."""
import json
import os
import sys

try:
    import numpy
except ImportError:
    sys.exit(77)

from support import TESTS, Test, main
from taken import taken

BITS = {"weights": {"method": "lsq", "bits": 4}, "activations": {"method": "lsq", "bits": 4}}


def samples(count, shape, seed):
    """Three classes that a mean tells apart."""
    rng = numpy.random.default_rng(seed)
    y = rng.integers(0, 3, count)
    x = rng.normal(size=(count, *shape)).astype(numpy.float32)
    x[..., 0] += y.reshape(-1, *[1] * (len(shape) - 1)) * 2 - 2
    return x, y


def refused(test, what, call, *parts):
    import detent
    try:
        call()
        test.check(False, f"{what}: nothing was refused")
    except detent.Error as error:
        text = str(error)
        test.check(all(p in text for p in parts) and "\n" not in text, f"{what}: {text}")


def arrays(test, detent):
    """The same bits from arrays, from an iterator, and by the program from the same files."""
    x, y = samples(256, (16, 16, 2), 1)
    tx, ty = samples(96, (16, 16, 2), 2)
    recipe = {"model": {"name": "smallcnn", "width": 8, "classes": 3}, "quant": BITS,
              "train": {"epochs": 3, "optimizer": {"name": "sgd", "lr": 0.05}}}
    whole = detent.Data((x, y), (tx, ty), folder=test.path("whole"), batch=32)
    drawn = detent.Data(zip(x, y), ((a, b) for a, b in zip(tx, ty)), folder=test.path("drawn"), batch=32)
    test.check(whole.count == drawn.count == {"train": 256, "test": 96}, f"{whole} {drawn}")
    for name in "train_x", "train_y", "test_x", "test_y":
        a, b = (numpy.load(test.path(folder, name + ".npy")) for folder in ("whole", "drawn"))
        test.check(a.dtype == b.dtype and (a == b).all(), f"{name} differs")
    for name, data in ("a", whole), ("b", drawn):
        events = list(detent.train(recipe, test.path(name), data=data, threads=1))
        test.check(events[-1]["finished"] and events[-1]["test_top1"] > 80, f"{name}: {events[-1]}")
    file = test.write("recipe.json.yaml", json.dumps({**recipe, "data": whole.options}))
    test.succeed("train", file, "--out", test.path("c"))
    hashes = {test.sha256(test.path(name, "last.h5")) for name in "abc"}
    test.check(len(hashes) == 1, f"arrays, iterators and the program: {hashes}")

    net = test.path("a", "last.h5")
    test.check(detent.evaluate(net)["test_top1"] == events[-1]["test_top1"], "evaluate")
    half = detent.Data(test=(tx[:48], ty[:48]))
    test.check(detent.evaluate(net, data=half)["count"] == 48, "evaluate other samples")
    with detent.Net(net) as n:
        test.check(n.input_shape == (16, 16, 2) and n.outputs == 3, f"{n.input_shape}")
        right = (n(tx).argmax(1) == ty).mean() * 100
        test.check(abs(right - events[-1]["test_top1"]) < 1e-3, f"forward: {right} {events[-1]}")
        grids(test, n)
    gone = half.folder
    del half
    test.check(not os.path.exists(gone), "a temporary folder stays")
    return recipe, whole


def grids(test, net):
    """Weights times their grids: what is trained lies near one of 16 values."""
    grids, weights = net.grids(), net.weights()
    g = grids["conv2.weight_quant"]
    test.check((g["low"], g["high"], g["signed"], g["zero_point"]) == (-8, 7, True, 0) and
               g["scale"].dtype == numpy.float32 and
               (g["scale"] == weights["conv2.weight_quant.scale"]).all(), f"a grid: {g}")
    test.check(not grids["conv2.input_quant"]["signed"] and grids["conv2.input_quant"]["high"] == 15,
               f"{grids['conv2.input_quant']}")


def one_axis(test, detent):
    """Samples that are no pictures, and answers that are numbers."""
    x, _ = samples(128, (12,), 3)
    data = detent.Data((x, x[:, :2] * 3), (x[:32], x[:32, :2] * 3), batch=32)
    recipe = {"model": {"name": "mlp", "classes": 2}, "task": {"name": "regress"},
              "train": {"epochs": 2, "optimizer": {"name": "adamw", "lr": 0.01}}}
    end = list(detent.train(recipe, test.path("rows"), data=data))[-1]
    with detent.Net(test.path("rows", "last.h5")) as net:
        test.check(end["finished"] and net.input_shape == (12,) and net(x).shape == (128, 2), str(end))


SEVERAL = """\
layers:
- {name: fc1, op: linear, out: 8, from: sound}
- {name: heard, op: relu}
- {name: both, op: concat, from: [heard, told]}
- {name: fc2, op: linear, out: 8}
- {name: met, op: relu}
- {name: fc_kind, op: linear, out: 3}
- {name: fc_level, op: linear, out: 2, from: met}
outputs: {kind: fc_kind, level: fc_level}
"""


def several(test, detent):
    """Inputs, answers and outputs by name, in arrays and sample by sample."""
    x, label = samples(96, (12,), 3)
    told = x[:, :2] + 0.5
    level = numpy.stack([x.sum(1), told[:, 1]], 1)
    recipe = {"model": {"file": test.write("several.layers", SEVERAL)},
              "tasks": [{"output": "kind", "target": "label", "name": "classify"}, {"output": "level", "name": "regress"}],
              "quant": {"weights": {"method": "lsq", "bits": 8}, "activations": {"method": "lsq", "bits": 8}},
              "train": {"epochs": 2, "optimizer": {"name": "adamw", "lr": 0.01}}}
    inputs, answers = {"sound": x, "told": told}, {"label": label % 3, "level": level}
    arrays = detent.Data((inputs, answers), (inputs, answers), batch=32)
    one_by_one = [({"sound": x[i], "told": told[i]}, {"level": level[i], "label": label[i] % 3}) for i in range(96)]
    stream = detent.Data(iter(one_by_one), (inputs, answers), batch=32)
    last = [list(detent.train(recipe, test.path(name), data=data))[-1]
            for name, data in (("arrays", arrays), ("stream", stream))]
    test.check(last[0] == last[1] and last[0]["finished"], f"arrays and samples differ: {last}")
    path = test.path("arrays", "last.h5")
    score = detent.evaluate(path, data=arrays)
    with detent.Net(path) as net:
        test.check(net.input_shapes == {"sound": (12,), "told": (2,)} and net.input_shape == (14,) and
                   net.output_shapes == {"kind": (3,), "level": (2,)} and net.outputs == 5,
                   f"{net.input_shapes} {net.output_shapes}")
        said = net({"told": told, "sound": x})
        right = (said["kind"].argmax(1) == label % 3).sum()
        off = numpy.sqrt(((said["level"] - level) ** 2).mean())
        test.check(abs(score["test_kind_top1"] - 100 * right / 96) < 1e-6 and
                   abs(score["test_level_rmse"] - off) < 1e-5, f"{score}, of outputs by name {right} {off}")
        for what, x_of, *parts in (
                ("no names", x, "several inputs, by name: sound, told"),
                ("an input that is not there", {"sound": x, "tell": told}, "tell: is no input", "sound, told"),
                ("an input too few", {"sound": x}, "told: is an input of the network that is not given"),
                ("another shape", {"sound": x, "told": x}, "told: [96, 12] is no batch of [2]"),
                ("too few samples", {"sound": x, "told": told[:9]}, "told: has 9 samples, the input before it 96")):
            refused(test, what, lambda: net(x_of), *parts)
    refused(test, "too few of a name", lambda: detent.Data(({"sound": x, "told": told[:7]}, answers)), "7 samples")
    refused(test, "samples of other names", lambda: detent.Data(iter([one_by_one[0], ({"sound": x[0]}, {})])),
            "sound are not sound, told")


def quantize(test, detent, recipe, data):
    plain = {**recipe}
    plain.pop("quant")
    list(detent.train(plain, test.path("float"), data=data))
    seen = []
    report = detent.quantize({**plain, "model": {**plain["model"], "init": test.path("float", "last.h5")}},
                             test.path("q"), data=data, bits="W8A8", overrides={"ptq.images": 128},
                             on_event=seen.append)
    with open(test.path("q", "report.json")) as f:
        test.check(json.load(f) == report, "the folder's report is another one")
    test.check(report["pictures"] == 128 and report["weight_bits"] == 8 and
               report["integer"]["agreement"] > 95 and report["proof"]["proved"], str(report))
    test.check({e["kind"] for e in seen} >= {"progress"}, str(seen[:3]))
    test.check(detent.evaluate(test.path("q", "quantized.h5"))["test_top1"] ==
               report["quantized"]["top1"], "quantized: another score")
    detent.export(test.path("q", "quantized.h5"), test.path("q.onnx"))
    test.succeed("export", test.path("q", "quantized.h5"), "--out", test.path("theirs.onnx"))
    with open(test.path("q.onnx"), "rb") as a, open(test.path("theirs.onnx"), "rb") as b:
        test.check(a.read() == b.read(), "the module exports another file than the program")
    for what, words, *parts in (
            ("bits", {"bits": "W9"}, "bits: 'W9' is no width such as 8, 4 or W4A8"),
            ("a method", {"bits": 8, "method": "blockwize"}, "ptq.method", "did you mean 'blockwise'?"),
            ("a folder for a recipe", {"data": "pictures"}, "data: is for a net's file"),
            ("no bits", {}, "nothing says what to quantize to"),
            ("done already", {"bits": 8}, "holds a quantized net already")):
        into = test.path("q" if what == "done already" else "no-" + what)
        refused(test, what, lambda: detent.quantize(
            {**plain, "model": {**plain["model"], "init": test.path("float", "last.h5")}}, into,
            **{"data": data, **words}), *parts)


def refusals(test, detent):
    x, y = samples(8, (4, 4, 3), 5)
    for what, call, *parts in (
            ("nothing", lambda: detent.Data(), "neither train nor test"),
            ("too few answers", lambda: detent.Data((x, y[:7])), "8 samples have 7 answers"),
            ("texts", lambda: detent.Data((x, y.astype(str))), "is no kind of number"),
            ("an empty iterator", lambda: detent.Data(iter(())), "there is no sample"),
            ("odd samples", lambda: detent.Data(iter([x[0], x[0, :3]])), "sample 1 has the shape [3, 4, 3]",
             "the first one [4, 4, 3]"),
            ("twice", lambda: [detent.Data((x, y), folder=test.path("twice")) for _ in range(2)],
             "is there already"),
            ("a recipe's key", lambda: list(detent.train({"model": {"name": "smalcnn"}}, "never")),
             "recipe:1: model.name: ", "did you mean 'smallcnn'?"),
            ("labels beyond the classes", lambda: list(detent.train(
                {"model": {"name": "smallcnn", "classes": 2}}, test.path("never"),
                data=detent.Data((x, y * 0 + 5), (x, y * 0)))), "train_y.npy", "5", "0..1")):
        refused(test, what, call, *parts)
    test.check(not os.path.exists(test.path("never")), "a refused run made its folder")


def leaks(test, detent):
    recipe = {"model": {"name": "smallcnn", "width": 8}, "quant": BITS,
              "data": {"name": "builtin", "batch": 8, "train_pictures": 2000, "test_pictures": 8},
              "train": {"epochs": 4, "optimizer": {"name": "sgd", "lr": 0.01}}}
    at = {}
    for event in detent.train(recipe, test.path("long"), threads=1):
        if event["kind"] == "progress":
            at[event["step"]] = taken() if event["step"] in (200, 1000) else None
    (used, mapped), (used_then, mapped_then) = at[1000], at[200]
    said = f"{len(at)} steps: {used_then} KiB in use and {mapped_then} mapped after 200, {used} and {mapped} after 1,000"
    test.check(len(at) == 1000 and used - used_then < 200 and mapped - mapped_then < 2000, said)
    print(said)


def torch_modules(test, detent):
    try:
        import torch
        from torch import nn
    except ImportError:
        return test.skip("no PyTorch")
    torch.manual_seed(1)
    module = nn.Sequential(nn.Conv2d(2, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
                           nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
                           nn.Flatten(), nn.Linear(16, 3))
    x, y = samples(256, (16, 16, 2), 1)
    pictures = torch.tensor(x).permute(0, 3, 1, 2)
    optimizer = torch.optim.Adam(module.parameters(), 0.02)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(pictures), torch.tensor(y)).backward()
        optimizer.step()
    net = detent.from_torch(module, pictures[:4], test.path("torch.onnx"))
    test.check(module.training and net.source == test.path("torch.onnx"), "the module's mode")
    with torch.no_grad():
        want = module.eval()(pictures).numpy()
    off = numpy.abs(net(x) - want).max() / numpy.abs(want).max()
    test.check(off < 1e-4, f"the module's outputs: off by {off}")
    data = detent.Data((x, y), samples(64, (16, 16, 2), 2), batch=32)
    report = detent.quantize(net, test.path("torch-q"), data=data, bits=8)
    test.check(report["integer"]["agreement"] > 95 and report["recipe"] == "torch", str(report["integer"]))
    end = list(detent.train({"model": {"onnx": net.source}, "quant": BITS,
                             "train": {"epochs": 1, "optimizer": {"name": "sgd", "lr": 0.01}}},
                            test.path("torch-4"), data=data))[-1]
    test.check(end["finished"] and end["test_top1"] > 80, f"trained at 4 bits: {end}")
    temporary = detent.from_torch(module, pictures[:1])
    test.check(temporary.input_shape == (16, 16, 2), "one sample as the example")
    refused(test, "an example of one axis", lambda: detent.from_torch(module, pictures[0, 0, 0]),
            "example: [16] is no batch")

    class Sorted(nn.Module):
        def forward(self, x):
            return x.flatten(1).sort(1).values[:, :3]

    refused(test, "an operator that is not read", lambda: detent.from_torch(Sorted(), pictures[:1]), "TopK")


def run(args):
    test = Test(args[0])
    os.environ["DETENT_LIBRARY"] = os.path.abspath(args[1])
    sys.path.insert(0, os.path.join(os.path.dirname(TESTS), "api"))
    import detent

    recipe, data = arrays(test, detent)
    one_axis(test, detent)
    several(test, detent)
    quantize(test, detent, recipe, data)
    refusals(test, detent)
    leaks(test, detent)
    torch_modules(test, detent)
    return test.end()


main(run)
