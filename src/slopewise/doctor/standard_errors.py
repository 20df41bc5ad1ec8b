"""Findings about standard errors that a fit cannot have."""

from __future__ import annotations

from slopewise.doctor.finding import Finding, Number
from slopewise.losses.loss import Loss, PiecewiseLinear
from slopewise.solution import Moments
from slopewise.training.likelihood.sparsity import has_bandwidth


def no_density(loss: Loss, moments: Moments) -> Finding | None:
    """Return the finding that the residuals of a piecewise linear loss show no density at 0; None of other losses.

    Args:
        loss: of a fit whose standard errors are NaN.
        moments: of its rows.
    """
    if not isinstance(loss, PiecewiseLinear):
        return None
    over, under = loss.prices
    tau, rows = over / (over + under), f"{moments.n:,} row{'s' * (moments.n != 1)}"
    few = not has_bandwidth(moments.weight, tau)
    cause = "half of the rows are fitted exactly, so the residuals have no density at 0"
    fix = "take rows whose targets vary about the predictions"
    if few:
        cause = f"the bandwidth for the density at the {tau:g} quantile reaches beyond all quantiles of so few rows"
        fix = "take more rows, or a tau nearer to 0.5"
    return Finding(
        code="no-standard-errors",
        severity="warning",
        what="the coefficients have no standard errors",
        number=Number(float(moments.n), rows),
        cause=cause,
        fix=fix,
    )
