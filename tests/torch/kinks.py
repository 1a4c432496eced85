# SPDX-License-Identifier: Apache-2.0
"""Keeps networks off kinks. A rectifier's gradient jumps at 0 (and at 6), a max pooling's where the
two largest of a window change places. Among millions of sums some lie within rounding of such a
place, and rounding is each program's, each tier's and each BLAS's own: one element on the other side
changed the gradient of a shift of ResNet-18 by a hundredth. So nets are made with a margin, and the
margin is measured, in units of what single precision changes of the same sums."""
import torch

MARGIN = 8  # times the largest change by single precision in the same layer
REACH = 0.1  # the most by which a shift is moved
CANDIDATES, NOISE = 8, 0.1  # of pictures


def kinks_of(module):
    return (0.0, 6.0) if isinstance(module, torch.nn.ReLU6) else (0.0,)


def rectifiers(net):
    return [m for m in net.modules() if isinstance(m, (torch.nn.ReLU, torch.nn.ReLU6))]


def widest(points):
    """The middle of the widest gap between -REACH and REACH of the points."""
    edge = points.new_tensor([-REACH, REACH])
    points = torch.cat([points[points.abs() < REACH], edge]).sort().values
    at = int((points[1:] - points[:-1]).argmax())
    return float(points[at] + points[at + 1]) / 2


def centre(net, x):
    """Moves the shift of the norm before every rectifier, a channel at a time, to the middle of the
    widest gap that the batch leaves between sums. The net is in double and in training mode."""
    last, hooks = [], []

    def before(module, args):
        sums, = args
        columns = sums.transpose(0, 1).flatten(1)
        move = torch.stack([sums.new_tensor(widest(torch.cat([k - c for k in kinks_of(module)])))
                            for c in columns])
        old = last[-1].bias.clone()
        last[-1].bias.data = (old + move).float().to(old)  # what a file in single precision holds
        return sums + (last[-1].bias - old)[:, None, None]

    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            hooks.append(m.register_forward_hook(lambda m, *_: last.append(m)))
    hooks += [m.register_forward_pre_hook(before) for m in rectifiers(net)]
    run(net, x, hooks)


def run(net, x, hooks):
    """One forward pass in training mode that leaves running statistics as they are."""
    kept = {k: t.clone() for k, t in net.state_dict().items() if "running" in k or "tracked" in k}
    try:
        net.train()
        with torch.no_grad():
            net(x.to(next(net.parameters())))
    finally:
        for h in hooks:
            h.remove()
        net.load_state_dict(kept, strict=False)


def pool_gaps(pool, y):
    """[N,windows]: how far the two largest of a window are apart; of what passes nothing, infinite."""
    size, stride, pad = pool.kernel_size, pool.stride, pool.padding
    y = torch.nn.functional.pad(y, [pad] * 4, value=float("-inf"))
    top = y.unfold(2, size, stride).unfold(3, size, stride).flatten(4).topk(2).values
    gap = top[..., 0] - top[..., 1]
    gap[top[..., 0] <= 0] = float("inf")
    return gap.flatten(1)


def sums(net, x):
    """What every rectifier and max pooling reads, in the order of the pass."""
    found = []
    hooks = [m.register_forward_pre_hook(lambda m, args: found.append((m, args[0].clone())))
             for m in [*rectifiers(net), *pools(net)]]
    run(net, x, hooks)
    return found


def pools(net):
    return [m for m in net.modules() if isinstance(m, torch.nn.MaxPool2d)]


def margin(net, x):
    """The least distance to a kink in the pass of a batch, in units of the largest change that
    single precision makes in the layer, and where. The net comes back in double."""
    exact = sums(net.double(), x)
    single = sums(net.float(), x)
    net.double()
    least = (float("inf"), "")
    for i, ((module, a), (_, b)) in enumerate(zip(exact, single)):
        change = float((a - b.double()).abs().max())
        if isinstance(module, torch.nn.MaxPool2d):
            distance = float(pool_gaps(module, a).min()) / 2  # both of the two change
        else:
            distance = min(float((a - k).abs().min()) for k in kinks_of(module))
        least = min(least, (distance / change, f"{type(module).__name__} {i}: {distance:.1e}, "
                            f"rounding {change:.1e}"))
    return least


class Enough(Exception):
    """The pass need not go on."""


def choose_pictures(net, x):
    """Each picture with a little noise: of CANDIDATES the one whose windows of max pooling are
    farthest from a tie. A norm's statistics come from all of them."""
    found, tries = [], x.repeat(CANDIDATES, 1, 1, 1)
    tries = tries + NOISE * torch.randn_like(tries)

    def before(module, args):
        found.append(pool_gaps(module, args[0]).min(1).values)
        raise Enough

    try:
        run(net, tries, [m.register_forward_pre_hook(before) for m in pools(net)])
    except Enough:
        best = found[0].view(CANDIDATES, len(x)).argmax(0)
        return tries.view(CANDIDATES, *x.shape)[best, torch.arange(len(x))]
    return x
