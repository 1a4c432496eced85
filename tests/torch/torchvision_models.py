#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds networks against torchvision's: the same random weights, written as a PyTorch file or as
safetensors and imported under the same names, and the same batches.

    torchvision_models.py STEPS [MODEL...]

STEPS is the program of steps.c, run under every tier of kernels that the machine has. For every
model: logits of training and of evaluation and every gradient are within 1e-4 of PyTorch's, relative
to the largest element of the tensor, and predictions are equal. PyTorch computes them in double: some
gradients cancel (that of a shift in front of another norm is zero), and single precision leaves noise
there. A tensor less than a thousandth of the largest gradient is held to that thousandth. Then ten
steps of SGD of ResNet-18: every loss within 1e-4, relative. No sum of any of them lies near a kink
(kinks.py): seeds are tried in order until that holds, and the test fails when it does for none. Prints a line
each and exits with 1 when one does not hold; 77 (skipped) without torchvision."""
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
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]
import kinks
import tiers
from tensors import read_tensors, write_safetensors

TOLERANCE = 1e-4
FLOOR = 1e-3  # of the largest gradient
# name: arguments of torchvision's function, our options, side of the pictures, batch
MODELS = {
    "resnet18": ({}, "", 64, 8),
    "resnet34": ({}, "", 48, 8),
    "resnet50": ({}, "", 48, 8),
    "mobilenet_v2": ({"dropout": 0.0}, "", 48, 16),
    "mobilenet_v2-half": ({"dropout": 0.0, "width_mult": 0.5}, ", width: 0.5", 48, 16),
}
# Of norms that no rectifier follows: small ones in branches, as trained nets have, and large ones before
# another norm, so that gradients that cancel are small. Both keep rounding from growing.
WEIGHTS = {".bn3": (0.1, 0.5), ".conv.2": (3, 5), ".conv.3": (3, 5)}
CLASSES = 10
SEEDS = 8
CONDITION = 0.3  # of the tolerance: the most that PyTorch's own single precision may miss
STEPS_OF, TRIES = "resnet18", 16
RECIPE = """model: {{name: {name}, classes: {classes}{options}, init: {init}}}
data: {{name: builtin, batch: {batch}}}
train:
  epochs: 1
  decay_norm: true
  optimizer: {{name: sgd, lr: {lr}, momentum: 0.9, weight_decay: 1e-4}}
  schedule: {{name: constant}}
