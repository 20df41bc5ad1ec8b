"""The coefficient table: estimates, standard errors, tests and intervals, of every kind of fit.

Definitions are those of statsmodels: Student's t with squared loss, the standard normal with every likelihood. The
parameters of several outputs are listed output by output: those of the second class first, then the third's, each
against the first class.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from slopewise.errors import OptionError
from slopewise.results.inference.covariance import parameters_of

if TYPE_CHECKING:
    from slopewise.results.record import FitRecord


def check_level(option: str, level: float) -> float:
    """Return `level` if it is a share strictly between 0 and 1.

    Args:
        option: its name, for the message.
        level: its value.

    Raises:
        OptionError: it is not.
    """
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
        raise OptionError(f"{option} is {level}; give a share between 0 and 1, such as 0.95.")
    return float(level)


@dataclass(frozen=True, slots=True)
class Distribution:
    """What estimate / standard error is compared with: Student's t on dof degrees of freedom, or the normal (inf)."""

    dof: float = math.inf

    @property
    def letter(self) -> str:
        """Name of the statistic, t or z."""
        return "z" if math.isinf(self.dof) else "t"

    def two_sided(self, statistic: Tensor) -> Tensor:
        """Return the probability (d,) of a statistic at least that far from 0."""
        from scipy.special import ndtr, stdtr

        size = -statistic.abs().numpy()
        if math.isinf(self.dof):
            return 2 * torch.from_numpy(ndtr(size))
        if not self.dof > 0:
            return torch.full_like(statistic, torch.nan)
        return 2 * torch.from_numpy(stdtr(self.dof, size))

    def quantile(self, level: float) -> float:
        """Return the q such that the statistic lies within ±q with probability `level`.

        >>> round(Distribution().quantile(0.95), 6)
        1.959964
        """
        from scipy.special import ndtri, stdtrit

        if math.isinf(self.dof):
            return float(ndtri(0.5 + level / 2))
        return float(stdtrit(self.dof, 0.5 + level / 2)) if self.dof > 0 else math.nan


@dataclass(frozen=True, slots=True)
class CoefficientTable:
    """One row per parameter, every field (d,); statistic = estimate / std_error, p is two-sided.

    ratio = exp(estimate), between ratio_low and ratio_high: how odds or rates multiply when the column grows by 1.
    """

    names: tuple[str, ...]
    distribution: Distribution
    estimate: Tensor
    std_error: Tensor
    statistic: Tensor
    p: Tensor
    ci_low: Tensor
    ci_high: Tensor

    @property
    def ratio(self) -> tuple[Tensor, Tensor, Tensor]:
        """The exponentials of the estimates and of the ends of their intervals."""
        return self.estimate.exp(), self.ci_low.exp(), self.ci_high.exp()


def coefficient_table(
    *,
    estimate: Tensor,
    variance: Tensor,
    distribution: Distribution,
    confidence_level: float,
    names: tuple[str, ...] = (),
) -> CoefficientTable:
    """Return the coefficient table, with Wald intervals.

    Args:
        estimate: parameters (d,).
        variance: the diagonal of their covariance (d,).
        distribution: of estimate / standard error.
        confidence_level: of the intervals.
        names: of the parameters (d,).
    """
    std_error = variance.clamp(min=0).sqrt()
    statistic = estimate / std_error
    half = distribution.quantile(confidence_level) * std_error
    p = distribution.two_sided(statistic)
    return CoefficientTable(names, distribution, estimate, std_error, statistic, p, estimate - half, estimate + half)


T_LOSSES = ("squared", "absolute", "quantile")
"""Losses whose estimates are compared with Student's t; the others with the normal distribution."""


def degrees_of_freedom(record: FitRecord) -> float:
    """Return n minus the coefficients for Student's t, infinity for the normal distribution; NaN if there are none."""
    if record.loss.name not in T_LOSSES:
        return math.inf
    solution = record.solution
    if record.covariance is not None and record.covariance.clusters:
        return float(record.covariance.clusters - 1)
    if record.loss.name != "squared":
        return float(solution.rows.n - solution.theta.numel())
    return solution.rows.n - parameters_of(solution) if solution.basis is not None else math.nan


def table_of(record: FitRecord) -> CoefficientTable:
    """Return the coefficient table of a fit; NaN errors where it has no covariance."""
    estimate = record.coefficient_matrix().reshape(-1)
    covariance = record.covariance
    variance = torch.full_like(estimate, torch.nan) if covariance is None else covariance.raw.diagonal()
    names = record.design.names * (len(estimate) // len(record.design.names))
    return coefficient_table(
        estimate=estimate,
        variance=variance,
        distribution=Distribution(degrees_of_freedom(record)),
        confidence_level=record.confidence_level,
        names=names,
    )


RATIOS: dict[str, tuple[str, str, str]] = {
    "logistic": ("odds_ratio", "odds_low", "odds_high"),
    "softmax": ("odds_ratio", "odds_low", "odds_high"),
    "poisson": ("rate_ratio", "rate_low", "rate_high"),
    "negative_binomial": ("rate_ratio", "rate_low", "rate_high"),
    "gamma": ("mean_ratio", "mean_low", "mean_high"),
}
"""Columns of the exponentials of the coefficients, by loss."""


def coefficient_columns(record: FitRecord, table: Callable[[], CoefficientTable]) -> dict[str, list[Any]]:
    """Return the coefficient table column by column.

    class (of classes), name and estimate, raw units; of a fit that was solved also std_error, t or z, p, ci_low and
    ci_high; digits (least squares), exact (of a descent: the answer it goes towards), and odds_ratio with its interval
    (classes).

    Args:
        record: of the fit.
        table: makes the table, where there is one to make.

    Raises:
        OptionError: there are hidden layers.
    """
    if not record.has_coefficients:
        raise OptionError(
            f"a network with hidden layers has no coefficients: {record.model.describe()}; its numbers are in theta."
        )
    names = list(record.design.names)
    outputs = record.coefficient_matrix().shape[0]
    columns: dict[str, list[Any]] = {}
    if record.class_names:
        columns["class"] = [name for name in record.class_names[1:] for _ in names]
    columns["name"] = names * outputs
    if not record.is_solved:
        return columns | {"estimate": record.coefficient_matrix().reshape(-1).tolist()}
    found = table()
    columns |= {"estimate": found.estimate.tolist(), "std_error": found.std_error.tolist()}
    columns |= {found.distribution.letter: found.statistic.tolist(), "p": found.p.tolist()}
    columns |= {"ci_low": found.ci_low.tolist(), "ci_high": found.ci_high.tolist()}
    if record.loss.name in RATIOS:
        parts = zip(RATIOS[record.loss.name], found.ratio, strict=True)
        columns |= {name: part.tolist() for name, part in parts}
    if record.loss.name == "squared":
        digits = record.solution.digits
        columns["digits"] = [tenths(d) for d in digits.tolist()] if digits is not None else [math.nan] * len(names)
    if record.descent is not None and record.descent.exact is not None:
        columns["exact"] = record.descent.exact.theta.tolist()
    return columns


def tenths(digits: float) -> float:
    """Return an estimate of digits without decimals it cannot have, and never rounded up."""
    return math.floor(10 * digits) / 10 if math.isfinite(digits) else math.nan
