"""Quasi-Newton (BFGS) steps from the optimum of a sample towards that of all rows, by gradients alone.

The sample's Hessian is accurate to a few per cent, and a pass without a Hessian costs a half (one output) to a third
(three outputs) of one with: each such pass reduces the distance to the optimum about thirty times.

1. Compute the gradient g at c; the decrement is λ = √(g' B g), B the current estimate of the inverse Hessian.
2. Move by -B g, and update B from the change of g (BFGS).
3. Stop when after one more step the Hessian there will be accurate enough for the standard errors.

Nocedal and Wright (2006), formula 6.17.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from slopewise.training.likelihood.newton_iteration import Evaluate

MOST_PASSES = 6

MOST_RATIO = 0.3
"""Ratio of two decrements above which the sample's Hessian does not represent all rows."""


@dataclass(frozen=True, slots=True)
class QuasiNewtonResult:
    """Result: c (d,), passes over the rows, quadratic_rate, about the next decrement over the square of this one."""

    c: Tensor
    passes: int
    quadratic_rate: float


def quasi_newton(
    evaluate: Evaluate, start: Tensor, inverse: Tensor, ridge: Tensor, *, stale: float
) -> QuasiNewtonResult:
    """Return an iterate near the optimum of all rows.

    Args:
        evaluate: value and score of all rows at c (d,).
        start: the optimum of the sample (d,).
        inverse: (d, d), of the Hessian of all rows with its penalty, estimated from the sample.
        ridge: P (d, d) of the penalty c' P c.
        stale: relative error of the standard errors that the next Hessian may cause.
    """
    c, b, decrements = start, inverse, [0.0]
    gradient = step = torch.zeros_like(start)
    for passes in range(1, MOST_PASSES + 1):
        before, gradient = gradient, evaluate(c).score + 2 * ridge @ c
        if passes > 1:
            b = corrected(b, step, gradient - before)
        step = -b @ gradient
        decrements.append(math.sqrt(max(-float(gradient @ step), 0.0)))
        ratio = decrements[-1] / decrements[-2] if passes > 1 else 1.0
        quadratic_rate = decrements[2] / decrements[1] ** 2 if passes > 1 else math.inf
        if not math.isfinite(decrements[-1]):  # the step before went where the loss overflows
            return QuasiNewtonResult(start, passes, math.inf)
        if passes > 1 and ratio > MOST_RATIO:
            return QuasiNewtonResult(c, passes, math.inf)
        c = c + step
        if passes > 1 and quadratic_rate * ratio * decrements[-1] <= stale:
            break
    return QuasiNewtonResult(c, passes, quadratic_rate)


def corrected(b: Tensor, step: Tensor, change: Tensor) -> Tensor:
    """Return the BFGS update of B (d, d): the closest matrix that maps the change of the gradient to the step.

    Args:
        b: (d, d), the inverse Hessian before.
        step: (d,).
        change: (d,), of the gradient along the step.

    Example:
        >>> b = corrected(torch.eye(2), step=torch.tensor([1.0, 0.0]), change=torch.tensor([4.0, 0.0]))
        >>> b.diagonal()
        tensor([0.2500, 1.0000])
    """
    curvature = float(step @ change)
    if not curvature > 0:
        return b
    projection = torch.eye(len(step), dtype=b.dtype) - torch.outer(step, change) / curvature
    return projection @ b @ projection.T + torch.outer(step, step) / curvature
