# SPDX-License-Identifier: Apache-2.0
"""Networks read from ONNX files: the program's own float exports come back as the nets that they were
made of, train on, and end as integer models; what is not said, or another file, is refused.

usage: onnx.py DETENT
"""
import json
import os

from support import Test, main, png

SIZES = "batch: 32, train_pictures: 320, test_pictures: 200"
MODELS = {"smallcnn": "{name: smallcnn, width: 8}", "resnet20": "{name: resnet20, shortcut: conv}",
          "mobilenet": "{name: mobilenet_v2, width: 0.25}"}
TRAIN = "train: {epochs: 1, max_steps: 6, optimizer: {name: sgd, lr: 0.02}, seed: 3}\n"
QUANT = """\
quant:
  weights: {method: lsq, bits: 4}
  activations: {method: lsq, bits: 4}
"""


def score(test, *args):
    return json.loads(test.succeed("eval", *args, "--json"))


def round_trip(test, name, model):
    """Trained for some steps, exported in float, read back: the same answers."""
    own = test.write(f"{name}.yaml", f"model: {model}\ndata: {{name: builtin, {SIZES}}}\n" + TRAIN)
    run, file = test.path(name), test.path(f"{name}.onnx")
    test.succeed("train", own, "--out", run)
    last = f"model.init={run}/last.h5"
    test.succeed("export", own, last, "--allow-float", "--out", file)
    read = test.write(f"{name}-onnx.yaml",
                      f"model: {{onnx: {name}.onnx}}\n"
                      f"data: {{name: builtin, normalize: imagenet, {SIZES}}}\n" + TRAIN)
    a, b = score(test, own, last), score(test, read)
    test.check(a["correct"] == b["correct"] and abs(a["loss"] - b["loss"]) < 1e-3,
               f"{name}: {a['correct']} and loss {a['loss']}, read back {b['correct']} and {b['loss']}")
    quantized = test.write(f"{name}-w4.yaml", open(read, encoding="utf-8").read() + QUANT)
    test.succeed("train", quantized, "--out", test.path(name + "-w4"))
    said = test.succeed("verify", quantized, f"model.init={test.path(name + '-w4')}/last.h5",
                        "--images", "64", "--as-exported")
    test.check("verified" in said or "0 of" in said, f"{name}: {said}")


def transfer(test):
    """Ten classes to the three of an own folder of pictures of all sizes, from an ONNX file, a safetensors file
    and a checkpoint. The recipe does not say how many classes there are."""
    for c, colour in enumerate((b"\xe0\x20\x20", b"\x20\xe0\x20", b"\x20\x20\xe0")):
        for split, count in (("train", 12), ("test", 4)):
            os.makedirs(test.path("own", split, f"class{c}"), exist_ok=True)
            for i in range(count):
                width, height = 33 + 7 * i, 90 - 5 * i
                row = colour * (width // 2) + bytes([i * 9] * 3) * (width - width // 2)
                test.write(f"own/{split}/class{c}/{i}.png", png(width, height, [row] * height))
    data = ("data: {name: folder, root: own, sizes: any, batch: 12, normalize: imagenet,\n"
            "       train: [{resize: 36}, {center_crop: 32}],\n"
            "       test: [{resize: 36}, {center_crop: 32}]}\n")
    train = "train: {epochs: 6, optimizer: {name: sgd, lr: 0.05}, seed: 3}\n"
    onnx = test.write("own.yaml", "model: {onnx: smallcnn.onnx, reinit: [fc.*]}\n" +
                      data + train)
    own = MODELS["smallcnn"].replace("}", "")
    init = test.write("own2.yaml", f"model: {own}, init: smallcnn/last.h5, reinit: [fc.*]}}\n" + data + train)
    test.succeed("export", test.path("smallcnn.yaml"), f"model.init={test.path('smallcnn')}/last.h5",
                 "--format", "safetensors", "--out", test.path("ten.safetensors"))
    tensors = test.write("own3.yaml", f"model: {own}, init: ten.safetensors, reinit: [fc.*]}}\n" + data + train)
    ready = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../recipes/folder/onnx-w8a8.yaml")
    test.succeed("train", ready, f"model.onnx={test.path('smallcnn.onnx')}", f"data.root={test.path('own')}",
                        "train.epochs=1", "data.batch=12", "data.train=[{resize: 36}, {center_crop: 32}]",
                        "data.test=[{resize: 36}, {center_crop: 32}]", "--out", test.path("own8"))
    with open(test.path("own8/recipe.yaml"), encoding="utf-8") as f:
        test.check("classes: 3\n" in f.read(), "the ready recipe trains three classes")
    for recipe in onnx, init, tensors:
        run = recipe[:-5]
        test.succeed("train", recipe, "--out", run)
        count = score(test, recipe, f"model.init={run}/last.h5")["correct"]
        test.check(count == 12, f"{recipe}: {count} of 12 coloured squares")
    refused(test, "classes without reinit", ["eval", onnx, "model.reinit=[]"],
            "model.classes: 3 differs from the 10 outputs of", "model.reinit=fc.* starts its last layer")
    for recipe in init, tensors:
        refused(test, "shape without reinit", ["eval", recipe, "model.reinit=[]"],
                "fc.weight: has the shape [10,32], the model wants [3,32]; model.reinit=fc.* starts it anew")


def refused(test, what, args, *words):
    code, _, err = test.run(*args)
    line = err.strip().splitlines()[-1] if err.strip() else ""
    test.check(code == 1 and all(w in line for w in words), f"{what}: {code}: {err}")


def refusals(test):
    file = test.path("smallcnn.onnx")
    data = f"data: {{name: builtin, {SIZES}}}\n"
    silent = test.write("silent.yaml", "model: {onnx: smallcnn.onnx}\n" + data)
    refused(test, "no normalize", ["eval", silent], "silent.yaml:1: model.onnx:",
            "say data.normalize")
    known = test.write("known.yaml", "model: {onnx: smallcnn.onnx, sha256: '" + "0" * 64 + "'}\n" +
                       data)
    refused(test, "another file", ["eval", known, "model.name=onnx"], "is another file")
    unnamed = test.write("unnamed.yaml", "model: {name: onnx}\n" + data)
    refused(test, "no file", ["eval", unnamed], "model.onnx: is not given; say model.onnx=FILE")
    refused(test, "no such file", ["eval", unnamed, "model.onnx=none.onnx", "data.normalize=half"],
            "none.onnx", "No such file")
    refused(test, "classes", ["eval", silent, "data.normalize=half", "model.classes=11"],
            "model.classes: 11 is not the 10 classes")
    shown = test.succeed("inspect", file)
    test.check("read     Conv" in shown and "0 refused" in shown, f"inspect: {shown[-300:]}")
    nodes = json.loads(test.succeed("inspect", file, "--json"))["nodes"]
    test.check(nodes[0]["layer"] and all("reason" not in n for n in nodes), f"inspect: {nodes[0]}")
    other = test.write("other.onnx", open(file, "rb").read()[:-40])
    refused(test, "cut off", ["eval", silent, "data.normalize=half", f"model.onnx={other}"],
            "is damaged")
    refused(test, "channels", ["eval", silent, "data.normalize={mean: [1, 2], std: 1}"],
            "data.normalize.mean: has 2 numbers")


def run(args):
    test = Test(args[0])
    for name, model in MODELS.items():
        round_trip(test, name, model)
    refusals(test)
    transfer(test)
    return test.end()


if __name__ == "__main__":
    main(run)
