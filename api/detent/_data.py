# SPDX-License-Identifier: Apache-2.0
"""Samples of numpy as files that recipes read (dataset `arrays`)."""
import itertools
import os
import tempfile
from collections.abc import Mapping

import numpy

from ._library import Error

# What the reader of .npy files takes as it is; other kinds of numbers become float32.
_KEPT = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "f4", "f8"}
_HEADER = 128  # bytes: room for any count of samples


def _plain(array):
    array = numpy.asarray(array)
    if array.dtype.kind + str(array.dtype.itemsize) not in _KEPT:
        if array.dtype.kind not in "biuf":
            raise Error(f"data: {array.dtype} is no kind of number that a sample can have")
        array = array.astype(numpy.float32)
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


class _Writer:
    """An array that grows by samples, all of the first one's shape and kind."""

    def __init__(self, path):
        self.path, self.count, self.like = path, 0, None
        self.file = open(path, "wb")
        self.file.write(bytes(_HEADER))

    def add(self, sample):
        sample = _plain(sample)
        if self.like is None:
            self.like = sample
        if sample.shape != self.like.shape:
            raise Error(f"data: sample {self.count} has the shape {list(sample.shape)}, the first one "
                        f"{list(self.like.shape)}")
        self.file.write(numpy.ascontiguousarray(sample, self.like.dtype).tobytes())
        self.count += 1

    def close(self):
        with self.file:
            if self.like is None:
                raise Error("data: there is no sample")
            about = {"descr": self.like.dtype.str, "fortran_order": False,
                     "shape": (self.count, *self.like.shape)}
            text = (repr(about).ljust(_HEADER - 11) + "\n").encode()
            self.file.seek(0)
            self.file.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)


class _Part:
    """x or y of a split: an array, or several by name, each with a file."""

    def __init__(self, split, letter, sample):
        before = {"train": "", "test": "test_"}[split]
        self.names = list(sample) if isinstance(sample, Mapping) else None
        if self.names is None:
            self.key, self.files = before + letter, [f"{split}_{letter}.npy"]
        else:
            self.key = before + {"x": "inputs", "y": "targets"}[letter]
            self.files = [f"{split}_{letter}{i}.npy" for i in range(len(self.names))]

    def split(self, sample):
        """Its arrays, in the order of the files."""
        if (self.names is None) == isinstance(sample, Mapping):
            raise Error(f"data: {self.key}: some samples have names and some have not")
        if self.names is None:
            return [sample]
        if set(sample) != set(self.names):
            raise Error(f"data: {self.key}: {', '.join(sample)} are not {', '.join(self.names)}")
        return [sample[name] for name in self.names]

    def option(self):
        if self.names is None:
            return self.files[0]
        return [f"{name}={file}" for name, file in zip(self.names, self.files)]


def _write_arrays(samples, parts, folder):
    files = [file for part in parts for file in part.files]
    arrays = [_plain(a) for part, s in zip(parts, samples, strict=True) for a in part.split(s)]
    for file, array in zip(files, arrays):
        if len(array) != len(arrays[0]):
            raise Error(f"data: {len(arrays[0])} samples have {len(array)} answers" if len(arrays) == 2 else
                        f"data: {file} has {len(array)} samples, {files[0]} has {len(arrays[0])}")
        numpy.save(os.path.join(folder, file), array)
    return len(arrays[0])


def _write_samples(samples, parts, folder):
    writers = [[_Writer(os.path.join(folder, file)) for file in part.files] for part in parts]
    try:
        for sample in samples:
            whole = sample if isinstance(sample, (tuple, list)) else [sample]
            for part, own, piece in zip(parts, writers, whole, strict=True):
                for writer, array in zip(own, part.split(piece)):
                    writer.add(array)
        for own in writers:
            for writer in own:
                writer.close()
    finally:
        for own in writers:
            for writer in own:
                writer.file.close()
    return writers[0][0].count


class Data:
    """Samples for train, evaluate and quantize, in place of a recipe's dataset.

    Each of `train` and `test` is an array x [N, ...], a pair (x, y) of arrays, or an iterator of
    samples: x, or pairs (x, y). x is channels last, [N, H, W, C] of pictures, and already what the
    network expects unless `normalize` says otherwise; y holds what the recipe's task asks for: labels
    [N], or flags or numbers [N, K]. Several inputs, and answers of several outputs (`tasks` of the
    recipe), are dictionaries by name in their place: ({"sound": x, "told": t}, {"label": y}).

    They are written to `folder` as .npy files, an iterator sample by sample, because epochs, resumed
    runs and checkpoints read them again. Without `folder` it is a temporary one that goes with this
    object. Other options are those of the dataset `arrays` (`detent list keys data`): batch, nonneg,
    flatten, ..."""

    def __init__(self, train=None, test=None, *, folder=None, normalize=None, **options):
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="detent-data-")
        self.folder = os.path.abspath(folder or self._temporary.name)
        self.options = {"name": "arrays", "root": self.folder,
                        "normalize": normalize or {"mean": 0, "std": 1}, **options}
        self.count = {}
        os.makedirs(self.folder, exist_ok=True)
        for split, samples in ("train", train), ("test", test):
            if samples is not None:
                self._write(split, samples)
        if not self.count:
            raise Error("data: neither train nor test samples are given")
        if "train" in self.count and "batch" not in options:
            self.options["batch"] = min(128, self.count["train"])

    def _write(self, split, samples):
        write = _write_samples
        if isinstance(samples, (numpy.ndarray, Mapping)):
            samples = (samples,)
        if isinstance(samples, tuple):
            first, write = samples, _write_arrays
        else:
            samples = iter(samples)
            first = next(samples, None)
            if first is None:
                raise Error("data: there is no sample")
            samples = itertools.chain([first], samples)
        whole = first if isinstance(first, (tuple, list)) else [first]
        parts = [_Part(split, letter, piece) for letter, piece in zip("xy", whole)]
        for path in (os.path.join(self.folder, file) for part in parts for file in part.files):
            if os.path.exists(path):
                raise Error(f"{path}: is there already; give another folder")
        self.count[split] = write(samples, parts, self.folder)
        for part in parts:
            self.options[part.key] = part.option()

    def __repr__(self):
        return f"Data({self.folder!r}, {self.count})"
