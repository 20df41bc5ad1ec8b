"""The linear model eta = x W + b."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from slopewise.models.model import Model


@dataclass(frozen=True, slots=True)
class Linear(Model):
    """eta = x @ theta[1:] + theta[0] with an intercept, eta = x @ theta without.

    theta (p, m), p = q + 1 with an intercept and q without.
    """

    intercept: bool = True
    names: tuple[str, ...] = ()
    is_linear = True

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """A name for each parameter (p,)."""
        return self.names

    def describe(self) -> str:
        """Return the model in a few words."""
        return "linear"

    def forward(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Return eta (n, m) for theta (p, m) and x (n, q)."""
        if self.intercept:
            return x @ parameters[1:] + parameters[0]
        return x @ parameters

    def module(self, parameters: Tensor) -> LinearModule:
        """Return the linear model with parameters (p,) as a module."""
        return LinearModule(parameters, self.intercept)


class LinearModule(nn.Module):
    """eta (n,) = x @ weight + bias for x (n, q): weight (q,), and bias () or None.

    The bias comes first, as in theta. Product and sum are rounded one after the other (torch.addmv would fuse them), so
    that a descent in float32 gives the same digits as one written with W x + b.
    """

    def __init__(self, theta: Tensor, intercept: bool) -> None:
        super().__init__()
        self.bias = nn.Parameter(theta[0].detach().clone()) if intercept else None
        self.weight = nn.Parameter(theta[int(intercept) :].detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Return eta (n,)."""
        bias, eta = self.bias, torch.mv(x, self.weight)
        return eta if bias is None else eta + bias
