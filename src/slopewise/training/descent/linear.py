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

from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.engine.threads import one_torch_thread
from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.sgd_recurrence import sgd_of
from slopewise.optimizers.stability import HessianSpectrum, Limits, limits_of
from slopewise.problem import Problem
from slopewise.solution import Descended, History, Moments, Solution, Status
from slopewise.training.descent.checkpoint import Checkpoint
from slopewise.training.descent.closed_form import descend_closed_form
from slopewise.training.descent.moment_descent import descend_moments
from slopewise.training.descent.objective import ridge
from slopewise.training.descent.rows import descent_rows, validation_rows
from slopewise.training.descent.runner import run_descent
from slopewise.training.descent.start import initial_parameters
from slopewise.training.descent.stopping import RISES, DivergenceDetector, divergence_limit, find_stop, has_converged
from slopewise.training.moments.quadratic import Quadratic, quadratic_of
from slopewise.training.moments.spectrum import spectrum_of
from slopewise.training.moments.standardize import (
    Standardization,
    StandardizedRows,
    standardization,
    to_raw_scale,
    to_standard_scale,
)
from slopewise.training.roads import choose_road
from slopewise.types import Callback

TORCH_LR = {"adam": 1e-3, "adamw": 1e-3, "rmsprop": 1e-2, "adagrad": 1e-2}
"""The learning rate that torch.optim takes where none is given, for optimizers whose limit is not known."""


@dataclass(frozen=True, slots=True)
class DescentSetup:
    """Everything known before the first step: the plan with its lr settled, units, cost, start (p,), limits."""

    plan: DescentPlan
    units: Standardization
    quadratic: Quadratic
    start: Tensor
    limits: Limits
    spectrum: HessianSpectrum


def prepare_descent(problem: Problem, moments: Moments, exact: Solution | None, plan: DescentPlan) -> DescentSetup:
    """Return what is known before the first step.

    Args:
        problem: linear model, squared loss.
        moments: of the training rows.
        exact: the exact solution, None where the columns determine none.
        plan: the plan; where it has no lr, half the largest stable one is taken for sgd with momentum, the best one
            for plain sgd, and torch's own for the others.
    """
    # 1.
    units = standardization(moments, standardize=plan.standardize, intercept=problem.intercept)
    # 2.
    optimum = None if exact is None else to_standard_scale(exact.theta, units)
    rss = None if exact is None else exact.rss
    quadratic = quadratic_of(moments, units, l2=problem.penalty.strength, optimum=optimum, rss=rss)
    # 3.
    start = initial_parameters(plan.init, names=problem.names, intercept=problem.intercept, seed=plan.seed)
    spectrum = _hessian_spectrum(quadratic, problem)
    sgd = sgd_of(plan.options) if plan.optimizer == "sgd" else None
    limits = limits_of(spectrum, sgd)
    if not plan.has_lr:
        plan = plan.with_lr(_lr(plan, limits))
    return DescentSetup(plan, units, quadratic, start, limits, spectrum)


def hessian_spectrum(problem: Problem, moments: Moments, units: Standardization) -> HessianSpectrum:
    """Return the curvature of the mean cost in other units."""
    return _hessian_spectrum(quadratic_of(moments, units, l2=problem.penalty.strength), problem)


def _hessian_spectrum(quadratic: Quadratic, problem: Problem) -> HessianSpectrum:
    spectrum = spectrum_of(quadratic.hessian)
    return HessianSpectrum(spectrum.eigenvalues, spectrum.eigenvectors, problem.names, exact=True)


