#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds networks against torchvision's: the same random weights, written as a PyTorch file or as
safetensors and imported under the same names, and the same batches.

    torchvision_models.py STEPS [MODEL...]

STEPS is the program of steps.c. For every model: logits of training and of evaluation and every
gradient are within 1e-4 of PyTorch's, relative to the largest element of the tensor, and predictions
are equal. PyTorch computes them in double: some gradients cancel (that of a shift in front of another
norm is zero), and single precision leaves noise there. A tensor less than a thousandth of the
largest gradient is held to that thousandth. Then ten steps of SGD of ResNet-18: every loss within
1e-4, relative. Prints a line each and exits with 1 when one does not hold; 77 (skipped) without
torchvision."""
import os
import subprocess
import sys
import tempfile

try:
    import torch
    import torchvision
except ImportError:
    print("SKIP: no torchvision for", sys.executable)
    sys.exit(77)
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tensors import read_tensors, write_safetensors

TOLERANCE = 1e-4
FLOOR = 1e-3  # of the largest gradient
# name: arguments of torchvision's function, our options, side of the pictures, batch
MODELS = {
    "resnet18": ({}, "", 96, 8),
    "resnet34": ({}, "", 64, 8),
    "resnet50": ({}, "", 64, 8),
    "mobilenet_v2": ({"dropout": 0.0}, "", 96, 8),
    "mobilenet_v2-half": ({"dropout": 0.0, "width_mult": 0.5}, ", width: 0.5", 64, 8),
}
DEEP = ["resnet34", "resnet50", "mobilenet_v2"]
CLASSES = 10
STEPS_OF = "resnet18"
RECIPE = """model: {{name: {name}, classes: {classes}{options}, init: {init}}}
data: {{name: builtin, batch: {batch}}}
train:
  epochs: 1
  decay_norm: true
  optimizer: {{name: sgd, lr: {lr}, momentum: 0.9, weight_decay: 1e-4}}
  schedule: {{name: constant}}
