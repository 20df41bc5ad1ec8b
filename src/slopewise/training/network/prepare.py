"""Set-up of a network's training: standardised columns and target, rows in memory, penalty, learning rate.

With standardised columns, a numeric target under squared loss is standardised too, since a network's initial weights
suit outputs of mean 0 and standard deviation 1. Costs are reported in the units of the table: `unit`, the target's
variance, is the factor from one to the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.errors import DataError
from slopewise.losses.loss import Loss
from slopewise.losses.offset import y_of
from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.sgd_recurrence import SGD, sgd_of
from slopewise.optimizers.sharpness import Sharpness
from slopewise.optimizers.stability import largest_lr
from slopewise.problem import Problem
from slopewise.solution import Moments, Standardization
from slopewise.training.descent.linear import TORCH_LR
from slopewise.training.descent.minibatches import Arrays
from slopewise.training.descent.rows import DescentRows, StreamedRows, descent_rows, validation_rows
from slopewise.training.moments.standardize import StandardizedRows, standardization
from slopewise.training.network.decay import ridge_of
from slopewise.training.network.sharpness import cost_at, hessian_bound, sharpness_at
from slopewise.types import Batch, Callback

FALLBACK_LR = 0.1
"""Learning rate for sgd where the cost has no curvature at the start."""


@dataclass(frozen=True, slots=True)
class NetworkSetup:
    """Everything known before the first epoch.

    plan: its lr settled. data and validation: rows in the units and the dtype of the descent. targets: y and w or None
    of r rows, in those units, on which the null model costs what it costs on all training rows; counts (k,):
    training rows of each class, none where the target is a number. units of the columns; y_mean and y_scale of the
    target, 0 and 1 where it is left alone. start (p,) float64. ridge (p,): ridge · theta² is added to the mean
    loss; shared_by: classes whose coefficients are shrunk about their mean (see decay.py), 0 for none. largest_lr:
    the largest stable one for sgd at the start, NaN for optimizers that set their own steps. sharpness: of a
    model with hidden layers at its start, for sgd.
    """

    plan: DescentPlan
    data: DescentRows
    validation: DescentRows | None
    targets: tuple[Tensor, Tensor | None]
    counts: tuple[int, ...]
    units: Standardization
    y_mean: float
    y_scale: float
    start: Tensor
    ridge: Tensor
    shared_by: int
    largest_lr: float
    sharpness: Sharpness | None = None

    @property
    def rows(self) -> Arrays:
        """x, y and w of the training rows that are in memory: all, or where they are streamed the first."""
        return self.data.first

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
    may_stream: bool = True,
    callback: Callback | None = None,
) -> NetworkSetup:
    """Return the set-up of a network's training.

    Where no lr was given: for sgd half the largest stable one at the start (from an upper bound without hidden layers,
    from the sharpness at the start with them), for the others torch's default.

    Args:
        problem: its model maps the units of the descent to eta.
        engine: reads the rows.
        moments: of the training rows.
        plan: optimizer, schedule, units, dtype.
        start: (p,) float64.
        is_linear: no layer lies between columns and eta, so that the penalty can be on coefficients in raw units.
        validation: the same question put to rows held out, or None.
        may_stream: whether mini-batches may be read anew in every epoch, where the rows are too many to keep.
        callback: told how the read gets on, and when much memory is taken.

    Raises:
        DataError: no rows; a missing or infinite value; a target that the loss cannot take.
    """
    units = standardization(moments, standardize=plan.standardize, intercept=True)
    y_mean, y_scale = target_units(problem, moments, standardize=plan.standardize)
    dtype = plan.torch_dtype

    def standardized(source: Source, weight_factor: float) -> StandardizedRows:
        return StandardizedRows(source, units.mean, units.scale, dtype, y_mean, y_scale, weight_factor)

    rows = descent_rows(problem.source, engine, plan, moments, standardized, may_stream=may_stream, callback=callback)
    targets, counts = _targets(rows, problem.loss)
    wrong = None if counts else problem.loss.check_target(y_of(targets[0]))
    if wrong is not None:
        raise DataError(wrong)
    module = problem.model.module(start.to(dtype))
    shared_by = problem.loss.n_classes if is_linear and problem.loss.n_classes > 2 and problem.penalty.strength else 0
    setup = NetworkSetup(
        plan=plan,
        data=rows,
        validation=None if validation is None else validation_rows(validation.source, rows, engine, standardized),
        targets=targets,
        counts=counts,
        units=units,
        y_mean=y_mean,
        y_scale=y_scale,
        start=start,
        ridge=ridge_of(module, problem.penalty.strength / moments.weight, units.scale if is_linear else None),
        shared_by=shared_by,
        largest_lr=math.nan,
    )
    return _with_limit(setup, problem, moments, is_linear) if plan.optimizer == "sgd" else _with_lr(setup, math.nan)


class TargetSums(NamedTuple):
    """ys and ws, where all targets are asked for: those of every batch; rows and weight (k,) of each class."""

    ys: tuple[Tensor, ...]
    ws: tuple[Tensor, ...]
    rows: Tensor
    weight: Tensor


def target_sums(batch: Batch, operands: None, *, n_classes: int) -> TargetSums:
    """Return what one batch says of the targets: rows and weight of each class, or the numbers themselves."""
    assert batch.y is not None
    w = batch.y.new_ones(len(batch)) if batch.w is None else batch.w
    if not n_classes:
        return TargetSums((batch.y,), (w,), batch.y.new_zeros(0), batch.y.new_zeros(0))
    number = batch.y.to(torch.int64)
    rows = torch.bincount(number, minlength=n_classes)
    return TargetSums((), (), rows, torch.bincount(number, w.to(torch.float64), minlength=n_classes))


def _targets(rows: DescentRows, loss: Loss) -> tuple[tuple[Tensor, Tensor | None], tuple[int, ...]]:
    """Return `targets` and `counts` of a setup; of streamed rows from one read, or where the loss is squared from none.

    Of streamed rows the targets are the classes, weighed by their rows; for squared loss two numbers with the mean and
    the variance of all; for any other loss all numbers, 16 bytes a row, or with an offset 24.
    """
    k = loss.n_classes
    if not isinstance(rows, StreamedRows):
        _, y, w = rows.first
        return (y, w), tuple(torch.bincount(y.to(torch.int64), minlength=k).tolist()) if k else ()
    if loss.name == "squared":
        found, source = rows.moments, rows.source
        mean = (found.y_mean - source.y_mean) / source.y_scale
        deviation = (found.yy / found.weight).sqrt() / source.y_scale
        return (torch.stack([mean - deviation, mean + deviation]).to(source.dtype), None), ()
    sums = rows.engine.reduce(partial(target_sums, n_classes=k), rows.source, None)
    assert sums is not None  # their moments are known
    if not k:
        return (torch.cat(sums.ys), torch.cat(sums.ws)), ()
    return (torch.arange(k, dtype=rows.source.dtype), sums.weight.to(rows.source.dtype)), tuple(sums.rows.tolist())


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
    """Return mean and scale of the target in the units of the descent: 0 and 1 where it is not standardised.

    Args:
        problem: for its loss.
        moments: of the training rows.
        standardize: of the descent; a target is standardised under squared loss alone.
    """
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
        first: x, y, with its offset where there is one, and w or None in raw units, of the first training rows.
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
