# SPDX-License-Identifier: Apache-2.0
"""Parameters of a checkpoint, by way of a safetensors export."""
import array
import json
import os
import struct
import sys
import tempfile

from runs import detent


def read(path):
    """{name: float32 values} of a safetensors file."""
    with open(path, "rb") as f:
        size, = struct.unpack("<Q", f.read(8))
        head = json.loads(f.read(size))
        body = f.read()
    found = {}
    for name, about in head.items():
        if name == "__metadata__" or about["dtype"] != "F32":
            continue
        begin, end = about["data_offsets"]
        values = array.array("f", body[begin:end])
        if sys.byteorder == "big":
            values.byteswap()
        found[name] = values
    return found


def of(net):
    """Of a checkpoint; {} where it cannot be exported."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "net.safetensors")
        code, _, _ = detent("export", net, "--format", "safetensors", "--out", out)
        return {} if code else read(out)
