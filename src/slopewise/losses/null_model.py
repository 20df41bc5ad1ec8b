"""The null model, one eta for all rows: its cost, and the search for it where there is no formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from slopewise.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

    from slopewise.losses.loss import Loss

STEPS = 200
ENOUGH = 1e-14
"""Length of the bracket, relative to the numbers in it, that ends the search."""


def null_model_cost(loss: Loss, y: Tensor, w: Tensor | None = None) -> float:
    """Return the lowest mean loss that one eta for all rows can reach.

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
    eta = loss.null_eta(y, w)
    values = loss.value(eta.expand(len(y), *eta.shape), y)
    return float(values.mean() if w is None else (w * values).sum() / w.sum())


def log_shares(y: Tensor, weight: Tensor, k: int) -> Tensor:
    """Return log(share_j / share_0) (k - 1,) of the classes 1 … k - 1.

    Args:
        y: class numbers (n,).
        weight: of each row (n,).
        k: classes.
    """
    shares = torch.zeros(k, dtype=weight.dtype).index_add_(0, y.to(torch.int64), weight)
    shares = (shares / shares.sum()).clamp(min=torch.finfo(weight.dtype).tiny)
    return (shares[1:] / shares[0]).log()


def search(loss: Loss, y: Tensor, w: Tensor | None = None) -> Tensor:
    """Return the eta () of lowest summed loss, between the least and the largest target.

    Newton's method in one dimension; where its step leaves the bracket that the gradient's signs give, bisection.

    Args:
        loss: convex, with its lowest point in y for each row.
        y: (n,).
        w: (n,), or None for equal weights.
    """
    weights = torch.ones_like(y) if w is None else w
    low, high = y.min(), y.max()
    eta = y.median()
    for _ in range(STEPS):
        everywhere = eta.expand(len(y))
        gradient = (weights * loss.gradient(everywhere, y)).sum()
        hessian = (weights * loss.hessian(everywhere, y)).sum()
        low, high = (eta, high) if float(gradient) < 0 else (low, eta)
        there = eta - gradient / hessian if float(hessian) > 0 else (low + high) / 2
        there = there if bool(low <= there) and bool(there <= high) else (low + high) / 2
        if float(gradient) == 0 or float((there - eta).abs()) <= ENOUGH * float(eta.abs() + there.abs()):
            return there if float(gradient) else eta
        eta = there
    return eta
