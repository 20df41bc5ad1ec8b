"""Train a neural network: one initialization by the training loop, or the best of several (multistart)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import cast

import torch
from torch import Tensor, nn

from slopewise.errors import OptionError
from slopewise.losses.offset import row_loss
from slopewise.optimizers.learning_rates import learning_rates
from slopewise.optimizers.sgd_recurrence import sgd_of
from slopewise.problem import Problem
from slopewise.solution import Descended, History, Plateau, SharpnessHistory, Status
from slopewise.training.descent.checkpoint import Checkpoint
from slopewise.training.descent.runner import run_descent
from slopewise.training.network.decay import penalty_of
from slopewise.training.network.multistart import MultistartResult, Network, train_multistart
from slopewise.training.network.prepare import NetworkSetup
from slopewise.training.network.sharpness import cost_at, sharpness_history
from slopewise.types import Callback

LISTED = 100
"""Parameters up to which a network's history has the gradient of every recorded epoch, and the report lists them."""

CONVERGED_CHANGE = 1e-12
"""Relative change of the cost over the last tenth of the epochs at or below which it has converged."""


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A trained network.

    descended: theta in the units of the descent, costs in those of the table. module: trained, in evaluation mode.
    starts: results of all initializations, costs in the units of the table; None for one. sharpness_history: the
    sharpness along the run, for one network with hidden layers trained by sgd; None otherwise.
    """

    descended: Descended
    module: nn.Module
    starts: MultistartResult | None = None
    sharpness_history: SharpnessHistory | None = None


def train_one(
    problem: Problem, setup: NetworkSetup, *, callback: Callback | None = None, checkpoint: Checkpoint | None = None
) -> TrainedNetwork:
    """Return the network trained by the loop; see `run_loop`.

    Args:
        problem: model and loss.
        setup: see `prepare_network`.
        callback: receives progress, or None.
        checkpoint: folder and settings, or None.

    Raises:
        OptionError: a batch larger than the table, or a stopping rule that this problem does not support.
        FitError: the cost of the start is not finite.
        StoreError: the checkpoint cannot be written or resumed.
    """
    module, loss = problem.model.module(setup.start.to(setup.dtype)), row_loss(problem.loss, setup.rows[1])
    penalty = penalty_of(module, setup.ridge, setup.shared_by)
    descended = run_descent(
        rows=setup.data,
        module=module,
        loss=loss,
        plan=setup.plan,
        penalty=penalty,
        callback=callback,
        validation=setup.validation,
        checkpoint=checkpoint,
        gradients=len(setup.start) <= LISTED,
        unit=setup.unit,
    )
    if not bool((descended.history.epoch == descended.best_epoch).any()):
        cost = setup.data.cost(module, loss, penalty, with_gradient=False)
        descended = replace(descended, cost=setup.unit * cost)
    if descended.status is Status.DIVERGED and setup.plan.lr > setup.largest_lr:
        safe = f"{setup.largest_lr / 2:.2g}"
        advice = f"take a smaller learning rate, such as lr={safe} instead of {setup.plan.lr:g}"
        descended = replace(descended, advice=advice)
    return TrainedNetwork(
        descended, module.eval(), sharpness_history=_sharpness_history(problem, setup, module, descended)
    )


def _sharpness_history(
    problem: Problem, setup: NetworkSetup, module: nn.Module, descended: Descended
) -> SharpnessHistory | None:
    """Return the sharpness along the run; None where it was not measured at the start, or buffers changed as well."""
    if descended.status is Status.INTERRUPTED:  # after Ctrl-C nothing more is measured
        return None
    if setup.sharpness is None or any(part.is_floating_point() for part in module.buffers()):
        return None
    return sharpness_history(
        cost_at(problem, setup.rows, setup.ridge),
        descended.history,
        first=setup.sharpness,
        sgd=sgd_of(setup.plan.options),
        last=descended.best_epoch,
    )


def train_multiple(
    problem: Problem,
    setup: NetworkSetup,
    *,
    n_init: int,
    null_cost: float,
    callback: Callback | None = None,
) -> TrainedNetwork:
    """Return the best of `n_init` networks, trained together for all epochs of the plan; see `train_multistart`.

    Args:
        problem: model and loss.
        setup: see `prepare_network`.
        n_init: how many networks to train.
        null_cost: the cost of the null model, in the units of the table.
        callback: receives the epoch and the lowest cost.

    Raises:
        OptionError: stopping rules, dropout, or given initial values.
        FitError: every start diverged.
    """
    if setup.plan.stopping.is_active:
        raise OptionError("early stopping monitors one network; leave out patience and grad_tol, or set n_init=1.")
    if setup.shared_by:  # not elementwise, which training as one batch needs
        raise OptionError(
            "without hidden layers there is one optimum, whatever the start; leave out n_init, or give hidden."
        )
    began = perf_counter()
    result = train_multistart(
        cast("Network", problem.model),
        row_loss(problem.loss, setup.rows[1]),
        setup.rows,
        setup.plan,
        n_init=n_init,
        null_cost=null_cost / setup.unit,
        ridge=setup.ridge.to(setup.dtype) if bool(setup.ridge.any()) else None,
        callback=None if callback is None else _InUnits(callback, setup.unit),
    )
    result = _in_units(result, setup.unit)
    theta = result.parameters[result.best]
    module = problem.model.module(theta.to(setup.dtype)).eval()
    return TrainedNetwork(_descended(result, setup, theta, perf_counter() - began), module, result)


def _descended(result: MultistartResult, setup: NetworkSetup, theta: Tensor, seconds: float) -> Descended:
    """Return the descent of the best start; of its parameters only the last are known."""
    costs = result.costs[:, result.best]
    p, rows = len(theta), len(result.epoch)
    unknown = torch.full((1, 1), torch.nan, dtype=torch.float64).expand(rows, p)
    history = History(
        epoch=result.epoch,
        cost=costs,
        parameters=unknown,
        gradient=unknown,
        lr=learning_rates(setup.plan.schedule, setup.plan.lr, result.epoch),
    )
    cost, earlier = float(costs[-1]), float(costs[int(0.9 * (rows - 1))])
    converged = rows > 1 and abs(earlier - cost) <= CONVERGED_CHANGE * abs(cost)
    status = Status.INTERRUPTED if result.interrupted else Status.CONVERGED if converged else Status.UNFINISHED
    return Descended(
        theta=theta,
        status=status,
        evidence=f"the cost is {cost:.6g} after {result.epochs} epochs, the best of {len(result.seeds)} starts",
        advice="raise epochs" if status is Status.UNFINISHED else "",
        history=history,
        epochs=result.epochs,
        best_epoch=result.epochs,
        seconds=seconds,
    )


def _in_units(result: MultistartResult, unit: float) -> MultistartResult:
    """Return the result with its costs in the units of the table."""
    if unit == 1:
        return result
    plateaus = tuple(_scaled(plateau, unit) for plateau in result.plateaus)
    costs = {name: getattr(result, name) * unit for name in ("cost", "costs", "null_cost")}
    return replace(result, plateaus=plateaus, **costs)


def _scaled(plateau: Plateau, unit: float) -> Plateau:
    return replace(plateau, low=plateau.low * unit, high=plateau.high * unit)


@dataclass(frozen=True, slots=True)
class _InUnits:
    """A callback that passes costs on in the units of the table."""

    callback: Callback
    unit: float

    def rows(self, done: int, total: int | None) -> None:
        self.callback.rows(done, total)

    def note(self, text: str) -> None:
        self.callback.note(text)

    def epochs(self, done: int, total: int, cost: float) -> None:
        self.callback.epochs(done, total, cost * self.unit)
