"""Modules of a user's own, in a file, so that their source can be had."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn import Linear

SCALE = 2.0


class Bent(nn.Module):
    """Two layers and a product of two columns."""

    def __init__(self, size: int = 3):
        super().__init__()
        self.first = Linear(2, size)
        self.last = nn.Linear(size + 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        product = x[:, :1] * x[:, 1:]
        hidden = torch.cat([F.silu(self.first(x)), product], dim=1)
        return self.last(hidden)[:, 0] / math.sqrt(2)


class Beside(nn.Module):
    """Needs a number that stands beside it."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, x):
        return SCALE * self.layer(x)


class Sized(nn.Module):
    """Takes an argument."""

    def __init__(self, size):
        super().__init__()
        self.layer = nn.Sequential(nn.Linear(2, size), nn.Tanh(), nn.Linear(size, 1))

    def forward(self, x):
        return self.layer(x)
