# SPDX-License-Identifier: Apache-2.0
"""The programs of docs/use-the-model.md, as the page has them, against `detent predict --integer`.

usage: use.py DETENT SOURCE_ROOT [VENV METADATA_VENV]

Without VENV the C program alone, here and on an emulated Cortex-M where there are its tools; with it
those for onnxruntime and LiteRT, and Google's metadata. Exit status 77 (skipped) where VENV cannot be made."""
import json
import os
import re
import shutil
import subprocess
import sys
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from predict import CLASSES, draw
from support import SKIP, Test, environment, main

CC = os.path.join(os.path.dirname(HERE), "cortexm", "cc.py")


def programs(test, page):
    """Writes the page's programs into files of the names that their first lines say."""
    with open(page, encoding="utf-8") as f:
        text = f.read()
    found = []
    for name, body in re.findall(r"^```(?:python|c)\n(?:# |/\* )(\S+)(?: \*/)?\n(.*?)^```$", text,
                                 re.M | re.S):
        test.write(name, body)
        lines = len(body.splitlines())
        test.check(lines <= 25, f"{name}: {lines} lines")
        found.append(name)
    test.check(found == ["classify_onnx.py", "classify_litert.py", "add_metadata.py", "classify.c"], f"{found}")


def pixels(path):
    """Of a picture that draw() made: rows without filters."""
    with open(path, "rb") as f:
        data = f.read()
    packed, at = b"", 8
    while at < len(data):
        size = int.from_bytes(data[at:at + 4], "big")
        if data[at + 4:at + 8] == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += 12 + size
    raw = zlib.decompress(packed)
    return b"".join(raw[k + 1:k + 97] for k in range(0, len(raw), 97))


def in_c(test, net, files, want):
    test.succeed("export", net, "--format", "c", "--prefix", "net", "--out", test.path("net.c"))
    stream = b"".join(map(pixels, files))
    compilers = [["cc"]]
    if shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"):
        compilers.append([sys.executable, CC])
    else:
        test.skip("no arm-none-eabi-gcc or qemu-system-arm")
    for compiler in compilers:
        subprocess.run([*compiler, "-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                        "classify.c", "net.c", "-o", test.path("classify")], cwd=test.folder, check=True)
        said = subprocess.run([test.path("classify")], input=stream, stdout=subprocess.PIPE,
                              check=True, timeout=200).stdout.decode().split()
        test.check(said == want, f"{compiler[-1]}: {said}, not {want}")


def in_runtime(test, python, format, rounding, net, files):
    told = json.loads(test.succeed("predict", net, *files, "--integer", "--rounding", rounding,
                                   "--json"))
    want = [f"{t['picture']}: {t['classes'][0]['name']}" for t in told]
    test.succeed("export", net, "--format", format, "--out", test.path("net." + format))
    program = {"onnx": "classify_onnx.py", "tflite": "classify_litert.py"}[format]
    done = subprocess.run([python, program, "net." + format, *files], cwd=test.folder,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    test.check(done.stdout.splitlines() == want, f"{format}: {done.stderr}\n{done.stdout}\n{want}")


READ = """
import json, sys
from tflite_support import metadata
d = metadata.MetadataDisplayer.with_model_file(sys.argv[1])
print(json.dumps([json.loads(d.get_metadata_json()), d.get_associated_file_buffer("labels.txt").decode()]))
"""


def metadata(test, python, writer, files):
    """What Google's tools read of the file; LiteRT runs it as it ran the one without."""
    subprocess.run([writer, "add_metadata.py", "net.tflite", "more.tflite"], cwd=test.folder, check=True)
    told, labels = json.loads(subprocess.run([writer, "-c", READ, test.path("more.tflite")], check=True,
                                             stdout=subprocess.PIPE, text=True).stdout)
    graph = told["subgraph_metadata"][0]
    options = graph["input_tensor_metadata"][0]["process_units"][0]["options"]
    test.check(labels.split() == list(CLASSES) and
               graph["output_tensor_metadata"][0]["associated_files"][0]["type"] == "TENSOR_AXIS_LABELS" and
               len(options["mean"]) == len(options["std"]) == 3 and 0 <= min(options["mean"]) < 255,
               f"metadata: {told} {labels}")
    said = [subprocess.run([python, "classify_litert.py", name, *files], cwd=test.folder, check=True,
                           stdout=subprocess.PIPE, text=True).stdout for name in ("net.tflite", "more.tflite")]
    test.check(said[0] == said[1] and len(said[0].splitlines()) == len(files), f"with metadata: {said}")


def run(args):
    test = Test(args[0])
    python = None
    if len(args) > 2:
        python = environment.interpreter(args[2], os.path.join(os.path.dirname(HERE),
                                                               "requirements-use.txt"))
        if not python:
            return SKIP
    programs(test, os.path.join(args[1], "docs/use-the-model.md"))
    recipe = draw(test)
    test.succeed("train", recipe, "train.epochs=3", "--out", test.path("run"))
    net = test.path("run", "last.h5")
    files = [test.path("set", "test", name, f"{k:02d}.png") for name in CLASSES for k in range(4)]
    told = json.loads(test.succeed("predict", net, *files, "--integer", "--json"))
    want = [t["classes"][0]["name"] for t in told]
    test.check(len(set(want)) > 1, f"the net says one thing: {want}")
    if not python:
        in_c(test, net, files, want)
        return test.end()
    in_runtime(test, python, "onnx", "fp32", net, files)
    in_runtime(test, python, "tflite", "xnnpack", net, files)
    writer = environment.interpreter(args[3], os.path.join(os.path.dirname(HERE), "requirements-metadata.txt"))
    if writer:
        metadata(test, python, writer, files)
    else:
        test.skip("no tflite-support for this Python")
    # The file knows what is needed, and nothing of where it was made.
    with open(test.path("net.tflite"), "rb") as f:
        data = f.read()
    test.check(test.folder.encode() not in data, "a folder of this machine is in the file")
    return test.end()


main(run)
