"""Wires models that are trained by the loop: networks, and classes by gradient descent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from slopewise.api.classification import check_model, loss_of
from slopewise.api.dataset import TrainingData, without_validation
from slopewise.api.linear import asked_of, plain
from slopewise.api.loss import number_loss
from slopewise.api.options import RECIPE, ResolvedOptions
from slopewise.doctor.after_network import examine_network_after
from slopewise.doctor.before_network import examine_network_before
from slopewise.doctor.examine import Report
from slopewise.errors import OptionError
from slopewise.losses.loss import Loss
from slopewise.losses.penalty import L2
from slopewise.models.build import build_network, in_dtype, start_of
from slopewise.models.sizes import hidden_sizes
from slopewise.optimizers.plan import DescentPlan, Stopping
from slopewise.problem import Problem
from slopewise.results.build import build_fit
from slopewise.results.fit import Fit
from slopewise.results.warm_start import network_start
from slopewise.solution import Moments
from slopewise.training.descent.checkpoint import Checkpoint
from slopewise.training.likelihood.checks import check_classes
from slopewise.training.likelihood.first_pass import first_pass
from slopewise.training.moments.moments import read_moments
from slopewise.training.moments.standardize import standardization
from slopewise.training.network.prepare import target_units
from slopewise.training.network.solver import NetworkLoop
from slopewise.training.registry import refuse_estimates
from slopewise.training.requirements import squared_loss

ONE = "the plain loop: {}"
FEWEST = 90
"""Training rows below which the recipe of a network holds none out: a tenth of them would say little."""
NETWORK = "the descent of a network has no closed form"
MANY = "the plain loop: {} networks trained at once, the best one kept"


def fit_network(
    data: TrainingData, options: ResolvedOptions, *, warm_start: Any = None, checkpoint: Checkpoint | None = None
) -> Fit[Any]:
    """Return the fit of a network, or of classes by descent: a network without hidden layers.

    Args:
        data: the rows and the design learned from them.
        options: as `fit` resolved them.
        warm_start: a fit to start from, of the same columns, classes and layers; or None.
        checkpoint: where the descent keeps its state, or None.

    Raises:
        OptionError: a solver that networks do not have, or options that make no sense.
    """
    _refuse(options)
    if options["solver"] in ("gd_closed_form", "gd_moments"):
        raise OptionError(
            f"there is no {options['solver']} of this descent: only a linear model with squared loss has a closed "
            "form; 'gd_loop' would be used, choose it or leave solver out."
        )
    if not data.design.intercept:
        raise OptionError("a network keeps its biases; leave out intercept=False, or fit a linear model.")
    problem = _problem(data, options)
    n_init = _n_init(options, warm_start)
    plan = _plan(options, problem, drawn=n_init > 1)
    problem = replace(problem, model=in_dtype(problem.model, plan.torch_dtype))
    moments = read_moments(problem, data.engine)
    if options.by_recipe and moments.n < FEWEST and "validation_size" not in options.said:
        data = without_validation(data)
        problem = replace(problem, source=data.train)
        moments = read_moments(problem, data.engine)
        plan = replace(plan, stopping=Stopping(), batch_size=min(RECIPE["batch_size"], moments.n))
    held_out = data.part("validation")
    solver = NetworkLoop(
        plan,
        start_of(problem.model, plan.init, plan.seed),
        n_init=n_init,
        validation=None if held_out is None else replace(problem, source=held_out),
        checkpoint=checkpoint,
    )
    warm = None if warm_start is None else _warm(warm_start, data, problem, plan, moments)
    fit = build_fit(
        problem=problem,
        solution=solver.solve(problem, data.engine, warm=warm, moments=moments, callback=options["callback"]),
        design=data.design,
        data=data.handles,
        solver=solver.name,
        reason=_reason(problem, n_init, options),
        asked=asked_of(options, data),
    )
    return fit.with_findings(plain(examine_network_after(fit)))


def _reason(problem: Problem, n_init: int, options: ResolvedOptions) -> str:
    """Return why the loop trains this model, whose loss leaves no closed form where it has no hidden layers."""
    if options.by_recipe:
        return ONE.format(NETWORK + "; no option about its training was given, so the defaults of a network were taken")
    if n_init > 1:
        return MANY.format(f"{n_init:,}")
    of_loss = squared_loss(problem, None) if problem.model.is_linear else None
    return ONE.format(of_loss or NETWORK)


def _n_init(options: ResolvedOptions, warm_start: Any) -> int:
    n_init = options.network.get("n_init", 1)
    if isinstance(n_init, bool) or not isinstance(n_init, int) or n_init < 1:
        raise OptionError(f"n_init is {n_init!r}; give a whole number of at least 1.")
    if warm_start is not None and n_init > 1:
        raise OptionError("warm_start is where one network begins, and n_init asks for many; leave one of them out.")
    return n_init


def _warm(start: Any, data: TrainingData, problem: Problem, plan: DescentPlan, moments: Moments) -> Tensor:
    """Return the parameters (p,) of another fit in the units of this descent."""
    units = standardization(moments, standardize=plan.standardize, intercept=True)
    y_mean, y_scale = target_units(problem, moments, standardize=plan.standardize)
    return network_start(start, data.design, problem.model, units, y_mean, y_scale)


def check_network(data: TrainingData, options: ResolvedOptions) -> Report:
    """Return what is known before the first step of classes or of a network.

    Raises:
        OptionError: options that make no sense.
        FitError: a class without rows.
    """
    if not data.design.intercept:
        raise OptionError("a network keeps its biases; leave out intercept=False, or look at a linear model.")
    problem = _problem(data, options)
    problem = replace(problem, model=in_dtype(problem.model, torch.float64))
    first = first_pass(problem, data.engine, sample=0)
    labels = data.design.target_levels
    check_classes(first.rows, labels)
    return examine_network_before(problem, first, data.engine, plan=_plan(options, problem), labels=labels)


def _refuse(options: ResolvedOptions) -> None:
    """Raise OptionError for what only a likelihood or a line has."""
    if options["allow_divergence"]:
        raise OptionError(
            "allow_divergence is for a line: no step of classes or of a network is refused; leave it out."
        )
    if options["firth"]:
        raise OptionError("firth is for two classes by their likelihood, without a descent; leave one of them out.")
    for name in ("cov_type", "confidence_level", "cluster"):
        if name in options.said and options[name] != "nonrobust":
            raise OptionError(
                f"{name} is {options[name]!r}, and a model trained by gradient descent has no standard errors; leave "
                "it out, or solve classes by their likelihood."
            )


def _problem(data: TrainingData, options: ResolvedOptions) -> Problem:
    """Return the question put to a network, or to a network without hidden layers."""
    network = options.network
    loss = _loss(data, options)
    model = build_network(
        inputs=len(data.design.x_names),
        outputs=loss.outputs,
        hidden=_hidden(network) if options.model == "mlp" else (),
        activation=network.get("activation"),
        dropout=network.get("dropout"),
        module=network.get("module"),
    )
    return Problem(
        data.train, model, loss, L2(options["l2"]), data.design.names, data.design.intercept, data.design.target_levels
    )


def _loss(data: TrainingData, options: ResolvedOptions) -> Loss:
    if not data.is_classification:
        loss = number_loss(data, options)
        refuse_estimates(loss)
        return loss
    check_model(data, options.model)
    return loss_of(data, options["class_weight"])


def _plan(options: ResolvedOptions, problem: Problem, *, drawn: bool = False) -> DescentPlan:
    """Return the plan, from a start that is drawn where zeros would be a place no descent can leave."""
    return options.plan("torch" if drawn or not problem.model.is_linear else "zeros")


def _hidden(network: Mapping[str, Any]) -> tuple[int, ...]:
    hidden = network.get("hidden", ())
    return hidden_sizes(hidden) if isinstance(hidden, str) else tuple(hidden)
