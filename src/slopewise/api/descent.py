"""Wires the descent of a linear model with squared loss, and what is known before it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from slopewise.api.linear import plain, problem_of, said
from slopewise.api.posed import Posed
from slopewise.doctor.descent import refuse
from slopewise.doctor.examine import Report, examine, look_back
from slopewise.engine.local import LocalEngine
from slopewise.errors import FitError
from slopewise.optimizers.descent import Descent
from slopewise.problem import Problem
from slopewise.results.conclude_descent import conclude_descent
from slopewise.results.fit import Fit
from slopewise.solution import Moments, Solution
from slopewise.training.checkpoint import Checkpoint
from slopewise.training.choose import choose
from slopewise.training.down import go_down, survey
from slopewise.training.moments import read_moments
from slopewise.training.units import units_of
from slopewise.types import Observer


def fit_by_descent(
    posed: Posed,
    descent: Descent,
    *,
    l2: float,
    errors: str,
    level: float,
    solver: str,
    anyway: bool,
    checkpoint: Checkpoint | None,
    observer: Observer | None,
    start: Any = None,
) -> Fit:
    """Return the fit of a descent, with the exact answer beside it.

    Raises:
        OptionError: `start` is a fit of other columns, or has hidden layers.
    """
    problem = problem_of(posed, l2)
    moments = read_moments(problem, posed.engine)
    if start is not None:
        from slopewise.results.warm import line_start

        units = units_of(moments, standardize=descent.standardize, intercept=problem.intercept)
        descent = replace(descent, init=tuple(line_start(start, posed.design, units).tolist()))
    exact = _exact(problem, posed.engine, moments)
    ground = survey(problem, moments, exact, descent)
    refuse(ground.descent, ground.limits, anyway=anyway)
    held_out = posed.part("validation")
    descended, road, reason = go_down(
        problem,
        posed.engine,
        ground=ground,
        moments=moments,
        wanted="descent" if solver == "auto" else solver,
        observer=observer,
        checkpoint=checkpoint,
        validation=None if held_out is None else replace(problem, source=held_out),
    )
    return conclude_descent(
        ground=ground,
        descended=descended,
        exact=exact,
        moments=moments,
        road=road,
        reason=reason,
        errors=errors,
        level=level,
        findings=plain(look_back(problem, moments, ground, descended)),
        **said(posed, problem),
    )


def report_on(posed: Posed, descent: Descent, l2: float) -> Report:
    """Return what is known before the first step."""
    problem = problem_of(posed, l2)
    moments = read_moments(problem, posed.engine)
    exact = _exact(problem, posed.engine, moments)
    return examine(problem, moments, survey(problem, moments, exact, descent))


def _exact(problem: Problem, engine: LocalEngine, moments: Moments) -> Solution | None:
    """Return the exact solution, None where the columns determine none: a descent goes somewhere all the same."""
    try:
        return choose(problem, moments).solver.solve(problem, engine)
    except FitError:
        return None
