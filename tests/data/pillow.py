# SPDX-License-Identifier: Apache-2.0
"""Decoding, resizing and cropping against Pillow, and against torchvision where it is installed.

usage: pillow.py DECODE

Uses the pictures of $DETENT_SHARED/data/imagenet-samples (by default ../shared beside the source
tree) when they are there, and pictures that it draws: every kind of PNG and JPEG that Pillow or the
formats have (modes, depths, transparency, interlacing, colour spaces, samplings), and damaged ones.
Exit status 77 (skipped) without Pillow.
"""
import glob
import os
import random
import struct
import subprocess
import sys
import tempfile
import warnings
import zlib

try:
    from PIL import Image, ImageCms, ImageOps, PngImagePlugin
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
compared = 0


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
    global compared
    compared += 1
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


def check_orientation():
    """All eight, against Pillow's own turning; other programs write the tag, Pillow reads it."""
    path = os.path.join(FOLDER, "turned.jpg")
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        drawn().save(path, format="JPEG", quality=80, exif=exif)
        stored = Image.open(path)
        mine, text = ours(path, "upright")
        assert mine, text
        compare(f"orientation {orientation}", mine, ImageOps.exif_transpose(stored).convert("RGB"),
                0, 0)
        compare(f"orientation {orientation} ignored", ours(path)[0], stored.convert("RGB"), 0, 0)


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


def same(name, path):
    """Not one level may differ from Pillow's convert("RGB")."""
    mine, text = ours(path)
    if not mine:
        failures.append(f"{name}: {text}")
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of palettes with transparency
        compare(name, mine, Image.open(path).convert("RGB"), 0, 0)


def png_file(width, height, kind, depth, interlaced=False, chunks=()):
    """A PNG of random samples: Pillow writes neither 16 bits a colour nor interlaced ones."""
    rng = random.Random(kind * 100 + depth)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    colours = 5  # of the palette; other indices may occur, in pictures and in lookups
    samples = [[[rng.randrange(min(1 << depth, colours) if kind == 3 else 1 << depth)
                 for _ in range(channels)] for _ in range(width)] for _ in range(height)]

    def rows(pixels):
        out = b""
        for row in pixels:
            bits = "".join(f"{s:0{depth}b}" for pixel in row for s in pixel)
            bits += "0" * (-len(bits) % 8)
            out += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
        return out

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(
            ">I", zlib.crc32(name + data))

    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
              (0, 1, 1, 2)] if interlaced else [(0, 0, 1, 1)]
    data = b"".join(rows([row[x::dx] for row in samples[y::dy]])
                    for x, y, dx, dy in passes if x < width)
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(
        ">IIBBBBB", width, height, depth, kind, 0, 0, int(interlaced)))
    for name, body in chunks:
        if name != b"tRNS":
            out += chunk(name, body)
    if kind == 3:
        out += chunk(b"PLTE", bytes(rng.randrange(256) for _ in range(
            3 * min(1 << depth, colours))))
    for name, body in chunks:
        if name == b"tRNS":
            out += chunk(name, body)
    return out + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def colour_chunks():
    profile = zlib.compress(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    return {
        "plain": [], "gamma": [(b"gAMA", struct.pack(">I", 100000))],
        "gamma 0.2": [(b"gAMA", struct.pack(">I", 20000))],
        "srgb": [(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 45455))],
        "chrm": [(b"cHRM", struct.pack(">8I", 31270, 32900, 70000, 30000, 21000, 71000, 15000,
                                       6000)), (b"gAMA", struct.pack(">I", 50000))],
        "iccp": [(b"iCCP", b"profile\0\0" + profile)],
        "bad iccp": [(b"iCCP", b"profile\0\0" + zlib.compress(b"nothing"))],
        "text": [(b"tEXt", b"a\0b"), (b"pHYs", struct.pack(">IIB", 3, 4, 1))],
    }


def check_png():
    path = os.path.join(FOLDER, "x.png")
    kinds = [(0, d) for d in (1, 2, 4, 8, 16)] + [(2, 8), (2, 16)] + [
        (3, d) for d in (1, 2, 4, 8)] + [(k, d) for k in (4, 6) for d in (8, 16)]
    transparent = {0: b"\0\1", 2: b"\0\1\0\2\0\3", 3: b"\0\x80"}
    sizes = (1, 1), (3, 2), (13, 11), (33, 9)
    for kind, depth in kinds:
        for interlaced in False, True:
            for trns in (False, True) if kind in transparent else (False,):
                for width, height in sizes:
                    chunks = [(b"tRNS", transparent[kind])] if trns else []
                    open(path, "wb").write(png_file(width, height, kind, depth, interlaced, chunks))
                    same(f"png kind {kind} depth {depth} interlaced {interlaced} "
                         f"trns {trns} {width}x{height}", path)
        for name, chunks in colour_chunks().items():
            open(path, "wb").write(png_file(13, 11, kind, depth, False, chunks))
            same(f"png kind {kind} depth {depth} {name}", path)


