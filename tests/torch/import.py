# SPDX-License-Identifier: Apache-2.0
"""Importing vision transformers under the names of timm, Hugging Face and torchvision.

usage: import.py DETENT

PyTorch writes a net of random weights under each convention, as safetensors and as both kinds of
.pth; `detent export` reads it and writes safetensors, whose tensors must be those of the net. A
position embedding of another grid must be what F.interpolate makes of it.
Exit status 77 (skipped) without PyTorch.
"""
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
except ImportError:
    print("SKIP: no PyTorch for", sys.executable)
    sys.exit(77)
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import models
from steps import write_safetensors

MODEL = "{name: vit, patch: 8, dim: 48, depth: 2, heads: 4, classes: 10"
HF = [(r"^cls_token", "vit.embeddings.cls_token"),
      (r"^pos_embed", "vit.embeddings.position_embeddings"),
      (r"^patch_embed\.proj", "vit.embeddings.patch_embeddings.projection"),
      (r"^blocks\.(\d+)\.norm1", r"vit.encoder.layer.\1.layernorm_before"),
      (r"^blocks\.(\d+)\.norm2", r"vit.encoder.layer.\1.layernorm_after"),
      (r"^blocks\.(\d+)\.attn\.proj", r"vit.encoder.layer.\1.attention.output.dense"),
      (r"^blocks\.(\d+)\.mlp\.fc1", r"vit.encoder.layer.\1.intermediate.dense"),
      (r"^blocks\.(\d+)\.mlp\.fc2", r"vit.encoder.layer.\1.output.dense"),
      (r"^norm", "vit.layernorm"), (r"^head", "classifier")]
TORCHVISION = [(r"^cls_token", "class_token"), (r"^pos_embed", "encoder.pos_embedding"),
               (r"^patch_embed\.proj", "conv_proj"),
               (r"^blocks\.(\d+)\.norm(\d)", r"encoder.layers.encoder_layer_\1.ln_\2"),
               (r"^blocks\.(\d+)\.attn\.qkv\.", r"encoder.layers.encoder_layer_\1.self_attention.in_proj_"),
               (r"^blocks\.(\d+)\.attn\.proj", r"encoder.layers.encoder_layer_\1.self_attention.out_proj"),
               (r"^blocks\.(\d+)\.mlp\.fc1", r"encoder.layers.encoder_layer_\1.mlp.0"),
               (r"^blocks\.(\d+)\.mlp\.fc2", r"encoder.layers.encoder_layer_\1.mlp.3"),
               (r"^norm", "encoder.ln"), (r"^head", "heads.head")]


def renamed(state, rules):
    out = {}
    for name, t in state.items():
        for pattern, to in rules:
            if re.match(pattern, name):
                name = re.sub(pattern, to, name)
                break
        out[name] = t
    return out


def hf(state):
    out = {}
    for name, t in renamed(state, HF).items():
        m = re.match(r"blocks\.(\d+)\.attn\.qkv\.(\w+)", name)
        if not m:
            out[name] = t
            continue
        for part, rows in zip(("query", "key", "value"), t.chunk(3)):
            out[f"vit.encoder.layer.{m[1]}.attention.attention.{part}.{m[2]}"] = rows.clone()
    return out


def read_safetensors(path):
    data = open(path, "rb").read()
    size, = struct.unpack("<Q", data[:8])
    head = json.loads(data[8:8 + size])
    head.pop("__metadata__", None)
    return {n: np.frombuffer(data[8 + size + e["data_offsets"][0]:8 + size + e["data_offsets"][1]],
                             "<f4").reshape(e["shape"]) for n, e in head.items()}


def main():
    detent, failures = sys.argv[1], 0
    net = models.randomize(models.Vit(32, 8, 48, 2, 4, 10), 1)
    state = {n: t.detach() for n, t in net.state_dict().items()}
    large = models.randomize(models.Vit(56, 8, 48, 2, 4, 10), 2).state_dict()
    small = {**large}
    grid = large["pos_embed"][:, 1:].reshape(1, 7, 7, 48).permute(0, 3, 1, 2)
    grid = torch.nn.functional.interpolate(grid, size=(4, 4), mode="bicubic", align_corners=False)
    small["pos_embed"] = torch.cat([large["pos_embed"][:, :1], grid.flatten(2).transpose(1, 2)], 1)
    with tempfile.TemporaryDirectory(prefix="detent-import-") as folder:
        path = lambda n: os.path.join(folder, n)
        with open(path("r.yaml"), "w") as f:
            f.write(f"model: {MODEL}}}\ndata: {{name: builtin}}\n")

        def check(what, file, want, bound=0.0):
            run = subprocess.run([detent, "export", path("r.yaml"), f"model.init={file}", "--format",
                                  "safetensors", "--out", path("out")], capture_output=True, text=True)
            if run.returncode:
                print(f"FAIL {what}: {run.stderr.strip()}")
                return 1
            ours = read_safetensors(path("out"))
            worst = max(float(np.abs(ours[n] - t.numpy()).max()) for n, t in want.items())
            print(f"{'ok' if worst <= bound else 'FAIL'} {what}: largest difference {worst:g}")
            return worst > bound

        for name, form in (("timm", lambda s: s), ("Hugging Face", hf),
                           ("torchvision", lambda s: renamed(s, TORCHVISION))):
            write_safetensors(path("w.safetensors"), form(state))
            torch.save(form(state), path("new.pth"))
            torch.save({"model": form(state)}, path("old.pth"), _use_new_zipfile_serialization=False)
            write_safetensors(path("large.safetensors"), form(large))
            for file in ("w.safetensors", "new.pth", "old.pth"):
                failures += check(f"{name}, {file}", path(file), state)
            failures += check(f"{name}, grid of 7x7", path("large.safetensors"), small, 1e-6)
        broken = hf(state)
        del broken["vit.encoder.layer.1.attention.attention.key.weight"]
        write_safetensors(path("broken.safetensors"), broken)
        run = subprocess.run([detent, "export", path("r.yaml"), "model.init=" + path("broken.safetensors"),
                              "--format", "safetensors", "--out", path("out")], capture_output=True, text=True)
        good = run.returncode != 0 and "blocks.1.attn.qkv.weight" in run.stderr
        print(f"{'ok' if good else 'FAIL'} without keys: {run.stderr.strip()}")
        failures += not good
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
