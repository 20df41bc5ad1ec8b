"""From a descent, or from a penalty with corners, to a linear fit."""

from __future__ import annotations

from typing import Any

import torch

from slopewise.data.design import Design
from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.errors import OptionError
from slopewise.problem import Problem
from slopewise.results.build import check_inference, uncertainty_of
from slopewise.results.data_handles import DataHandles
from slopewise.results.descent_record import DescentRecord, largest_lr_of, no_factor, scatter_at, solution_at
from slopewise.results.fit import Fit
from slopewise.results.inference.covariance import Covariance
from slopewise.solution import Descended, Maximum, Moments, Solution
from slopewise.training.descent.linear import DescentSetup


def build_descent_fit(
    *,
    problem: Problem,
    setup: DescentSetup,
    descended: Descended,
    exact: Solution | None,
    moments: Moments,
    design: Design,
    road: str,
    reason: str,
    engine: Engine,
    cov_type: str = "nonrobust",
    confidence_level: float = 0.95,
    test: Source | None = None,
    library: str = "pyarrow",
    findings: tuple[dict[str, Any], ...] = (),
) -> Fit:
    """Return the fit of a descent: its state, the road behind it, and the exact answer beside it.

    Standard errors and intervals are those of the exact estimates, given only where the descent has arrived there.

    Args:
        problem: what was asked.
        setup: what was known before the first step.
        descended: what happened.
        exact: the exact solution, None where the columns determine none.
        moments: of the training rows.
        design: of the table.
        road: replay, moments or loop.
        reason: why that one.
        engine: sums over the rows.
        cov_type: kind of the standard errors.
        confidence_level: of the confidence intervals.
        test: the rows held out, None without a split.
        library: whose frames `coefficients` is to be made of.
        findings: the doctor's, as plain values.
    """
    check_inference(cov_type, confidence_level)
    scatter = None if exact is None else uncertainty_of(problem, exact, engine, cov_type)[0]
    descent = DescentRecord(
        plan=setup.plan,
        road=road,
        units=setup.units,
        start=setup.start,
        descended=descended,
        exact=exact,
        scatter=scatter,
        largest_lr=largest_lr_of(setup.limits, setup.plan),
    )
    solution = solution_at(
        theta=descended.theta,
        descended=descended,
        moments=moments,
        quadratic=setup.quadratic,
        units=setup.units,
        exact=exact,
    )
    return Fit(
        design=design,
        solution=solution,
        uncertainty=scatter_at(descended.theta, exact, scatter),
        solver=road,
        reason=reason,
        confidence_level=float(confidence_level),
        l2=problem.penalty.strength,
        library=library,
        rows=DataHandles(engine, problem.source, test),
        descent=descent,
        findings=findings,
    )


def build_l1_fit(
    *,
    problem: Problem,
    maximum: Maximum,
    design: Design,
    reason: str,
    engine: Engine,
    cov_type: str = "nonrobust",
    confidence_level: float = 0.95,
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
        cov_type: must be classical; there are none.
        confidence_level: of intervals that are not there.
        test: the rows held out, None without a split.
        library: whose frames `coefficients` is to be made of.

    Raises:
        OptionError: robust errors were asked for.
    """
    if cov_type != "nonrobust":
        raise OptionError(
            f"cov_type={cov_type!r} has nothing to describe: a penalty with corners (l1) leaves no covariance."
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
        uncertainty=Covariance("nonrobust", unknown, unknown),
        solver="coordinate_descent",
        reason=reason,
        confidence_level=float(confidence_level),
        l2=problem.penalty.strength,
        l1=problem.penalty.l1,
        library=library,
        rows=DataHandles(engine, problem.source, test),
    )
