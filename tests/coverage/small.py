# SPDX-License-Identifier: Apache-2.0
"""A small net that a person wrote in PyTorch: two branches beside each other, squeeze and excitation, hard swish,
average pooling. Exported by both exporters, and as the list of layers small.yaml, it is held to check.py's
bounds: logits, gradients, 4-bit training, export, verification.

usage: small.py DETENT STEP STEP_DOUBLE TRAIN [FOLDER]     ends with 1 where a bound does not hold, 77 without PyTorch
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import environment

ENVIRONMENT = os.path.join(ROOT, "build-bench", "coverage")
SIDE, CLASSES = 32, 4
LIST = os.path.join(HERE, "small.yaml")


def module():
    import torch
    from torch import nn

    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 16, 3, 2, 1, bias=False)
            self.stem_bn = nn.BatchNorm2d(16)
            self.a = nn.Conv2d(16, 12, 1)
            self.b = nn.Conv2d(16, 12, 3, padding=1)
            self.fc1 = nn.Conv2d(24, 6, 1)
            self.fc2 = nn.Conv2d(6, 24, 1)
            self.pool = nn.AvgPool2d(2)
            self.body = nn.Conv2d(24, 32, 3, padding=1, bias=False)
            self.body_bn = nn.BatchNorm2d(32)
            self.fc = nn.Linear(32, CLASSES)

        def forward(self, x):
            x = nn.functional.hardswish(self.stem_bn(self.stem(x)))
            x = torch.cat([self.a(x), self.b(x)], 1)
            s = nn.functional.adaptive_avg_pool2d(x, 1)
            s = self.fc2(nn.functional.relu(self.fc1(s)))
            x = self.pool(x * nn.functional.hardsigmoid(s))
            x = nn.functional.hardswish(self.body_bn(self.body(x)))
            return self.fc(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))

    return Small()


def make_files(folder):
    from unittest import mock

    import choose
    import make
    with mock.patch.object(choose, "build", lambda *_: module()):
        for way in ("script", "dynamo"):
            make.make("tests", "small", SIDE, way, folder)


def check_list(programs, folder):
    """The same of the list of layers, with the parameters of the file."""
    import check
    detent, _, step_double, trainer = programs
    net, way = os.path.join(folder, "script.onnx"), "list"
    r = {"gradients": check.gradients(step_double, net, folder, SIDE, LIST)}
    with open(os.path.join(folder, way + ".yaml"), "w", encoding="utf-8") as f:
        f.write(check.RECIPE.format(model=f"{{file: {LIST}, classes: {CLASSES}}}"))
    r["trains"] = check.run_train(trainer, way, folder)
    r["exports"] = check.export(detent, way, folder)
    r["verified"] = check.verify(detent, way, folder)
    return r


def main(args):
    python = environment.interpreter(ENVIRONMENT, os.path.join(HERE, "requirements.txt"))
    if not python:
        print("SKIP: no PyTorch")
        return 77
    if os.path.abspath(sys.prefix) != os.path.abspath(ENVIRONMENT):
        os.execv(python, [python, os.path.abspath(__file__), *args])
    import check
    programs = [os.path.abspath(p) for p in args[:4]]
    folder = args[4] if len(args) > 4 else os.path.join(ROOT, "build-coverage", "small")
    os.makedirs(folder, exist_ok=True)
    make_files(folder)
    failures = 0
    for way in ("script", "dynamo", "list"):
        try:
            found = check_list(programs, folder) if way == "list" else check.check(programs, folder, SIDE, way, True)
        except check.Missed as e:
            found = {"list": {"missed": str(e)}}
        missed = [k for k, v in found.items() if isinstance(v, dict) and "missed" in v]
        failures += bool(missed) or bool(found.get("refused"))
        print(way, found, flush=True)
    return failures != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
