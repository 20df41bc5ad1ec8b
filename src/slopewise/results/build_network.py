"""From a network and its rows to its fit: the last mile of everything that only the loop can train."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from slopewise.data.design import Design
from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.errors import OptionError
from slopewise.losses.null_model import null_model_cost
from slopewise.models.build import in_dtype, is_linear_model, start_of
from slopewise.models.mlp import MLP
from slopewise.models.torch_module import Module, as_model
from slopewise.optimizers.plan import DescentPlan
from slopewise.problem import Problem
from slopewise.results.data_handles import DataHandles
from slopewise.results.network import NetworkFit
from slopewise.results.network_record import NetworkRecord, report_of
from slopewise.results.warm_start import network_start
from slopewise.solution import Moments
from slopewise.training.descent.checkpoint import Checkpoint
from slopewise.training.moments.moments import read_moments
from slopewise.training.moments.standardize import standardization
from slopewise.training.network.prepare import NetworkSetup, prepare_network, target_units
from slopewise.training.network.train import TrainedNetwork, train_multiple, train_one
from slopewise.types import Callback

ONE = "the plain loop: the way down a network has no closed form"
FROM_FIT = "fit"
"""What the plan of a descent says of its start where that was another fit."""

MANY = "{} starts beside each other, the best one kept"


def fit_network(
    *,
    problem: Problem,
    design: Design,
    engine: Engine,
    plan: DescentPlan,
    moments: Moments | None = None,
    validation: Problem | None = None,
    test: Source | None = None,
    n_init: int = 1,
    start: Any = None,
    checkpoint: Checkpoint | None = None,
    callback: Callback | None = None,
    library: str = "pyarrow",
) -> NetworkFit:
    """Return the fit of a network.

    Minimises Σ w · loss(model(u), y) / Σ w + l2 Σ weight² / Σ w, u the columns in the units of the descent; the penalty
    is on all weight matrices and on no bias, in those units, where the target of squared loss has variance 1. Without
    hidden layers it is on the coefficients in raw units, as it is for Newton's method.

    Args:
        problem: its model made by `models.build.build_network`.
        design: of the table.
        engine: reads the rows.
        plan: the plan; init 'torch' for anything with hidden layers.
        moments: of the training rows, read if not given.
        validation: the same question put to the rows held out for early stopping, or None.
        test: the rows held out, or None.
        n_init: how many networks to train; the best one is kept.
        start: a fit to start from, or None.
        checkpoint: where to keep the state of one network, or None.
        callback: told how it is getting on.
        library: whose frames `history` is to be made of.

    Raises:
        OptionError: the plan, the start or the starts make no sense for this network.
        DataError: a missing or infinite value; the column and row are named.
        FitError: the cost of the start is not finite; every start diverged.
        StoreError: the checkpoint cannot be written or resumed.
    """
    if not design.intercept:
        raise OptionError("a network keeps its biases; leave out intercept=False, or fit a linear model.")
    found = read_moments(problem, engine) if moments is None else moments
    model = in_dtype(problem.model, torch.float32 if plan.dtype == "float32" else torch.float64)
    problem = replace(problem, model=model)
    if start is None:
        first = start_of(model, plan.init, plan.seed)
    else:
        first = _warm(start, problem, design, plan, found)
        plan = replace(plan, init=FROM_FIT)
    setup = prepare_network(
        problem,
        engine,
        moments=found,
        plan=plan,
        start=first,
        is_linear=is_linear_model(model),
        validation=validation,
        may_stream=n_init == 1,
        callback=callback,
    )
    null_cost = setup.unit * null_model_cost(problem.loss, *setup.targets)
    trained = _trained(problem, setup, n_init, null_cost, checkpoint, callback)
    return NetworkFit(
        design=design,
        model=as_model(trained.module, model.outputs) if isinstance(model, Module) else model,
        theta=trained.descended.theta,
        units=setup.units,
        y_mean=setup.y_mean,
        y_scale=setup.y_scale,
        loss=problem.loss.name,
        descent=_network_record(setup, trained, null_cost),
        solver="gd_loop" if trained.starts is None else "gd_multistart",
        reason=ONE if trained.starts is None else MANY.format(f"{n_init:,}"),
        n=found.n,
        n_dropped=found.dropped,
        missing=found.missing,
        counts=setup.counts,
        l2=problem.penalty.strength,
        class_weights=getattr(problem.loss, "class_weights", None),
        library=library,
        rows=DataHandles(engine, problem.source, test),
        held_out_rows=None if validation is None else validation.source,
    )


def _warm(start: Any, problem: Problem, design: Design, plan: DescentPlan, moments: Moments) -> Tensor:
    """Return the parameters (p,) of another fit in the units of this descent."""
    units = standardization(moments, standardize=plan.standardize, intercept=True)
    y_mean, y_scale = target_units(problem, moments, standardize=plan.standardize)
    return network_start(start, design, problem.model, units, y_mean, y_scale)


def _trained(
    problem: Problem,
    setup: NetworkSetup,
    n_init: int,
    null_cost: float,
    checkpoint: Checkpoint | None,
    callback: Callback | None,
) -> TrainedNetwork:
    if n_init == 1:
        return train_one(problem, setup, callback=callback, checkpoint=checkpoint)
    if not isinstance(problem.model, MLP):
        raise OptionError("many starts at once are for layers given by their sizes; set n_init to 1 for a module.")
    if checkpoint is not None:
        raise OptionError("a checkpoint keeps the state of one network; leave it out, or set n_init to 1.")
    network = problem.model
    return train_multiple(problem, setup, network, n_init=n_init, null_cost=null_cost, callback=callback)


def _network_record(setup: NetworkSetup, trained: TrainedNetwork, null_cost: float) -> NetworkRecord:
    descended = trained.descended
    return NetworkRecord(
        plan=setup.plan,
        start=setup.start,
        descended=descended,
        norms=descended.history.gradient.norm(dim=1),
        largest_lr=setup.largest_lr,
        null_cost=null_cost,
        starts=None if trained.starts is None else report_of(trained.starts),
        sharpness_history=trained.sharpness_history,
    )
