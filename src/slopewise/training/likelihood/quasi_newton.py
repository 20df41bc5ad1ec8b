"""From the optimum of a sample to near that of the whole table, by gradients alone.

The sample's Hessian is right to a few hundredths, and a pass without a Hessian costs a half (one output) to a third
(three outputs) of one with: each such pass brings the optimum some thirty times nearer.

1. Read the gradient g at c; the decrement is λ = √(g' B g), B the inverse Hessian as far as it is known.
2. Move by -B g, and correct B by what g did on the way (BFGS).
3. Stop when one more step will leave so little that the next Hessian is good to the standard errors.

Nocedal and Wright (2006), formula 6.17.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from slopewise.training.likelihood.newton_iteration import Evaluate

MOST_PASSES = 6

SLOW = 0.3
"""Ratio of two decrements above which the sample has nothing to say about the table."""


@dataclass(frozen=True, slots=True)
class QuasiNewtonResult:
    """c (d,), the passes it took, and the bend: about how much the next decrement is of this one's square."""

    c: Tensor
    passes: int
    quadratic_rate: float


def quasi_newton(
    evaluate: Evaluate, start: Tensor, inverse: Tensor, ridge: Tensor, *, stale: float
) -> QuasiNewtonResult:
    """Return a place near the optimum.

    Args:
        evaluate: value and score of all rows at c (d,).
        start: the optimum of the sample (d,).
        inverse: of the Hessian of all rows with its penalty, as the sample tells (d, d).
        ridge: P (d, d) of the penalty c' P c.
        stale: relative error of the standard errors that the next Hessian may have.
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
        if passes > 1 and ratio > SLOW:
            return QuasiNewtonResult(c, passes, math.inf)
        c = c + step
        if passes > 1 and quadratic_rate * ratio * decrements[-1] <= stale:
            break
    return QuasiNewtonResult(c, passes, quadratic_rate)


def corrected(b: Tensor, step: Tensor, change: Tensor) -> Tensor:
    """Return the B (d, d) nearest to the old one that takes the gradient's change to the step."""
    along = float(step @ change)
    if not along > 0:
        return b
    aside = torch.eye(len(step), dtype=b.dtype) - torch.outer(step, change) / along
    return aside @ b @ aside.T + torch.outer(step, step) / along