"""


def random_net(name, args, seed):
    """Norms away from their starts, so that all of their parameters count."""
    torch.manual_seed(seed)
    net = getattr(torchvision.models, name.split("-")[0])(num_classes=CLASSES, **args)
    for path, m in net.named_modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            known = [w for end, w in WEIGHTS.items() if path.endswith(end)]
            torch.nn.init.uniform_(m.weight, *(known or [(0.5, 1.5)])[0])
            torch.nn.init.normal_(m.bias, 0, 0.2)
            torch.nn.init.normal_(m.running_mean, 0, 0.2)
            torch.nn.init.uniform_(m.running_var, 0.5, 2)
    return net.double()


def shift_norms(net):
    """Sums four deviations from 0: a step of SGD moves none across, which gaps of one batch between
    sums would not outlast. A third of the channels passes nothing."""
    for path, m in net.named_modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(m.weight, 0.4, 0.6)
            torch.nn.init.constant_(m.bias, 2)
            if not path.endswith(("bn2", "downsample.1")):  # not of what is added to a stream
                m.bias.data[torch.rand_like(m.bias) < 1 / 3] = -2


def errors(ours, theirs):
    """By name: the largest difference, relative to the largest element of the tensor."""
    most = {k: float(t.abs().max()) for k, t in theirs.items()}
    top = max(v for k, v in most.items() if "logits" not in k)
    return {k: float((ours[k].double() - t).abs().max()) / max(most[k], FLOOR * top)
            for k, t in theirs.items()}


class Case:
    """A net and its batches, with every step's sums off kinks, and not magnifying rounding much."""

    def __init__(self, work, name, safetensors=False, steps=1, batches=1, lr=0.01):
        self.steps, self.batches, self.lr, self.name = steps, batches, lr, name
        args, options, self.side, self.batch = MODELS[name]
        found = []
        for seed in range(SEEDS):
            self.draw(args, seed)
            start = {k: t.clone() for k, t in self.net.state_dict().items()}
            found.append(min(self.margins()))
            self.net.load_state_dict(start)
            if found[-1][0] >= kinks.MARGIN and self.miss() <= CONDITION * TOLERANCE:
                break
        else:
            sys.exit(f"{name}: no seed keeps off kinks: {found}")
        self.least = f"{found[-1][0]:.0f} roundings off kinks ({found[-1][1]}), seed {seed}"
        self.write(work, options, safetensors)

    def draw(self, args, seed):
        self.net = random_net(self.name, args, seed)
        if self.steps > 1:
            shift_norms(self.net)
        torch.manual_seed(100 + seed)
        pictures = torch.randn(self.batches, self.batch, 3, self.side, self.side)
        labels = torch.randint(0, CLASSES, (self.batches, self.batch))
        self.x = [pictures[i % self.batches] for i in range(self.steps)]
        self.labels = [labels[i % self.batches] for i in range(self.steps)]
        if self.steps == 1:
            self.x[0] = kinks.choose_pictures(self.net, self.x[0])
            kinks.centre(self.net, self.x[0])

    def margins(self):
        """Of every step, each time with the weights that steps before it left; pictures of several steps
        are chosen on the way, with other noise until their sums are off kinks."""
        sgd = self.sgd()
        for step in range(self.steps):
            found = (-1.0, ""), self.x[step]
            for _ in range(TRIES if self.steps > 1 else 1):
                x = kinks.choose_pictures(self.net, self.x[step]) if self.steps > 1 else self.x[step]
                found = max(found, (kinks.margin(self.net, x), x), key=lambda pair: pair[0][0])
                if found[0][0] >= kinks.MARGIN:
                    break
            self.x[step] = found[1]
            yield found[0]
            if step + 1 < self.steps:
                self.step(sgd, step)

    def miss(self):
        """How far PyTorch in single precision is from itself in double. Nets that magnify rounding
        more than others would tell of it, not of us."""
        if self.steps > 1:
            return 0.0
        exact = self.gradients()
        self.net.float()
        single = self.gradients()
        self.net.double()
        return max(errors(single, exact).values())

    def gradients(self):
        kept = {k: t.clone() for k, t in self.net.state_dict().items()}
        self.net.train()
        self.net.zero_grad()
        logits = self.net(self.x[0].to(next(self.net.parameters())))
        torch.nn.functional.cross_entropy(logits, self.labels[0]).backward()
        self.net.load_state_dict(kept)
        return {k: p.grad.clone() for k, p in self.net.named_parameters()}

    def sgd(self):
        return torch.optim.SGD(self.net.parameters(), lr=self.lr, momentum=0.9, weight_decay=1e-4)

    def step(self, sgd, step):
        """The loss and the logits; gradients stay."""
        self.net.train()
        sgd.zero_grad()
        logits = self.net(self.x[step].double())
        loss = torch.nn.functional.cross_entropy(logits, self.labels[step])
        loss.backward()
        gradients = {k: p.grad.clone() for k, p in self.net.named_parameters()}
        sgd.step()
        return loss.item(), logits.detach(), gradients

    def write(self, work, options, safetensors):
        self.files = [os.path.join(work, f) for f in ("recipe.yaml", "batches", "out")]
        init = os.path.join(work, "net.safetensors" if safetensors else "net.pth")
        with open(self.files[0], "w", encoding="utf-8") as f:
            f.write(RECIPE.format(name=self.name.split("-")[0], classes=CLASSES, options=options,
                                  init=init, batch=self.batch, lr=self.lr))
        with open(self.files[1], "wb") as f:
            for x in self.x:
                f.write(x.permute(0, 2, 3, 1).contiguous().numpy().tobytes())
            for labels in self.labels:
                f.write(labels.numpy().astype("<i4").tobytes())
        state = {k: t.float() if t.is_floating_point() else t
                 for k, t in self.net.state_dict().items()}
        if safetensors:
            write_safetensors(init, state)
        else:
            torch.save(state, init)

    def ours(self, program):
        """For every tier its name, the losses, and the tensors that the program writes."""
        recipe, batches, out = self.files
        args = [program, recipe, batches, str(self.side), str(self.steps), out]
        for tier in tiers.each(lambda isa: subprocess.run([*args, isa]).returncode):
            tensors = {k: torch.from_numpy(v.copy()) for k, v in read_tensors(out).items()}
            for k, v in tensors.items():
                if v.dim() == 4:  # [O,KH,KW,I] there
                    tensors[k] = v.permute(0, 3, 1, 2)
            yield tier, tensors.pop("losses").tolist(), tensors

    def theirs(self):
        self.net.eval()
        with torch.no_grad():
            tensors = {"eval_logits": self.net(self.x[0].double())}
        sgd, losses = self.sgd(), []
        for step in range(self.steps):
            loss, logits, gradients = self.step(sgd, step)
            losses.append(loss)
            if step == 0:
                tensors.update(gradients, logits=logits)
        return losses, tensors


def compare_model(work, program, name, safetensors):
    case = Case(work, name, safetensors)
    print(f"{name}: {case.least}", flush=True)
    theirs, good = case.theirs()[1], True
    for tier, _, ours in case.ours(program):
        worst = errors(ours, theirs)
        gradient = max((k for k in worst if "logits" not in k), key=worst.get)
        argmax = all(bool((ours[k].argmax(1) == theirs[k].argmax(1)).all())
                     for k in ("logits", "eval_logits"))
        print(f"{name}, {tier}: logits {worst['logits']:.2g}, in evaluation "
              f"{worst['eval_logits']:.2g}; {len(worst) - 2} gradients, worst "
              f"{worst[gradient]:.2g} of {gradient}; predictions "
              f"{'equal' if argmax else 'DIFFER'}", flush=True)
        good = good and argmax and max(worst.values()) <= TOLERANCE
    return good


def compare_steps(work, program, name, steps):
    """Two batches in turn, but for a little noise, so that the loss falls, at a rate at which PyTorch in
    single and in double precision stay together: rounding grows tenfold in a few steps at the usual
    rates."""
    case = Case(work, name, steps=steps, batches=2, lr=1e-4)
    print(f"{name}, {steps} steps: {case.least}", flush=True)
    theirs, good = case.theirs()[0], True
    for tier, ours, _ in case.ours(program):
        worst = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs))
        print(f"{name}, {tier}: {steps} steps, loss {theirs[0]:.4f} to {theirs[-1]:.4f}, worst "
              f"difference {worst:.2g}", flush=True)
        good = good and len(ours) == steps and theirs[-1] < theirs[0] and worst <= TOLERANCE
    return good


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
