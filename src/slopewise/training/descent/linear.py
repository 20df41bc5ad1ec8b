"""Gradient descent on a linear model with squared loss: what is known before the first step, and the outcome.

1. Units: the columns as they are, or standardised. 2. The cost as a quadratic, from the moments. 3. The initial
parameters, and the learning rate where none was given. 4. The outcome of a computed history.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.sgd_recurrence import sgd_of
from slopewise.optimizers.stability import HessianSpectrum, Limits, limits_of
from slopewise.problem import Problem
from slopewise.solution import Descended, History, Moments, Solution, Standardization, Status
from slopewise.training.descent.start import initial_parameters
from slopewise.training.descent.stopping import (
    MIN_INCREASES,
    DivergenceDetector,
    divergence_limit,
    find_stop,
    has_converged,
)
from slopewise.training.moments.quadratic import Quadratic, quadratic_of
from slopewise.training.moments.spectrum import spectrum_of
from slopewise.training.moments.standardize import standardization, to_raw_scale, to_standard_scale

TORCH_LR = {"adam": 1e-3, "adamw": 1e-3, "rmsprop": 1e-2, "adagrad": 1e-2}
"""The default learning rate of torch.optim, for optimizers whose stability limit is not known."""


@dataclass(frozen=True, slots=True)
class DescentSetup:
    """Everything known before the first step.

    plan: with its lr set. units: of the columns. quadratic: the cost. start (p,): initial parameters, in these units.
    limits: the largest stable learning rate and the like. spectrum: of the Hessian. l2: the penalty, raw units.
    """

    plan: DescentPlan
    units: Standardization
    quadratic: Quadratic
    start: Tensor
    limits: Limits
    spectrum: HessianSpectrum
    l2: float = 0.0


def prepare_descent(problem: Problem, moments: Moments, exact: Solution | None, plan: DescentPlan) -> DescentSetup:
    """Return the set-up of a descent: units, cost, initial parameters, learning rate.

    Args:
        problem: linear model, squared loss.
        moments: of the training rows.
        exact: the exact solution, None where the columns determine none.
        plan: where it has no lr, half the largest stable one is used for sgd with momentum, the optimal one for plain
            sgd, and torch's default for the others.
    """
    # 1.
    units = standardization(moments, standardize=plan.standardize, intercept=problem.intercept)
    # 2.
    optimum = None if exact is None else to_standard_scale(exact.theta, units)
    rss = None if exact is None else exact.loss
    quadratic = quadratic_of(moments, units, l2=problem.penalty.strength, optimum=optimum, rss=rss)
    # 3.
    start = initial_parameters(plan.init, names=problem.names, intercept=problem.intercept, seed=plan.seed)
    spectrum = _hessian_spectrum(quadratic, problem)
    sgd = sgd_of(plan.options) if plan.optimizer == "sgd" else None
    limits = limits_of(spectrum, sgd)
    if not plan.has_lr:
        plan = plan.with_lr(_lr(plan, limits))
    return DescentSetup(plan, units, quadratic, start, limits, spectrum, problem.penalty.strength)


def hessian_spectrum(problem: Problem, moments: Moments, units: Standardization) -> HessianSpectrum:
    """Return the eigenvalues and eigenvectors of the mean cost's Hessian.

    Args:
        problem: for its penalty and the names of its columns.
        moments: of the training rows.
        units: of the columns.
    """
    return _hessian_spectrum(quadratic_of(moments, units, l2=problem.penalty.strength), problem)


def _hessian_spectrum(quadratic: Quadratic, problem: Problem) -> HessianSpectrum:
    spectrum = spectrum_of(quadratic.hessian)
    return HessianSpectrum(spectrum.eigenvalues, spectrum.eigenvectors, problem.names, exact=True)


def _lr(plan: DescentPlan, limits: Limits) -> float:
    if plan.optimizer != "sgd":
        return TORCH_LR[plan.optimizer]
    if not plan.options.get("momentum") and limits.best is not None:
        return limits.best.lr
    return limits.lr / 2 if limits.largest > 0 else 1.0


def conclude_computed(history: History, setup: DescentSetup, moments: Moments, *, seconds: float) -> Descended:
    """Return the outcome of a computed history: status, evidence and advice as the loop would give them.

    Args:
        history: the computed one.
        setup: of the descent.
        moments: of the training rows.
        seconds: that the computation took.
    """
    plan = setup.plan
    nothing = float(moments.yy / moments.weight + moments.y_mean**2)
    start, lowest = float(history.cost[0]), float(setup.quadratic.lowest)
    limit = divergence_limit(start=start, nothing=nothing, options=plan.options)
    diverged_at = _divergence(history.cost, limit)
    if diverged_at is not None:
        history = _cut(history, diverged_at)
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
        advice="raise epochs" if status is Status.UNFINISHED else "",
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
        stop = find_stop(stopping, history.cost, history.gradient.norm(dim=1), lowest)
        if stop is not None:
            patient = stopping.patience is not None
            return Status.STOPPED, stop[1], int(history.cost.argmin()) if patient else -1
    if stopping.is_active and last < setup.plan.epochs:
        return Status.STOPPED, f"a stopping rule held at epoch {last}", -1
    epsilon = torch.finfo(torch.float64).eps
    recent: deque[float] = deque(history.cost[-MIN_INCREASES:].tolist(), maxlen=MIN_INCREASES + 1)
    done = has_converged(start=start, cost=cost, lowest=lowest, recent=recent, epsilon=epsilon)
    evidence = f"the cost is {cost:.6g} after {last} epochs, {max(cost - lowest, 0.0):.3g} above the lowest possible"
    return (Status.CONVERGED if done else Status.UNFINISHED), evidence, -1


def _divergence(cost: Tensor, limit: float) -> int | None:
    """Return the row at which the loop would have detected divergence, None if none does."""
    if bool((cost <= limit).all()):
        return None
    detector = DivergenceDetector(limit)
    return next((row for row, value in enumerate(cost.tolist()) if detector.diverges(value)), None)


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
