"""Exact least squares by blocked QR, for columns too close to collinear to be solved from their moments.

Squaring the columns into moments squares their condition number; QR does not. Each block of rows is reduced to
its triangular factor, and factors are stacked and reduced again: TSQR, Demmel, Grigori, Hoemmen and Langou (2012).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.errors import FitError, quoted
from slopewise.problem import Problem
from slopewise.solution import Basis, Moments, Solution
from slopewise.training.exact import double_double as double_double
from slopewise.training.exact.double_double import DoubleDouble
from slopewise.training.exact.refinement import refine
from slopewise.training.exact.scaling import ScaledProblem, basis_of, refuse_warm, scale_problem, with_inner
from slopewise.training.moments.moments import read_moments
from slopewise.training.requirements import linear_model, no_l1, squared_loss
from slopewise.training.solver import Solver
from slopewise.types import Batch, Callback

DEPENDENT = 1e-13
"""A column of unit length whose part orthogonal to the earlier columns is shorter than this is a combination of them.

Rounding leaves about 1e-15 of a dependent column; the worst of the NIST sets, Filip, keeps 1e-10.
"""


class TriangleOperands(NamedTuple):
    """mean (q,) and scale (q,) of the columns, y_mean ()."""

    mean: Tensor
    scale: Tensor
    y_mean: Tensor


class PairOperands(NamedTuple):
    """mean (q,) of the columns."""

    mean: Tensor


@dataclass(frozen=True, slots=True)
class QR(Solver):
    """R of the centred, scaled columns by blocked Householder QR, then refinement in extended precision."""

    name = "qr"
    requires = (linear_model, squared_loss, no_l1)

    def solve(
        self,
        problem: Problem,
        engine: Engine,
        *,
        warm: Tensor | None = None,
        moments: Moments | None = None,
        callback: Callback | None = None,
    ) -> Solution:
        """Return the exact solution.

        1. Centre and scale by the moments. 2. Reduce all rows to one triangular factor. 3. Refuse dependent columns,
        naming them. 4. Correct the factor, whose error would propagate to the standard errors. 5. Solve and refine
        with residuals from the rows.
        """
        refuse_warm(warm, self.name)
        moments = moments or read_moments(problem, engine)
        scaled = scale_problem(problem, moments)
        y_mean = moments.y_mean if problem.intercept else torch.zeros_like(moments.y_mean)
        sums = engine.reduce(triangle, problem.source, TriangleOperands(scaled.mean, scaled.scale, y_mean), stack)
        assert sums is not None
        q = len(scaled.mean)
        ridge = torch.cat([torch.diag(scaled.ridge.sqrt()), torch.zeros(q, 1, dtype=torch.float64)], dim=1)
        stacked = torch.linalg.qr(torch.cat([sums[0], ridge, torch.zeros(1, q + 1, dtype=torch.float64)]), mode="r").R
        r, rotated = stacked[:q, :q], stacked[:q, q]
        check_rank(r, scaled, problem.names[int(problem.intercept) :])
        start = torch.linalg.solve_triangular(r, rotated[:, None], upper=True)[:, 0]
        singular = torch.linalg.svdvals(r)
        basis = polish(basis_of(scaled, r), scaled, problem, engine)
        return refine(
            problem,
            engine,
            moments=moments,
            scaled=scaled,
            basis=basis,
            start=start,
            condition=float(singular[0] / singular[-1]),
            passes=3,
            extended=True,
        )


def triangle(batch: Batch, operands: TriangleOperands) -> tuple[Tensor]:
    """Return R of the batch's rows √w [(x - mean) / scale, y - y_mean], at most (q + 1, q + 1)."""
    assert batch.y is not None
    mean, scale, y_mean = operands
    rows = torch.cat([(batch.x - mean) / scale, (batch.y - y_mean)[:, None]], dim=1)
    if batch.w is not None:
        rows = rows * batch.w.sqrt()[:, None]
    return (torch.linalg.qr(rows, mode="r").R,)