def check_written_png():
    """What Pillow itself writes."""
    path, picture = os.path.join(FOLDER, "x.png"), drawn()
    alpha = picture.convert("L").resize(picture.size).point(lambda v: v // 2 * 3 % 256)
    rgba = picture.copy()
    rgba.putalpha(alpha)
    deep = picture.convert("I").point(lambda v: v * 257 + 7)
    palette = picture.convert("P", palette=Image.ADAPTIVE, colors=37)
    images = {
        "1": picture.convert("1"), "L": picture.convert("L"), "LA": rgba.convert("LA"),
        "RGB": picture, "RGBA": rgba, "P": palette, "web": picture.convert("P"), "I": deep,
        "I small": picture.convert("I"), "P4": picture.quantize(4), "P16": picture.quantize(16),
        "P2": picture.quantize(2),
    }
    images["I;16"] = Image.frombytes("I;16", (20, 10), bytes(range(200)) * 2)
    options = {
        "plain": {}, "optimize": {"optimize": True}, "gamma": {"gamma": 1.0},
        "icc": {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()},
    }
    info = PngImagePlugin.PngInfo()
    info.add(b"gAMA", struct.pack(">I", 100000))
    info.add(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
    options["info"] = {"pnginfo": info}
    if int(Image.__version__.split(".")[0]) >= 13:  # which writes no mode I
        del images["I"], images["I small"]
    for name, image in images.items():
        for how, more in options.items():
            image.save(path, **more)
            same(f"png {name} {how}", path)
    transparency = {"P": (3, bytes(range(0, 222, 6))), "L": (100,), "RGB": ((9, 8, 7),),
                    "1": (1,), "P16": (0, b"\0\xff\x80")}
    for name, values in transparency.items():
        for value in values:
            images[name].save(path, transparency=value)
            same(f"png {name} transparency {value}", path)
    images["RGBA"].convert("P").save(path)
    same("png RGBA to P", path)
    picture.save(path, save_all=True, append_images=[picture.rotate(90)])
    same("png with frames", path)
    images["RGBA"].save(path, format="PNG")
    os.replace(path, os.path.join(FOLDER, "x.jpg"))
    same("a PNG called .jpg", os.path.join(FOLDER, "x.jpg"))


def jpeg_without_jfif(path, adobe=None, ids=None):
    """Without its JFIF marker a file's colours are told by an Adobe marker or by names of
    components."""
    data = bytearray(open(path, "rb").read())
    assert data[2:4] == b"\xff\xe0"
    size = struct.unpack(">H", data[4:6])[0]
    marker = b"" if adobe is None else b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([adobe])
    data[2:4 + size] = marker
    if ids:
        for mark, step, first in (b"\xff\xc0", 3, 10), (b"\xff\xda", 2, 5):
            at = data.index(mark)
            for i, name in enumerate(ids):
                data[at + first + step * i] = name
    open(path, "wb").write(data)


def check_jpeg():
    path, picture = os.path.join(FOLDER, "x.jpg"), drawn()
    modes = {m: picture.convert(m) for m in ("L", "RGB", "CMYK", "1")}
    for mode, image in modes.items():
        samplings = (None,) if mode in "L1" else (0, 1, 2, "4:1:1")
        for sampling in samplings:
            for progressive in False, True:
                for quality in 1, 30, 75, 95, 100:
                    more = {} if sampling is None else {"subsampling": sampling}
                    image.save(path, quality=quality, progressive=progressive, **more)
                    same(f"jpeg {mode} {sampling} progressive {progressive} {quality}", path)
                    if mode == "CMYK" and quality == 75:
                        ycck(path)
                        same(f"jpeg YCCK {sampling} progressive {progressive}", path)
    for width, height in (1, 1), (7, 3), (8, 8), (17, 1), (1, 19), (16, 33):
        for sampling in 0, 1, 2, "4:1:1":
            for progressive in False, True:
                picture.resize((width, height)).save(path, subsampling=sampling,
                                                     progressive=progressive)
                same(f"jpeg {width}x{height} {sampling} progressive {progressive}", path)
    for name, adobe, ids in ("no marker", None, None), ("Adobe RGB", 0, None), (
            "Adobe YCC", 1, None), ("ids RGB", None, b"RGB"), ("ids 012", None, b"\0\1\2"):
        picture.save(path, subsampling=0)
        jpeg_without_jfif(path, adobe, ids)
        same("jpeg " + name, path)
    exif = Image.Exif()
    exif[0x112] = 6  # turned
    picture.save(path, exif=exif, dpi=(30, 40), optimize=True, comment=b"x",
                 icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    same("jpeg with exif and a profile", path)
    picture.save(path, qtables="web_low", optimize=True)
    same("jpeg with tables", path)
    picture.save(path, format="MPO", save_all=True, append_images=[picture.rotate(90)])
    same("jpeg of two pictures", path)
    picture.save(path, format="JPEG")
    os.replace(path, os.path.join(FOLDER, "x.png"))
    same("a JPEG called .png", os.path.join(FOLDER, "x.png"))


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
check_orientation()
check_png()
check_written_png()
check_jpeg()
check_damage()
print(compared, "comparisons,", len(failures), "failures")
for line in failures:
    print("FAIL", line)
for name in os.listdir(FOLDER):
    os.remove(os.path.join(FOLDER, name))
os.rmdir(FOLDER)
sys.exit(1 if failures else 0)
