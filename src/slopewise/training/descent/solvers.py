"""Gradient descent as solvers: in closed form, on the moments, or by the plain loop; each ends in a Solution."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter

import torch
from torch import Tensor

from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.engine.threads import one_torch_thread
from slopewise.optimizers.plan import DescentPlan
from slopewise.problem import Problem
from slopewise.solution import Descended, DescentRecord, History, Moments, Solution
from slopewise.training.descent.checkpoint import Checkpoint
from slopewise.training.descent.closed_form import descend_closed_form
from slopewise.training.descent.linear import DescentSetup, conclude_computed
from slopewise.training.descent.moment_descent import descend_moments
from slopewise.training.descent.objective import ridge
from slopewise.training.descent.rows import descent_rows, validation_rows
from slopewise.training.descent.runner import run_descent
from slopewise.training.moments.moments import read_moments
from slopewise.training.moments.quadratic import Quadratic, cost_at
from slopewise.training.moments.standardize import StandardizedRows, to_raw_scale, to_standard_scale
from slopewise.training.requirements import (
    double_precision,
    full_batches,
    known_learning_rates,
    linear_model,
    no_l1,
    plain_sgd,
    squared_loss,
    training_cost_monitored,
)
from slopewise.training.solver import Solver
from slopewise.types import Callback

FULL = 15.0
"""Digits of a float64."""


@dataclass(frozen=True, slots=True)
class LinearDescent(Solver):
    """Gradient descent on a linear model with squared loss.

    setup: what is known before the first step. exact: the exact solution, None where the columns determine none.
    checkpoint and validation: of the loop.
    """

    setup: DescentSetup
    exact: Solution | None = None
    checkpoint: Checkpoint | None = None
    validation: Problem | None = None

    def solve(
        self,
        problem: Problem,
        engine: Engine,
        *,
        warm: Tensor | None = None,
        moments: Moments | None = None,
        callback: Callback | None = None,
    ) -> Solution:
        """Return the state that was kept, and the record of the descent.

        Raises:
            FitError: the cost at the start is not finite.
            StoreError: the checkpoint cannot be written or resumed.
        """
        moments = moments or read_moments(problem, engine)
        setup = self.setup if warm is None else _started(self.setup, warm)
        descended = self.descend(problem, engine, setup, moments, callback)
        return solution_of(descended, setup, moments, self.exact)

    @abstractmethod
    def descend(
        self, problem: Problem, engine: Engine, setup: DescentSetup, moments: Moments, callback: Callback | None
    ) -> Descended:
        """Return the descent, theta in raw units and history in the units of the descent.

        Args:
            problem: linear model, squared loss.
            engine: sums over the rows, or their mini-batches.
            setup: plan, units and start of the descent.
            moments: of the training rows.
            callback: told how the descent is getting on; or None.
        """


@dataclass(frozen=True, slots=True)
class ClosedForm(LinearDescent):
    """Full-batch SGD in closed form: every epoch from the moments, without one pass over the rows."""

    name = "gd_closed_form"
    requires = (
        linear_model,
        squared_loss,
        no_l1,
        full_batches,
        double_precision,
        training_cost_monitored,
        plain_sgd,
        known_learning_rates,
    )

    def descend(
        self, problem: Problem, engine: Engine, setup: DescentSetup, moments: Moments, callback: Callback | None
    ) -> Descended:
        """Return the descent."""
        return _computed(descend_closed_form, setup, moments)


@dataclass(frozen=True, slots=True)
class OnMoments(LinearDescent):
    """Full-batch descent by any optimizer of torch.optim, its gradients from the moments."""

    name = "gd_moments"
    requires = (linear_model, squared_loss, no_l1, full_batches, double_precision, training_cost_monitored)

    def descend(
        self, problem: Problem, engine: Engine, setup: DescentSetup, moments: Moments, callback: Callback | None
    ) -> Descended:
        """Return the descent."""
        return _computed(descend_moments, setup, moments)


@dataclass(frozen=True, slots=True)
class Loop(LinearDescent):
    """The plain training loop over the rows."""

    name = "gd_loop"
    requires = (no_l1,)

    def descend(
        self, problem: Problem, engine: Engine, setup: DescentSetup, moments: Moments, callback: Callback | None
    ) -> Descended:
        """Return the descent."""
        units, plan = setup.units, setup.plan

        def standardized(source: Source, weight_factor: float) -> StandardizedRows:
            return StandardizedRows(source, units.mean, units.scale, plan.torch_dtype, weight_factor=weight_factor)

        rows = descent_rows(problem.source, engine, plan, moments, standardized, callback=callback)
        held_out = None
        if self.validation is not None:
            held_out = validation_rows(self.validation.source, rows, engine, standardized)
        descended = run_descent(
            rows=rows,
            module=problem.model.module(setup.start.to(plan.torch_dtype)),
            loss=problem.loss.value,
            plan=plan,
            penalty=ridge(problem.penalty.strength, units.scale, moments.weight),
            callback=callback,
            validation=held_out,
            checkpoint=self.checkpoint,
            optimum=setup.quadratic.optimum,
            lowest=setup.quadratic.lowest,
        )
        return replace(descended, theta=to_raw_scale(descended.theta, units))


def _computed(
    compute: Callable[[Quadratic, DescentPlan, Tensor], History], setup: DescentSetup, moments: Moments
) -> Descended:
    """Return the descent whose history follows from the moments alone."""
    began = perf_counter()
    # Products of small matrices are done before a second thread has started.
    with one_torch_thread():
        history = compute(setup.quadratic, setup.plan, setup.start)
    return conclude_computed(history, setup, moments, seconds=perf_counter() - began)


def _started(setup: DescentSetup, warm: Tensor) -> DescentSetup:
    """Return the set-up with the start at `warm` (p,), raw units."""
    start = to_standard_scale(warm, setup.units)
    return replace(setup, start=start, plan=replace(setup.plan, init=tuple(start.tolist())))


def solution_of(descended: Descended, setup: DescentSetup, moments: Moments, exact: Solution | None) -> Solution:
    """Return a descent as a solution, with its record.

    Args:
        descended: the outcome of the descent.
        setup: of the descent.
        moments: of the training rows.
        exact: the exact solution, None where the columns determine none.
    """
    plan = setup.plan
    record = DescentRecord(
        plan=plan,
        units=setup.units,
        start=setup.start,
        history=descended.history,
        epochs=descended.epochs,
        best_epoch=descended.best_epoch,
        norms=descended.history.gradient.norm(dim=1),
        largest_lr=setup.limits.lr if plan.optimizer == "sgd" else math.nan,
        seconds=descended.seconds,
        cost=descended.final_cost,
        exact=exact,
    )
    found = Solution(
        theta=descended.theta,
        status=descended.status,
        evidence=descended.evidence,
        advice=descended.advice,
        descent=record,
    )
    return at_theta(found, theta=descended.theta, quadratic=setup.quadratic, l2=setup.l2, moments=moments)


def at_theta(solution: Solution, *, theta: Tensor, quadratic: Quadratic, l2: float, moments: Moments) -> Solution:
    """Return a descent's solution at the state theta: its loss, and its digits.

    digits are real ones, against the exact answer, and NaN where there is none.

    Args:
        solution: of the descent, with its record.
        theta: (p,), raw units.
        quadratic: the cost, in the units of the descent.
        l2: the penalty, raw units.
        moments: of the training rows.
    """
    assert solution.descent is not None
    exact, units = solution.descent.exact, solution.descent.units
    cost = float(cost_at(quadratic, to_standard_scale(theta, units)))
    penalty = l2 * float(theta[int(units.intercept) :].square().sum())
    return replace(
        solution,
        theta=theta,
        loss=max(moments.weight * cost - penalty, 0.0),
        null_loss=math.nan if exact is None else exact.null_loss,
        penalty=penalty,
        passes=1 + (exact.passes - 1 if exact is not None else 0),
        moments=moments,
        basis=None if exact is None else exact.basis,
        digits=torch.full_like(theta, torch.nan) if exact is None else agreement(theta, exact),
        condition=math.nan if exact is None else exact.condition,
    )


def agreement(theta: Tensor, exact: Solution) -> Tensor:
    """Return the correct decimal digits (p,) of theta, no more than the exact answer itself has."""
    assert exact.digits is not None
    error = (theta - exact.theta).abs()
    size = torch.where(exact.theta == 0, 1.0, exact.theta.abs())
    return torch.minimum(-(error / size).log10(), exact.digits).clamp(0.0, FULL)
