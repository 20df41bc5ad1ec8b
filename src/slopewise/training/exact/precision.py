"""Number of correct decimal digits of each coefficient, estimated from bounds of the rounding errors.

Three sources of error are bounded or estimated and added, in raw units, through M with (X'WX)⁻¹ = M M':
the rounding of the moments (or of the residuals, once refined), and the rounding of the table itself, whose
decimals were converted to the nearest float64 when it was read. Higham, Accuracy and Stability of Numerical
Algorithms, 2nd ed., sections 7.2 and 20.1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from slopewise.solution import Basis, Moments
from slopewise.training.exact.scaling import EPS, ScaledProblem
from slopewise.training.moments.standardize import raw_map

FULL = 15.0
FEW = 9.0

ZERO = EPS / 8
"""Contribution to the target, relative to it, that refinement leaves of a coefficient which is zero: 2e-17 at most."""

COMPARABLE = 1e-8
"""Length of a column, relative to the longest, below which what is rounded there may hide a coefficient here."""


def moment_digits(*, scaled: ScaledProblem, basis: Basis, c: Tensor, moments: Moments, rss: float) -> Tensor:
    """Return digits (p,) of a solution of the scaled normal equations.

    The moments have a relative error of a few EPS, more where the shift left some cancellation; it propagates to
    the coefficients as |gram⁻¹| (|gram| |c| + |xy|).

    Args:
        scaled: the problem in centred columns of unit length.
        basis: triangular factor of its normal equations.
        c: (q,), coefficients of the scaled columns.
        moments: of the training rows.
        rss: residual sum of squares.
    """
    rounding = 4 * EPS * 10**moments.lost
    wrong = rounding * (scaled.gram.abs() @ c.abs() + scaled.xy.abs())
    return _digits(scaled, basis, c, moments, rss, wrong_gradient=wrong, wrong_residual=0.0)


def refined_digits(
    *,
    scaled: ScaledProblem,
    basis: Basis,
    c: Tensor,
    moments: Moments,
    rss: float,
    extended: bool,
    last_step: Tensor,
    rounded: Tensor,
) -> Tensor:
    """Return digits (p,) of a refined solution.

    Residuals in float64 have errors of EPS times |u| |c| + |y|, which they are formed from; in pairs of float64
    of about EPS² times themselves. Integers in the table are exact in float64.

    Args:
        scaled: the problem in centred columns of unit length.
        basis: triangular factor of its normal equations.
        c: (q,), coefficients of the scaled columns.
        moments: of the training rows.
        rss: residual sum of squares.
        extended: the residuals were formed in pairs of float64.
        last_step: (p,), the last correction, raw units.
        rounded: mask (q + 1,) of the columns, y last, that hold values which are not integers.
    """
    unit = EPS**2 if extended else EPS
    size = math.sqrt(rss) + (0.0 if extended else float(c.abs().sum()) + math.sqrt(scaled.yy))
    wrong = unit * math.sqrt(rss) * torch.ones_like(c)
    return _digits(
        scaled,
        basis,
        c,
        moments,
        rss,
        wrong_gradient=wrong,
        wrong_residual=unit * size,
        floor=EPS**2 if extended else ZERO,
        last_step=last_step,
        rounded=rounded.to(torch.float64),
    )


def rss_digits(rss: float, yy: float) -> float:
    """Return the correct digits of a residual sum of squares that was computed as a difference from yy.

    Example:
        >>> rss_digits(rss=1.0, yy=1e6)
        9.0
    """
    return 15.0 - math.log10(max(yy / rss, 1.0)) if rss > 0 else 0.0


def few_digits(digits: Tensor) -> bool:
    """Return whether some coefficient has fewer than FEW correct digits, so that the user should be told."""
    return bool((digits < FEW).any())


def _digits(
    scaled: ScaledProblem,
    basis: Basis,
    c: Tensor,
    moments: Moments,
    rss: float,
    *,
    wrong_gradient: Tensor,
    wrong_residual: float,
    floor: float = ZERO,
    last_step: Tensor | None = None,
    rounded: Tensor | None = None,
) -> Tensor:
    rounded = torch.ones(len(c) + 1, dtype=c.dtype) if rounded is None else rounded
    m = raw_map(basis)
    coef = c / scaled.scale
    size = rounded[:-1] * torch.sqrt(1 + moments.weight * (scaled.mean / scaled.scale) ** 2)
    inverse = (m @ basis.r_inverse.T).abs()
    if scaled.intercept:
        wrong_gradient = torch.cat([wrong_gradient.new_zeros(1), wrong_gradient])
        size_all = torch.cat([size.new_zeros(1), size])
        theta = torch.cat([(moments.y_mean - moments.mean @ coef)[None], coef])
    else:
        size_all, theta = size, coef
    reach = m.norm(dim=1)
    y_size = float(rounded[-1]) * math.sqrt(scaled.yy + moments.weight * float(moments.y_mean) ** 2)
    rows = math.sqrt(max(moments.n, 1))
    table = (
        EPS
        / 2
        * (
            reach * math.sqrt(float(((c * size) ** 2).sum()) + y_size**2) / rows
            + inverse @ size_all * (math.sqrt(rss) / rows)
        )
    )
    error = inverse @ wrong_gradient + reach * wrong_residual + table
    if scaled.intercept:
        error[0] += EPS / 2 * float((moments.mean * coef).abs().sum() + moments.y_mean.abs())
    if last_step is not None:
        error += EPS * last_step.abs() + EPS / 2 * theta.abs()
    # A coefficient that is zero but for rounding is compared with the size that it might have, any other with itself.
    whole = math.sqrt(scaled.yy + scaled.intercept * moments.weight * float(moments.y_mean) ** 2)
    zero = floor * whole / scaled.scale
    if scaled.intercept:
        zero = torch.cat([floor * ((moments.mean * coef).abs().sum() + moments.y_mean.abs())[None], zero])
    lengths = torch.cat([scaled.scale.new_full((len(zero) - len(coef),), math.sqrt(moments.weight)), scaled.scale])
    is_zero = (theta.abs() <= zero) & (lengths >= COMPARABLE * lengths.max())
    against = torch.where(is_zero, reach * math.sqrt(scaled.yy), theta.abs())
    digits: Tensor = -(error / against).nan_to_num(0.0, posinf=1.0).log10()
    return digits.clamp(0.0, FULL)
