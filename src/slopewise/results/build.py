"""From a solution to a fit: the last step of `slopewise.fit`."""

from __future__ import annotations

from slopewise.data.design import Design
from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.errors import check_choice
from slopewise.problem import Problem
from slopewise.results.data_handles import DataHandles
from slopewise.results.fit import Fit
from slopewise.results.inference.covariance import COV_TYPES, Covariance, classical, robust
from slopewise.results.inference.statistics import check_level, parameters_of, residual_sum
from slopewise.results.metrics.regression import Metrics, MetricSums, finish
from slopewise.solution import Solution


def check_inference(cov_type: str, confidence_level: float) -> None:
    """Raise OptionError unless these are a kind of errors and a level; costs no read of the rows."""
    check_choice("cov_type", cov_type, COV_TYPES)
    check_level("confidence_level", confidence_level)


def build_fit(
    *,
    problem: Problem,
    solution: Solution,
    design: Design,
    solver: str,
    reason: str,
    engine: Engine,
    cov_type: str = "nonrobust",
    confidence_level: float = 0.95,
    test: Source | None = None,
    library: str = "pyarrow",
) -> Fit:
    """Return the fit with its uncertainty. Robust errors read the rows once more, classical ones do not.

    Args:
        problem: what was asked.
        solution: what was found.
        design: of the table.
        solver: its name.
        reason: why that one.
        engine: sums over the rows.
        cov_type: classical, hc0, hc1, hc2 or hc3.
        confidence_level: of the confidence intervals.
        test: the rows held out, None without a split.
        library: whose frames `coefficients` is to be made of.

    Raises:
        OptionError: errors or level make no sense.
        FitError: hc2 or hc3 where a row determines its own prediction.
    """
    check_inference(cov_type, confidence_level)
    uncertainty, train = uncertainty_of(problem, solution, engine, cov_type)
    return Fit(
        design=design,
        solution=solution,
        uncertainty=uncertainty,
        solver=solver,
        reason=reason,
        confidence_level=float(confidence_level),
        l2=problem.penalty.strength,
        library=library,
        rows=DataHandles(engine, problem.source, test),
        known_train=train,
    )


def uncertainty_of(
    problem: Problem, solution: Solution, engine: Engine, cov_type: str
) -> tuple[Covariance, Metrics | None]:
    """Return the covariance of exact estimates, and the metrics of the rows if they had to be read for it."""
    moments, factor = solution.moments, solution.factor
    dof = moments.n - parameters_of(factor=factor)
    rss = residual_sum(solution)
    if cov_type == "nonrobust":
        return classical(factor=factor, variance=rss / dof if dof > 0 else float("nan")), None
    read = robust(
        cov_type,
        engine=engine,
        source=problem.source,
        factor=factor,
        theta=solution.theta,
        n=moments.n,
        dof=dof,
    )
    sums = MetricSums(
        moments.n,
        moments.weight,
        float(solution.rss),
        float(read.absolute),
        float(moments.y_mean),
        float(moments.yy),
    )
    # Residuals that are nothing but rounding would make a covariance of nothing but rounding.
    covariance = classical(factor=factor, variance=0.0) if rss == 0 else read.covariance
    return Covariance(cov_type, covariance.raw, covariance.inner), finish(sums)
