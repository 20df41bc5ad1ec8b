"""Sharpness: the largest eigenvalue of a cost's Hessian at one place, and the step that it allows there.

Beyond lr 2 / sharpness plain descent moves away from the valley's floor along the sharpest direction. For a quadratic
it is the same everywhere and the limit is exact; for a network it changes on the way, and full-batch descent often
settles just at it: Cohen, Kaur, Li, Kolter and Talwalkar, Gradient descent on neural networks typically occurs at the
edge of stability, ICLR 2021.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from slopewise.optimizers.lanczos import TOLERANCE, largest_eigenvalue
from slopewise.optimizers.sgd_recurrence import SGD
from slopewise.optimizers.stability import largest_lr

Cost = Callable[[Tensor], Tensor]
"""From parameters (p,) to a number, twice differentiable by torch. A cost may be given as the sum of several, one
for each block of rows, so that no more than a block is in memory."""


@dataclass(frozen=True, slots=True)
class Sharpness:
    """eigenvalue: the Hessian's largest. lr: the largest stable one there for the planned SGD; inf where flat."""

    eigenvalue: float
    lr: float


def sharpness(
    parts: Sequence[Cost], theta: Tensor, *, sgd: SGD | None = None, seed: int = 0, tolerance: float = TOLERANCE
) -> Sharpness:
    """Return how sharply the cost Σ parts is curved at theta (p,).

    Args:
        parts: of the cost.
        theta: where, in the units of the descent.
        sgd: the planned optimizer; plain if not given.
        seed: of the first vector.
        tolerance: relative error of the eigenvalue.

    Raises:
        OptionError: the cost is not finite around theta.

    >>> around = sharpness([lambda theta: (theta**2).sum() * 3], torch.zeros(2, dtype=torch.float64))
    >>> round(around.eigenvalue, 6), round(around.lr, 6)
    (6.0, 0.333333)
    """
    eigenvalue = largest_eigenvalue(hessian_times(parts, theta), len(theta), seed, tolerance=tolerance)
    return Sharpness(eigenvalue, largest_lr(eigenvalue, sgd or SGD()))


def hessian_times(parts: Sequence[Cost], theta: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the function v (p,) → H v (p,), H the Hessian of Σ parts at theta.

    H v is the gradient of (gradient · v), so it costs about two gradients and never forms H: B. A. Pearlmutter, Fast
    exact multiplication by the Hessian, Neural Computation 6 (1994).
    """

    def times(vector: Tensor) -> Tensor:
        product = torch.zeros_like(theta)
        for part in parts:
            place = theta.detach().requires_grad_()
            (slope,) = torch.autograd.grad(part(place), place, create_graph=True)
            if slope.requires_grad:  # not so for a plane, whose slope is a constant
                along = slope @ vector.to(slope.dtype)
                product += torch.autograd.grad(along, place, materialize_grads=True)[0]
        return product

    return times
