"""The meat of robust errors: sums of products of the rows' scores, as kernels for any engine."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from slopewise.losses.log_link import Overdispersed
from slopewise.losses.loss import Loss
from slopewise.models.model import Model
from slopewise.results.inference.leverage import orthonormal, scaled_columns
from slopewise.results.inference.newey_west import LagSums, lag_sums
from slopewise.solution import Basis, Solution
from slopewise.types import Batch

FULL_LEVERAGE = 1e-10
"""1 - leverage below which a row counts as the only one of its kind: rounding leaves about p · 1e-14 there."""


class MeatSums(NamedTuple):
    """Sums for robust errors.

    meat (d, d) = Σ s s', s the weighted score of a row in coordinates z; absolute () = Σ w |gradient|, Σ w |e| of
    squared loss; alone: rows of leverage one.
    """

    meat: Tensor
    absolute: Tensor
    alone: int


class MeatOperands(NamedTuple):
    """basis of the training rows; theta: estimates (p,) or (p, m), raw units; cross (d,) as in Nuisance, or None."""

    basis: Basis
    theta: Tensor
    cross: Tensor | None


def meat_operands(solution: Solution) -> MeatOperands:
    """Return what the kernels need of a solution with a basis."""
    assert solution.basis is not None
    cross = next((each.cross for each in solution.nuisance if each.cross is not None), None)
    return MeatOperands(solution.basis, solution.theta, cross)


def meat(batch: Batch, operands: MeatOperands, *, model: Model, loss: Loss, kind: str) -> MeatSums:
    """Return Σ s s' (d, d) of one batch, s = w · gradient ⊗ u in the coordinates z.

    For squared loss the gradient is that of e² / 2, the residual.

    Args:
        batch: n rows.
        operands: basis and estimates.
        model: from x to eta.
        loss: of the rows.
        kind: one of COV_TYPES; hc2 and hc3 divide the scores by leverage.
    """
    eta, gradient = _gradient(batch, operands, model, loss)
    alone = 0
    if kind in ("hc2", "hc3"):
        z = orthonormal(batch.x, operands.basis)
        rest = 1 - ((z * z).sum(1) if batch.w is None else batch.w * (z * z).sum(1))
        alone = int((rest < FULL_LEVERAGE).sum())
        rest = rest.clamp(min=FULL_LEVERAGE)
        scores = z * (gradient / (rest.sqrt() if kind == "hc2" else rest)[:, None])
    else:
        scores = _scores(batch, operands, loss, eta, gradient)
    return MeatSums(scores.T @ scores, gradient.abs().sum(), alone)


def _gradient(batch: Batch, operands: MeatOperands, model: Model, loss: Loss) -> tuple[Tensor, Tensor]:
    """Return eta, and w · gradient (n, m) of each row by eta, for squared loss that of e² / 2, which is -e."""
    assert batch.y is not None
    eta = model.forward(operands.theta, batch.x)
    if batch.offset is not None:
        eta = eta + batch.offset
    gradient = (eta - batch.y if loss.name == "squared" else loss.gradient(eta, batch.y)).reshape(len(batch), -1)
    return eta, gradient if batch.w is None else gradient * batch.w[:, None]


def _scores(batch: Batch, operands: MeatOperands, loss: Loss, eta: Tensor, gradient: Tensor) -> Tensor:
    """Return the scores w · gradient ⊗ u (n, d) in the coordinates z, from eta and w · gradient (n, m).

    Where alpha is estimated, less what it takes of them: its own score times cross.
    """
    basis = operands.basis
    if gradient.shape[1] == 1:
        scores = gradient * orthonormal(batch.x, basis)
        if operands.cross is None:
            return scores
        assert isinstance(loss, Overdispersed) and batch.y is not None
        of_alpha = loss.alpha_derivatives(eta, batch.y).first
        return scores - torch.outer(of_alpha if batch.w is None else batch.w * of_alpha, operands.cross)
    return (gradient[:, :, None] * scaled_columns(batch.x, basis)[:, None, :]).flatten(1) @ basis.r_inverse


class ClusterSums(NamedTuple):
    """numbers (g,) of the clusters, and scores (g, d), their sums of w · gradient ⊗ u; absolute () as in MeatSums."""

    numbers: Tensor
    scores: Tensor
    absolute: Tensor


def cluster_sums(batch: Batch, operands: MeatOperands, *, model: Model, loss: Loss) -> ClusterSums:
    """Return the sums of one batch."""
    assert batch.groups is not None
    eta, gradient = _gradient(batch, operands, model, loss)
    return _by_cluster(batch.groups, _scores(batch, operands, loss, eta, gradient), gradient.abs().sum())


def join_clusters(a: ClusterSums, b: ClusterSums) -> ClusterSums:
    """Return the sums of both."""
    return _by_cluster(torch.cat([a.numbers, b.numbers]), torch.cat([a.scores, b.scores]), a.absolute + b.absolute)


def _by_cluster(numbers: Tensor, scores: Tensor, absolute: Tensor) -> ClusterSums:
    own, place = torch.unique(numbers, return_inverse=True)
    return ClusterSums(own, scores.new_zeros(len(own), scores.shape[1]).index_add_(0, place, scores), absolute)


def autocorrelation_sums(batch: Batch, operands: MeatOperands, *, model: Model, loss: Loss, lags: int) -> LagSums:
    """Return the sums over lags of one batch.

    Args:
        batch: n rows.
        operands: basis and estimates.
        model: from x to eta.
        loss: of the rows.
        lags: L.
    """
    eta, gradient = _gradient(batch, operands, model, loss)
    return lag_sums(_scores(batch, operands, loss, eta, gradient), gradient.abs().sum(), lags)
