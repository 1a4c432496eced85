# SPDX-License-Identifier: Apache-2.0
"""Small safetensors and PyTorch files, by Python's standard library. A tensor is (shape, array of
typecode f or d)."""
import array
import collections
import io
import json
import pickle
import struct
import sys
import types
import zipfile

DTYPES = {"f": "F32", "d": "F64"}


def read_safetensors(path):
    with open(path, "rb") as f:
        raw = f.read()
    size, = struct.unpack("<Q", raw[:8])
    head = json.loads(raw[8:8 + size])
    head.pop("__metadata__", None)
    tensors = {}
    for name, entry in head.items():
        begin, end = (8 + size + at for at in entry["data_offsets"])
        tensors[name] = (entry["shape"], array.array("f", raw[begin:end]))
    return tensors


def write_safetensors(path, tensors):
    head, data = {}, b""
    for name, (shape, values) in tensors.items():
        begin = len(data)
        data += values.tobytes()
        head[name] = {"dtype": DTYPES[values.typecode], "shape": list(shape),
                      "data_offsets": [begin, len(data)]}
    text = json.dumps(head).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


# What a pickle of PyTorch names, so that it can be written without it.
torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")


def _rebuild_tensor_v2():
    raise NotImplementedError


class FloatStorage:
    pass


class DoubleStorage:
    pass


for thing, module in ((_rebuild_tensor_v2, utils), (FloatStorage, torch), (DoubleStorage, torch)):
    thing.__module__ = module.__name__
    setattr(module, thing.__name__, thing)
STORAGES = {"f": FloatStorage, "d": DoubleStorage}


class Storage:
    def __init__(self, values):
        self.values = values


class Tensor:
    def __init__(self, shape, values):
        self.shape, self.storage = tuple(shape), Storage(values)

    def __reduce__(self):
        stride, step = [], 1
        for n in reversed(self.shape):
            stride.insert(0, step)
            step *= n
        return _rebuild_tensor_v2, (self.storage, 0, self.shape, tuple(stride), False,
                                    collections.OrderedDict())


def write_torch(path, thing, legacy=False):
    """`thing`: a dictionary of tensors, numbers, texts and such dictionaries. `legacy`: as before
    PyTorch 1.6."""
    storages = []

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            if not isinstance(obj, Storage):
                return None
            storages.append(obj.values)
            return ("storage", STORAGES[obj.values.typecode], str(len(storages) - 1), "cpu",
                    len(obj.values))

    def convert(x):
        if isinstance(x, dict):
            return {key: convert(value) for key, value in x.items()}
        return Tensor(*x) if isinstance(x, tuple) else x

    stream = io.BytesIO()
    sys.modules["torch"], sys.modules["torch._utils"] = torch, utils
    Pickler(stream, protocol=2).dump(convert(thing))
    del sys.modules["torch"], sys.modules["torch._utils"]
    if legacy:
        with open(path, "wb") as f:
            for head in 0x1950a86a20f9469cfc6c, 1001, {"little_endian": True}:
                f.write(pickle.dumps(head, 2))
            f.write(stream.getvalue() + pickle.dumps([str(i) for i in range(len(storages))], 2))
            for values in storages:
                f.write(struct.pack("<q", len(values)) + values.tobytes())
        return
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as z:
        z.writestr("archive/data.pkl", stream.getvalue())
        for i, values in enumerate(storages):
            z.writestr(f"archive/data/{i}", values.tobytes())
        z.writestr("archive/version", "3\n")
