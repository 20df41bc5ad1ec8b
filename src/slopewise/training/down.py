"""Gradient descent on a linear model with squared loss, by whichever road, to one kind of answer.

1. Units: the columns as they are, or standardised. 2. The cost as a quadratic, from the moments. 3. The start, and the
learning rate where none was given. 4. The road. 5. What it came to.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from time import perf_counter

import torch
from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.engine.gather import gather
from slopewise.engine.local import one_torch_thread
from slopewise.optimizers.descent import Descent
from slopewise.optimizers.limits import Curvature, Limits, limits_of
from slopewise.optimizers.recurrence import sgd_of
from slopewise.problem import Problem
from slopewise.solution import Descended, History, Moments, Solution, Status
from slopewise.training.checkpoint import Checkpoint
from slopewise.training.measure import ridge
from slopewise.training.moment_loop import descend_moments
from slopewise.training.quadratic import Quadratic, quadratic_of
from slopewise.training.replay import descend_replay
from slopewise.training.roads import choose_road
from slopewise.training.run import run_loop
from slopewise.training.spectrum import spectrum_of
from slopewise.training.start import initial_parameters
from slopewise.training.stopping import RISES, Explosion, explosion_limit, find_stop, settled
from slopewise.training.units import Units, from_raw, to_raw, units_of
from slopewise.types import Observer

TORCH_LR = {"adam": 1e-3, "adamw": 1e-3, "rmsprop": 1e-2, "adagrad": 1e-2}
"""The learning rate that torch.optim takes where none is given, for optimizers whose limit is not known."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Everything known before the first step: the plan with its lr settled, units, cost, start (p,), limits."""

    descent: Descent
    units: Units
    quadratic: Quadratic
    start: Tensor
    limits: Limits
    curvature: Curvature


def survey(problem: Problem, moments: Moments, exact: Solution | None, descent: Descent) -> Ground:
    """Return what is known before the first step.

    Args:
        problem: linear model, squared loss.
        moments: of the training rows.
        exact: the exact solution, None where the columns determine none.
        descent: the plan; where it has no lr, half the largest stable one is taken for sgd with momentum, the best one
            for plain sgd, and torch's own for the others.
    """
    # 1.
    units = units_of(moments, standardize=descent.standardize, intercept=problem.intercept)
    # 2.
    optimum = None if exact is None else from_raw(exact.theta, units)
    rss = None if exact is None else exact.rss
    quadratic = quadratic_of(moments, units, l2=problem.penalty.strength, optimum=optimum, rss=rss)
    # 3.
    start = initial_parameters(descent.init, names=problem.names, intercept=problem.intercept, seed=descent.seed)
    curvature = _curvature(quadratic, problem)
    sgd = sgd_of(descent.options) if descent.optimizer == "sgd" else None
    limits = limits_of(curvature, sgd)
    if not descent.has_lr:
        descent = descent.with_lr(_lr(descent, limits))
    return Ground(descent, units, quadratic, start, limits, curvature)


def curvature_in(problem: Problem, moments: Moments, units: Units) -> Curvature:
    """Return the curvature of the mean cost in other units."""
    return _curvature(quadratic_of(moments, units, l2=problem.penalty.strength), problem)


def _curvature(quadratic: Quadratic, problem: Problem) -> Curvature:
    spectrum = spectrum_of(quadratic.hessian)
    return Curvature(spectrum.eigenvalues, spectrum.eigenvectors, problem.names, exact=True)


def go_down(
    problem: Problem,
    engine: Engine,
    *,
    ground: Ground,
    moments: Moments,
    wanted: str = "descent",
    observer: Observer | None = None,
    checkpoint: Checkpoint | None = None,
    validation: Problem | None = None,
) -> tuple[Descended, str, str]:
    """Return the descent, theta in raw units and history in the units of the descent, the road and the reason for it.

    Raises:
        OptionError: the road does not exist for this plan.
        FitError: the cost at the start is not finite.
        StoreError: the checkpoint cannot be written or resumed.
    """
    # 4.
    needed = "checkpoints keep the state of the loop" if checkpoint is not None else ""
    road, reason = choose_road(ground.descent, wanted, rows_needed=needed)
    if road == "loop":
        found = _loop(problem, engine, ground, moments, observer, checkpoint, validation)
        return found, road, reason
    began = perf_counter()
    way = descend_replay if road == "replay" else descend_moments
    # Products of a few numbers are over before a second thread has woken up.
    with one_torch_thread():
        history = way(ground.quadratic, ground.descent, ground.start)
    # 5.
    return _ended(history, ground, moments, seconds=perf_counter() - began), road, reason


def _lr(descent: Descent, limits: Limits) -> float:
    if descent.optimizer != "sgd":
        return TORCH_LR[descent.optimizer]
    if not descent.options.get("momentum") and limits.best is not None:
        return limits.best.lr
    return limits.lr / 2 if limits.largest > 0 else 1.0


