"""Findings that the moments of the rows give away, before anything is fitted."""

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
"""|r| from which a pair counts as nearly one column: the errors of both coefficients grow 22-fold there."""


def data_findings(
    moments: Moments, names: Sequence[str], *, intercept: bool = True, standardize: bool | None = None
) -> tuple[Finding, ...]:
    """Return what the columns themselves have in store.

    Args:
        moments: of the training rows.
        names: of the columns of x (q,), indicators as `species[Gentoo]`.
        intercept: whether the model has one.
        standardize: whether the descent works in standard units; None where nothing descends, and then the
            condition of the raw columns is nobody's concern.
    """
    if not len(names):
        return ()
    varies = deviations(moments) > 4 * EPS * moments.mean.abs()
    found = [_constant(moments, names, j, intercept) for j in range(len(names)) if not varies[j]]
    found += _pairs(moments, names, varies)
    if standardize is not None:
        found += unscaled(moments, names, varies, intercept=intercept, standardize=standardize)
    return (*found, *outlying(moments, names, varies), *far_from_zero(moments, names, varies))


def without(names: Sequence[str], column: str) -> str:
    """Return what to type to leave a column of x, or the category that it belongs to, out of the features."""
    features = list(dict.fromkeys(_feature(name) for name in names))
    rest = [name for name in features if name != _feature(column)]
    if not rest or len(rest) > 8:
        return f"leave {_feature(column)!r} out of features"
    return f"leave {_feature(column)!r} out: features={rest!r}"


def _feature(column: str) -> str:
    return column.split("[")[0] if column.endswith("]") else column


def _constant(moments: Moments, names: Sequence[str], j: int, intercept: bool) -> Finding:
    value = float(moments.mean[j])
    cause = "a column that never changes repeats the intercept, so any split between the two fits equally well"
    if not intercept:
        cause = "a column that never changes can only serve as an intercept, which was asked to be left out"
    return Finding(
        code="constant-column",
        severity="error" if intercept or value == 0 else "note",
        what=f"column {names[j]!r} never changes",
        number=Number(0.0, f"standard deviation 0: {value:.8g} in each of {moments.n:,} rows"),
        cause=cause,
        fix=without(names, names[j]),
    )


def _pairs(moments: Moments, names: Sequence[str], varies: Tensor) -> list[Finding]:
    """Return one finding for each column that another one nearly repeats, closest pair first."""
    spread = torch.where(varies, moments.gram.diagonal(), math.inf).sqrt()
    r = moments.gram / torch.outer(spread, spread)
    with_target = (moments.xy / spread).abs()
    close = (r.abs().triu(1) > COLLINEAR).nonzero().tolist()
    gone: set[int] = set()
    found = []
    for i, j in sorted(close, key=lambda pair: -abs(float(r[pair[0], pair[1]]))):
        if i in gone or j in gone:
            continue
        # of two that say the same, keep the one that says more of the target; the first where that is rounding
        drop = i if float(with_target[i]) < float(with_target[j]) * (1 - 1e-9) else j
        gone.add(drop)
        found.append(_pair(names, i, j, float(r[i, j]), drop))
    return found


def _pair(names: Sequence[str], i: int, j: int, r: float, drop: int) -> Finding:
    left = (1 - abs(r)) * (1 + abs(r))
    exact = left <= 8 * EPS
    growth = "without bound" if exact else f"{figure(1 / left, 3)}-fold"
    return Finding(
        code="collinear-pair",
        severity="error" if exact else "warning",
        what=f"columns {names[i]!r} and {names[j]!r} say {'the same' if exact else 'nearly the same'}",
        number=Number(r, f"correlation {r:.8g}: the variance of both coefficients grows {growth}"),
        cause="the data determine one mixture of the two, not each of them; a descent crawls along the other",
        fix=without(names, names[drop]),
    )
