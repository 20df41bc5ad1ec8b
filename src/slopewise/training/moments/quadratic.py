"""The cost of a linear model with squared loss as an explicit quadratic function of its parameters.

cost(theta) = (1/W) (Σ w (y - theta·[1, u])² + l2 Σ W_j²) = lowest + ½ (theta - optimum)' hessian (theta - optimum),
in the units of a descent. It is computed from the moments alone, without another pass over the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from slopewise.solution import Moments, Standardization


@dataclass(frozen=True, slots=True)
class Quadratic:
    """A quadratic cost = constant - linear·theta + ½ theta' hessian theta, with gradient = hessian theta - linear.

    hessian (p, p), linear (p,), constant (). optimum (p,) is a minimiser and lowest () the cost there.
    """

    hessian: Tensor
    linear: Tensor
    constant: Tensor
    optimum: Tensor
    lowest: Tensor


def quadratic_of(
    moments: Moments,
    units: Standardization,
    *,
    l2: float = 0.0,
    optimum: Tensor | None = None,
    rss: float | None = None,
) -> Quadratic:
    """Return the mean cost as a quadratic in the parameters of `units`.

    Args:
        moments: of the training rows.
        units: mean and scale of the columns in which the descent works.
        l2: penalty on Σ W_j², raw units, added to the sum of the losses.
        optimum: the exact solution (p,) in the units of the descent, where it is known; otherwise the
            minimum-norm one from the pseudo-inverse.
        rss: the exact solution's residual sum of squares, accurate where yy - b'xy would cancel.
    """
    weight, scale = moments.weight, units.scale
    offset = (moments.mean - units.mean) / scale
    gram = moments.gram / torch.outer(scale, scale) + weight * torch.outer(offset, offset)
    xy = moments.xy / scale + weight * offset * moments.y_mean
    total = moments.yy + weight * moments.y_mean**2
    if units.intercept:
        total_weight = torch.tensor([weight], dtype=torch.float64)
        gram = torch.cat(
            [torch.cat([total_weight, weight * offset])[None], torch.cat([weight * offset[:, None], gram], 1)]
        )
        xy = torch.cat([(weight * moments.y_mean)[None], xy])
    ridge = torch.zeros(len(xy), dtype=torch.float64)
    ridge[int(units.intercept) :] = l2 / scale**2
    hessian = 2 / weight * (gram + torch.diag(ridge))
    linear = 2 / weight * xy
    if optimum is None:
        optimum = torch.linalg.pinv(hessian, hermitian=True) @ linear
    lowest = total / weight - 0.5 * linear @ optimum if rss is None else ((ridge * optimum**2).sum() + rss) / weight
    return Quadratic(hessian, linear, total / weight, optimum, lowest.clamp(min=0))


def gradient_at(quadratic: Quadratic, theta: Tensor) -> Tensor:
    """Return the gradient (..., p) = hessian theta - linear at parameters (..., p).

    Example:
        >>> one, zero = torch.eye(1), torch.zeros(())
        >>> quadratic = Quadratic(2 * one, one[0], zero, 0.5 * one[0], zero)
        >>> gradient_at(quadratic, torch.tensor([3.0]))
        tensor([5.])
    """
    return theta @ quadratic.hessian - quadratic.linear


def cost_at(quadratic: Quadratic, theta: Tensor) -> Tensor:
    """Return the cost (...) of parameters (..., p), as lowest + ½ (theta - optimum)' hessian (theta - optimum).

    Near the optimum nothing cancels: the rounding error is relative to the cost itself.
    """
    offset = theta - quadratic.optimum
    return quadratic.lowest + 0.5 * ((offset @ quadratic.hessian) * offset).sum(-1)
