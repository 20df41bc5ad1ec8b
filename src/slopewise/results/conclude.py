"""From a solution to a fit: the last step of `slopewise.fit`."""

from __future__ import annotations

from slopewise.data.design import Design
from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.errors import check_choice
from slopewise.problem import Problem
from slopewise.results.covariance import ERRORS, Covariance, classical, robust
from slopewise.results.fit import Fit
from slopewise.results.inference import check_level, parameters_of, residual_sum
from slopewise.results.metrics import Metrics, MetricSums, finish
from slopewise.results.rows_kept import Rows
from slopewise.solution import Solution


def check_inference(errors: str, level: float) -> None:
    """Raise OptionError unless these are a kind of errors and a level; costs no read of the rows."""
    check_choice("errors", errors, ERRORS)
    check_level("level", level)


def conclude(
    *,
    problem: Problem,
    solution: Solution,
    design: Design,
    solver: str,
    reason: str,
    engine: Engine,
    errors: str = "classical",
    level: float = 0.95,
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
        errors: classical, hc0, hc1, hc2 or hc3.
        level: of the confidence intervals.
        test: the rows held out, None without a split.
        library: whose frames `coefficients` is to be made of.

    Raises:
        OptionError: errors or level make no sense.
        FitError: hc2 or hc3 where a row determines its own prediction.
    """
    check_inference(errors, level)
    uncertainty, train = uncertainty_of(problem, solution, engine, errors)
    return Fit(
        design=design,
        solution=solution,
        uncertainty=uncertainty,
        solver=solver,
        reason=reason,
        level=float(level),
        l2=problem.penalty.strength,
        library=library,
        rows=Rows(engine, problem.source, test),
        known_train=train,
    )


def uncertainty_of(
    problem: Problem, solution: Solution, engine: Engine, errors: str
) -> tuple[Covariance, Metrics | None]:
    """Return the covariance of exact estimates, and the metrics of the rows if they had to be read for it."""
    moments, factor = solution.moments, solution.factor
    dof = moments.n - parameters_of(factor=factor)
    rss = residual_sum(solution)
    if errors == "classical":
        return classical(factor=factor, variance=rss / dof if dof > 0 else float("nan")), None
    read = robust(
        errors,
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
    return Covariance(errors, covariance.raw, covariance.inner), finish(sums)