def descend_linear(
    problem: Problem,
    engine: Engine,
    *,
    setup: DescentSetup,
    moments: Moments,
    wanted: str = "gd",
    callback: Callback | None = None,
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
    road, reason = choose_road(setup.plan, wanted, rows_needed=needed)
    if road == "gd_loop":
        found = _loop(problem, engine, setup, moments, callback, checkpoint, validation)
        return found, road, reason
    began = perf_counter()
    way = descend_closed_form if road == "gd_closed_form" else descend_moments
    # Products of a few numbers are over before a second thread has woken up.
    with one_torch_thread():
        history = way(setup.quadratic, setup.plan, setup.start)
    # 5.
    return _ended(history, setup, moments, seconds=perf_counter() - began), road, reason


def _lr(plan: DescentPlan, limits: Limits) -> float:
    if plan.optimizer != "sgd":
        return TORCH_LR[plan.optimizer]
    if not plan.options.get("momentum") and limits.best is not None:
        return limits.best.lr
    return limits.lr / 2 if limits.largest > 0 else 1.0


def _loop(
    problem: Problem,
    engine: Engine,
    setup: DescentSetup,
    moments: Moments,
    callback: Callback | None,
    checkpoint: Checkpoint | None,
    validation: Problem | None,
) -> Descended:
    dtype = torch.float32 if setup.plan.dtype == "float32" else torch.float64
    units, plan = setup.units, setup.plan

    def standardized(source: Source, weight_factor: float) -> StandardizedRows:
        return StandardizedRows(source, units.mean, units.scale, dtype, weight_factor=weight_factor)

    rows = descent_rows(problem.source, engine, plan, moments, standardized, callback=callback)
    found = run_descent(
        rows=rows,
        module=problem.model.module(setup.start.to(dtype)),
        loss=problem.loss.value,
        plan=plan,
        penalty=ridge(problem.penalty.strength, units.scale, moments.weight),
        callback=callback,
        validation=None if validation is None else validation_rows(validation.source, rows, engine, standardized),
        checkpoint=checkpoint,
        optimum=setup.quadratic.optimum,
        lowest=setup.quadratic.lowest,
    )
    return _with_raw(found, setup)


def _with_raw(found: Descended, setup: DescentSetup) -> Descended:
    return replace(found, theta=to_raw_scale(found.theta, setup.units))


def _ended(history: History, setup: DescentSetup, moments: Moments, *, seconds: float) -> Descended:
    """Say what a computed history came to, as the loop would have said it."""
    plan = setup.plan
    nothing = float(moments.yy / moments.weight + moments.y_mean**2)
    start, lowest = float(history.cost[0]), float(setup.quadratic.lowest)
    limit = divergence_limit(start=start, nothing=nothing, options=plan.options)
    burst = _divergence(history.cost, limit)
    if burst is not None:
        history = _cut(history, burst)
        best = int(history.cost.argmin())
        epoch = int(history.epoch[best])
        return Descended(
            theta=to_raw_scale(history.parameters[best], setup.units),
            status=Status.DIVERGED,
            evidence=f"the cost went from {start:.6g} beyond {limit:.3g} by epoch {int(history.epoch[-1]) + 1}",
            advice=f"take a learning rate below {setup.limits.lr:.6g}, such as lr={0.9 * setup.limits.lr:.3g}",
            history=history,
            epochs=int(history.epoch[-1]),
            best_epoch=epoch,
            seconds=seconds,
        )
    last, cost = int(history.epoch[-1]), float(history.cost[-1])
    status, evidence, kept = _verdict(history, setup, start=start, cost=cost, lowest=lowest)
    return Descended(
        theta=to_raw_scale(history.parameters[kept], setup.units),
        status=status,
        evidence=evidence,
        advice="give it more epochs" if status is Status.UNFINISHED else "",
        history=history,
        epochs=last,
        best_epoch=int(history.epoch[kept]),
        seconds=seconds,
    )


def _verdict(
    history: History, setup: DescentSetup, *, start: float, cost: float, lowest: float
) -> tuple[Status, str, int]:
    """Return status, evidence and the row whose state is kept."""
    stopping, last = setup.plan.stopping, int(history.epoch[-1])
    if stopping.is_active and len(history.epoch) == last + 1:
        found = find_stop(stopping, history.cost, history.gradient.norm(dim=1), lowest)
        if found is not None:
            patient = stopping.patience is not None
            return Status.STOPPED, found[1], int(history.cost.argmin()) if patient else -1
    if stopping.is_active and last < setup.plan.epochs:
        return Status.STOPPED, f"the rule held at epoch {last}", -1
    epsilon = torch.finfo(torch.float64).eps
    recent: deque[float] = deque(history.cost[-RISES:].tolist(), maxlen=RISES + 1)
    done = has_converged(start=start, cost=cost, lowest=lowest, recent=recent, epsilon=epsilon)
    evidence = f"the cost is {cost:.6g} after {last} epochs, {max(cost - lowest, 0.0):.3g} above the lowest there is"
    return (Status.CONVERGED if done else Status.UNFINISHED), evidence, -1


def _divergence(cost: Tensor, limit: float) -> int | None:
    """Return the row at which the loop would have noticed an explosion, None if none does."""
    if bool((cost <= limit).all()):
        return None
    monitor = DivergenceDetector(limit)
    return next((row for row, value in enumerate(cost.tolist()) if monitor.diverges(value)), None)


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
