# SPDX-License-Identifier: Apache-2.0
"""Decoding, resizing and cropping against Pillow, and against torchvision where it is installed.

usage: pillow.py DECODE

Uses the pictures of $DETENT_SHARED/data/imagenet-samples (by default ../shared beside the source
tree) when they are there, and pictures that it draws: grey, CMYK, YCCK, progressive, cut off.
Exit status 77 (skipped) without Pillow.
"""
import glob
import os
import random
import subprocess
import sys
import tempfile

try:
    from PIL import Image
except ImportError:
    print("SKIP: no Pillow for", sys.executable)
    sys.exit(77)
try:
    from torchvision import transforms
except ImportError:
    transforms = None

DECODE = sys.argv[1]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.environ.get("DETENT_SHARED") or os.path.join(ROOT, "..", "shared")
FOLDER = tempfile.mkdtemp(prefix="detent-pillow-")
FILTERS = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
failures = []


def ours(path, *steps):
    """(Image, None), or (None, text of the refusal)."""
    out = os.path.join(FOLDER, "out")
    run = subprocess.run([DECODE, path, out, *steps], capture_output=True, text=True)
    if run.returncode == 3:
        return None, run.stdout.strip()
    assert run.returncode == 0, (path, steps, run.returncode, run.stderr)
    data = open(out, "rb").read()
    head, pixels = data.split(b"\n", 1)
    H, W = map(int, head.split())
    return Image.frombytes("RGB", (W, H), pixels), None


def difference(a, b):
    """Mean and largest absolute difference of two RGB pictures, in levels of 255."""
    assert a.size == b.size, (a.size, b.size)
    x, y = a.tobytes(), b.tobytes()
    d = [abs(p - q) for p, q in zip(x, y)] if x != y else [0]
    return sum(d) / len(x), max(d)


def resize_and_crop(picture, filter_name, size=256, crop=224):
    if transforms:
        mode = transforms.InterpolationMode(filter_name)
        return transforms.CenterCrop(crop)(transforms.Resize(size, mode)(picture))
    W, H = picture.size
    w, h = (size, int(size * H / W)) if W <= H else (int(size * W / H), size)
    picture = picture.resize((w, h), FILTERS[filter_name])
    left, top = round((w - crop) / 2), round((h - crop) / 2)
    return picture.crop((left, top, left + crop, top + crop))


def compare(name, mine, theirs, mean_bound, max_bound):
    mean, largest = difference(mine, theirs)
    if mean > mean_bound or largest > max_bound:
        failures.append(f"{name}: mean {mean:.4f}, largest {largest}")
    return mean, largest


def check_samples():
    files = sorted(glob.glob(os.path.join(SHARED, "data", "imagenet-samples", "*.JPEG")))
    if not files:
        print("no imagenet-samples; drawn pictures only")
    for f in FILTERS:
        worst = (0, 0)
        for path in files:
            picture = Image.open(path).convert("RGB")
            mine, text = ours(path, "resize", f"size=256,filter={f}", "center_crop", "size=224")
            assert mine, text
            # The bound of the project: 0.5 of 255 in the mean.
            worst = max(worst, compare(f"{path} {f}", mine, resize_and_crop(picture, f), 0.5, 255))
        if files:
            print(f"resize 256 {f}, crop 224, {len(files)} pictures: "
                  f"worst mean {worst[0]:.4f}, its largest {worst[1]} of 255")


def drawn():
    rng = random.Random(5)
    small = Image.frombytes("RGB", (9, 7), bytes(rng.randrange(256) for _ in range(189)))
    return small.resize((331, 257), Image.BICUBIC)


def ycck(path):
    """Marks a CMYK file of Pillow as YCCK: the Adobe marker's transform becomes 2."""
    data = bytearray(open(path, "rb").read())
    at = data.index(b"Adobe")
    data[at + 11] = 2
    open(path, "wb").write(data)


def check_kinds():
    picture = drawn()
    kinds = {
        "rgb": (picture, {}), "444": (picture, {"subsampling": 0}),
        "422": (picture, {"subsampling": 1}), "progressive": (picture, {"progressive": True}),
        "grey": (picture.convert("L"), {}), "cmyk": (picture.convert("CMYK"), {}),
        "ycck": (picture.convert("CMYK"), {}),
    }
    for name, (image, options) in kinds.items():
        path = os.path.join(FOLDER, name + ".jpg")
        image.save(path, format="JPEG", quality=80, **options)
        if name == "ycck":
            ycck(path)
        mine, text = ours(path)
        assert mine, text
        # The same library decodes on both sides, so not one level may differ.
        compare(name, mine, Image.open(path).convert("RGB"), 0, 0)
        for f in FILTERS:
            for size in 64, 224, 400:
                mine, _ = ours(path, "resize", f"size={size},filter={f}", "center_crop",
                               f"size={size - 7}")
                theirs = resize_and_crop(Image.open(path).convert("RGB"), f, size, size - 7)
                compare(f"{name} {f} {size}", mine, theirs, 0, 0)
    small = picture.resize((20, 10))
    small.save(os.path.join(FOLDER, "small.png"))
    mine, _ = ours(os.path.join(FOLDER, "small.png"), "center_crop", "size=31")
    black = Image.new("RGB", (31, 31))
    black.paste(small, (5, 10))
    compare("padded crop", mine, black, 0, 0)


def refused(name, data, want):
    path = os.path.join(FOLDER, name)
    open(path, "wb").write(data)
    mine, text = ours(path)
    if mine or want not in text or name not in text or "\n" in text:
        failures.append(f"{name}: {'read' if mine else text}")


def check_damage():
    picture = drawn()
    for progressive in False, True:
        path = os.path.join(FOLDER, "whole.jpg")
        picture.save(path, format="JPEG", quality=90, progressive=progressive)
        data = open(path, "rb").read()
        for part in 3, 20, 200, 700, len(data) // 2, len(data) - 40, len(data) - 3:
            refused(f"cut{part}.jpg", data[:part], "no readable JPEG: ")
        hole = bytearray(data)
        at = len(data) // 2
        hole[at:at + 400] = b"\xff\xd9" * 200
        refused("hole.jpg", hole, "no readable JPEG: ")
    at = data.index(b"\xff\xc2") + 5
    for side, want in (b"\x40\x01\x00\x08", "pixels; at most"), (b"\x3f\xff\x3f\xff", "pixels; at"):
        huge = bytearray(data)
        huge[at:at + 4] = side
        refused("huge.jpg", huge, want)
    refused("empty.jpg", b"", "no readable picture")
    refused("text.jpg", b"not a picture", "no readable picture")


check_samples()
check_kinds()
check_damage()
for line in failures:
    print("FAIL", line)
for name in os.listdir(FOLDER):
    os.remove(os.path.join(FOLDER, name))
os.rmdir(FOLDER)
sys.exit(1 if failures else 0)
