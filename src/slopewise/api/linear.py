"""Wires a linear model with squared loss: exact, by coordinates, or by descent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from slopewise.api.posed import Posed
from slopewise.doctor.descent import refuse
from slopewise.doctor.examine import Report, examine, look_back
from slopewise.doctor.finding import Finding
from slopewise.engine.local import LocalEngine
from slopewise.errors import FitError
from slopewise.losses.penalty import L2, ElasticNet
from slopewise.losses.squared import Squared
from slopewise.models.linear import Linear
from slopewise.optimizers.descent import Descent
from slopewise.problem import Problem
from slopewise.results.conclude import conclude, conclude_corners, conclude_descent
from slopewise.results.fit import Fit
from slopewise.solution import Moments, Solution
from slopewise.training.checkpoint import Checkpoint
from slopewise.training.choose import choose
from slopewise.training.coordinate import Coordinate
from slopewise.training.down import go_down, survey
from slopewise.training.moments import read_moments
from slopewise.types import Observer


def problem_of(posed: Posed, l2: float, l1: float = 0.0) -> Problem:
    """Return the least squares problem of a question."""
    design = posed.design
    penalty = ElasticNet(l2, l1) if l1 else L2(l2)
    return Problem(posed.train, Linear(design.intercept), Squared(), penalty, design.names, design.intercept)


def fit_exactly(posed: Posed, *, l2: float, l1: float, errors: str, level: float, solver: str) -> Fit:
    """Return the exact fit."""
    problem = problem_of(posed, l2, l1)
    said: dict[str, Any] = {**_said(posed, problem), "errors": errors, "level": level}
    if l1:
        found = Coordinate().solve(problem, posed.engine)
        reason = f"l1 {l1:g} has corners, which coordinate descent stops at: {found.evidence}"
        return conclude_corners(maximum=found, reason=reason, **said)
    moments = read_moments(problem, posed.engine)
    choice = choose(problem, moments, solver)
    solution = choice.solver.solve(problem, posed.engine)
    fit = conclude(solution=solution, solver=choice.solver.name, reason=choice.reason, **said)
    return replace(fit, findings=plain(look_back(problem, moments)))


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
) -> Fit:
    """Return the fit of a descent, with the exact answer beside it."""
    problem = problem_of(posed, l2)
    moments = read_moments(problem, posed.engine)
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
        **_said(posed, problem),
    )


def report_on(posed: Posed, descent: Descent, l2: float) -> Report:
    """Return what is known before the first step."""
    problem = problem_of(posed, l2)
    moments = read_moments(problem, posed.engine)
    exact = _exact(problem, posed.engine, moments)
    return examine(problem, moments, survey(problem, moments, exact, descent))


def plain(findings: Sequence[Finding]) -> tuple[dict[str, Any], ...]:
    """Return findings as plain values."""
    return tuple(finding.to_dict() for finding in findings)


def _said(posed: Posed, problem: Problem) -> dict[str, Any]:
    return {
        "problem": problem,
        "design": posed.design,
        "engine": posed.engine,
        "test": posed.part("test"),
        "library": posed.library,
    }


def _exact(problem: Problem, engine: LocalEngine, moments: Moments) -> Solution | None:
    """Return the exact solution, None where the columns determine none: a descent goes somewhere all the same."""
    try:
        return choose(problem, moments).solver.solve(problem, engine)
    except FitError:
        return None
