# SPDX-License-Identifier: Apache-2.0
"""Networks in PyTorch, to published definitions, with the parameter names of their checkpoints."""
import torch
from torch import nn


class Attention(nn.Module):
    """What may change an operand of its products (a quantizer) takes the place of q, k, v or probs."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads, self.scale = heads, (dim // heads) ** -0.5
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.q, self.k, self.v, self.probs = (nn.Identity() for _ in range(4))

    def forward(self, x):
        N, T, C = x.shape
        q, k, v = self.qkv(x).reshape(N, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        p = (self.q(q) @ self.k(k).transpose(-2, -1) * self.scale).softmax(-1)
        return self.proj((self.probs(p) @ self.v(v)).transpose(1, 2).reshape(N, T, C))


class Mlp(nn.Module):
    def __init__(self, dim, hidden, gelu):
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.Linear(dim, hidden), nn.GELU(gelu), nn.Linear(hidden, dim)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, dim, heads, gelu):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim, 1e-6), nn.LayerNorm(dim, 1e-6)
        self.attn, self.mlp = Attention(dim, heads), Mlp(dim, 4 * dim, gelu)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, patch, dim):
        super().__init__()
        self.proj = nn.Conv2d(3, dim, patch, patch)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class Vit(nn.Module):
    """The pre-norm vision transformer of Dosovitskiy 2020 (arXiv:2010.11929), names as in timm."""

    def __init__(self, side, patch, dim, depth, heads, classes, gelu="none"):
        super().__init__()
        self.patch_embed = PatchEmbed(patch, dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, (side // patch) ** 2 + 1, dim))
        self.blocks = nn.Sequential(*[Block(dim, heads, gelu) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(dim, 1e-6), nn.Linear(dim, classes)

    def forward(self, x):
        x = self.patch_embed(x)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])


def randomize(net, seed):
    """Weights of a size at which every part matters, away from symmetric starts."""
    torch.manual_seed(seed)
    for name, p in net.named_parameters():
        with torch.no_grad():
            if p.dim() > 1:
                p.normal_(0, 0.5 * p[0].numel() ** -0.5 if p.dim() != 3 else 0.3)
            else:
                p.normal_(1 if name.endswith("weight") else 0, 0.2)
    return net
