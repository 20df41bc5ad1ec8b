"""The null model, one eta for all rows beside their offsets: its cost, and the search for it without a formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from slopewise.errors import DataError
from slopewise.losses.offset import row_loss

if TYPE_CHECKING:
    from torch import Tensor

    from slopewise.losses.loss import Loss

STEPS = 200
ENOUGH = 1e-14
"""Length of the bracket, relative to the numbers in it, that ends the search."""


def null_model_cost(loss: Loss, y: Tensor, w: Tensor | None = None) -> float:
    """Return the lowest mean loss that one eta for all rows, to which their offsets are added, can reach.

    Args:
        loss: per row.
        y: (n,), or (n, 2) with the offset of each row beside it.
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
    eta = loss.null_eta(y, w) if y.dim() == 1 else null_eta_with_offset(loss, y, w).to(y.dtype)
    values = row_loss(loss, y)(eta.expand(len(y), *eta.shape), y)
    return float(values.mean() if w is None else (w * values).sum() / w.sum())


def null_eta_with_offset(loss: Loss, target: Tensor, w: Tensor | None = None) -> Tensor:
    """Return the eta () of lowest summed loss of eta + offset, float64, for a loss whose eta is a logarithm.

    1. Start at the logarithm of Σ w y / Σ w exp(offset), which is the answer for Poisson's loss. 2. Widen a bracket
    around it until the gradient has both signs. 3. Search in it.

    Args:
        loss: convex in eta = log mu, with its lowest point at mu = y for each row.
        target: y and offset of each row, (n, 2).
        w: (n,), or None for equal weights.
    """
    y, offset = target.to(torch.float64).unbind(1)
    weights = torch.ones_like(y) if w is None else w.to(torch.float64)
    # 1.
    eta = (weights @ y).log() - torch.logsumexp(weights.log() + offset, 0)
    if not bool(eta.isfinite()):  # every target is 0
        return eta

    def gradient(eta: Tensor) -> float:
        return float(weights @ loss.gradient(eta + offset, y))

    # 2.
    low, high, step = eta, eta, 1.0
    while gradient(low) > 0:
        low, step = low - step, 2 * step
    while gradient(high) < 0:
        high, step = high + step, 2 * step
    # 3.
    return search(loss, y, w, offset=offset, bracket=(low, high))


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


def search(
    loss: Loss,
    y: Tensor,
    w: Tensor | None = None,
    *,
    offset: Tensor | None = None,
    bracket: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Return the eta () of lowest summed loss, between the least and the largest target where no bracket is given.

    Newton's method in one dimension; where its step leaves the bracket that the gradient's signs give, bisection.

    Args:
        loss: convex, with its lowest point in y for each row where no bracket is given.
        y: (n,).
        w: (n,), or None for equal weights.
        offset: (n,), added to eta, or None.
        bracket: two eta () between which the lowest point lies, or None.
    """
    weights = torch.ones_like(y) if w is None else w.to(y.dtype)
    low, high = bracket or (y.min(), y.max())
    eta = y.median() if bracket is None else (low + high) / 2
    for _ in range(STEPS):
        everywhere = eta.expand(len(y)) if offset is None else eta + offset
        gradient = (weights * loss.gradient(everywhere, y)).sum()
        hessian = (weights * loss.hessian(everywhere, y)).sum()
        low, high = (eta, high) if float(gradient) < 0 else (low, eta)
        there = eta - gradient / hessian if float(hessian) > 0 else (low + high) / 2
        there = there if bool(low <= there) and bool(there <= high) else (low + high) / 2
        if float(gradient) == 0 or float((there - eta).abs()) <= ENOUGH * float(eta.abs() + there.abs()):
            return there if float(gradient) else eta
        eta = there
    return eta
