# SPDX-License-Identifier: Apache-2.0
"""Chooses the networks of the coverage suite, by a rule that knows nothing of what Detent reads.

torchvision: every file of its classification models that builders come from is a family. timm: of the
modules with models, sorted by name, those of index floor(i * count / 60), i = 0..59. A family's
network is the one with the fewest parameters; of equal ones the first by name. Each has CLASSES
outputs. Its picture is the smallest square of 32, 64, ... 256 that the network takes in a batch of 4, in
training and in evaluation, with adaptive poolings of even windows; a network that takes only the size it was
made for has that.

usage: choose.py > networks.txt       with the packages of requirements.txt; some minutes
"""
import sys
import warnings

import timm
import torch
import torchvision

CLASSES = 4
BATCH = 4
COUNT = 60
SIDES = range(32, 257, 32)
SMALL = "pico", "femto", "atto", "nano", "tiny", "small", "xxs", "_s", "050", "18", "26"  # are tried first, for speed


def torchvision_families():
    found = {}
    for name in torchvision.models.list_models(module=torchvision.models):
        module = torchvision.models.get_model_builder(name).__module__
        found.setdefault(module.rsplit(".", 1)[1], []).append(name)
    return found


def timm_families():
    modules = [m for m in sorted(timm.list_modules()) if timm.list_models(module=m)]
    return {m: timm.list_models(module=m) for m in
            (modules[i * len(modules) // COUNT] for i in range(COUNT))}


def build(library, name, side=None):
    """A network in its starting state. Auxiliary outputs are left out: no file has them."""
    if library == "torchvision":
        if name in ("googlenet", "inception_v3"):
            return torchvision.models.get_model(name, num_classes=CLASSES, aux_logits=False, init_weights=False)
        sized = {"image_size": side} if side and name.startswith("vit_") else {}
        if side and name.startswith("maxvit"):
            sized = {"input_size": (side, side)}
        return torchvision.models.get_model(name, num_classes=CLASSES, **sized)
    if side is None:
        return timm.create_model(name, num_classes=CLASSES)
    try:
        return timm.create_model(name, num_classes=CLASSES, img_size=side)
    except TypeError:  # its layers do not depend on the size
        return timm.create_model(name, num_classes=CLASSES)


def shapes_of(library, name, side=None, begin=lambda: None):
    """The network on the device that computes nothing. Some ask a tensor for its numbers while they are
    made; those are made here and moved there. `begin` is called before each."""
    try:
        begin()
        with torch.device("meta"):
            return build(library, name, side)
    except NotImplementedError:
        begin()
        return build(library, name, side).to("meta")


class TooLarge(Exception):
    """The network has more parameters than the smallest so far."""


def parameters(library, name, most):
    """How many it has; its making stops above `most`."""
    count, register = 0, torch.nn.Module.register_parameter

    def begin():
        nonlocal count
        count = 0

    def counting(module, key, parameter):
        nonlocal count
        count += 0 if parameter is None else parameter.numel()
        if count > most:
            raise TooLarge
        register(module, key, parameter)

    torch.nn.Module.register_parameter = counting
    try:
        return sum(p.numel() for p in shapes_of(library, name, None, begin).parameters())
    finally:
        torch.nn.Module.register_parameter = register


def smallest(library, names):
    """(parameters, name)"""
    best = float("inf"), ""
    for name in sorted(names, key=lambda n: (not any(w in n for w in SMALL), n)):
        try:
            best = min(best, (parameters(library, name, best[0]), name))
        except TooLarge:
            pass
        except Exception as e:  # says so: a network that cannot be made is none of the family
            print(f"{library} {name}: {e}", file=sys.stderr)
    return best


def refuse_uneven(pool, args):
    """Windows of several sizes: PyTorch's exporter for TorchScript has no operator for them."""
    size = pool.output_size if isinstance(pool.output_size, tuple) else (pool.output_size,) * 2
    if any(have % want for have, want in zip(args[0].shape[2:], size) if want):
        raise ValueError("uneven windows")


def takes(library, name, side):
    x = torch.zeros(BATCH, 3, side, side, device="meta")
    try:
        net = shapes_of(library, name, side)
        for m in net.modules():
            if isinstance(m, torch.nn.AdaptiveAvgPool2d):
                m.register_forward_pre_hook(refuse_uneven)
        with torch.device("meta"), torch.no_grad():
            return all(net.train(mode)(x).shape == (BATCH, CLASSES) for mode in (True, False))
    except Exception:  # whatever a network does where a size does not fit it
        return False


def side_of(library, name):
    own = 224 if library == "torchvision" else timm.get_pretrained_cfg(name).input_size[1]
    return next((s for s in SIDES if takes(library, name, s)), own)


def main():
    warnings.simplefilter("ignore")
    print(f"# library family network side parameters; by choose.py, torchvision {torchvision.__version__.split('+')[0]}, timm {timm.__version__}")
    for library, families in ("torchvision", torchvision_families()), ("timm", timm_families()):
        for family, names in families.items():
            count, name = smallest(library, names)
            print(library, family, name, side_of(library, name), count, flush=True)


if __name__ == "__main__":
    main()