"""


def keep_off_kinks(name, norm, relu6):
    """A rectifier's gradient jumps at 0 (and at 6), and among millions of sums some lie within
    rounding of it. In deep nets one of them changes gradients by a tenth; shifts of four deviations
    leave next to none there, and let a third of the channels pass nothing. Behind a ReLU6 a depthwise
    convolution and a norm follow, which would magnify a channel that is constant but for a few
    pixels: shifts of six deviations and more make it constant, or leave it as it is."""
    live, least, most = (3, -5, 11) if relu6 else (2, -2, None)
    torch.nn.init.uniform_(norm.weight, 0.4, 0.6)
    torch.nn.init.constant_(norm.bias, live)
    if name.endswith(("bn2", "bn3", "downsample.1", "conv.2", "conv.3")):  # added to a stream
        return
    norm.bias.data[torch.rand_like(norm.bias) < 1 / 3] = least
    if most:
        norm.bias.data[torch.rand_like(norm.bias) < 1 / 6] = most


def random_net(name, args):
    """Norms away from their starts, so that all of their parameters count."""
    torch.manual_seed(3)
    net = getattr(torchvision.models, name.split("-")[0])(num_classes=CLASSES, **args)
    for path, m in net.named_modules():
        if isinstance(m, torch.nn.BatchNorm2d) and name in DEEP:
            keep_off_kinks(path, m, relu6="mobilenet" in name)
        elif isinstance(m, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(m.weight, 0.5, 1.5)
            torch.nn.init.normal_(m.bias, 0, 0.2)
            torch.nn.init.normal_(m.running_mean, 0, 0.2)
            torch.nn.init.uniform_(m.running_var, 0.5, 2)
    return net


def errors(ours, theirs):
    """By name: the largest difference, relative to the largest element of the tensor."""
    most = {k: float(t.abs().max()) for k, t in theirs.items()}
    top = max(v for k, v in most.items() if "logits" not in k)
    return {k: float((ours[k].double() - t).abs().max()) / max(most[k], FLOOR * top)
            for k, t in theirs.items()}


class Case:
    def __init__(self, work, name, safetensors=False, steps=1, batches=1, lr=0.01):
        args, options, side, self.batch = MODELS[name]
        pictures = batches * self.batch
        self.name, self.net = name, random_net(name, args)
        torch.manual_seed(4)
        self.x = torch.randn(pictures, side, side, 3)
        self.labels = torch.randint(0, CLASSES, (pictures,))
        self.steps, self.batches, self.lr = steps, batches, lr
        self.side = side
        self.files = [os.path.join(work, f) for f in ("recipe.yaml", "batches", "out")]
        init = os.path.join(work, "net.safetensors" if safetensors else "net.pth")
        with open(self.files[0], "w", encoding="utf-8") as f:
            f.write(RECIPE.format(name=name.split("-")[0], classes=CLASSES, options=options,
                                  init=init, batch=self.batch, lr=lr))
        turns = [self.slice(step) for step in range(steps)]
        with open(self.files[1], "wb") as f:
            f.write(b"".join(self.x[t].numpy().tobytes() for t in turns))
            f.write(b"".join(self.labels[t].numpy().astype("<i4").tobytes() for t in turns))
        if safetensors:
            write_safetensors(init, self.net.state_dict())
        else:
            torch.save(self.net.state_dict(), init)

    def slice(self, step):
        first = step % self.batches * self.batch
        return slice(first, first + self.batch)

    def ours(self, program):
        """The losses, and the tensors that the program writes."""
        recipe, batches, out = self.files
        subprocess.run([program, recipe, batches, str(self.side), str(self.steps), out], check=True)
        tensors = {k: torch.from_numpy(v.copy()) for k, v in read_tensors(out).items()}
        for k, v in tensors.items():
            if v.dim() == 4:  # [O,KH,KW,I] there
                tensors[k] = v.permute(0, 3, 1, 2)
        return tensors.pop("losses").tolist(), tensors

    def theirs(self, dtype):
        self.net.to(dtype)
        picture = self.x.permute(0, 3, 1, 2).to(dtype)
        self.net.eval()
        with torch.no_grad():
            tensors = {"eval_logits": self.net(picture[:self.batch])}
        self.net.train()
        sgd = torch.optim.SGD(self.net.parameters(), lr=self.lr, momentum=0.9,
                              weight_decay=1e-4)
        losses = []
        for step in range(self.steps):
            part = self.slice(step)
            sgd.zero_grad()
            logits = self.net(picture[part])
            loss = torch.nn.functional.cross_entropy(logits, self.labels[part])
            loss.backward()
            losses.append(loss.item())
            if step == 0:
                tensors["logits"] = logits.detach()
                tensors.update({k: p.grad.clone() for k, p in self.net.named_parameters()})
            sgd.step()
        return losses, tensors


def compare_model(work, program, name, safetensors):
    case = Case(work, name, safetensors)
    ours, theirs = case.ours(program)[1], case.theirs(torch.float64)[1]
    worst = errors(ours, theirs)
    gradient = max((k for k in worst if "logits" not in k), key=worst.get)
    argmax = all(bool((ours[k].argmax(1) == theirs[k].argmax(1)).all())
                 for k in ("logits", "eval_logits"))
    print(f"{name}: logits {worst['logits']:.2g}, in evaluation {worst['eval_logits']:.2g}; "
          f"{len(worst) - 2} gradients, worst {worst[gradient]:.2g} of {gradient}; predictions "
          f"{'equal' if argmax else 'DIFFER'}", flush=True)
    return argmax and max(worst.values()) <= TOLERANCE


def compare_steps(work, program, name, steps):
    """Two batches in turn, so that the loss falls, at a rate at which PyTorch in single and in double
    precision stay together: rounding grows tenfold in a few steps at the usual rates."""
    case = Case(work, name, steps=steps, batches=2, lr=1e-4)
    ours, theirs = case.ours(program)[0], case.theirs(torch.float64)[0]
    worst = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs))
    print(f"{name}: {steps} steps, loss {theirs[0]:.4f} to {theirs[-1]:.4f}, worst difference "
          f"{worst:.2g}", flush=True)
    return len(ours) == steps and theirs[-1] < theirs[0] and worst <= TOLERANCE


def main():
    torch.set_num_threads(2)
    program, names = sys.argv[1], sys.argv[2:] or list(MODELS)
    good = True
    with tempfile.TemporaryDirectory() as work:
        for i, name in enumerate(names):
            good = compare_model(work, program, name, i % 2 == 1) and good
        if STEPS_OF in names:
            good = compare_steps(work, program, STEPS_OF, 10) and good
    if not good:
        print(f"FAIL: more than {TOLERANCE}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
