# SPDX-License-Identifier: Apache-2.0
"""Quantization-aware training, and networks as functions of numpy arrays.

    data = detent.Data((x, y), (test_x, test_y))
    for event in detent.train("recipe.yaml", "runs/one", data=data, overrides={"train.epochs": 3}):
        if event["kind"] == "epoch":
            print(event["epoch"], event["test_top1"])
    score = detent.evaluate("runs/one/last.h5", data=data)
    report = detent.quantize("net.onnx", "runs/two", data="pictures", normalize="imagenet", bits=8)
    with detent.Net("runs/one/last.h5") as net:
        logits = net(x)  # [N, H, W, C], normalised as for training
        net.export("onnx", "net.onnx")

A recipe is a path or a dictionary of its sections; overrides are keys as on the command line. What is
refused is an Error, with the one line that the program would print.
"""
from ctypes import byref
import os

from ._data import Data
from ._library import Error, collect, events, library, words
from ._net import Net
from ._source import is_net_file, overrides_of, source_of
from ._torch import from_torch

__all__ = ["Data", "Error", "Net", "evaluate", "export", "from_torch", "quantize", "train", "version"]

for _public in Data, Error, Net, from_torch:
    _public.__module__ = __name__  # where people find them
version = library.detent_version().decode()


def train(recipe, folder, *, data=None, overrides=None, threads=0, resume=False):
    """Trains into a folder, in a thread of its own, and yields events as they come: dictionaries with
    "kind" message, progress, epoch or end. Whoever stops reading stops the run, which can go on with
    `resume`. `data` takes the place of the recipe's dataset."""
    given = overrides_of(overrides, data)
    yield from events(library.detent_train, source_of(recipe), byref(given), os.fsencode(folder), threads,
                      int(resume))


def evaluate(source, *, data=None, overrides=None, threads=0):
    """The score of a checkpoint, or of a recipe's model.init, on the test split: a dictionary."""
    return collect(library.detent_evaluate, source_of(source), byref(overrides_of(overrides, data)),
                   threads)[0]


def _calibration(data, overrides):
    """How many samples the net of a file is quantized by."""
    if "train" not in data.count:
        raise Error("data: has no train samples to quantize by")
    return {"ptq.images": min(1024, data.count["train"]), **(overrides or {})}


def quantize(source, folder, *, data=None, normalize=None, bits=None, method=None, overrides=None,
             threads=0, resume=False, on_event=None):
    """Makes a float net one of integers without training, as `detent quantize` does: a checkpoint
    `folder`/quantized.h5 and the report, which is returned.

    `source` is a recipe with model.init, or an .onnx file. A file has `data`: a Data, or a folder of
    pictures, and then `normalize` says what it expects of them (none, half, imagenet, cifar, or a
    dictionary of mean, std and range). `bits` are 8, 4, "W4A8", ...; `method` is a preset
    (`detent list presets`). `on_event` gets what the program would show."""
    if isinstance(source, Net):
        source = source.source
    how = {"bits": bits, "method": method, "normalize": normalize}
    if isinstance(data, Data):
        if is_net_file(source):
            overrides = _calibration(data, overrides)
        given = overrides_of(overrides, data)
    else:
        how["data"] = data
        given = overrides_of(overrides)
    path = os.fsencode(source) if is_net_file(source) else source_of(source)
    asked = words({key: value for key, value in how.items() if value is not None})
    for event in events(library.detent_quantize, path, byref(given), byref(asked), os.fsencode(folder),
                        threads, int(resume)):
        if event["kind"] == "end":
            return event["report"]
        if on_event:
            on_event(event)


def export(source, path, format="onnx", *, overrides=None, threads=0):
    """Writes a checkpoint for another runtime; `detent list exporters` tells the formats."""
    with Net(source, overrides=overrides, threads=threads) as net:
        net.export(format, path)
