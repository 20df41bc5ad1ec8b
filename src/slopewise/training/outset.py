"""Everything that is settled before a network's first epoch: units, rows in memory, penalty, learning rate.

*Descend scaled, read raw*, for the target too: with standardised columns, a target of numbers under squared loss is
brought to mean 0 and standard deviation 1 inside, for a network's initial weights are made for outputs of that size.
Costs are told in the units of the table all the same: `unit`, the target's variance, is what a cost of 1 inside is
there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.engine.gather import gather
from slopewise.optimizers.descent import Descent
from slopewise.optimizers.limits import largest_lr
from slopewise.optimizers.recurrence import SGD, sgd_of
from slopewise.optimizers.sharpness import Sharpness
from slopewise.problem import Problem
from slopewise.solution import Moments
from slopewise.training.batches import Rows, rows_of
from slopewise.training.curved import cost_at, sharpest, sharpness_at
from slopewise.training.decay import ridge_of
from slopewise.training.down import TORCH_LR
from slopewise.training.units import Units, units_of
from slopewise.types import Observer

FALLBACK_LR = 0.1
"""For plain descent from a place where nothing is curved."""


@dataclass(frozen=True, slots=True)
class Outset:
    """A network about to be trained.

    descent: the plan, its lr settled. rows and validation: x (n, q) and y (n,) in the units of the descent, in its
    dtype, w (n,) of mean 1 or None. units of the columns; y_mean and y_scale of the target, 0 and 1 where it is left
    alone. start (p,) float64. ridge (p,): ridge · theta² is added to the mean loss; shared_by: classes whose
    coefficients are shrunk about their mean (see decay.py), 0 for none. largest_lr: the largest stable one for sgd
    at the start, NaN for optimizers that set their own steps. sharpness: of a bent model at its start, for sgd.
    """

    descent: Descent
    rows: Rows
    validation: Rows | None
    units: Units
    y_mean: float
    y_scale: float
    start: Tensor
    ridge: Tensor
    shared_by: int
    largest_lr: float
    sharpness: Sharpness | None = None

    @property
    def unit(self) -> float:
        """What a cost of 1 inside is in the units of the table."""
        return self.y_scale**2

    @property
    def dtype(self) -> torch.dtype:
        """In which is computed."""
        return torch.float32 if self.descent.dtype == "float32" else torch.float64


def settle(
    problem: Problem,
    engine: Engine,
    *,
    moments: Moments,
    descent: Descent,
    start: Tensor,
    straight: bool,
    validation: Problem | None = None,
    observer: Observer | None = None,
) -> Outset:
    """Return what the training of a network begins with.

    Where no lr was given: for sgd half the largest stable one at the start (known beforehand for a straight model, by
    its sharpness there for a bent one), for the others torch's own.

    Args:
        problem: its model maps the units of the descent to eta.
        engine: how many rows are read at a time.
        moments: of the training rows.
        descent: the plan.
        start: (p,) float64.
        straight: no layer lies between columns and eta, so that the penalty can be on coefficients in raw units.
        validation: the same question put to rows held out, or None.
        observer: told how the read gets on, and when much memory is taken.

    Raises:
        DataError: no rows; a missing or infinite value.
    """
    units = units_of(moments, standardize=descent.standardize, intercept=True)
    y_mean, y_scale = target_units(problem, moments, standardize=descent.standardize)
    dtype = torch.float32 if descent.dtype == "float32" else torch.float64
    read = partial(_read, engine=engine, units=units, y_mean=y_mean, y_scale=y_scale, dtype=dtype)
    rows = read(problem, observer=observer)
    held_out = None if validation is None else read(validation, observer=None)
    module = problem.model.module(start.to(dtype))
    shared_by = problem.loss.classes if straight and problem.loss.classes > 2 and problem.penalty.strength else 0
    outset = Outset(
        descent=descent,
        rows=rows,
        validation=held_out,
        units=units,
        y_mean=y_mean,
        y_scale=y_scale,
        start=start,
        ridge=ridge_of(module, problem.penalty.strength / moments.weight, units.scale if straight else None),
        shared_by=shared_by,
        largest_lr=math.nan,
    )
    return _with_limit(outset, problem, moments, straight) if descent.optimizer == "sgd" else _with_lr(outset, math.nan)


def _read(
    problem: Problem,
    *,
    engine: Engine,
    units: Units,
    y_mean: float,
    y_scale: float,
    dtype: torch.dtype,
    observer: Observer | None,
) -> Rows:
    mean, scale = units.mean, units.scale
    found = gather(problem.source, engine.block_rows, mean=mean, scale=scale, observer=observer)
    y = (found.y - y_mean) / y_scale
    return rows_of(found.x.to(dtype), y.to(dtype), None if found.w is None else found.w.to(dtype))


def _with_limit(outset: Outset, problem: Problem, moments: Moments, straight: bool) -> Outset:
    sgd = sgd_of(outset.descent.options)
    bound = sharpest(problem, moments, outset.units, outset.ridge) if straight else None
    if bound is not None:
        return _with_lr(outset, largest_lr(bound, sgd))
    found = sharpness_at(cost_at(problem, outset.rows, outset.ridge), outset.start, sgd)
    return replace(_with_lr(outset, found.lr), sharpness=found)


def _with_lr(outset: Outset, largest: float) -> Outset:
    return replace(outset, descent=settled(outset.descent, largest), largest_lr=largest)


def settled(descent: Descent, largest: float) -> Descent:
    """Return the plan with its lr: where none was given half the `largest` stable one, or torch's own for others."""
    if descent.has_lr:
        return descent
    half = largest / 2 if math.isfinite(largest) else FALLBACK_LR
    return descent.with_lr(half if descent.optimizer == "sgd" else TORCH_LR[descent.optimizer])


def target_units(problem: Problem, moments: Moments, *, standardize: bool) -> tuple[float, float]:
    """Return mean and scale of the target in the units of the descent: 0 and 1 where it is left alone."""
    if not standardize or problem.loss.name != "squared":
        return 0.0, 1.0
    mean, deviation = float(moments.y_mean), math.sqrt(float(moments.yy) / moments.weight)
    return mean, deviation if deviation > 1e-14 * abs(mean) else 1.0


def steepness(
    problem: Problem, moments: Moments, first: Rows, start: Tensor, *, standardize: bool, straight: bool
) -> float:
    """Return the largest curvature of a network's cost in raw or standard units: the bound, or that at the start.

    Args:
        problem: its model maps the units of the descent to eta, in float64.
        moments: of the training rows.
        first: x (n, q), y (n,) and w (n,) or None in raw units, of the first training rows.
        start: (p,).
        standardize: in standard units, not in raw ones.
        straight: no layer lies between columns and eta.
    """
    units = units_of(moments, standardize=standardize, intercept=True)
    module = problem.model.module(start)
    ridge = ridge_of(module, problem.penalty.strength / moments.weight, units.scale if straight else None)
    bound = sharpest(problem, moments, units, ridge) if straight else None
    if bound is not None:
        return bound
    y_mean, y_scale = target_units(problem, moments, standardize=standardize)
    x, y, w = first
    rows = (
        (x - units.mean) / units.scale,
        (y - y_mean) / y_scale,
        None if w is None else w * moments.n / moments.weight,
    )
    return sharpness_at(cost_at(problem, rows, ridge), start, SGD()).eigenvalue
