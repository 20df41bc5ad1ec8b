"""Wires a linear model with squared loss: solved exactly, by coordinates, or by gradient descent."""

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
from slopewise.results.build import build_fit
from slopewise.results.fit import Fit
from slopewise.solution import Moments, Solution
from slopewise.training.choose import choose
from slopewise.training.moments.moments import read_moments

if TYPE_CHECKING:
    from slopewise.doctor.examine import Report
    from slopewise.optimizers.plan import DescentPlan
    from slopewise.training.descent.checkpoint import Checkpoint


def fit_line(
    data: TrainingData, options: ResolvedOptions, *, warm_start: Any = None, checkpoint: Checkpoint | None = None
) -> Fit:
    """Return the fit of a line.

    Raises:
        OptionError: an option of classes, or of a descent where none is made.
        FitError: the data determine no answer; or the learning rate is beyond the limit.
    """
    refuse_class_weight(data, options)
    if options.descends:
        return _fit_by_descent(data, options, warm_start, checkpoint)
    if warm_start is not None:
        raise OptionError("warm_start is for a descent, and a line is solved at once; leave it out, or ask for one.")
    if options["validation_size"]:
        raise OptionError("validation_size is for a descent, which can stop early; leave it out, or ask for one.")
    return _fit_exactly(data, options)


def check_line(data: TrainingData, options: ResolvedOptions) -> Report:
    """Return what is known before the first step."""
    from slopewise.doctor.examine import examine_before
    from slopewise.training.descent.linear import prepare_descent

    refuse_class_weight(data, options)
    problem = problem_of(data, options["l2"])
    moments = read_moments(problem, data.engine)
    exact = _exact(problem, data.engine, moments)
    return examine_before(problem, moments, prepare_descent(problem, moments, exact, options.plan()))


def problem_of(data: TrainingData, l2: float, l1: float = 0.0) -> Problem:
    """Return the least squares problem of a table."""
    design = data.design
    penalty = ElasticNet(l2, l1) if l1 else L2(l2)
    return Problem(data.train, Linear(design.intercept), Squared(), penalty, design.names, design.intercept)


def plain(findings: Sequence[Finding]) -> tuple[dict[str, Any], ...]:
    """Return findings as plain values."""
    return tuple(finding.to_dict() for finding in findings)


def refuse_class_weight(data: TrainingData, options: ResolvedOptions) -> None:
    """Raise OptionError where classes are to be weighed and the target is a number."""
    if options["class_weight"] is not None:
        raise OptionError(f"class_weight is for classes, and target {data.design.target!r} is a number; leave it out.")


def _fit_exactly(data: TrainingData, options: ResolvedOptions) -> Fit:
    l1 = options["l1"]
    problem = problem_of(data, options["l2"], l1)
    told = _told(data, options, problem)
    if l1:
        from slopewise.results.build_descent import build_l1_fit
        from slopewise.training.likelihood.proximal_newton import Coordinate

        found = Coordinate().solve(problem, data.engine)
        reason = f"l1 {l1:g} has corners, which coordinate descent stops at: {found.evidence}"
        return build_l1_fit(maximum=found, reason=reason, **told)
    moments = read_moments(problem, data.engine)
    choice = choose(problem, moments, options["solver"])
    solution = choice.solver.solve(problem, data.engine)
    fit = build_fit(solution=solution, solver=choice.solver.name, reason=choice.reason, **told)
    findings = data_findings(moments, problem.names[int(problem.intercept) :], intercept=problem.intercept)
    return replace(fit, findings=plain(ranked(findings)))


def _fit_by_descent(
    data: TrainingData, options: ResolvedOptions, warm_start: Any, checkpoint: Checkpoint | None
) -> Fit:
    """Return the fit of a descent, with the exact answer beside it."""
    from slopewise.doctor.before_training import refuse
    from slopewise.doctor.examine import examine_after
    from slopewise.results.build_descent import build_descent_fit
    from slopewise.training.descent.linear import descend_linear, prepare_descent

    problem = problem_of(data, options["l2"])
    moments = read_moments(problem, data.engine)
    plan = _started(options.plan(), warm_start, data, moments)
    exact = _exact(problem, data.engine, moments)
    setup = prepare_descent(problem, moments, exact, plan)
    refuse(setup.plan, setup.limits, allow_divergence=options["allow_divergence"])
    held_out = data.part("validation")
    descended, road, reason = descend_linear(
        problem,
        data.engine,
        setup=setup,
        moments=moments,
        wanted="gd" if options["solver"] == "auto" else options["solver"],
        callback=options["callback"],
        checkpoint=checkpoint,
        validation=None if held_out is None else replace(problem, source=held_out),
    )
    return build_descent_fit(
        setup=setup,
        descended=descended,
        exact=exact,
        moments=moments,
        road=road,
        reason=reason,
        findings=plain(examine_after(problem, moments, setup, descended)),
        **_told(data, options, problem),
    )


def _started(plan: DescentPlan, warm_start: Any, data: TrainingData, moments: Moments) -> DescentPlan:
    """Return the plan with the parameters of another fit for a start, where one is given."""
    if warm_start is None:
        return plan
    from slopewise.results.warm_start import line_start
    from slopewise.training.moments.standardize import standardization

    units = standardization(moments, standardize=plan.standardize, intercept=data.design.intercept)
    return replace(plan, init=tuple(line_start(warm_start, data.design, units).tolist()))


def _told(data: TrainingData, options: ResolvedOptions, problem: Problem) -> dict[str, Any]:
    """Return what every conclusion of a linear fit is told."""
    return {
        "problem": problem,
        "design": data.design,
        "engine": data.engine,
        "cov_type": options["cov_type"],
        "confidence_level": options["confidence_level"],
        "test": data.part("test"),
        "library": data.library,
    }


def _exact(problem: Problem, engine: Engine, moments: Moments) -> Solution | None:
    """Return the exact solution, None where the columns determine none: a descent goes somewhere all the same."""
    try:
        return choose(problem, moments).solver.solve(problem, engine)
    except FitError:
        return None
