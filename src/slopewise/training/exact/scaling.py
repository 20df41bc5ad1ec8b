"""Scale a least squares problem to centred columns of unit length, and convert its factor back to raw units.

Whatever the units of the table, solvers work on columns u = (x - mean) / scale with Σ w u² = 1; with an
intercept the column of ones is orthogonal to all of them and is never part of the system.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from slopewise.errors import FitError, quoted
from slopewise.problem import Problem
from slopewise.solution import Factor, Moments
from slopewise.training.moments.moments import spread_of

EPS = torch.finfo(torch.float64).eps


@dataclass(frozen=True, slots=True)
class ScaledProblem:
    """The problem in centred columns of unit length.

    gram (q, q) with unit diagonal, xy (q,), yy (), mean (q,), scale (q,), ridge (q,); weight: Σ w of the rows.
    """

    gram: Tensor
    xy: Tensor
    yy: float
    mean: Tensor
    scale: Tensor
    ridge: Tensor
    weight: float
    intercept: bool

    @property
    def penalised(self) -> Tensor:
        """The penalised Gram matrix, gram + diag(ridge) (q, q)."""
        return self.gram + torch.diag(self.ridge)


def scale_problem(problem: Problem, moments: Moments) -> ScaledProblem:
    """Return the problem in centred columns of unit length.

    Raises:
        FitError: fewer rows than coefficients, a constant column, a constant target.
    """
    gram, xy, yy, mean = spread_of(moments, problem.intercept)
    _check_rows(problem, moments)
    names = problem.names[int(problem.intercept) :]
    _check_spread(problem, moments, gram.diagonal(), float(yy), names)
    scale = gram.diagonal().sqrt()
    return ScaledProblem(
        gram=gram / torch.outer(scale, scale),
        xy=xy / scale,
        yy=float(yy),
        mean=mean,
        scale=scale,
        ridge=problem.penalty.strength / scale**2,
        weight=moments.weight,
        intercept=problem.intercept,
    )


def factor_of(scaled: ScaledProblem, r: Tensor) -> Factor:
    """Return the factor for upper triangular r (q, q) with r'r = gram + diag(ridge)."""
    q = len(scaled.mean)
    inverse = torch.linalg.solve_triangular(r, torch.eye(q, dtype=r.dtype), upper=True)
    ridge = scaled.ridge
    if scaled.intercept:
        whole = torch.zeros(q + 1, q + 1, dtype=r.dtype)
        whole[0, 0] = scaled.weight**-0.5
        whole[1:, 1:] = inverse
        inverse = whole
        ridge = torch.cat([torch.zeros(1, dtype=r.dtype), ridge])
    return Factor(scaled.mean, scaled.scale, inverse, ridge, scaled.intercept)


def raw_factor(factor: Factor) -> Tensor:
    """Return M (p, p) with (X'WX)⁻¹ = M M' in raw units (for an unpenalised fit), never forming the Gram matrix.

    Row 0, the intercept's, is r_inverse[0] - Σ_j mean_j / scale_j · r_inverse[j].
    """
    if not factor.intercept:
        return factor.r_inverse / factor.scale[:, None]
    coef = factor.r_inverse[1:] / factor.scale[:, None]
    return torch.cat([(factor.r_inverse[0] - factor.mean @ coef)[None], coef])


def _check_rows(problem: Problem, moments: Moments) -> None:
    if moments.n < len(problem.names) and not problem.penalty.strength:
        dropped = f" ({moments.dropped} more were dropped for missing values)" if moments.dropped else ""
        raise FitError(
            f"{moments.n} rows{dropped} cannot determine {len(problem.names)} coefficients; give more rows, "
            "name fewer features, or set l2 above zero."
        )


def _check_spread(problem: Problem, moments: Moments, spread: Tensor, yy: float, names: tuple[str, ...]) -> None:
    noise = moments.weight * (4 * EPS * moments.mean.abs()) ** 2
    flat = [name for name, is_flat in zip(names, (spread <= noise).tolist(), strict=True) if is_flat]
    if flat:
        plural = len(flat) > 1
        says = "repeats the intercept" if problem.intercept else "is zero everywhere"
        raise FitError(
            f"column{'s' * plural} {quoted(flat)} {'do' if plural else 'does'} not vary in the training rows and so "
            f"{says}; leave {'them' if plural else 'it'} out."
        )
    if yy <= moments.weight * (4 * EPS * abs(float(moments.y_mean))) ** 2:
        raise FitError(
            f"the target is {float(moments.y_mean):.6g} in every training row, so there is nothing to fit; "
            "check the target's name."
        )
