# SPDX-License-Identifier: Apache-2.0
"""Tensors to files that Detent imports, and from what the program of steps.c writes."""
import json
import struct

import numpy as np
import torch


def write_safetensors(path, tensors):
    head, data = {}, b""
    for name, t in tensors.items():
        dtype, form = ("I64", "<i8") if t.dtype == torch.int64 else ("F32", "<f4")
        raw = t.detach().contiguous().numpy().astype(form).tobytes()
        head[name] = {"dtype": dtype, "shape": list(t.shape),
                      "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(head).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def read_tensors(path):
    out, data, at = {}, open(path, "rb").read(), 0
    while at < len(data):
        end = data.index(b"\n", at)
        name, *shape = data[at:end].decode().split()
        shape = [int(d) for d in shape]
        count = int(np.prod(shape))
        out[name] = np.frombuffer(data, "<f4", count, end + 1).reshape(shape)
        at = end + 1 + 4 * count
    return out