def _loop(
    problem: Problem,
    engine: Engine,
    ground: Ground,
    moments: Moments,
    observer: Observer | None,
    checkpoint: Checkpoint | None,
    validation: Problem | None,
) -> Descended:
    dtype = torch.float32 if ground.descent.dtype == "float32" else torch.float64
    units = ground.units
    rows = gather(problem.source, engine.block_rows, mean=units.mean, scale=units.scale, dtype=dtype, observer=observer)
    held_out = None
    if validation is not None:
        kept = gather(validation.source, engine.block_rows, mean=units.mean, scale=units.scale, dtype=dtype)
        held_out = (kept.x, kept.y, kept.w)
    found = run_loop(
        x=rows.x,
        y=rows.y,
        w=rows.w,
        module=problem.model.module(ground.start.to(dtype)),
        loss=problem.loss.value,
        descent=ground.descent,
        penalty=ridge(problem.penalty.strength, units.scale, moments.weight),
        observer=observer,
        validation=held_out,
        checkpoint=checkpoint,
        optimum=ground.quadratic.optimum,
        lowest=ground.quadratic.lowest,
    )
    return _with_raw(found, ground)


def _with_raw(found: Descended, ground: Ground) -> Descended:
    return replace(found, theta=to_raw(found.theta, ground.units))


def _ended(history: History, ground: Ground, moments: Moments, *, seconds: float) -> Descended:
    """Say what a computed history came to, as the loop would have said it."""
    descent = ground.descent
    nothing = float(moments.yy / moments.weight + moments.y_mean**2)
    start, lowest = float(history.cost[0]), float(ground.quadratic.lowest)
    limit = explosion_limit(start=start, nothing=nothing, options=descent.options)
    burst = _explosion(history.cost, limit)
    if burst is not None:
        history = _cut(history, burst)
        best = int(history.cost.argmin())
        epoch = int(history.epoch[best])
        return Descended(
            theta=to_raw(history.parameters[best], ground.units),
            status=Status.DIVERGED,
            evidence=f"the cost went from {start:.6g} beyond {limit:.3g} by epoch {int(history.epoch[-1]) + 1}",
            advice=f"take a learning rate below {ground.limits.lr:.6g}, such as lr={0.9 * ground.limits.lr:.3g}",
            history=history,
            epochs=int(history.epoch[-1]),
            best_epoch=epoch,
            seconds=seconds,
        )
    last, cost = int(history.epoch[-1]), float(history.cost[-1])
    status, evidence, kept = _verdict(history, ground, start=start, cost=cost, lowest=lowest)
    return Descended(
        theta=to_raw(history.parameters[kept], ground.units),
        status=status,
        evidence=evidence,
        advice="give it more epochs" if status is Status.UNFINISHED else "",
        history=history,
        epochs=last,
        best_epoch=int(history.epoch[kept]),
        seconds=seconds,
    )


def _verdict(history: History, ground: Ground, *, start: float, cost: float, lowest: float) -> tuple[Status, str, int]:
    """Return status, evidence and the row whose state is kept."""
    stopping, last = ground.descent.stopping, int(history.epoch[-1])
    if stopping.looks and len(history.epoch) == last + 1:
        found = find_stop(stopping, history.cost, history.gradient.norm(dim=1), lowest)
        if found is not None:
            patient = stopping.patience is not None
            return Status.STOPPED, found[1], int(history.cost.argmin()) if patient else -1
    if stopping.looks and last < ground.descent.epochs:
        return Status.STOPPED, f"the rule held at epoch {last}", -1
    epsilon = torch.finfo(torch.float64).eps
    recent: deque[float] = deque(history.cost[-RISES:].tolist(), maxlen=RISES + 1)
    done = settled(start=start, cost=cost, lowest=lowest, recent=recent, epsilon=epsilon)
    evidence = f"the cost is {cost:.6g} after {last} epochs, {max(cost - lowest, 0.0):.3g} above the lowest there is"
    return (Status.CONVERGED if done else Status.UNFINISHED), evidence, -1


def _explosion(cost: Tensor, limit: float) -> int | None:
    """Return the row at which the loop would have noticed an explosion, None if none does."""
    if bool((cost <= limit).all()):
        return None
    watch = Explosion(limit)
    return next((row for row, value in enumerate(cost.tolist()) if watch.happened(value)), None)


def _cut(history: History, row: int) -> History:
    """Return the history before `row`, at least its start."""
    end = max(row, 1)
    return replace(
        history,
        epoch=history.epoch[:end],
        cost=history.cost[:end],
        parameters=history.parameters[:end],
        gradient=history.gradient[:end],
        lr=history.lr[:end],
    )
