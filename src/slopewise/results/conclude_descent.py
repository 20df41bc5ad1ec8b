"""From a descent, or from a penalty with corners, to a linear fit."""

from __future__ import annotations

from typing import Any

import torch

from slopewise.data.design import Design
from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.errors import OptionError
from slopewise.problem import Problem
from slopewise.results.conclude import check_inference, uncertainty_of
from slopewise.results.covariance import Covariance
from slopewise.results.fit import Fit
from slopewise.results.rows_kept import Rows
from slopewise.results.trail import Trail, largest_lr_of, no_factor, scatter_at, solution_at
from slopewise.solution import Descended, Maximum, Moments, Solution
from slopewise.training.down import Ground


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
    scatter = None if exact is None else uncertainty_of(problem, exact, engine, errors)[0]
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
