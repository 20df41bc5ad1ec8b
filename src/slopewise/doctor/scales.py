"""Findings about the scales of the columns: relative to each other, and to their means."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from slopewise.doctor.finding import Finding, Number
from slopewise.results.report.text import figure
from slopewise.solution import Moments
from slopewise.training.exact.scaling import EPS
from slopewise.training.moments.quadratic import quadratic_of
from slopewise.training.moments.standardize import standardization

OUTLYING = 1e3
FAR = 1e4
WORTH_SCALING = 10.0
"""Ratio of condition numbers, and so of epochs, from which standardising is recommended."""
SLOW = 100.0
SINGULAR = 1e12


def deviations(moments: Moments) -> Tensor:
    """Return the standard deviations (q,) of the columns, with divisor n."""
    return (moments.gram.diagonal().clamp(min=0) / moments.weight).sqrt()


def unscaled(
    moments: Moments, names: Sequence[str], varies: Tensor, *, intercept: bool, standardize: bool
) -> list[Finding]:
    """Return a finding where standardising makes the condition number, and so the epochs, ten times smaller.

    Args:
        moments: of the training rows.
        names: of the columns (q,).
        varies: mask (q,) of the columns that are not constant.
        intercept: whether the model has one.
        standardize: whether the descent is on standardised columns.
    """
    raw = condition(moments, varies, intercept=intercept, standardize=False)
    standard = condition(moments, varies, intercept=intercept, standardize=True)
    if standard > SINGULAR or raw < SLOW or raw < WORTH_SCALING * standard:
        return []
    fix = "leave out standardize=False: train on standardised columns, with the result in the units of the table"
    if standardize:
        fix = "keep standardize=True, which is the default; standardize=False would need these epochs"
    return [
        Finding(
            code="unscaled-columns",
            severity="note" if standardize else "warning",
            what=f"on raw columns gradient descent takes {figure(raw / standard, 3)} times the epochs",
            number=Number(raw, f"condition number {figure(raw, 4)} raw, {figure(standard, 4)} standardised"),
            cause=_why_unscaled(moments, names, varies, intercept),
            fix=fix,
        )
    ]


def _why_unscaled(moments: Moments, names: Sequence[str], varies: Tensor, intercept: bool) -> str:
    deviation = deviations(moments)
    inside = torch.where(varies, deviation, math.nan)
    large = int(inside.nan_to_num(nan=-1.0).argmax())
    small = int(inside.nan_to_num(nan=math.inf).argmin())
    ratio = float(deviation[large] / deviation[small])
    distance = torch.where(varies, moments.mean.abs() / deviation, 0.0)
    far = int(distance.argmax())
    if intercept and float(distance[far]) > ratio:
        where = f"the mean of {names[far]!r} is {figure(float(distance[far]), 3)} standard deviations from zero"
    else:
        where = f"{names[large]!r} varies {figure(ratio, 3)} times as much as {names[small]!r}"
    return f"{where}; the learning rate is the same for every direction, and the epochs grow with the condition number"


def condition(moments: Moments, varies: Tensor, *, intercept: bool, standardize: bool) -> float:
    """Return the 2-norm condition number of the cost's Hessian over the columns that vary; inf where singular.

    Args:
        moments: of the training rows.
        varies: mask (q,) of the columns that are not constant.
        intercept: whether the model has one.
        standardize: take standardised columns, else raw ones.
    """
    units = standardization(moments, standardize=standardize, intercept=intercept)
    p = len(moments.mean) + intercept
    # the optimum is not used here, and passing one saves a pseudo-inverse
    hessian = quadratic_of(moments, units, optimum=torch.zeros(p, dtype=torch.float64)).hessian
    keep = torch.cat([torch.ones(int(intercept), dtype=torch.bool), varies])
    values = torch.linalg.eigvalsh(hessian[keep][:, keep])
    if not len(values) or float(values[0]) <= len(values) * EPS * float(values[-1]):
        return math.inf
    return float(values[-1] / values[0])


def outlying(moments: Moments, names: Sequence[str], varies: Tensor) -> list[Finding]:
    """Return a finding for each column that has a thousand times the median standard deviation.

    Args:
        moments: of the training rows.
        names: of the columns (q,).
        varies: mask (q,) of the columns that are not constant.
    """
    deviation = deviations(moments)
    if int(varies.sum()) < 3:
        return []
    middle = float(deviation[varies].median())
    found = []
    for j in (varies & (deviation > OUTLYING * middle)).nonzero()[:, 0].tolist():
        ratio = float(deviation[j]) / middle
        found.append(
            Finding(
                code="outlying-scale",
                severity="warning",
                what=f"column {names[j]!r} is on another scale than the others",
                number=Number(ratio, f"its standard deviation is {figure(ratio, 3)} times the median column's"),
                cause="its unit is small for the quantity it measures, so its coefficient is tiny and hard to compare",
                fix=f"divide {names[j]!r} by 1e{round(math.log10(ratio))} in the table",
            )
        )
    return found


def far_from_zero(moments: Moments, names: Sequence[str], varies: Tensor) -> list[Finding]:
    """Return a finding for each column whose mean is at least 10,000 standard deviations from zero.

    Args:
        moments: of the training rows.
        names: of the columns (q,).
        varies: mask (q,) of the columns that are not constant.
    """
    deviation = deviations(moments)
    found = []
    for j in (varies & (moments.mean.abs() > FAR * deviation)).nonzero()[:, 0].tolist():
        mean, spread = float(moments.mean[j]), float(deviation[j])
        lost = math.log10(abs(mean) / spread)
        unit = 10.0 ** math.floor(math.log10(spread))
        found.append(
            Finding(
                code="far-from-zero",
                severity="warning",
                what=f"column {names[j]!r} is far from zero relative to its standard deviation",
                number=Number(abs(mean) / spread, f"mean {mean:.8g}, standard deviation {figure(spread, 3)}"),
                cause=f"the first {lost:.0f} of a number's 16 digits (7 in float32) are those of the mean",
                fix=f"subtract {round(mean / unit) * unit:.15g} from {names[j]!r} in the table",
            )
        )
    return found
