"""Wires a linear model with squared loss: solved exactly, by coordinate descent, or by gradient descent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from slopewise.api.dataset import TrainingData
from slopewise.api.options import ResolvedOptions
from slopewise.doctor.data import data_findings
from slopewise.doctor.finding import Finding, ranked
from slopewise.engine.engine import Engine
from slopewise.errors import FitError, OptionError
from slopewise.losses.penalty import L2, ElasticNet
from slopewise.losses.squared import Squared
from slopewise.models.linear import Linear
from slopewise.problem import Problem
from slopewise.results.build import Asked, build_fit
from slopewise.results.fit import Fit
from slopewise.results.record import RegressionMetrics
from slopewise.solution import Moments, Solution
from slopewise.training.moments.moments import read_moments
from slopewise.training.registry import select_solver

if TYPE_CHECKING:
    from slopewise.doctor.examine import Report
    from slopewise.training.descent.checkpoint import Checkpoint


def fit_linear(
    data: TrainingData, options: ResolvedOptions, *, warm_start: Any = None, checkpoint: Checkpoint | None = None
) -> Fit[RegressionMetrics]:
    """Return the fit of a linear model.

    Args:
        data: the rows and the design learned from them.
        options: as `fit` resolved them.
        warm_start: a linear fit of the same columns that a descent starts from, or None.
        checkpoint: where a descent keeps its state, or None.

    Raises:
        OptionError: an option of classes, or of a descent where none is made.
        FitError: the data determine no answer; or the learning rate is beyond the limit.
    """
    refuse_class_weight(data, options)
    if options.descends:
        return _fit_by_descent(data, options, warm_start, checkpoint)
    if warm_start is not None:
        raise OptionError(
            "warm_start is for a descent, and least squares is solved without one; leave it out, or ask for a descent."
        )
    if options["validation_size"]:
        raise OptionError("validation_size is for a descent, which can stop early; leave it out, or ask for one.")
    return _fit_exactly(data, options)


def check_linear(data: TrainingData, options: ResolvedOptions) -> Report:
    """Return what is known before the first step."""
    from slopewise.doctor.examine import examine_before
    from slopewise.training.descent.linear import prepare_descent

    refuse_class_weight(data, options)
    problem = problem_of(data, options)
    moments = read_moments(problem, data.engine)
    exact = _exact(problem, data.engine, moments)
    return examine_before(problem, moments, prepare_descent(problem, moments, exact, options.plan()))


def problem_of(data: TrainingData, options: ResolvedOptions) -> Problem:
    """Return the least squares problem of a table."""
    design, l2, l1 = data.design, options["l2"], options["l1"]
    penalty = ElasticNet(l2, l1) if l1 else L2(l2)
    return Problem(data.train, Linear(design.intercept), Squared(), penalty, design.names, design.intercept)


def asked_of(options: ResolvedOptions, data: TrainingData) -> Asked:
    """Return what a fit is to tell."""
    return Asked(options["cov_type"], options["confidence_level"], data.library, options["lags"])


def plain(findings: Sequence[Finding]) -> tuple[dict[str, Any], ...]:
    """Return findings as plain values."""
    return tuple(finding.to_dict() for finding in findings)


def refuse_class_weight(data: TrainingData, options: ResolvedOptions) -> None:
    """Raise OptionError where classes are to be weighed and the target is a number."""
    if options["class_weight"] is not None:
        raise OptionError(f"class_weight is for classes, and target {data.design.target!r} is a number; leave it out.")


def _fit_exactly(data: TrainingData, options: ResolvedOptions) -> Fit[RegressionMetrics]:
    problem = problem_of(data, options)
    moments = read_moments(problem, data.engine)
    choice = select_solver(problem, moments, wanted=options["solver"])
    solution = choice.make().solve(problem, data.engine, moments=moments)
    fit = build_fit(
        problem=problem,
        solution=solution,
        design=data.design,
        data=data.handles,
        solver=choice.name,
        reason=choice.reason,
        asked=asked_of(options, data),
    )
    findings = data_findings(moments, problem.names[int(problem.intercept) :], intercept=problem.intercept)
    return fit.with_findings(plain(ranked(findings)))


def _fit_by_descent(
    data: TrainingData, options: ResolvedOptions, warm_start: Any, checkpoint: Checkpoint | None
) -> Fit[RegressionMetrics]:
    """Return the fit of a descent, with the exact answer beside it."""
    from slopewise.doctor.before_training import refuse
    from slopewise.doctor.examine import examine_after
    from slopewise.results.warm_start import linear_start
    from slopewise.training.descent.linear import prepare_descent

    problem = problem_of(data, options)
    moments = read_moments(problem, data.engine)
    warm = None if warm_start is None else linear_start(warm_start, data.design)
    exact = _exact(problem, data.engine, moments)
    setup = prepare_descent(problem, moments, exact, options.plan())
    refuse(setup.plan, setup.limits, allow_divergence=options["allow_divergence"])
    choice = select_solver(
        problem,
        moments,
        setup.plan,
        options["solver"],
        rows_needed="checkpoints keep the state of the loop" if checkpoint else "",
    )
    held_out = data.part("validation")
    solver = choice.make(
        setup=setup,
        exact=exact,
        checkpoint=checkpoint,
        validation=None if held_out is None else replace(problem, source=held_out),
    )
    solution = solver.solve(problem, data.engine, warm=warm, moments=moments, callback=options["callback"])
    fit = build_fit(
        problem=problem,
        solution=solution,
        design=data.design,
        data=data.handles,
        solver=choice.name,
        reason=choice.reason,
        asked=asked_of(options, data),
    )
    return fit.with_findings(plain(examine_after(problem, moments, setup, solution)))


def _exact(problem: Problem, engine: Engine, moments: Moments) -> Solution | None:
    """Return the exact solution, None where the columns determine none: a descent goes somewhere all the same."""
    try:
        return select_solver(problem, moments).make().solve(problem, engine, moments=moments)
    except FitError:
        return None
