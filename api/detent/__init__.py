# SPDX-License-Identifier: Apache-2.0
"""Quantization-aware training, and networks as functions of numpy arrays.

    for event in detent.train("recipe.yaml", "runs/one", overrides={"train.epochs": 3}):
        if event["kind"] == "epoch":
            print(event["epoch"], event["test_top1"])
    score = detent.evaluate("runs/one/last.h5")
    with detent.Net("runs/one/last.h5") as net:
        logits = net(x)  # [N, H, W, C], normalised as for training
        net.export("onnx", "net.onnx")

What is refused is an Error, with the one line that the program would print.
"""
import ctypes
import json
import os
import queue
import threading
from ctypes import POINTER, byref, c_char_p, c_float, c_int, c_int64, c_size_t, c_void_p

import numpy

__all__ = ["Error", "Net", "evaluate", "train", "version"]

_API, _ERROR = 1, 512
_EVENT = ctypes.CFUNCTYPE(c_int, c_void_p, c_char_p)


class Error(Exception):
    """A refusal: place, key or layer, value, rule, nearest valid choice."""


class _Words(ctypes.Structure):
    _fields_ = [("at", POINTER(c_char_p)), ("count", c_size_t)]


def _load():
    here = os.path.dirname(os.path.abspath(__file__))
    path = os.environ.get("DETENT_LIBRARY") or os.path.join(here, "libdetent.so")
    library = ctypes.CDLL(path)
    if library.detent_api_version() != _API:
        raise ImportError(f"{path} has another interface than this module")
    library.detent_version.restype = c_char_p
    library.detent_train.argtypes = [c_char_p, POINTER(_Words), c_char_p, c_int, c_int, _EVENT,
                                     c_void_p, c_char_p]
    library.detent_evaluate.argtypes = [c_char_p, POINTER(_Words), c_int, _EVENT, c_void_p, c_char_p]
    library.detent_net_open.argtypes = [c_char_p, POINTER(_Words), c_int, POINTER(c_void_p), c_char_p]
    library.detent_net_close.argtypes = [c_void_p]
    library.detent_net_close.restype = None
    library.detent_net_sizes.argtypes = [c_void_p, POINTER(c_int64)]
    library.detent_net_sizes.restype = None
    library.detent_net_forward.argtypes = [c_void_p, c_void_p, c_int64, c_void_p, c_char_p]
    library.detent_net_count.argtypes = [c_void_p]
    library.detent_net_count.restype = c_int64
    library.detent_net_tensor.argtypes = [c_void_p, c_int64, POINTER(c_int64), POINTER(c_int),
                                          POINTER(POINTER(c_float))]
    library.detent_net_tensor.restype = c_char_p
    library.detent_net_export.argtypes = [c_void_p, c_char_p, c_char_p, c_char_p]
    return library


_lib = _load()
version = _lib.detent_version().decode()


def _words(overrides):
    """Values as YAML, which has JSON in it; paths and texts as they stand."""
    words = [f"{key}={value if isinstance(value, str) else json.dumps(value)}".encode()
             for key, value in (overrides or {}).items()]
    array = (c_char_p * len(words))(*words)
    return _Words(array, len(words))


def _check(function, *args):
    error = ctypes.create_string_buffer(_ERROR)
    if function(*args, error) != 0:
        raise Error(error.value.decode(errors="replace"))


def train(recipe, folder, *, overrides=None, threads=0, resume=False):
    """Trains in a thread of its own, and yields events as they come: dictionaries with "kind" message,
    progress, epoch or end. Whoever stops reading stops the run, which can go on with `resume`."""
    events, stop = queue.Queue(maxsize=64), threading.Event()
    end = object()

    def on_event(_, text):
        while not stop.is_set():
            try:
                events.put(json.loads(text), timeout=0.1)
                break
            except queue.Full:
                continue
        return int(stop.is_set())

    def run():
        try:
            _check(_lib.detent_train, os.fsencode(recipe), byref(words), os.fsencode(folder), threads,
                   int(resume), callback, None)
            failed = None
        except Error as error:
            failed = error
        while not stop.is_set():
            try:
                events.put((end, failed), timeout=0.1)
                break
            except queue.Full:
                continue

    words, callback = _words(overrides), _EVENT(on_event)
    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    try:
        while True:
            event = events.get()
            if isinstance(event, tuple) and event[0] is end:
                if event[1]:
                    raise event[1]
                return
            yield event
    finally:
        stop.set()
        worker.join()


def evaluate(path, *, overrides=None, threads=0):
    """The score of a recipe's model.init, or of a checkpoint, on the test split: a dictionary."""
    found = []

    def on_event(_, text):
        found.append(json.loads(text))
        return 0

    callback = _EVENT(on_event)
    _check(_lib.detent_evaluate, os.fsencode(path), byref(_words(overrides)), threads, callback, None)
    return found[0]


class Net:
    """A network of a checkpoint, or of a recipe with model.init."""

    def __init__(self, path, *, overrides=None, threads=0):
        self._net = c_void_p()
        _check(_lib.detent_net_open, os.fsencode(path), byref(_words(overrides)), threads,
               byref(self._net))
        sizes = (c_int64 * 4)()
        _lib.detent_net_sizes(self._net, sizes)
        self.input_shape, self.outputs = tuple(sizes[:3]), sizes[3]

    def _open(self):
        if not self._net:
            raise ValueError("the network is closed")
        return self._net

    def forward(self, x):
        """Outputs [N, outputs] of pictures [N, H, W, C]."""
        x = numpy.ascontiguousarray(x, dtype=numpy.float32)
        if x.ndim != 4 or x.shape[1:] != self.input_shape:
            raise Error(f"x: {list(x.shape)} is no batch of {list(self.input_shape)}")
        out = numpy.empty((x.shape[0], self.outputs), dtype=numpy.float32)
        _check(_lib.detent_net_forward, self._open(), x.ctypes.data, x.shape[0], out.ctypes.data)
        return out

    __call__ = forward

    def weights(self):
        """{name: array} of copies: parameters, statistics and state of quantizers."""
        return {name: array.copy() for name, array in self._tensors().items()}

    def set_weights(self, values):
        """Numbers for some of them, by name; the next forward pass has them."""
        tensors = self._tensors()
        for name, value in values.items():
            if name not in tensors:
                raise Error(f"{name}: the network has no such tensor")
            value = numpy.asarray(value, dtype=numpy.float32)
            if value.shape != tensors[name].shape:
                raise Error(f"{name}: {list(value.shape)} is not {list(tensors[name].shape)}")
            tensors[name][...] = value

    def export(self, format, path):
        """Writes it for another runtime; see `detent list exporters`."""
        _check(_lib.detent_net_export, self._open(), format.encode(), os.fsencode(path))

    def _tensors(self):
        """Views of the library's memory."""
        found, dims, rank, data = {}, (c_int64 * 4)(), c_int(), POINTER(c_float)()
        for i in range(_lib.detent_net_count(self._open())):
            name = _lib.detent_net_tensor(self._net, i, dims, byref(rank), byref(data))
            shape = tuple(dims[:rank.value]) or (1,)
            found[name.decode()] = numpy.ctypeslib.as_array(data, shape)
        return found

    def close(self):
        if self._net:
            _lib.detent_net_close(self._net)
            self._net = c_void_p()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        if getattr(self, "_net", None):
            self.close()
