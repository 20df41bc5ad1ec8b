"""Cost of the null model, which predicts the same for every row; ln 2 for two classes of equal size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from slopewise.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

    from slopewise.losses.loss import Loss

STEPS = 50
RELATIVE_TOLERANCE = 1e-13
"""Relative decrease of the cost below which the iterations stop."""


def null_model_cost(loss: Loss, y: Tensor, w: Tensor | None = None) -> float:
    """Return the lowest mean loss that one eta for all rows can reach.

    Classes: eta_j = ln(share_j / share_0) in closed form, class weights included. Numbers: Newton's method in one
    dimension from the best of 0, the median and ln(mean), with halving; absolute loss stays at its median.

    Args:
        loss: per row.
        y: (n,).
        w: (n,), or None for equal weights.

    Raises:
        DataError: no rows.

    >>> from slopewise.losses.logistic import Logistic
    >>> round(null_model_cost(Logistic(), torch.tensor([0.0, 1.0, 1.0, 0.0])), 6)
    0.693147
    """
    if not len(y):
        raise DataError(
            "the cost of the null model needs at least one row, and there is zero; check the filters and the split."
        )
    weights = torch.ones_like(y) if w is None else w
    if loss.classes:
        return _cost(loss, _by_shares(loss, y, weights), y, weights)
    return _by_newton(loss, y, weights)


def _cost(loss: Loss, eta: Tensor, y: Tensor, w: Tensor) -> float:
    return float((w * loss.value(eta, y)).sum() / w.sum())


def _by_shares(loss: Loss, y: Tensor, w: Tensor) -> Tensor:
    """Return the etas, (n,) or (n, m), of the classes' shares."""
    # at eta = 0 a row's loss is its class weight times ln k: the class weight follows from that
    zero = y.new_zeros(len(y)) if loss.outputs == 1 else y.new_zeros(len(y), loss.outputs)
    class_weighted = w * loss.value(zero, y) / math.log(loss.classes)
    shares = torch.zeros(loss.classes, dtype=y.dtype).index_add_(0, y.to(torch.int64), class_weighted)
    shares = (shares / shares.sum()).clamp(min=torch.finfo(y.dtype).tiny)
    eta = (shares[1:] / shares[0]).log()
    return eta.expand(len(y)) if loss.outputs == 1 else eta.expand(len(y), -1)


def _by_newton(loss: Loss, y: Tensor, w: Tensor) -> float:
    mean = (w * y).sum() / w.sum()
    starts = [torch.zeros_like(mean), y.median(), *([mean.log()] if float(mean) > 0 else [])]
    cost, eta = min(((_cost(loss, start.expand(len(y)), y, w), start) for start in starts), key=lambda pair: pair[0])
    for _ in range(STEPS):
        every = eta.expand(len(y))
        gradient, hessian = (w * loss.gradient(every, y)).sum(), (w * loss.hessian(every, y)).sum()
        if not float(hessian) > 0:
            return cost
        step = gradient / hessian
        lower = _cost(loss, (eta - step).expand(len(y)), y, w)
        while lower > cost and float(step.abs()) > RELATIVE_TOLERANCE * (1 + float(eta.abs())):
            step = step / 2
            lower = _cost(loss, (eta - step).expand(len(y)), y, w)
        if cost - lower <= RELATIVE_TOLERANCE * abs(cost):
            return min(cost, lower)
        cost, eta = lower, eta - step
    return cost
