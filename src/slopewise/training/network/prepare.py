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
from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.sgd_recurrence import SGD, sgd_of
from slopewise.optimizers.sharpness import Sharpness
from slopewise.optimizers.stability import largest_lr
from slopewise.problem import Problem
from slopewise.solution import Moments
from slopewise.training.descent.linear import TORCH_LR
from slopewise.training.descent.minibatches import Arrays, weighted_arrays
from slopewise.training.moments.standardize import Standardization, standardization
from slopewise.training.network.decay import ridge_of
from slopewise.training.network.sharpness import cost_at, hessian_bound, sharpness_at
from slopewise.types import Callback

FALLBACK_LR = 0.1
"""For plain descent from a place where nothing is curved."""


@dataclass(frozen=True, slots=True)
class NetworkSetup:
    """A network about to be trained.

    descent: the plan, its lr settled. rows and validation: x (n, q) and y (n,) in the units of the descent, in its
    dtype, w (n,) of mean 1 or None. units of the columns; y_mean and y_scale of the target, 0 and 1 where it is left
    alone. start (p,) float64. ridge (p,): ridge · theta² is added to the mean loss; shared_by: classes whose
    coefficients are shrunk about their mean (see decay.py), 0 for none. largest_lr: the largest stable one for sgd
    at the start, NaN for optimizers that set their own steps. sharpness: of a bent model at its start, for sgd.
    """

    plan: DescentPlan
    rows: Arrays
    validation: Arrays | None
    units: Standardization
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
        return torch.float32 if self.plan.dtype == "float32" else torch.float64


def prepare_network(
    problem: Problem,
    engine: Engine,
    *,
    moments: Moments,
    plan: DescentPlan,
    start: Tensor,
    is_linear: bool,
    validation: Problem | None = None,
    callback: Callback | None = None,
) -> NetworkSetup:
    """Return what the training of a network begins with.

    Where no lr was given: for sgd half the largest stable one at the start (known beforehand for a straight model, by
    its sharpness there for a bent one), for the others torch's own.

    Args:
        problem: its model maps the units of the descent to eta.
        engine: how many rows are read at a time.
        moments: of the training rows.
        plan: the plan.
        start: (p,) float64.
        is_linear: no layer lies between columns and eta, so that the penalty can be on coefficients in raw units.
        validation: the same question put to rows held out, or None.
        callback: told how the read gets on, and when much memory is taken.

    Raises:
        DataError: no rows; a missing or infinite value.
    """
    units = standardization(moments, standardize=plan.standardize, intercept=True)
    y_mean, y_scale = target_units(problem, moments, standardize=plan.standardize)
    dtype = torch.float32 if plan.dtype == "float32" else torch.float64
    read = partial(_read, engine=engine, units=units, y_mean=y_mean, y_scale=y_scale, dtype=dtype)
    rows = read(problem, callback=callback)
    held_out = None if validation is None else read(validation, callback=None)
    module = problem.model.module(start.to(dtype))
    shared_by = problem.loss.classes if is_linear and problem.loss.classes > 2 and problem.penalty.strength else 0
    setup = NetworkSetup(
        plan=plan,
        rows=rows,
        validation=held_out,
        units=units,
        y_mean=y_mean,
        y_scale=y_scale,
        start=start,
        ridge=ridge_of(module, problem.penalty.strength / moments.weight, units.scale if is_linear else None),
        shared_by=shared_by,
        largest_lr=math.nan,
    )
    return _with_limit(setup, problem, moments, is_linear) if plan.optimizer == "sgd" else _with_lr(setup, math.nan)


def _read(
    problem: Problem,
    *,
    engine: Engine,
    units: Standardization,
    y_mean: float,
    y_scale: float,
    dtype: torch.dtype,
    callback: Callback | None,
) -> Arrays:
    mean, scale = units.mean, units.scale
    found = engine.gather(problem.source, mean=mean, scale=scale, callback=callback)
    y = (found.y - y_mean) / y_scale
    return weighted_arrays(found.x.to(dtype), y.to(dtype), None if found.w is None else found.w.to(dtype))


def _with_limit(setup: NetworkSetup, problem: Problem, moments: Moments, is_linear: bool) -> NetworkSetup:
    sgd = sgd_of(setup.plan.options)
    bound = hessian_bound(problem, moments, setup.units, setup.ridge) if is_linear else None
    if bound is not None:
        return _with_lr(setup, largest_lr(bound, sgd))
    found = sharpness_at(cost_at(problem, setup.rows, setup.ridge), setup.start, sgd)
    return replace(_with_lr(setup, found.lr), sharpness=found)


def _with_lr(setup: NetworkSetup, largest: float) -> NetworkSetup:
    return replace(setup, plan=with_learning_rate(setup.plan, largest), largest_lr=largest)


def with_learning_rate(plan: DescentPlan, largest: float) -> DescentPlan:
    """Return the plan with its lr: where none was given half the `largest` stable one, or torch's own for others."""
    if plan.has_lr:
        return plan
    half = largest / 2 if math.isfinite(largest) else FALLBACK_LR
    return plan.with_lr(half if plan.optimizer == "sgd" else TORCH_LR[plan.optimizer])


def target_units(problem: Problem, moments: Moments, *, standardize: bool) -> tuple[float, float]:
    """Return mean and scale of the target in the units of the descent: 0 and 1 where it is left alone."""
    if not standardize or problem.loss.name != "squared":
        return 0.0, 1.0
    mean, deviation = float(moments.y_mean), math.sqrt(float(moments.yy) / moments.weight)
    return mean, deviation if deviation > 1e-14 * abs(mean) else 1.0


def largest_curvature(
    problem: Problem, moments: Moments, first: Arrays, start: Tensor, *, standardize: bool, is_linear: bool
) -> float:
    """Return the largest curvature of a network's cost in raw or standard units: the bound, or that at the start.

    Args:
        problem: its model maps the units of the descent to eta, in float64.
        moments: of the training rows.
        first: x (n, q), y (n,) and w (n,) or None in raw units, of the first training rows.
        start: (p,).
        standardize: in standard units, not in raw ones.
        is_linear: no layer lies between columns and eta.
    """
    units = standardization(moments, standardize=standardize, intercept=True)
    module = problem.model.module(start)
    ridge = ridge_of(module, problem.penalty.strength / moments.weight, units.scale if is_linear else None)
    bound = hessian_bound(problem, moments, units, ridge) if is_linear else None
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
