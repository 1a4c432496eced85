# SPDX-License-Identifier: Apache-2.0
"""Forward, gradients and optimizer steps against PyTorch, from the same random weights and batches.

usage: steps.py STEPS [MODEL...]

STEPS is the program of steps.c, run under every tier of kernels that the machine has. Logits and each
gradient must be within 1e-4 of PyTorch's, relative to the largest element, with equal argmax; losses
of ten steps within 1e-4, relative. These nets have no kinks (GELU, softmax), so rounding has nothing to jump over.
Exit status 77 (skipped) without PyTorch.
"""
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
except ImportError:
    print("SKIP: no PyTorch for", sys.executable)
    sys.exit(77)
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]
import models
import tiers
from tensors import read_tensors, write_safetensors

BOUND = 1e-4
ADAMW = "{name: adamw, lr: 1e-3, weight_decay: 0.05}"


def adamw(net):
    """Weights of layers decay; norms, biases, the class token and positions do not."""
    parts = {True: [], False: []}
    for name, p in net.named_parameters():
        parts[p.dim() > 1 and name not in ("cls_token", "pos_embed")].append(p)
    groups = [{"params": parts[True]}, {"params": parts[False], "weight_decay": 0}]
    return torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.05)


# name: PyTorch's net, the recipe's model, side, classes, batch, its optimizer, the recipe's
MODELS = {
    "vit": (lambda: models.Vit(32, 4, 192, 6, 3, 10),
            "{name: vit, patch: 4, dim: 192, depth: 6, heads: 3, classes: 10", 32, 10, 4, adamw, ADAMW),
    "vit_tanh": (lambda: models.Vit(32, 8, 48, 2, 4, 7, "tanh"),
                 "{name: vit, patch: 8, dim: 48, depth: 2, heads: 4, classes: 7, gelu: tanh", 32, 7, 3,
                 adamw, ADAMW),
    "deit_tiny": (lambda: models.Vit(224, 16, 192, 12, 3, 1000),
                  "{name: deit_tiny_patch16_224, classes: 1000", 224, 1000, 2, adamw, ADAMW),
}


def error(ours, theirs):
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-12))


def run_torch(net, optimizer, pictures, labels):
    losses, first = [], None
    for x, y in zip(pictures, labels):
        optimizer.zero_grad()
        logits = net(x)
        loss = torch.nn.functional.cross_entropy(logits, y)
        loss.backward()
        if first is None:
            first = {n: p.grad.numpy().copy() for n, p in net.named_parameters()}
            first["logits"] = logits.detach().numpy().copy()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses), first


def compare(name, program, folder):
    make, model, side, classes, batch, optimizer, recipe_optimizer = MODELS[name]
    steps = 10
    net = models.randomize(make(), 1)
    pictures = torch.randn(steps, batch, 3, side, side)
    labels = torch.randint(0, classes, (steps, batch))
    path = lambda n: os.path.join(folder, f"{name}.{n}")
    write_safetensors(path("safetensors"), net.state_dict())
    with open(path("batches"), "wb") as f:
        f.write(pictures.permute(0, 1, 3, 4, 2).contiguous().numpy().tobytes())
        f.write(labels.numpy().astype("<i4").tobytes())
    with open(path("yaml"), "w") as f:
        f.write(f"model: {model}, init: {path('safetensors')}}}\n"
                f"data: {{name: builtin, batch: {batch}}}\n"
                f"train: {{optimizer: {recipe_optimizer}, schedule: {{name: constant}}}}\n")
    losses, first = run_torch(net, optimizer(net), pictures, labels)
    args = [program, path("yaml"), path("batches"), str(side), str(steps), path("out")]
    good = True
    for tier in tiers.each(lambda isa: subprocess.run([*args, isa]).returncode):
        good = hold(f"{name}, {tier}", read_tensors(path("out")), losses, first) and good
    return good


def hold(name, ours, losses, first):
    for key, tensor in ours.items():
        if tensor.ndim == 4:  # [O,KH,KW,I] here
            ours[key] = tensor.transpose(0, 3, 1, 2)
    worst = max((error(ours[key], first[key]), key) for key in first if key != "logits")
    logits = error(ours["logits"], first["logits"])
    argmax = bool((ours["logits"].argmax(1) == first["logits"].argmax(1)).all())
    drift = float(np.abs(ours["losses"] / losses - 1).max())
    print(f"{name}: logits {logits:.1e}, argmax {'equal' if argmax else 'DIFFERS'}, gradients of "
          f"{len(first) - 1} tensors {worst[0]:.1e} ({worst[1]}), losses of {len(losses)} steps "
          f"{drift:.1e} ({losses[0]:.4f} to {losses[-1]:.4f})", flush=True)
    return logits <= BOUND and argmax and worst[0] <= BOUND and drift <= BOUND


def main():
    torch.set_num_threads(2)
    names = sys.argv[2:] or list(MODELS)
    with tempfile.TemporaryDirectory(prefix="detent-torch-") as folder:
        wrong = [n for n in names if not compare(n, sys.argv[1], folder)]
    if wrong:
        sys.exit(f"outside {BOUND:g}: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
