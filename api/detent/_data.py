# SPDX-License-Identifier: Apache-2.0
"""Samples of numpy as files that recipes read (dataset `arrays`)."""
import itertools
import os
import tempfile

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


def _write_arrays(arrays, names, folder):
    arrays = [_plain(a) for a in arrays]
    if len({len(a) for a in arrays}) > 1:
        raise Error(f"data: {len(arrays[0])} samples have {len(arrays[1])} answers")
    for array, name in zip(arrays, names):
        numpy.save(os.path.join(folder, name), array)
    return len(arrays[0])


def _write_samples(samples, names, folder):
    samples = iter(samples)
    first = next(samples, None)
    if first is None:
        raise Error("data: there is no sample")
    pair = isinstance(first, (tuple, list))
    writers = [_Writer(os.path.join(folder, name)) for name in names[:1 + pair]]
    try:
        for sample in itertools.chain([first], samples):
            for writer, part in zip(writers, sample if pair else [sample], strict=True):
                writer.add(part)
        for writer in writers:
            writer.close()
    finally:
        for writer in writers:
            writer.file.close()
    return writers[0].count


class Data:
    """Samples for train, evaluate and quantize, in place of a recipe's dataset.

    Each of `train` and `test` is an array x [N, ...], a pair (x, y) of arrays, or an iterator of
    samples: x, or pairs (x, y). x is channels last, [N, H, W, C] of pictures, and already what the
    network expects unless `normalize` says otherwise; y holds what the recipe's task asks for: labels
    [N], or flags or numbers [N, K].

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
        keys = [{"train": "", "test": "test_"}[split] + part for part in "xy"]
        names = [f"{split}_{part}.npy" for part in "xy"]
        for name in names:
            if os.path.exists(os.path.join(self.folder, name)):
                raise Error(f"{os.path.join(self.folder, name)}: is there already; give another folder")
        if isinstance(samples, numpy.ndarray):
            samples = (samples,)
        write = _write_arrays if isinstance(samples, tuple) else _write_samples
        self.count[split] = write(samples, names, self.folder)
        for key, name in zip(keys, names):
            if os.path.exists(os.path.join(self.folder, name)):
                self.options[key] = name

    def __repr__(self):
        return f"Data({self.folder!r}, {self.count})"
