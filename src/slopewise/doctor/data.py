"""Findings about the columns, from the moments of the rows, before the fit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from slopewise.doctor.finding import Finding, Number
from slopewise.doctor.scales import deviations, far_from_zero, outlying, unscaled
from slopewise.results.report.text import figure
from slopewise.solution import Moments
from slopewise.training.exact.scaling import EPS

COLLINEAR = 0.999
"""|r| from which two columns count as collinear: the standard errors of both coefficients grow 22-fold there."""


def data_findings(
    moments: Moments, names: Sequence[str], *, intercept: bool = True, standardize: bool | None = None
) -> tuple[Finding, ...]:
    """Return the findings on the columns: constant, collinear, unscaled, outlying or far from zero.

    Args:
        moments: of the training rows.
        names: of the columns of x (q,), indicators as `species[Gentoo]`.
        intercept: whether the model has one.
        standardize: whether gradient descent uses standardised columns; None for other solvers, for which the
            condition number of the raw columns does not matter.
    """
    if not len(names):
        return ()
    varies = deviations(moments) > 4 * EPS * moments.mean.abs()
    findings = [_constant(moments, names, j, intercept) for j in range(len(names)) if not varies[j]]
    findings += _pairs(moments, names, varies)
    if standardize is not None:
        findings += unscaled(moments, names, varies, intercept=intercept, standardize=standardize)
    return (*findings, *outlying(moments, names, varies), *far_from_zero(moments, names, varies))


def without(names: Sequence[str], column: str) -> str:
    """Return the option that leaves a column of x, or the category that it belongs to, out of the features.

    >>> without(["area", "species[Gentoo]"], "species[Gentoo]")
    "leave 'species' out: features=['area']"
    """
    features = list(dict.fromkeys(_feature(name) for name in names))
    rest = [name for name in features if name != _feature(column)]
    if not rest or len(rest) > 8:
        return f"leave {_feature(column)!r} out of features"
    return f"leave {_feature(column)!r} out: features={rest!r}"


def _feature(column: str) -> str:
    return column.split("[")[0] if column.endswith("]") else column


def _constant(moments: Moments, names: Sequence[str], j: int, intercept: bool) -> Finding:
    value = float(moments.mean[j])
    cause = "a constant column repeats the intercept, so the two coefficients are not determined"
    if not intercept:
        cause = "a constant column acts as an intercept, which the options leave out"
    return Finding(
        code="constant-column",
        severity="error" if intercept or value == 0 else "note",
        what=f"column {names[j]!r} is constant",
        number=Number(0.0, f"standard deviation 0: {value:.8g} in each of {moments.n:,} rows"),
        cause=cause,
        fix=without(names, names[j]),
    )


def _pairs(moments: Moments, names: Sequence[str], varies: Tensor) -> list[Finding]:
    """Return one finding for each pair of collinear columns, the closest first."""
    spread = torch.where(varies, moments.gram.diagonal(), math.inf).sqrt()
    r = moments.gram / torch.outer(spread, spread)
    with_target = (moments.xy / spread).abs()
    close = (r.abs().triu(1) > COLLINEAR).nonzero().tolist()
    dropped: set[int] = set()
    findings = []
    for i, j in sorted(close, key=lambda pair: -abs(float(r[pair[0], pair[1]]))):
        if i in dropped or j in dropped:
            continue
        # of two collinear columns, keep the one more correlated with the target; the first where the two are equal
        drop = i if float(with_target[i]) < float(with_target[j]) * (1 - 1e-9) else j
        dropped.add(drop)
        findings.append(_pair(names, i, j, float(r[i, j]), drop))
    return findings


def _pair(names: Sequence[str], i: int, j: int, r: float, drop: int) -> Finding:
    left = (1 - abs(r)) * (1 + abs(r))
    exact = left <= 8 * EPS
    growth = "without bound" if exact else f"{figure(1 / left, 3)}-fold"
    return Finding(
        code="collinear-pair",
        severity="error" if exact else "warning",
        what=f"columns {names[i]!r} and {names[j]!r} are {'collinear' if exact else 'nearly collinear'}",
        number=Number(r, f"correlation {r:.8g}: the variance of both coefficients grows {growth}"),
        cause="the data determine one combination of the two, not each; gradient descent is slow along the other",
        fix=without(names, names[drop]),
    )
