# SPDX-License-Identifier: Apache-2.0
"""detent data check and pack on a folder of ImageNet's shape, and training from both.

usage: data.py DETENT

Exit status 77 (skipped) without Pillow.
"""
import glob
import json
import os
import shutil
import subprocess
import sys

try:
    from PIL import Image
except ImportError:
    sys.exit(77)

from support import Test, leftovers, main, png

RECIPE = """\
model: {name: smallcnn, classes: 4, width: 8}
data:
  name: imagenet
  batch: 8
  train: [random_resized_crop: {size: 32, min_area: 0.5}, hflip, color_jitter: 0.2]
  test: [resize: 36, center_crop: 32]
train: {epochs: 2, optimizer: {name: sgd, lr: 0.02}, seed: 3}
eval: {batch: 8}
"""
DRAW = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support",
                    "imagenet_folder.py")


def train(test, name, *overrides):
    out = test.succeed("train", test.path("recipe.yaml"), "--out", test.path(name), *overrides)
    return test.sha256(test.path(name, "last.h5")), out


def run(args):
    test = Test(args[0])
    # Paths that YAML would read otherwise: overrides and arguments are taken as they stand.
    root, packed = test.path("set #2: a"), test.path("[set] #2.h5")
    drawn = subprocess.run([sys.executable, DRAW, root, "--classes", "4", "--train", "10", "--val",
                            "5", "--side", "60"], check=False)
    if drawn.returncode:
        return drawn.returncode
    test.write("recipe.yaml", RECIPE)
    told = json.loads(test.succeed("data", "check", root, "--json"))
    test.check(told["classes"] == sorted(os.listdir(os.path.join(root, "train"))), "class names")
    test.check(told["train"]["by_class"] == [10] * 4 and told["test"]["pictures"] == 20, "counts")
    test.check(30 <= told["train"]["width"][0] < told["train"]["width"][1] <= 90, "sizes")
    test.check(told["broken"] == [], "no broken picture")

    summary = test.succeed("data", "pack", root, packed)
    test.check("40 training and 20 test pictures" in summary, summary)
    test.check(leftovers(test.folder) == [], "no temporary file")
    again = json.loads(test.succeed("data", "check", packed, "--json"))
    test.check(again == told, "a packed set holds what the folder holds")
    code, _, err = test.run("data", "pack", root, packed)
    test.check(code == 1 and "is there already" in err, "a file is not written over")

    # The same pictures in the same order: the same weights, whatever they come from.
    one, _ = train(test, "one", "data.root=" + root, "--threads", "1")
    two, _ = train(test, "two", "data.root=" + root, "--threads", "3")
    three, _ = train(test, "three", "data.name=packed", "data.root=" + packed)
    os.rename(test.path("one"), test.path("one #1"))
    test.succeed("export", test.path("one #1", "last.h5"), "--format", "safetensors", "--out",
                 test.path("one.safetensors"))
    test.check(one == two, "threads change nothing")
    test.check(one == three, "packing changes nothing")

    # What is not read need not be there: the test pictures alone can be evaluated and checked.
    alone, init = test.path("alone"), "model.init=" + test.path("one #1", "last.h5")
    shutil.copytree(os.path.join(root, "val"), os.path.join(alone, "val"))
    scores = [test.succeed("eval", test.path("recipe.yaml"), init, "--json", "data.root=" + r)
              for r in (root, alone)]
    test.check(scores[0] == scores[1], str(scores))
    told = json.loads(test.succeed("data", "check", alone, "--json"))
    test.check(told["train"]["pictures"] == 0 and told["test"]["pictures"] == 20, str(told))
    test.check("20" in test.succeed("data", "check", alone), "a table without the other split")
    code, _, err = test.run("train", test.path("recipe.yaml"), "data.root=" + alone, "--out",
                            test.path("no-train"))
    test.check(code == 1 and alone + ": has no folder train" in err, err)
    code, _, err = test.run("eval", test.path("recipe.yaml"), "data.root=" + alone, "--calibrate")
    test.check(code == 1 and alone + ": has no folder train" in err, err)

    # A packed set of pictures of one size trains as its folder does, with transforms that need it.
    even, recipe = test.path("even"), test.path("even.yaml")
    for split in "train", "val":
        for k in range(8):
            os.makedirs(os.path.join(even, split, "ab"[k % 2]), exist_ok=True)
            with open(os.path.join(even, split, "ab"[k % 2], f"{k}.png"), "wb") as f:
                f.write(png(32, 32, [bytes([16 * k, 31 * k, 7 * y] * 32) for y in range(32)]))
    test.succeed("data", "pack", even, test.path("even.h5"))
    test.write("even.yaml", "model: {name: smallcnn, classes: 2, width: 8}\n"
               "data: {name: folder, root: even, batch: 4, train: [pad_crop: 4, hflip]}\n"
               "train: {epochs: 1, seed: 3}\neval: {batch: 8}\n")
    for name, *more in ("even-1",), ("even-2", "data.name=packed",
                                     "data.root=" + test.path("even.h5")):
        test.succeed("train", recipe, "--out", test.path(name), *more)
    test.check(test.sha256(test.path("even-1", "last.h5")) ==
               test.sha256(test.path("even-2", "last.h5")), "a pack of one size trains alike")
    test.succeed("data", "pack", alone, test.path("alone.h5"))
    packed_score = test.succeed("eval", test.path("recipe.yaml"), init, "--json",
                                "data.name=packed", "data.root=" + test.path("alone.h5"))
    test.check(packed_score == scores[0], packed_score)

    # Classes without pictures: check names all of them, everything else refuses the first.
    odd = test.path("odd")
    shutil.copytree(root, odd)
    for name in "n00", "n01":
        for split in "train", "val":
            os.makedirs(os.path.join(odd, split, name))
            test.write(os.path.join(odd, split, name, "a.bmp"), "x")
    os.makedirs(os.path.join(odd, "train", "__MACOSX"))
    code, out, _ = test.run("data", "check", odd)
    test.check(code == 1 and all(f"{split}/{name}: a class without" in out for name in
                                 ("n00", "n01") for split in ("train", "val")), out)
    test.check("passed over 1 hidden or system folders, such as __MACOSX" in out, out)
    told = json.loads(test.run("data", "check", odd, "--json")[1])
    test.check(told["train"]["ignored"] == 3 and len(told["notes"]) >= 5, str(told))
    for verb in ("data", "pack", odd, test.path("odd.h5")), ("train", test.path("recipe.yaml"),
                                                             "data.root=" + odd, "--out",
                                                             test.path("odd-run")):
        code, _, err = test.run(*verb)
        test.check(code == 1 and "train/n00: a class without a PNG or JPEG file: it holds 1 files "
                   "of other kinds, such as a.bmp; 1 more" in err, err)

    victim = sorted(glob.glob(os.path.join(root, "train", "*", "*.JPEG")))[7]
    with open(victim, "r+b") as f:
        f.truncate(os.path.getsize(victim) // 2)
    code, out, _ = test.run("data", "check", root)
    test.check(code == 1 and victim + ": no readable JPEG: " in out, out)
    code, _, err = test.run("train", test.path("recipe.yaml"), "data.root=" + root, "--out",
                            test.path("broken"))
    test.check(code == 1 and victim + ": no readable JPEG: " in err, err)
    code, _, err = test.run("data", "pack", root, test.path("broken.h5"))
    test.check(code == 1 and victim in err and not os.path.exists(test.path("broken.h5")), err)
    counted = json.loads(test.succeed("data", "pack", root, test.path("skip.h5"), "--skip-broken",
                                      "--json"))
    test.check(counted["skipped"] == 1 and counted["train"] == 39, str(counted))
    code, _, err = test.run("train", test.path("recipe.yaml"), "data.root=" + root,
                            "data.broken=skip", "--out", test.path("skips"))
    test.check(code == 0 and "left out 1 training picture that" in err and victim in err, err)

    code, _, err = test.run("train", test.path("recipe.yaml"), "data.root=" + root, "--out",
                            test.path("sizes"), "data.test=[{resize: 36}]", "--dry-run")
    test.check(code == 1 and "data.test" in err and "one size" in err, err)
    code, _, err = test.run("train", test.path("recipe.yaml"), "data.root=" + root, "--out",
                            test.path("sizes"), "data.test=[{center_crop: 36}]", "--dry-run")
    test.check(code == 1 and "gives 36x36 pictures, data.train 32x32" in err, err)
    one_folder(test)
    return test.end()


def one_folder(test):
    """Class folders without splits: told, or parted; pictures that were stored turned."""
    root = test.path("one-folder")
    for k in range(24):
        os.makedirs(os.path.join(root, "ab"[k % 2]), exist_ok=True)
        exif = Image.Exif()
        exif[0x0112] = 6 if k < 4 else 1
        picture = Image.new("RGB", (24, 24), (9 * k, 200, 30))
        picture.paste((0, 0, 0), (0, 0, 24, 6))  # its top
        picture.save(os.path.join(root, "ab"[k % 2], f"{k}.jpg"), exif=exif)
    test.write("one.yaml", "model: {name: smallcnn, classes: 2, width: 8}\n"
               "data: {name: folder, root: one-folder, batch: 4}\n"
               "train: {epochs: 1, seed: 3}\neval: {batch: 8}\n")
    recipe = test.path("one.yaml")
    out = test.succeed("data", "check", root)
    told = json.loads(test.succeed("data", "check", root, "--json"))
    test.check("8 pictures are stored turned" in out, out)
    test.check(told["train"]["turned"] == 4 and told["test"]["turned"] == 4, str(told))
    warning = "the same pictures are trained on and tested on; data.test_share=0.2"
    _, _, err = test.run("train", recipe, "--dry-run")
    test.check(warning in err, err)
    code, _, err = test.run("train", recipe, "--out", test.path("share"), "data.test_share=0.25")
    test.check(code == 0 and warning not in err, err)
    scores = [json.loads(test.succeed("eval", recipe, "--json", "data.test_share=0.25", *more,
                                      "model.init=" + test.path("share", "last.h5")))
              for more in ([], ["data.orientation=apply"])]
    test.check([s["count"] for s in scores] == [6, 6] and scores[0]["loss"] != scores[1]["loss"],
               f"turning changes nothing: {scores}")


main(run)
