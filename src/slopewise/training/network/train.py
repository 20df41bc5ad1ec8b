"""A network from its start to its answer: one by the plain loop, or many beside each other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter

import torch
from torch import Tensor, nn

from slopewise.errors import OptionError
from slopewise.optimizers.learning_rates import learning_rates
from slopewise.optimizers.sgd_recurrence import sgd_of
from slopewise.problem import Problem
from slopewise.solution import Descended, History, Status
from slopewise.training.descent.checkpoint import Checkpoint
from slopewise.training.descent.runner import run_descent
from slopewise.training.network.decay import penalty_of
from slopewise.training.network.multistart import MultistartResult, Network, train_multistart
from slopewise.training.network.plateaus import Plateau
from slopewise.training.network.prepare import NetworkSetup
from slopewise.training.network.sharpness import SharpnessHistory, cost_at, sharpness_history
from slopewise.types import Callback

LISTED = 100
"""Parameters up to which a network's states and gradients are kept of every recorded epoch, and listed."""

STILL = 1e-12
"""Relative change of the cost over the last tenth of the epochs that counts as none."""


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """What a training came to.

    descended: theta in the units of the descent, costs in those of the table. module: trained, in evaluation mode.
    starts: of many, how each of them ended, costs in the units of the table; None for one. sharpening: of one bent
    network by sgd, how the limit of its step changed along the run.
    """

    descended: Descended
    module: nn.Module
    starts: MultistartResult | None = None
    sharpness_history: SharpnessHistory | None = None


def train_one(
    problem: Problem, setup: NetworkSetup, *, callback: Callback | None = None, checkpoint: Checkpoint | None = None
) -> TrainedNetwork:
    """Return the network trained as the plan says; see `run_loop`.

    Raises:
        OptionError: a batch larger than the table, a rule of stopping without what it needs.
        FitError: the cost of the start is not finite.
        StoreError: the checkpoint cannot be written or resumed.
    """
    module = problem.model.module(setup.start.to(setup.dtype))
    penalty = penalty_of(module, setup.ridge, setup.shared_by)
    descended = run_descent(
        rows=setup.data,
        module=module,
        loss=problem.loss.value,
        plan=setup.plan,
        penalty=penalty,
        callback=callback,
        validation=setup.validation,
        checkpoint=checkpoint,
        gradients=len(setup.start) <= LISTED,
        unit=setup.unit,
    )
    if not bool((descended.history.epoch == descended.best_epoch).any()):
        cost = setup.data.cost(module, problem.loss.value, penalty, with_gradient=False)
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
    """Return how the limit changed on the way; None where it is not needed, or the states are not the whole network."""
    if descended.status is Status.INTERRUPTED:  # whoever presses Ctrl-C waits for nothing more
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
    network: Network,
    *,
    n_init: int,
    null_cost: float,
    callback: Callback | None = None,
) -> TrainedNetwork:
    """Return the best of many networks, trained beside each other for all epochs of the plan; see `train_starts`.

    Args:
        problem: what is asked.
        setup: what is known before the first epoch.
        network: the problem's model.
        n_init: how many.
        null_cost: the cost of the null model, in the units of the table.
        callback: told the epoch and the lowest cost.

    Raises:
        OptionError: rules of stopping, dropout, or given initial values.
        FitError: every start diverged.
    """
    if setup.plan.stopping.is_active:
        raise OptionError("early stopping watches one network; leave out patience and grad_tol, or set n_init to 1.")
    if setup.shared_by:  # no one number for each parameter, which the starts side by side need
        raise OptionError("one layer has one lowest point, wherever it starts; leave out n_init, or give it hidden.")
    began = perf_counter()
    found = train_multistart(
        network,
        problem.loss.value,
        setup.rows,
        setup.plan,
        n_init=n_init,
        null_cost=null_cost / setup.unit,
        ridge=setup.ridge.to(setup.dtype) if bool(setup.ridge.any()) else None,
        callback=None if callback is None else _InUnits(callback, setup.unit),
    )
    found = _in_units(found, setup.unit)
    theta = found.parameters[found.best]
    module = problem.model.module(theta.to(setup.dtype)).eval()
    return TrainedNetwork(_descended(found, setup, theta, perf_counter() - began), module, found)


def _descended(found: MultistartResult, setup: NetworkSetup, theta: Tensor, seconds: float) -> Descended:
    """Return the way of the best start; of its states only the last is known."""
    costs = found.costs[:, found.best]
    p, rows = len(theta), len(found.epoch)
    unknown = torch.full((1, 1), torch.nan, dtype=torch.float64).expand(rows, p)
    history = History(
        epoch=found.epoch,
        cost=costs,
        parameters=unknown,
        gradient=unknown,
        lr=learning_rates(setup.plan.schedule, setup.plan.lr, found.epoch),
    )
    cost, earlier = float(costs[-1]), float(costs[int(0.9 * (rows - 1))])
    still = rows > 1 and abs(earlier - cost) <= STILL * abs(cost)
    status = Status.INTERRUPTED if found.interrupted else Status.CONVERGED if still else Status.UNFINISHED
    return Descended(
        theta=theta,
        status=status,
        evidence=f"the cost is {cost:.6g} after {found.epochs} epochs, the best of {len(found.seeds)} starts",
        advice="give it more epochs" if status is Status.UNFINISHED else "",
        history=history,
        epochs=found.epochs,
        best_epoch=found.epochs,
        seconds=seconds,
    )


def _in_units(found: MultistartResult, unit: float) -> MultistartResult:
    """Return the starts with their costs in the units of the table."""
    if unit == 1:
        return found
    plateaus = tuple(_scaled(plateau, unit) for plateau in found.plateaus)
    costs = {name: getattr(found, name) * unit for name in ("cost", "costs", "null_cost")}
    return replace(found, plateaus=plateaus, **costs)


def _scaled(plateau: Plateau, unit: float) -> Plateau:
    return replace(plateau, low=plateau.low * unit, high=plateau.high * unit)


@dataclass(frozen=True, slots=True)
class _InUnits:
    """An observer who is told costs in the units of the table."""

    callback: Callback
    unit: float

    def rows(self, done: int, total: int | None) -> None:
        self.callback.rows(done, total)

    def note(self, text: str) -> None:
        self.callback.note(text)

    def epochs(self, done: int, total: int, cost: float) -> None:
        self.callback.epochs(done, total, cost * self.unit)
