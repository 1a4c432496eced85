#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/torch/: tiny PyTorch files in both layouts, and files that must be refused.

Made with Python 3.11.2 and PyTorch 1.13.0 (Debian 12). Run: python3 tests/golden/make_torch.py
With the folder of published checkpoints as argument it also writes checkpoints.txt: SHA-256, type
and shape of every tensor as PyTorch reads them.
"""
import hashlib
import os
import sys
from collections import OrderedDict

import torch

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch")
DTYPES = {"f32": torch.float32, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16,
          "i64": torch.int64, "i32": torch.int32, "i16": torch.int16, "s8": torch.int8,
          "u8": torch.uint8, "bool": torch.bool}


def tensors():
    """Every element is its index in the whole, so that a reader can be checked by formula."""
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    d = OrderedDict()
    for name, dtype in DTYPES.items():
        d["module.type." + name] = torch.arange(6).reshape(2, 3).to(dtype)
    d["module.permuted"] = base.permute(2, 0, 1)
    d["module.sliced"] = base[1:, ::2, 1:3]
    d["module.expanded"] = base[0, 0, 2:3].expand(3, 2)
    d["module.scalar"] = torch.tensor(7.5)
    d["module.parameter"] = torch.nn.Parameter(torch.arange(3.0))
    d["module.empty"] = torch.zeros(0, 3)
    d["module.bn.num_batches_tracked"] = torch.tensor(5)
    d["module.note"] = "a text"
    return {"epoch": 12, "best": 91.25, "ok": True, "args": Opaque(), "model": d}


class Opaque:
    def __reduce__(self):
        return os.system, ("touch /tmp/detent-was-executed",)


def save(name, value, **how):
    torch.save(value, os.path.join(OUT, name), **how)


def published(folder):
    lines = []
    for name in sorted(os.listdir(folder)):
        if not name.endswith((".th", ".tar")):
            continue
        state = torch.load(os.path.join(folder, name), map_location="cpu")["state_dict"]
        for key, t in state.items():
            if key.endswith("num_batches_tracked"):
                continue
            dtype = next(k for k, v in DTYPES.items() if v == t.dtype)
            sha = hashlib.sha256(t.contiguous().numpy().tobytes()).hexdigest()
            shape = "[" + ",".join(map(str, t.shape)) + "]"
            lines.append(f"{name} {key[len('module.'):]} {dtype} {shape} {sha[:16]}\n")
    with open(os.path.join(OUT, "checkpoints.txt"), "w") as f:
        f.writelines(lines)


def main():
    os.makedirs(OUT, exist_ok=True)
    save("zip.pth", tensors())
    save("protocol4.pth", tensors(), pickle_protocol=4)
    save("legacy.pth", tensors(), _use_new_zipfile_serialization=False)
    two = {"w": torch.arange(4.0), "b": torch.arange(2.0)}
    save("small_zip.pth", two)
    save("small_legacy.pth", two, _use_new_zipfile_serialization=False)
    save("system_root.pth", Opaque(), _use_new_zipfile_serialization=False)
    save("system_entry.pth", {"w": Opaque()}, _use_new_zipfile_serialization=False)
    save("whole_module.pth", torch.nn.Linear(2, 1))
    save("complex.pth", {"w": torch.zeros(2, dtype=torch.complex64)})
    save("sparse.pth", {"w": torch.eye(2).to_sparse()})
    if len(sys.argv) > 1:
        published(sys.argv[1])


main()
