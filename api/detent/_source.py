# SPDX-License-Identifier: Apache-2.0
"""What can be trained, evaluated and opened, and the keys over it."""
import json
import os

from ._library import words


def is_net_file(source):
    return not isinstance(source, dict) and os.fspath(source).lower().endswith(".onnx")


def source_of(source):
    """A path as bytes; a dictionary is a recipe's text. An .onnx file is a float net whose samples are
    as it expects them."""
    if isinstance(source, dict):
        return json.dumps(source).encode()
    if is_net_file(source):
        return json.dumps({"model": {"onnx": os.path.abspath(source)},
                           "data": {"name": "arrays", "root": ".", "normalize": {"mean": 0, "std": 1}}}).encode()
    return os.fsencode(source)


def overrides_of(overrides, data=None):
    """Keys of the command line; the dataset comes before what is said of it."""
    given = {"data": data.options} if data is not None else {}
    return words({**given, **(overrides or {})})
