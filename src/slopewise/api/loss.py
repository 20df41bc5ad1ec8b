"""Wires linear models with other losses than squared for numbers: counts, positive numbers, robust, quantiles."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from slopewise.api.dataset import TrainingData
from slopewise.api.linear import asked_of, plain, refuse_class_weight
from slopewise.api.options import ResolvedOptions
from slopewise.doctor.data import data_findings
from slopewise.doctor.finding import ranked
from slopewise.doctor.standard_errors import no_density
from slopewise.errors import OptionError
from slopewise.losses.loss import Loss
from slopewise.losses.penalty import L2, ElasticNet
from slopewise.losses.registry import make_loss
from slopewise.models.linear import Linear
from slopewise.problem import Problem
from slopewise.results.build import build_fit
from slopewise.results.fit import Fit
from slopewise.results.record import RegressionMetrics
from slopewise.results.warm_start import linear_start
from slopewise.training.registry import select_solver


def number_loss(data: TrainingData, options: ResolvedOptions) -> Loss:
    """Return the loss that was asked for, of a target of numbers.

    Raises:
        OptionError: a parameter out of its range; class weights.
    """
    refuse_class_weight(data, options)
    return make_loss(options["loss"] or "squared", options.loss_parameters)


def fit_loss(data: TrainingData, options: ResolvedOptions, *, warm_start: Any = None) -> Fit[RegressionMetrics]:
    """Return the fit of a linear model with a loss of the registry, solved without a descent.

    Args:
        data: the rows and the design learned from them.
        options: as `fit` resolved them.
        warm_start: a linear fit of the same columns to start from, or None.

    Raises:
        OptionError: an option that this loss or its solver does not take.
        DataError: a target that the loss cannot take.
        FitError: no finite optimum exists, or it was not reached.
    """
    if options["validation_size"]:
        raise OptionError("validation_size is for a descent, which can stop early; leave it out, or ask for one.")
    design, loss = data.design, number_loss(data, options)
    penalty = ElasticNet(options["l2"], options["l1"]) if options["l1"] else L2(options["l2"])
    problem = Problem(data.train, Linear(design.intercept), loss, penalty, design.names, design.intercept)
    choice = select_solver(problem, wanted=options["solver"], firth=options["firth"])
    warm = None if warm_start is None else linear_start(warm_start, design)
    solution = choice.make().solve(problem, data.engine, warm=warm)
    fit = build_fit(
        problem=replace(problem, loss=solution.fitted_loss or loss),
        solution=solution,
        design=design,
        data=data.handles,
        solver=choice.name,
        reason=choice.reason,
        asked=asked_of(options, data),
    )
    findings = [*data_findings(solution.rows, problem.names[int(problem.intercept) :], intercept=problem.intercept)]
    covariance = fit.record.covariance
    if covariance is not None and bool(covariance.raw.isnan().any()):
        findings += filter(None, [no_density(loss, solution.rows)])
    return fit.with_findings(plain(ranked(findings)))
