"""One pass over the rows: loss, score (gradient) and Hessian of a summed loss.

For columns r = [1, x - mean] of a row, eta = beta' r + offset and a loss with gradient s and Hessian C in eta,
value = Σ w loss, score = Σ w r s', hessian = Σ w C ⊗ r r': a matrix product per block of rows and pair of outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from slopewise.losses.loss import Loss
from slopewise.training.moments.gemm_width import gemm_width
from slopewise.types import Batch

BLOCK = 2**18
"""Numbers in one block of r, 2 MB of float64, which nearly fit a core's own cache. With 8 MB a pass over 1M x 20
takes half as long again; with 1 MB operations are so short that threads may wait for Python's GIL."""


class ScoreOperands(NamedTuple):
    """beta (p, m): parameters in the columns r, p = q + 1 with an intercept. mean (q,): subtracted from x."""

    beta: Tensor
    mean: Tensor


HessianOf = Callable[[Tensor, Tensor], Tensor]


class ScoreSums(NamedTuple):
    """Sums over rows: value () = Σ w loss, score (p, m), Hessian blocks (m (m + 1) / 2, p, p) for outputs a ≤ b.

    wrong () counts the misclassified rows, 0 where the target is a number.
    """

    value: Tensor
    score: Tensor
    blocks: Tensor
    wrong: Tensor


@dataclass(frozen=True, slots=True)
class Derivatives:
    """Value (), score (d,) and Hessian (d, d) listed output by output, d = p m; wrong () misclassified rows."""

    value: float
    score: Tensor
    hessian: Tensor
    wrong: int


def score_sums(
    batch: Batch,
    operands: ScoreOperands,
    *,
    loss: Loss,
    curved: bool = True,
    hessian_of: HessianOf | None = None,
) -> ScoreSums:
    """Return the sums of one batch.

    Args:
        batch: x (n, q), y (n,), w (n,) or None, offset (n,) or None.
        operands: parameters and mean.
        loss: of the rows.
        curved: whether to sum the hessian too; it has no blocks otherwise.
        hessian_of: what to sum in place of the loss's own hessian (eta, y), such as its expectation.
    """
    assert batch.y is not None
    beta, mean = operands
    (p, m), n = beta.shape, len(batch)
    pairs = [(a, b) for a in range(m) for b in range(a, m)] if curved else []
    width, size = gemm_width(p) if curved else p, max(1, min(n, max(1024, BLOCK // p)))
    rows, wide = _scratch(batch.x, width, size), _scratch(batch.x, width, size)
    rows[:, 0], rows[:, p:] = 1, 0
    value, wrong = beta.new_zeros(()), batch.x.new_zeros((), dtype=torch.int64)
    score, blocks = beta.new_zeros(p, m), beta.new_zeros(len(pairs), width, width)
    for start in range(0, n, size):
        block = slice(start, min(start + size, n))
        tiles, z, y = rows[: block.stop - start], wide[: block.stop - start], batch.y[block]
        r = tiles[:, :p]
        torch.sub(batch.x[block], mean, out=r[:, p - len(mean) :])
        # Contiguous by output, since everything that follows reads one output of all rows.
        etas = (r @ beta).T.contiguous()
        if batch.offset is not None:
            etas += batch.offset[block]
        eta = etas.T if loss.n_classes > 2 else etas[0]
        of_row, gradient = loss.value(eta, y), loss.gradient(eta, y)
        hessian = (hessian_of or loss.hessian)(eta, y) if curved else gradient
        wrong += _wrong(eta, y, loss.n_classes)
        if batch.w is not None:
            w = batch.w[block]
            of_row, gradient, hessian = of_row * w, _times(gradient, w), _times(hessian, w)
        value += of_row.sum()
        score.addmm_(r.T, gradient.reshape(-1, m))
        for (a, b), total in zip(pairs, blocks, strict=True):
            torch.mul(tiles, (hessian if m == 1 else hessian[:, a, b])[:, None], out=z)
            total.addmm_(tiles.T, z)
    return ScoreSums(value, score, blocks[:, :p, :p], wrong)


def _wrong(eta: Tensor, y: Tensor, n_classes: int) -> Tensor:
    if n_classes == 2:
        return ((2 * y - 1) * eta <= 0).sum()
    if n_classes > 2:
        best = eta.max(1)
        return (torch.where(best.values > 0, best.indices + 1, 0) != y).sum()
    return y.new_zeros((), dtype=torch.int64)


def _times(values: Tensor, w: Tensor) -> Tensor:
    return values * w.reshape(-1, *(1,) * (values.ndim - 1))


def _scratch(x: Tensor, width: int, size: int) -> Tensor:
    """Return a work array (size, width) in the memory order of x."""
    by_column = x.stride(0) == 1 and x.shape[1] > 1
    return x.new_empty(width, size).T if by_column else x.new_empty(size, width)


def derivatives(sums: ScoreSums, m: int, scale: Tensor) -> Derivatives:
    """Return value, score and Hessian in columns r / scale.

    Args:
        sums: of all rows.
        m: outputs.
        scale: (p,), 1 for the intercept.
    """
    p = len(scale)
    score = (sums.score / scale[:, None]).T.reshape(-1)
    hessian = sums.score.new_zeros(m, p, m, p)
    pairs = ((a, b) for a in range(m) for b in range(a, m))
    for (a, b), block in zip(pairs, sums.blocks, strict=False):
        hessian[a, :, b] = hessian[b, :, a] = block / torch.outer(scale, scale)
    hessian = hessian.reshape(m * p, m * p)
    return Derivatives(float(sums.value), score, (hessian + hessian.T) / 2, int(sums.wrong))
