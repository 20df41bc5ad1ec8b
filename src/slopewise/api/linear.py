"""Wires a linear model with squared loss, solved exactly or by coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from slopewise.api.posed import Posed
from slopewise.doctor.data import data_findings
from slopewise.doctor.finding import Finding, ranked
from slopewise.losses.penalty import L2, ElasticNet
from slopewise.losses.squared import Squared
from slopewise.models.linear import Linear
from slopewise.problem import Problem
from slopewise.results.conclude import conclude
from slopewise.results.fit import Fit
from slopewise.training.choose import choose
from slopewise.training.moments import read_moments


def problem_of(posed: Posed, l2: float, l1: float = 0.0) -> Problem:
    """Return the least squares problem of a question."""
    design = posed.design
    penalty = ElasticNet(l2, l1) if l1 else L2(l2)
    return Problem(posed.train, Linear(design.intercept), Squared(), penalty, design.names, design.intercept)


def fit_exactly(posed: Posed, *, l2: float, l1: float, errors: str, level: float, solver: str) -> Fit:
    """Return the exact fit."""
    problem = problem_of(posed, l2, l1)
    told: dict[str, Any] = {**said(posed, problem), "errors": errors, "level": level}
    if l1:
        from slopewise.results.conclude_descent import conclude_corners
        from slopewise.training.coordinate import Coordinate

        found = Coordinate().solve(problem, posed.engine)
        reason = f"l1 {l1:g} has corners, which coordinate descent stops at: {found.evidence}"
        return conclude_corners(maximum=found, reason=reason, **told)
    moments = read_moments(problem, posed.engine)
    choice = choose(problem, moments, solver)
    solution = choice.solver.solve(problem, posed.engine)
    fit = conclude(solution=solution, solver=choice.solver.name, reason=choice.reason, **told)
    findings = data_findings(moments, problem.names[int(problem.intercept) :], intercept=problem.intercept)
    return replace(fit, findings=plain(ranked(findings)))


def plain(findings: Sequence[Finding]) -> tuple[dict[str, Any], ...]:
    """Return findings as plain values."""
    return tuple(finding.to_dict() for finding in findings)


def said(posed: Posed, problem: Problem) -> dict[str, Any]:
    """Return what every conclusion of a linear fit is told."""
    return {
        "problem": problem,
        "design": posed.design,
        "engine": posed.engine,
        "test": posed.part("test"),
        "library": posed.library,
    }
