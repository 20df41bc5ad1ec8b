"""Iterative refinement of least squares in further passes over the rows, by the corrected semi-normal equations.

1. Residuals r = y - x theta from the rows themselves, and their product with the columns, g = X'W r.
2. Correct: r_factor' r_factor d = g, theta += d.
3. Repeat until the correction stops shrinking.

A factor with a few correct digits is enough, because residuals are computed from the rows. Björck (1987), Stability
analysis of the method of semi-normal equations; with residuals in extended precision the error no
longer grows with the condition number: Demmel, Hida, Riedy and Li (2009).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.errors import FitError
from slopewise.problem import Problem
from slopewise.solution import Basis, Moments, Solution, Status
from slopewise.training.exact import double_double as double_double
from slopewise.training.exact.double_double import DoubleDouble
from slopewise.training.exact.precision import few_digits, refined_digits
from slopewise.training.exact.scaling import ScaledProblem
from slopewise.types import Batch

MOST_PASSES = 12


class ResidualOperands(NamedTuple):
    """slopes (q,) and intercept () as pairs, and mean (q,) of the columns."""

    slopes: DoubleDouble
    intercept: DoubleDouble
    mean: Tensor


class ResidualSums(NamedTuple):
    """Sums over rows of residuals r: total = Σ w r and g (q,) = Σ w x r as pairs, and rss = Σ w r².

    fractions (q + 1,) counts the values of x and y that are not integers and so may have been rounded when
    they were converted to float64.
    """

    total_hi: Tensor
    total_lo: Tensor
    g_hi: Tensor
    g_lo: Tensor
    rss: Tensor
    fractions: Tensor


def refine(
    problem: Problem,
    engine: Engine,
    *,
    moments: Moments,
    scaled: ScaledProblem,
    basis: Basis,
    start: Tensor,
    condition: float,
    passes: int,
    extended: bool = False,
) -> Solution:
    """Return the solution refined from `start` (q,), coefficients of the scaled columns.

    Args:
        problem: penalty, intercept and rows.
        engine: sums over the rows.
        moments: of the rows.
        scaled: the problem in centred columns of unit length.
        basis: triangular factor of its normal equations.
        start: (q,).
        condition: of the scaled columns, for the solution.
        passes: made before.
        extended: residuals in pairs of float64, for columns close to collinear; plain float64 about the means
            otherwise.

    Raises:
        FitError: corrections do not shrink: the columns are collinear to working precision.
    """
    slopes = double_double.exact(start / scaled.scale)
    intercept = (
        _intercept(slopes, moments) if problem.intercept else double_double.exact(torch.zeros((), dtype=torch.float64))
    )
    kernel = extended_residuals if extended else centred_residuals
    before = torch.inf
    while True:
        sums = engine.reduce(kernel, problem.source, ResidualOperands(slopes, intercept, scaled.mean), add_residuals)
        assert sums is not None
        passes += 1
        c = slopes.rounded() * scaled.scale
        step0, step = _correction(sums, scaled, basis, c, centred=not extended)
        slopes = double_double.add(slopes, double_double.exact(step))
        intercept = double_double.add(intercept, double_double.exact(step0))
        moved = float((step.abs() / slopes.hi.abs().clamp(min=torch.finfo(torch.float64).tiny)).max())
        converged = float((step * scaled.scale).norm()) <= 4e-16 * float(c.norm())
        if converged or moved >= before / 2 or passes >= MOST_PASSES:
            break
        before = moved
    if not converged and moved > 1e-6:
        if len(start) == 1:
            name, last = problem.names[-1], float(moments.mean.abs() / (moments.gram[0, 0] / moments.weight).sqrt())
            raise FitError(
                f"column {name!r} varies only in its last digits, its mean being {last:.0e} standard deviations: "
                "subtract a constant near its mean before the table is written."
            )
        raise FitError(
            "refinement does not converge: the columns are collinear to working precision; drop a column or set l2."
        )
    theta = torch.cat([intercept.rounded()[None], slopes.rounded()]) if problem.intercept else slopes.rounded()
    steps = torch.cat([step0[None], step]) if problem.intercept else step
    rss = sums.rss
    digits = refined_digits(
        scaled=scaled,
        basis=basis,
        c=slopes.rounded() * scaled.scale,
        moments=moments,
        rss=float(rss),
        extended=extended,
        last_step=steps,
        rounded=sums.fractions > 0,
    )
    return Solution(
        theta=theta,
        status=Status.LIMITED if few_digits(digits) else Status.REFINED,
        digits=digits,
        loss=float(rss),
        null_loss=scaled.yy,
        passes=passes,
        condition=condition,
        moments=moments,
        basis=basis,
    )


def centred_residuals(batch: Batch, operands: ResidualOperands) -> ResidualSums:
    """Return the sums of one batch in float64, with columns about their mean and g likewise."""
    assert batch.y is not None
    slopes, intercept, mean = operands
    x = batch.x - mean
    at_mean = intercept.rounded() + mean @ slopes.rounded()
    r = (batch.y - at_mean) - x @ slopes.hi - x @ slopes.lo
    wr = r if batch.w is None else batch.w * r
    zero = torch.zeros_like(mean)
    return ResidualSums(wr.sum(), zero[:1].sum(), x.T @ wr, zero, r @ wr, _fractions(batch.x, batch.y))


def extended_residuals(batch: Batch, operands: ResidualOperands) -> ResidualSums:
    """Return the sums of one batch with every product and sum in pairs of float64, columns as they are."""
    assert batch.y is not None
    slopes, intercept, _ = operands
    constant = DoubleDouble(intercept.hi.expand_as(batch.y), intercept.lo.expand_as(batch.y))
    r = double_double.subtract(double_double.exact(batch.y), constant)
    for j in range(batch.x.shape[1]):
        column = batch.x[:, j]
        term = double_double.two_product(column, slopes.hi[j].expand_as(column))
        r = double_double.subtract(r, DoubleDouble(term.hi, term.lo + column * slopes.lo[j]))
    wr = r if batch.w is None else double_double.multiply(r, batch.w)
    across = DoubleDouble(wr.hi[:, None].expand_as(batch.x), wr.lo[:, None].expand_as(batch.x))
    g = double_double.total(double_double.multiply(across, batch.x))
    total = double_double.total(wr)
    rss = r.rounded() @ wr.rounded()
    return ResidualSums(total.hi, total.lo, g.hi, g.lo, rss, _fractions(batch.x, batch.y))


def _fractions(x: Tensor, y: Tensor) -> Tensor:
    return torch.cat([(x != x.round()).sum(0), (y != y.round()).sum()[None]])


def add_residuals(a: ResidualSums, b: ResidualSums) -> ResidualSums:
    """Return the sums of the rows of both, pairs added as pairs."""
    total = double_double.add(DoubleDouble(a.total_hi, a.total_lo), DoubleDouble(b.total_hi, b.total_lo))
    g = double_double.add(DoubleDouble(a.g_hi, a.g_lo), DoubleDouble(b.g_hi, b.g_lo))
    return ResidualSums(total.hi, total.lo, g.hi, g.lo, a.rss + b.rss, a.fractions + b.fractions)


def _correction(
    sums: ResidualSums, scaled: ScaledProblem, basis: Basis, c: Tensor, *, centred: bool
) -> tuple[Tensor, Tensor]:
    """Return the corrections () of the intercept and (q,) of the coefficients, in raw units."""
    g = DoubleDouble(sums.g_hi, sums.g_lo)
    if not centred:
        total = DoubleDouble(sums.total_hi.expand_as(g.hi), sums.total_lo.expand_as(g.hi))
        g = double_double.subtract(g, double_double.multiply(total, scaled.mean))
    gradient = g.rounded() / scaled.scale - scaled.ridge * c
    inverse = basis.r_inverse[1:, 1:] if scaled.intercept else basis.r_inverse
    step = inverse @ (inverse.T @ gradient) / scaled.scale
    if not scaled.intercept:
        return torch.zeros((), dtype=torch.float64), step
    mean_residual = (sums.total_hi + sums.total_lo) / scaled.weight
    return mean_residual - scaled.mean @ step, step


def _intercept(slopes: DoubleDouble, moments: Moments) -> DoubleDouble:
    shifts = double_double.multiply(slopes, moments.mean)
    return double_double.subtract(double_double.exact(moments.y_mean), double_double.total(shifts))
