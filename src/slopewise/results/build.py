"""From a solution to a fit: the last step of `slopewise.fit`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from slopewise.data.design import Design
from slopewise.errors import OptionError, check_choice
from slopewise.losses.log_link import LogLink
from slopewise.losses.loss import PiecewiseLinear
from slopewise.problem import Problem
from slopewise.results.fit import Fit
from slopewise.results.inference.coefficients import check_level
from slopewise.results.inference.covariance import COV_TYPES, covariance_at, covariance_of, refuse_robust
from slopewise.results.inference.statistics import residual_sum, residual_variance
from slopewise.results.metrics.regression import MetricSums, finish
from slopewise.results.record import Covariance, DataHandles, FitRecord, RegressionMetrics
from slopewise.solution import Solution

# What least squares does not need is imported where it is needed: the shell waits for every import.


@dataclass(frozen=True, slots=True)
class Asked:
    """What a fit was asked to tell.

    cov_type: kind of the standard errors, and lags those of hac; confidence_level of the intervals; library of the
    frames.
    """

    cov_type: str = "nonrobust"
    confidence_level: float = 0.95
    library: str = "pyarrow"
    lags: int | None = None


def check_inference(cov_type: str, confidence_level: float, lags: int | None = None) -> None:
    """Raise OptionError unless these are a kind of errors, a level and lags; costs no read of the rows.

    Args:
        cov_type: one of COV_TYPES.
        confidence_level: between 0 and 1.
        lags: a whole number, and of hac alone; or None.
    """
    check_choice("cov_type", cov_type, COV_TYPES)
    check_level("confidence_level", confidence_level)
    if lags is None:
        return
    if cov_type != "hac":
        raise OptionError(f"lags is {lags!r}, and only cov_type='hac' has lags; leave it out, or give both.")
    if isinstance(lags, bool) or not isinstance(lags, int) or lags < 0:
        raise OptionError(f"lags is {lags!r}; give a whole number of at least 0.")


def build_fit(
    *,
    problem: Problem,
    solution: Solution,
    design: Design,
    data: DataHandles,
    solver: str,
    reason: str,
    asked: Asked | None = None,
) -> Fit[Any]:
    """Return the fit with its covariance. Robust errors read the rows once more, nonrobust ones do not.

    The standard errors of a descent are those of the exact estimates, given only where it has arrived there; networks
    have none.

    Args:
        problem: what was asked.
        solution: what was found.
        design: of the table.
        data: the rows.
        solver: its name.
        reason: why that one.
        asked: what it is to tell.

    Raises:
        OptionError: cov_type, confidence_level or lags make no sense.
        FitError: hc2 or hc3 where a row determines its own prediction.
    """
    asked = asked or Asked()
    check_inference(asked.cov_type, asked.confidence_level, asked.lags)
    glm = None
    if isinstance(problem.loss, LogLink) and solution.descent is None:
        from slopewise.training.likelihood.information import glm_statistics

        glm = glm_statistics(problem, solution, data.engine)
    solution = _with_basis(problem, solution, data, asked.cov_type, None if glm is None else glm.dispersion)
    covariance, exact_covariance, train = _covariances(problem, solution, data, solver, asked)
    record = FitRecord(
        design=design,
        model=solution.model or problem.model,
        loss=problem.loss,
        solution=solution,
        solver=solver,
        reason=reason,
        covariance=covariance,
        exact_covariance=exact_covariance,
        cov_type=asked.cov_type,
        confidence_level=float(asked.confidence_level),
        l2=problem.penalty.strength,
        l1=problem.penalty.l1,
        library=asked.library,
        train=train,
        glm=glm,
    )
    return Fit(record, data)


def _with_basis(
    problem: Problem, solution: Solution, data: DataHandles, kind: str, dispersion: float | None
) -> Solution:
    """Return the solution with the basis of its loss's own covariance, where that is not the Hessian.

    Raises:
        OptionError: robust errors of a quantile, whose errors are robust already.
    """
    loss = problem.loss
    if solution.descent is not None or loss.name == "squared" or loss.response == "class":
        return solution
    if kind == "nonrobust":
        from slopewise.training.likelihood.inference import sampling_basis

        return replace(solution, basis=sampling_basis(problem, solution, data.engine, dispersion))
    if isinstance(loss, PiecewiseLinear):
        raise OptionError(
            f"cov_type={kind!r} needs a Hessian, and loss {loss.name!r} has none; its standard errors are robust to "
            "unequal variances already: leave cov_type out."
        )
    return solution


def _covariances(
    problem: Problem, solution: Solution, data: DataHandles, solver: str, asked: Asked
) -> tuple[Covariance | None, Covariance | None, RegressionMetrics | None]:
    """Return the covariance of theta, that of the exact solution of a descent, and metrics met on the way."""
    descent = solution.descent
    if descent is not None and descent.exact is not None:
        exact = descent.exact
        at_exact, _ = _covariance(problem, exact, data, asked)
        return covariance_at(solution.theta, exact, at_exact), at_exact, None
    if solution.basis is None or descent is not None:
        refuse_robust(asked.cov_type, solver)
        return None, None, None
    covariance, train = _covariance(problem, solution, data, asked)
    return covariance, None, train


def _covariance(
    problem: Problem, solution: Solution, data: DataHandles, asked: Asked
) -> tuple[Covariance, RegressionMetrics | None]:
    squared = problem.loss.name == "squared"
    dispersion = residual_variance(solution) if squared else 1.0
    kind, lags = asked.cov_type, asked.lags
    covariance, absolute = covariance_of(
        kind, problem=problem, solution=solution, engine=data.engine, dispersion=dispersion, lags=lags
    )
    if not squared or kind == "nonrobust":
        return covariance, None
    moments = solution.rows
    if residual_sum(solution) == 0:
        # Residuals that are nothing but rounding would make a covariance of nothing but rounding.
        covariance = replace(covariance, raw=covariance.raw * 0, inner=covariance.inner * 0)
    sums = MetricSums(moments.n, moments.weight, solution.loss, absolute, float(moments.y_mean), float(moments.yy))
    return covariance, finish(sums)
