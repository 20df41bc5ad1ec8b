"""Gradient descent on networks, and on classes without hidden layers, as a solver."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from slopewise.engine.engine import Engine
from slopewise.errors import OptionError
from slopewise.losses.null_model import null_model_cost
from slopewise.optimizers.plan import DescentPlan
from slopewise.problem import Problem
from slopewise.solution import Descended, DescentRecord, Moments, Solution, StartsReport
from slopewise.training.descent.checkpoint import Checkpoint
from slopewise.training.moments.moments import read_moments
from slopewise.training.network.multistart import MultistartResult
from slopewise.training.network.prepare import NetworkSetup, prepare_network
from slopewise.training.network.train import TrainedNetwork, train_multiple, train_one
from slopewise.training.requirements import no_l1
from slopewise.training.solver import Solver
from slopewise.types import Callback

FROM_FIT = "fit"
"""What the plan of a descent says of its start where that was another fit."""


@dataclass(frozen=True, slots=True)
class NetworkLoop(Solver):
    """Σ w · loss(model(u), y) / Σ w + l2 Σ weight² / Σ w by the plain loop, u the columns in the units of the descent.

    The penalty is on all weight matrices and on no bias, in those units, where the target of squared loss has variance
    1. Without hidden layers it is on the coefficients in raw units, as it is for Newton's method.

    plan: of the descent. start (p,): where it begins. null_cost of the target. n_init networks are trained at once and
    the best one is kept. validation: the same problem on the rows held out for early stopping, or None. checkpoint:
    where the state of one network is kept, or None.
    """

    plan: DescentPlan
    start: Tensor
    n_init: int = 1
    validation: Problem | None = None
    checkpoint: Checkpoint | None = None
    name = "gd_loop"
    requires = (no_l1,)

    def solve(
        self,
        problem: Problem,
        engine: Engine,
        *,
        warm: Tensor | None = None,
        moments: Moments | None = None,
        callback: Callback | None = None,
    ) -> Solution:
        """Return the network trained as the plan says; warm (p,) is in the units of the descent.

        Raises:
            OptionError: the plan, the start or the starts make no sense for this network.
            DataError: a missing or infinite value; the column and row are named.
            FitError: the cost of the start is not finite; every start diverged.
            StoreError: the checkpoint cannot be written or resumed.
        """
        moments = moments or read_moments(problem, engine)
        plan = self.plan if warm is None else replace(self.plan, init=FROM_FIT)
        setup = prepare_network(
            problem,
            engine,
            moments=moments,
            plan=plan,
            start=self.start if warm is None else warm,
            is_linear=problem.model.is_linear,
            validation=self.validation,
            may_stream=self.n_init == 1,
            callback=callback,
        )
        null_cost = setup.unit * null_model_cost(problem.loss, *setup.targets)
        trained = self._trained(problem, setup, null_cost, callback)
        return _solution(problem, setup, trained, moments, null_cost)

    def _trained(
        self, problem: Problem, setup: NetworkSetup, null_cost: float, callback: Callback | None
    ) -> TrainedNetwork:
        if self.n_init == 1:
            return train_one(problem, setup, callback=callback, checkpoint=self.checkpoint)
        if not problem.model.is_batched:
            raise OptionError("many starts at once are for layers given by their sizes; set n_init to 1 for a module.")
        if self.checkpoint is not None:
            raise OptionError("a checkpoint keeps the state of one network; leave it out, or set n_init to 1.")
        return train_multiple(problem, setup, n_init=self.n_init, null_cost=null_cost, callback=callback)


def _solution(
    problem: Problem, setup: NetworkSetup, trained: TrainedNetwork, moments: Moments, null_cost: float
) -> Solution:
    descended = trained.descended
    return Solution(
        theta=descended.theta,
        status=descended.status,
        evidence=descended.evidence,
        advice=descended.advice,
        passes=2,
        moments=moments,
        counts=setup.counts,
        model=problem.model.trained(trained.module),
        descent=_record(setup, descended, trained, null_cost),
    )


def _record(setup: NetworkSetup, descended: Descended, trained: TrainedNetwork, null_cost: float) -> DescentRecord:
    return DescentRecord(
        plan=setup.plan,
        units=setup.units,
        y_mean=setup.y_mean,
        y_scale=setup.y_scale,
        start=setup.start,
        history=descended.history,
        epochs=descended.epochs,
        best_epoch=descended.best_epoch,
        norms=descended.history.gradient.norm(dim=1),
        largest_lr=setup.largest_lr,
        seconds=descended.seconds,
        cost=descended.final_cost,
        null_cost=null_cost,
        starts=None if trained.starts is None else _report(trained.starts),
        sharpness=trained.sharpness_history,
    )


def _report(starts: MultistartResult) -> StartsReport:
    """Return what is kept of many starts: how each ended, not what it was."""
    return StartsReport(
        solved=int(starts.solved.sum()),
        rule=starts.rule,
        plateaus=starts.plateaus,
        best=starts.best,
        seeds=starts.seeds,
        cost=starts.cost,
    )
