"""From a solution to a fit: the last step of `slopewise.fit`."""

from __future__ import annotations

from typing import Any

import torch

from slopewise.data.design import Design
from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.errors import OptionError, check_choice
from slopewise.problem import Problem
from slopewise.results.classifier import Classifier
from slopewise.results.covariance import ERRORS, Covariance, classical, robust
from slopewise.results.fit import Fit
from slopewise.results.inference import check_level, parameters_of, residual_sum
from slopewise.results.likelihood import ERRORS as LIKELIHOOD_ERRORS
from slopewise.results.likelihood import covariance_of
from slopewise.results.metrics import Metrics, MetricSums, finish
from slopewise.results.rows_kept import Rows
from slopewise.results.trail import Trail, largest_lr_of, no_factor, scatter_at, solution_at
from slopewise.solution import Descended, Maximum, Moments, Solution
from slopewise.training.down import Ground


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
    uncertainty, train = _uncertainty(problem, solution, engine, errors)
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


def conclude_descent(
    *,
    problem: Problem,
    ground: Ground,
    descended: Descended,
    exact: Solution | None,
    moments: Moments,
    design: Design,
    road: str,
    reason: str,
    engine: Engine,
    errors: str = "classical",
    level: float = 0.95,
    test: Source | None = None,
    library: str = "pyarrow",
    findings: tuple[dict[str, Any], ...] = (),
) -> Fit:
    """Return the fit of a descent: its state, the road behind it, and the exact answer beside it.

    Standard errors and intervals are those of the exact estimates, given only where the descent has arrived there.

    Args:
        problem: what was asked.
        ground: what was known before the first step.
        descended: what happened.
        exact: the exact solution, None where the columns determine none.
        moments: of the training rows.
        design: of the table.
        road: replay, moments or loop.
        reason: why that one.
        engine: sums over the rows.
        errors: kind of the standard errors.
        level: of the confidence intervals.
        test: the rows held out, None without a split.
        library: whose frames `coefficients` is to be made of.
        findings: the doctor's, as plain values.
    """
    check_inference(errors, level)
    scatter = None if exact is None else _uncertainty(problem, exact, engine, errors)[0]
    trail = Trail(
        plan=ground.descent,
        road=road,
        units=ground.units,
        start=ground.start,
        descended=descended,
        exact=exact,
        scatter=scatter,
        largest_lr=largest_lr_of(ground.limits, ground.descent),
    )
    solution = solution_at(
        theta=descended.theta,
        descended=descended,
        moments=moments,
        quadratic=ground.quadratic,
        units=ground.units,
        exact=exact,
    )
    return Fit(
        design=design,
        solution=solution,
        uncertainty=scatter_at(descended.theta, exact, scatter),
        solver=road,
        reason=reason,
        level=float(level),
        l2=problem.penalty.strength,
        library=library,
        rows=Rows(engine, problem.source, test),
        trail=trail,
        findings=findings,
    )


def conclude_corners(
    *,
    problem: Problem,
    maximum: Maximum,
    design: Design,
    reason: str,
    engine: Engine,
    errors: str = "classical",
    level: float = 0.95,
    test: Source | None = None,
    library: str = "pyarrow",
) -> Fit:
    """Return the linear fit of a penalty with corners: estimates without standard errors.

    Args:
        problem: what was asked.
        maximum: what coordinate descent found.
        design: of the table.
        reason: why that road.
        engine: sums over the rows.
        errors: must be classical; there are none.
        level: of intervals that are not there.
        test: the rows held out, None without a split.
        library: whose frames `coefficients` is to be made of.

    Raises:
        OptionError: robust errors were asked for.
    """
    if errors != "classical":
        raise OptionError(
            f"errors={errors!r} has nothing to describe: a penalty with corners (l1) leaves no covariance."
        )
    p = len(maximum.theta)
    unknown = torch.full((p, p), torch.nan, dtype=torch.float64)
    solution = Solution(
        theta=maximum.theta,
        status=maximum.status,
        digits=torch.full((p,), torch.nan, dtype=torch.float64),
        rss=torch.tensor(maximum.loss, dtype=torch.float64),
        passes=maximum.passes,
        condition=float("nan"),
        moments=maximum.moments,
        factor=no_factor(maximum.moments, design.intercept),
    )
    return Fit(
        design=design,
        solution=solution,
        uncertainty=Covariance("classical", unknown, unknown),
        solver="coordinate",
        reason=reason,
        level=float(level),
        l2=problem.penalty.strength,
        l1=problem.penalty.l1,
        library=library,
        rows=Rows(engine, problem.source, test),
    )


def conclude_classes(
    *,
    problem: Problem,
    maximum: Maximum,
    design: Design,
    model: str,
    solver: str,
    reason: str,
    engine: Engine,
    errors: str = "classical",
    level: float = 0.95,
    test: Source | None = None,
    library: str = "pyarrow",
) -> Classifier:
    """Return the fit of classes with its uncertainty. Robust errors read the rows once more, classical ones do not.

    Args:
        problem: what was asked.
        maximum: what was found.
        design: of the table.
        model: logistic or softmax.
        solver: its name.
        reason: why that one.
        engine: sums over the rows.
        errors: classical, hc0 or hc1.
        level: of the intervals.
        test: the rows held out, None without a split.
        library: whose frames `coefficients` is to be made of.

    Raises:
        OptionError: errors make no sense here.
    """
    check_choice("errors", errors, LIKELIHOOD_ERRORS)
    uncertainty = None
    if maximum.curvature is not None:
        uncertainty = covariance_of(errors, problem=problem, maximum=maximum, engine=engine)
    elif errors != "classical":
        raise OptionError(f"errors={errors!r} needs the curvature at the optimum, which solver {solver!r} has none of.")
    return Classifier(
        design=design,
        model=model,
        maximum=maximum,
        uncertainty=uncertainty,
        solver=solver,
        reason=reason,
        level=float(level),
        l2=problem.penalty.strength,
        l1=problem.penalty.l1,
        library=library,
        rows=Rows(engine, problem.source, test),
    )


def _uncertainty(
    problem: Problem, solution: Solution, engine: Engine, errors: str
) -> tuple[Covariance, Metrics | None]:
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