def stack(a: tuple[Tensor], b: tuple[Tensor]) -> tuple[Tensor]:
    """Return the triangular factor of two stacked triangular factors."""
    return (torch.linalg.qr(torch.cat([a[0], b[0]]), mode="r").R,)


def polish(basis: Basis, scaled: ScaledProblem, problem: Problem, engine: Engine) -> Basis:
    """Return the basis corrected to working precision, by one pass over products in pairs of float64.

    With T = r_inverse of raw columns, H = T' (X'WX + ridge) T is the identity but for the error of T; its own
    Cholesky factor, which is well-conditioned, removes that error.

    Args:
        basis: triangular factor of the normal equations.
        scaled: the problem in centred columns of unit length.
        problem: penalty, intercept and rows.
        engine: sums over the rows.
    """
    sums = engine.reduce(pair_products, problem.source, PairOperands(scaled.mean), add_pairs)
    assert sums is not None
    at = int(basis.intercept)
    inverse = basis.r_inverse[at:, at:]
    t = inverse / scaled.scale[:, None]
    h = double_double.congruence(t, DoubleDouble(sums[0], sums[1])).rounded() + inverse.T @ (
        scaled.ridge[:, None] * inverse
    )
    correction = torch.linalg.inv(torch.linalg.cholesky((h + h.T) / 2, upper=True))
    polished = basis.r_inverse.clone()
    polished[at:, at:] = inverse @ correction
    return with_inner(replace(basis, r_inverse=polished), scaled)


def pair_products(batch: Batch, operands: PairOperands) -> tuple[Tensor, Tensor]:
    """Return Σ w (x - mean)(x - mean)' of a batch, (q, q), as a pair of float64.

    The mean is rounded, but to second order only: its error is orthogonal to the true centred columns.
    """
    x = double_double.two_sum(batch.x, -operands.mean.expand_as(batch.x))
    wx = x if batch.w is None else double_double.multiply(x, batch.w[:, None].expand_as(batch.x))
    rows = [
        double_double.total(
            double_double.multiply_pairs(
                wx, DoubleDouble(x.hi[:, j : j + 1].expand_as(x.hi), x.lo[:, j : j + 1].expand_as(x.lo))
            )
        )
        for j in range(x.hi.shape[1])
    ]
    return torch.stack([row.hi for row in rows]), torch.stack([row.lo for row in rows])


def add_pairs(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the sum of two pairs."""
    return double_double.add(DoubleDouble(*a), DoubleDouble(*b))


def _remedy(name: str) -> str:
    """Return what to leave out: a column, or the whole category that an indicator such as `city[Ulm]` belongs to."""
    if not name.endswith("]"):
        return f"drop {name!r}"
    category = name.split("[")[0]
    return f"drop the column {category!r}, or merge its level {name[len(category) + 1 : -1]!r} with another"


def check_rank(r: Tensor, scaled: ScaledProblem, names: tuple[str, ...]) -> None:
    """Raise FitError with the relation between the columns if one is a combination of those before it.

    Args:
        r: upper triangular factor of the scaled columns, of all q or of the first.
        scaled: the problem in centred columns of unit length.
        names: of the columns (q,).
    """
    outside = r.diagonal().abs() / r.norm(dim=0)
    dependent = (outside < DEPENDENT).nonzero()[:, 0]
    if not len(dependent):
        return
    k = int(dependent[0])
    weights = torch.linalg.solve_triangular(r[:k, :k], r[:k, k : k + 1], upper=True)[:, 0]
    involved = (weights.abs() > 1e-8 * weights.abs().max()).nonzero()[:, 0].tolist()
    raw = weights * scaled.scale[k] / scaled.scale[:k]
    relation = " + ".join(f"{float(raw[j]):.6g} * {names[j]}" for j in involved[:6]) + (
        " + …" if len(involved) > 6 else ""
    )
    constant = " + a constant" if scaled.intercept else ""
    raise FitError(
        f"columns {quoted([names[j] for j in involved] + [names[k]])} are perfectly collinear: {names[k]} = "
        f"{relation}{constant}; {_remedy(names[k])}, or set l2 above zero."
    )
