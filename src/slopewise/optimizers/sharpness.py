"""Sharpness: the largest eigenvalue of a cost's Hessian at one point, and the largest stable learning rate there.

Above lr = 2 / sharpness, gradient descent diverges along the eigenvector of that eigenvalue. For a quadratic it is the
same everywhere and the limit is exact; for a network it changes during training, and full-batch descent often stays
close to it: Cohen, Kaur, Li, Kolter and Talwalkar, Gradient descent on neural networks typically occurs at the
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
"""Function of the parameters (p,) to a number, twice differentiable by torch. A cost may be the sum of several, one
for each block of rows, so that only one block is in memory."""


@dataclass(frozen=True, slots=True)
class Sharpness:
    """eigenvalue: the Hessian's largest. lr: the largest stable one for the planned SGD; inf where none is."""

    eigenvalue: float
    lr: float


def sharpness(
    parts: Sequence[Cost], theta: Tensor, *, sgd: SGD | None = None, seed: int = 0, tolerance: float = TOLERANCE
) -> Sharpness:
    """Return the sharpness of the cost Σ parts at theta (p,).

    Args:
        parts: summands of the cost.
        theta: the point (p,), in the units of the descent.
        sgd: the planned optimizer; without momentum by default.
        seed: of the first vector.
        tolerance: relative error of the eigenvalue.

    Raises:
        OptionError: the cost is not finite around theta.

    >>> result = sharpness([lambda theta: (theta**2).sum() * 3], torch.zeros(2, dtype=torch.float64))
    >>> round(result.eigenvalue, 6), round(result.lr, 6)
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
            point = theta.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(part(point), point, create_graph=True)
            if gradient.requires_grad:  # False for a linear cost, whose gradient is constant
                along = gradient @ vector.to(gradient.dtype)
                product += torch.autograd.grad(along, point, materialize_grads=True)[0]
        return product

    return times
