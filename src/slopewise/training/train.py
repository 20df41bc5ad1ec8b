"""A network from its start to its answer: one by the plain loop, or many beside each other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter

import torch
from torch import Tensor, nn

from slopewise.errors import OptionError
from slopewise.optimizers.rates import learning_rates
from slopewise.optimizers.recurrence import sgd_of
from slopewise.problem import Problem
from slopewise.solution import Descended, History, Status
from slopewise.training.checkpoint import Checkpoint
from slopewise.training.curved import Sharpening, cost_at, sharpening
from slopewise.training.decay import penalty_of
from slopewise.training.measure import whole_cost
from slopewise.training.outset import Outset
from slopewise.training.plateaus import Plateau
from slopewise.training.run import run_loop
from slopewise.training.starts import Network, Starts, train_starts
from slopewise.types import Observer

LISTED = 100
"""Parameters up to which a network's states and gradients are kept of every recorded epoch, and listed."""

STILL = 1e-12
"""Relative change of the cost over the last tenth of the epochs that counts as none."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training came to.

    descended: theta in the units of the descent, costs in those of the table. module: trained, in evaluation mode.
    starts: of many, how each of them ended, costs in the units of the table; None for one. sharpening: of one bent
    network by sgd, how the limit of its step changed along the run.
    """

    descended: Descended
    module: nn.Module
    starts: Starts | None = None
    sharpening: Sharpening | None = None


def train_one(
    problem: Problem, outset: Outset, *, observer: Observer | None = None, checkpoint: Checkpoint | None = None
) -> Trained:
    """Return the network trained as the plan says; see `run_loop`.

    Raises:
        OptionError: a batch larger than the table, a rule of stopping without what it needs.
        FitError: the cost of the start is not finite.
        StoreError: the checkpoint cannot be written or resumed.
    """
    x, y, w = outset.rows
    module = problem.model.module(outset.start.to(outset.dtype))
    penalty = penalty_of(module, outset.ridge, outset.shared_by)
    descended = run_loop(
        x=x,
        y=y,
        w=w,
        module=module,
        loss=problem.loss.value,
        descent=outset.descent,
        penalty=penalty,
        observer=observer,
        validation=outset.validation,
        checkpoint=checkpoint,
        gradients=len(outset.start) <= LISTED,
        unit=outset.unit,
    )
    if not bool((descended.history.epoch == descended.best_epoch).any()):
        cost = whole_cost(module, outset.rows, problem.loss.value, penalty, slopes=False)
        descended = replace(descended, cost=outset.unit * cost)
    if descended.status is Status.DIVERGED and outset.descent.lr > outset.largest_lr:
        safe = f"{outset.largest_lr / 2:.2g}"
        advice = f"take a smaller learning rate, such as lr={safe} instead of {outset.descent.lr:g}"
        descended = replace(descended, advice=advice)
    return Trained(descended, module.eval(), sharpening=_sharpening(problem, outset, module, descended))


def _sharpening(problem: Problem, outset: Outset, module: nn.Module, descended: Descended) -> Sharpening | None:
    """Return how the limit changed on the way; None where it is not needed, or the states are not the whole network."""
    if descended.status is Status.INTERRUPTED:  # whoever presses Ctrl-C waits for nothing more
        return None
    if outset.sharpness is None or any(part.is_floating_point() for part in module.buffers()):
        return None
    return sharpening(
        cost_at(problem, outset.rows, outset.ridge),
        descended.history,
        first=outset.sharpness,
        sgd=sgd_of(outset.descent.options),
        last=descended.best_epoch,
    )


def train_many(
    problem: Problem,
    outset: Outset,
    network: Network,
    *,
    starts: int,
    constant: float,
    observer: Observer | None = None,
) -> Trained:
    """Return the best of many networks, trained beside each other for all epochs of the plan; see `train_starts`.

    Args:
        problem: what is asked.
        outset: what is known before the first epoch.
        network: the problem's model.
        starts: how many.
        constant: the cost of answering every row alike, in the units of the table.
        observer: told the epoch and the lowest cost.

    Raises:
        OptionError: rules of stopping, dropout, or given initial values.
        FitError: every start diverged.
    """
    if outset.descent.stopping.looks:
        raise OptionError("early stopping watches one network; leave out patience and gradient, or set starts to 1.")
    if outset.shared_by:  # no one number for each parameter, which the starts side by side need
        raise OptionError("one layer has one lowest point, wherever it starts; leave out starts, or give it hidden.")
    began = perf_counter()
    found = train_starts(
        network,
        problem.loss.value,
        outset.rows,
        outset.descent,
        starts=starts,
        constant=constant / outset.unit,
        ridge=outset.ridge.to(outset.dtype) if bool(outset.ridge.any()) else None,
        observer=None if observer is None else _InUnits(observer, outset.unit),
    )
    found = _in_units(found, outset.unit)
    theta = found.parameters[found.best]
    module = problem.model.module(theta.to(outset.dtype)).eval()
    return Trained(_descended(found, outset, theta, perf_counter() - began), module, found)


def _descended(found: Starts, outset: Outset, theta: Tensor, seconds: float) -> Descended:
    """Return the way of the best start; of its states only the last is known."""
    costs = found.costs[:, found.best]
    p, rows = len(theta), len(found.epoch)
    unknown = torch.full((1, 1), torch.nan, dtype=torch.float64).expand(rows, p)
    history = History(
        epoch=found.epoch,
        cost=costs,
        parameters=unknown,
        gradient=unknown,
        lr=learning_rates(outset.descent.schedule, outset.descent.lr, found.epoch),
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


def _in_units(found: Starts, unit: float) -> Starts:
    """Return the starts with their costs in the units of the table."""
    if unit == 1:
        return found
    plateaus = tuple(_scaled(plateau, unit) for plateau in found.plateaus)
    costs = {name: getattr(found, name) * unit for name in ("cost", "costs", "constant")}
    return replace(found, plateaus=plateaus, **costs)


def _scaled(plateau: Plateau, unit: float) -> Plateau:
    return replace(plateau, low=plateau.low * unit, high=plateau.high * unit)


@dataclass(frozen=True, slots=True)
class _InUnits:
    """An observer who is told costs in the units of the table."""

    observer: Observer
    unit: float

    def rows(self, done: int, total: int | None) -> None:
        self.observer.rows(done, total)

    def note(self, text: str) -> None:
        self.observer.note(text)

    def epochs(self, done: int, total: int, cost: float) -> None:
        self.observer.epochs(done, total, cost * self.unit)
