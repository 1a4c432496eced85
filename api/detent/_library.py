# SPDX-License-Identifier: Apache-2.0
"""The functions of libdetent.so, by ctypes."""
import ctypes
import json
import os
import queue
import threading
from ctypes import POINTER, c_char_p, c_float, c_int, c_int64, c_size_t, c_void_p

_API, _ERROR = 1, 512
EVENT = ctypes.CFUNCTYPE(c_int, c_void_p, c_char_p)


class Error(Exception):
    """A refusal, in one line: place, key or layer, value, rule, nearest valid choice."""


class Words(ctypes.Structure):
    """Texts "key=value"."""
    _fields_ = [("at", POINTER(c_char_p)), ("count", c_size_t)]


def _load():
    here = os.path.dirname(os.path.abspath(__file__))
    path = os.environ.get("DETENT_LIBRARY") or os.path.join(here, "libdetent.so")
    library = ctypes.CDLL(path)
    if library.detent_api_version() != _API:
        raise ImportError(f"{path} has another interface than this module")
    words, net, error = POINTER(Words), c_void_p, c_char_p
    for name, answer, arguments in (
            ("version", c_char_p, []),
            ("train", c_int, [c_char_p, words, c_char_p, c_int, c_int, EVENT, c_void_p, error]),
            ("evaluate", c_int, [c_char_p, words, c_int, EVENT, c_void_p, error]),
            ("quantize", c_int, [c_char_p, words, words, c_char_p, c_int, c_int, EVENT, c_void_p, error]),
            ("net_open", c_int, [c_char_p, words, c_int, POINTER(net), error]),
            ("net_close", None, [net]),
            ("net_sizes", None, [net, POINTER(c_int64)]),
            ("net_shape", c_int, [net, POINTER(c_int64)]),
            ("net_port", c_char_p, [net, c_int, c_int, POINTER(c_int64), POINTER(c_int)]),
            ("net_forward", c_int, [net, c_void_p, c_int64, c_void_p, error]),
            ("net_count", c_int64, [net]),
            ("net_tensor", c_char_p, [net, c_int64, POINTER(c_int64), POINTER(c_int),
                                      POINTER(POINTER(c_float))]),
            ("net_grids", c_int, [net, EVENT, c_void_p, error]),
            ("net_export", c_int, [net, c_char_p, c_char_p, error])):
        function = getattr(library, "detent_" + name)
        function.restype, function.argtypes = answer, arguments
    return library


library = _load()


def check(function, *args):
    """Calls it with room for its line, which becomes an Error."""
    error = ctypes.create_string_buffer(_ERROR)
    if function(*args, error) != 0:
        raise Error(error.value.decode(errors="replace"))


def words(values):
    """Values as YAML, which has JSON in it; paths and texts as they stand."""
    texts = [f"{key}={os.fspath(value) if isinstance(value, (str, os.PathLike)) else json.dumps(value)}".encode()
             for key, value in values.items()]
    return Words((c_char_p * len(texts))(*texts), len(texts))


def collect(function, *args):
    """The events of a function that takes no time: a list of dictionaries."""
    found = []

    @EVENT
    def on_event(_, text):
        found.append(json.loads(text))
        return 0

    check(function, *args, on_event, None)
    return found


def events(function, *args):
    """Runs it in a thread of its own and yields its events as they come. Whoever stops reading stops
    the work."""
    waiting, stop = queue.Queue(maxsize=64), threading.Event()

    def put(item):
        while not stop.is_set():
            try:
                return waiting.put(item, timeout=0.1)
            except queue.Full:
                continue

    @EVENT
    def on_event(_, text):
        put(json.loads(text))
        return int(stop.is_set())

    def run():
        try:
            check(function, *args, on_event, None)
            put(None)
        except Error as error:
            put(error)

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    try:
        while (event := waiting.get()) is not None:
            if isinstance(event, Error):
                raise event
            yield event
    finally:
        stop.set()
        worker.join()
