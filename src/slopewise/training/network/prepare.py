"""Set-up of a network's training: standardised columns and target, rows in memory, penalty, learning rate.

With standardised columns, a numeric target under squared loss is standardised too, since a network's initial weights
suit outputs of mean 0 and standard deviation 1. Costs are reported in the units of the table: `unit`, the target's
variance, is the factor from one to the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.engine.gather import gather
from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.sgd_recurrence import SGD, sgd_of
from slopewise.optimizers.sharpness import Sharpness
from slopewise.optimizers.stability import largest_lr
from slopewise.problem import Problem
from slopewise.solution import Moments, Standardization
from slopewise.training.descent.linear import TORCH_LR
from slopewise.training.descent.minibatches import Arrays, weighted_arrays
from slopewise.training.moments.standardize import standardization
from slopewise.training.network.decay import ridge_of
from slopewise.training.network.sharpness import cost_at, hessian_bound, sharpness_at
from slopewise.types import Callback

FALLBACK_LR = 0.1
"""Learning rate for sgd where the cost has no curvature at the start."""


@dataclass(frozen=True, slots=True)
class NetworkSetup:
    """Everything known before the first epoch.

    plan: with its lr set. rows and validation: x (n, q) and y (n,) in the units of the descent, in its dtype, w (n,) of
    mean 1 or None. units: of the columns. y_mean and y_scale: of the target, 0 and 1 where it is not standardised.
    start (p,): initial parameters, float64. ridge (p,): ridge · theta² is added to the mean loss. shared_by: number of
    classes whose coefficients are shrunk towards their mean (see decay.py), 0 for none. largest_lr: the largest stable
    one for sgd at the start, NaN for adaptive optimizers. sharpness: at the start, for sgd and hidden layers.
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
        """Factor from costs of the standardised target to the units of the table."""
        return self.y_scale**2

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the training."""
        return self.plan.torch_dtype


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
    """Return the set-up of a network's training.

    Where no lr was given: for sgd half the largest stable one at the start (from an upper bound without hidden layers,
    from the sharpness at the start with them), for the others torch's default.

    Args:
        problem: its model maps the units of the descent to eta.
        engine: reads the rows, a number of them at a time.
        moments: of the training rows.
        plan: optimizer, schedule, units, dtype.
        start: (p,) float64.
        is_linear: the model has no hidden layers, so that the penalty can be on coefficients in raw units.
        validation: the problem of the held-out rows, or None.
        callback: receives the progress of the read, and a note when much memory is used.

    Raises:
        DataError: no rows; a missing or infinite value.
    """
    units = standardization(moments, standardize=plan.standardize, intercept=True)
    y_mean, y_scale = target_units(problem, moments, standardize=plan.standardize)
    dtype = plan.torch_dtype
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
    arrays = gather(problem.source, engine.batch_rows, mean=mean, scale=scale, callback=callback)
    y = (arrays.y - y_mean) / y_scale
    return weighted_arrays(arrays.x.to(dtype), y.to(dtype), None if arrays.w is None else arrays.w.to(dtype))


def _with_limit(setup: NetworkSetup, problem: Problem, moments: Moments, is_linear: bool) -> NetworkSetup:
    sgd = sgd_of(setup.plan.options)
    bound = hessian_bound(problem, moments, setup.units, setup.ridge) if is_linear else None
    if bound is not None:
        return _with_lr(setup, largest_lr(bound, sgd))
    measured = sharpness_at(cost_at(problem, setup.rows, setup.ridge), setup.start, sgd)
    return replace(_with_lr(setup, measured.lr), sharpness=measured)


def _with_lr(setup: NetworkSetup, largest: float) -> NetworkSetup:
    return replace(setup, plan=with_learning_rate(setup.plan, largest), largest_lr=largest)


def with_learning_rate(plan: DescentPlan, largest: float) -> DescentPlan:
    """Return the plan with its lr: where none was given, half the `largest` stable one for sgd, else torch's default.

    Example:
        >>> with_learning_rate(DescentPlan(), largest=0.5).lr
        0.25
    """
    if plan.has_lr:
        return plan
    half = largest / 2 if math.isfinite(largest) else FALLBACK_LR
    return plan.with_lr(half if plan.optimizer == "sgd" else TORCH_LR[plan.optimizer])


def target_units(problem: Problem, moments: Moments, *, standardize: bool) -> tuple[float, float]:
    """Return mean and scale of the target in the units of the descent: 0 and 1 where it is not standardised."""
    if not standardize or problem.loss.name != "squared":
        return 0.0, 1.0
    mean, deviation = float(moments.y_mean), math.sqrt(float(moments.yy) / moments.weight)
    return mean, deviation if deviation > 1e-14 * abs(mean) else 1.0


def largest_curvature(
    problem: Problem, moments: Moments, first: Arrays, start: Tensor, *, standardize: bool, is_linear: bool
) -> float:
    """Return the largest Hessian eigenvalue of a network's cost at the start, an upper bound without hidden layers.

    Args:
        problem: its model maps the units of the descent to eta, in float64.
        moments: of the training rows.
        first: x (n, q), y (n,) and w (n,) or None in raw units, of the first training rows.
        start: (p,).
        standardize: standardised columns rather than raw ones.
        is_linear: the model has no hidden layers.
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
