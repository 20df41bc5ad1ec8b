"""Scale a least squares problem to centred columns of unit length, and convert its factor back to raw units.

Whatever the units of the table, solvers work on columns u = (x - mean) / scale with Σ w u² = 1; with an
intercept the column of ones is orthogonal to all of them and is never part of the system.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from slopewise.errors import FitError, OptionError, quoted
from slopewise.problem import Problem
from slopewise.solution import Basis, Moments
from slopewise.training.moments.moments import spread_of

EPS = torch.finfo(torch.float64).eps

LEAST = 1e-290
"""Squares below it have fewer digits than float64 has elsewhere, or soon will."""


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


def basis_of(scaled: ScaledProblem, r: Tensor) -> Basis:
    """Return the basis for upper triangular r (q, q) with r'r = gram + diag(ridge)."""
    q = len(scaled.mean)
    inverse = torch.linalg.solve_triangular(r, torch.eye(q, dtype=r.dtype), upper=True)
    if scaled.intercept:
        whole = torch.zeros(q + 1, q + 1, dtype=r.dtype)
        whole[0, 0] = scaled.weight**-0.5
        whole[1:, 1:] = inverse
        inverse = whole
    return with_inner(Basis(scaled.mean, scaled.scale, inverse, inverse, scaled.intercept), scaled)


def with_inner(basis: Basis, scaled: ScaledProblem) -> Basis:
    """Return the basis with inner (p, p) = Σ w z z' = I - r_inverse' diag(ridge) r_inverse over the training rows."""
    inverse = basis.r_inverse
    inner = torch.eye(inverse.shape[0], dtype=inverse.dtype)
    if bool(scaled.ridge.any()):
        free = torch.zeros(int(basis.intercept), dtype=inverse.dtype)
        inner = inner - inverse.T @ (torch.cat([free, scaled.ridge])[:, None] * inverse)
    return replace(basis, inner=inner)


def refuse_warm(warm: Tensor | None, solver: str) -> None:
    """Raise OptionError where an exact solver is given a start."""
    if warm is not None:
        raise OptionError(f"solver {solver!r} solves at once and takes no start; leave warm_start out.")


def _check_rows(problem: Problem, moments: Moments) -> None:
    if moments.n < len(problem.names) and not problem.penalty.strength:
        dropped = f" ({moments.dropped} more were dropped for missing values)" if moments.dropped else ""
        raise FitError(
            f"{moments.n} rows{dropped} cannot determine {len(problem.names)} coefficients; give more rows, "
            "name fewer features, or set l2 above zero."
        )


def _underflows(spread: float, mean: float, moments: Moments) -> bool:
    """Return whether Σ w (x - mean)² (spread) has lost digits to the smallest float64, of values that are not all 0."""
    return spread < LEAST * moments.weight and mean != 0 and mean**2 < LEAST


def _check_spread(problem: Problem, moments: Moments, spread: Tensor, yy: float, names: tuple[str, ...]) -> None:
    tiny = [
        n for n, s, m in zip(names, spread.tolist(), moments.mean.tolist(), strict=True) if _underflows(s, m, moments)
    ]
    if tiny or _underflows(yy, float(moments.y_mean), moments):
        subject = f"column{'s' * (len(tiny) > 1)} {quoted(tiny)}" if tiny else "the target"
        raise FitError(
            f"{subject} {'hold' if len(tiny) > 1 else 'holds'} values below 1e-145, whose squares float64 does not "
            "hold; multiply by a power of ten first."
        )
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
