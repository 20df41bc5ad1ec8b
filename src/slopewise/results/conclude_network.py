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
from slopewise.losses.constant import constant_cost
from slopewise.models.build import in_dtype, is_straight, start_of
from slopewise.models.mlp import MLP
from slopewise.models.module import Module, as_model
from slopewise.optimizers.descent import Descent
from slopewise.problem import Problem
from slopewise.results.network import NetworkFit
from slopewise.results.network_trail import NetworkTrail, report_of
from slopewise.results.rows_kept import Rows
from slopewise.results.warm import network_start
from slopewise.solution import Moments
from slopewise.training.checkpoint import Checkpoint
from slopewise.training.moments import read_moments
from slopewise.training.outset import Outset, settle, target_units
from slopewise.training.train import Trained, train_many, train_one
from slopewise.training.units import units_of
from slopewise.types import Observer

ONE = "the plain loop: the way down a network has no closed form"
FROM_FIT = "fit"
"""What the plan of a descent says of its start where that was another fit."""

MANY = "{} starts beside each other, the best one kept"


def fit_network(
    *,
    problem: Problem,
    design: Design,
    engine: Engine,
    descent: Descent,
    moments: Moments | None = None,
    validation: Problem | None = None,
    test: Source | None = None,
    starts: int = 1,
    start: Any = None,
    checkpoint: Checkpoint | None = None,
    observer: Observer | None = None,
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
        descent: the plan; init 'torch' for anything with hidden layers.
        moments: of the training rows, read if not given.
        validation: the same question put to the rows held out for early stopping, or None.
        test: the rows held out, or None.
        starts: how many networks to train; the best one is kept.
        start: a fit to start from, or None.
        checkpoint: where to keep the state of one network, or None.
        observer: told how it is getting on.
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
    model = in_dtype(problem.model, torch.float32 if descent.dtype == "float32" else torch.float64)
    problem = replace(problem, model=model)
    if start is None:
        first = start_of(model, descent.init, descent.seed)
    else:
        first = _warm(start, problem, design, descent, found)
        descent = replace(descent, init=FROM_FIT)
    outset = settle(
        problem,
        engine,
        moments=found,
        descent=descent,
        start=first,
        straight=is_straight(model),
        validation=validation,
        observer=observer,
    )
    _, y, w = outset.rows
    constant = outset.unit * constant_cost(problem.loss, y, w)
    trained = _trained(problem, outset, starts, constant, checkpoint, observer)
    return NetworkFit(
        design=design,
        model=as_model(trained.module, model.outputs) if isinstance(model, Module) else model,
        theta=trained.descended.theta,
        units=outset.units,
        y_mean=outset.y_mean,
        y_scale=outset.y_scale,
        loss=problem.loss.name,
        trail=_trail(outset, trained, constant),
        solver="loop" if trained.starts is None else "starts",
        reason=ONE if trained.starts is None else MANY.format(f"{starts:,}"),
        n=found.n,
        n_dropped=found.dropped,
        missing=found.missing,
        counts=_counts(y, problem.loss.classes),
        l2=problem.penalty.strength,
        class_weights=getattr(problem.loss, "class_weights", None),
        library=library,
        rows=Rows(engine, problem.source, test),
        held=None if validation is None else validation.source,
    )


def _warm(start: Any, problem: Problem, design: Design, descent: Descent, moments: Moments) -> Tensor:
    """Return the parameters (p,) of another fit in the units of this descent."""
    units = units_of(moments, standardize=descent.standardize, intercept=True)
    y_mean, y_scale = target_units(problem, moments, standardize=descent.standardize)
    return network_start(start, design, problem.model, units, y_mean, y_scale)


def _trained(
    problem: Problem,
    outset: Outset,
    starts: int,
    constant: float,
    checkpoint: Checkpoint | None,
    observer: Observer | None,
) -> Trained:
    if starts == 1:
        return train_one(problem, outset, observer=observer, checkpoint=checkpoint)
    if not isinstance(problem.model, MLP):
        raise OptionError("many starts at once are for layers given by their sizes; set starts to 1 for a module.")
    if checkpoint is not None:
        raise OptionError("a checkpoint keeps the state of one network; leave it out, or set starts to 1.")
    network = problem.model
    return train_many(problem, outset, network, starts=starts, constant=constant, observer=observer)


def _trail(outset: Outset, trained: Trained, constant: float) -> NetworkTrail:
    descended = trained.descended
    return NetworkTrail(
        plan=outset.descent,
        start=outset.start,
        descended=descended,
        norms=descended.history.gradient.norm(dim=1),
        largest_lr=outset.largest_lr,
        constant=constant,
        starts=None if trained.starts is None else report_of(trained.starts),
        sharpening=trained.sharpening,
    )


def _counts(y: Tensor, classes: int) -> tuple[int, ...]:
    return tuple(torch.bincount(y.to(torch.int64), minlength=classes).tolist()) if classes else ()
