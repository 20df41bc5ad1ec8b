"""Many networks of one architecture, from many starts, in one pass: no Python loop over the starts.

Start i begins at its own seed and ends where training it alone ends, but for rounding: the order of the rows, where
there are batches, is the run's own and the same for all. How they step together is in stacked.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Protocol

import torch
from torch import Tensor

from slopewise.engine.threads import Stop, side_by_side
from slopewise.errors import FitError, OptionError
from slopewise.optimizers.plan import DescentPlan
from slopewise.training.descent.minibatches import Arrays
from slopewise.training.descent.objective import RowLoss
from slopewise.training.network.batched import MEMORY, BatchedResult, descend_batched, groups_of
from slopewise.training.network.plateaus import Plateau, plateaus_of
from slopewise.types import Callback

APART = 1_000_003
"""Seeds of neighbouring starts are this far apart, so that runs with seeds 0, 1, 2 … have no start in common."""

SEEDS = 2**32
"""torch's CPU generator keeps 32 bits of its seed."""

REPORT_EVERY = 0.1
"""Seconds between two words to the observer."""

SOLVED = 0.1
"""Part of the constant's cost that a start may be left with and still count as having solved the task."""


class Network(Protocol):
    """What many starts ask of a model: models/mlp.py is one."""

    @property
    def units(self) -> int:
        """Numbers that one row leaves in the network on its way through."""

    @property
    def dropout(self) -> float:
        """Share of hidden values set to zero in training: 0 here."""

    def init(self, how: str | Sequence[float], seed: int, dtype: torch.dtype) -> Tensor:
        """Return the parameters (p,) to start from."""

    def forward(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Return eta (N, n, k) for parameters (N, p) and x (n, q)."""


@dataclass(frozen=True, slots=True)
class MultistartResult:
    """N networks after their descent.

    seeds (N,), which `init` was given; parameters (N, p) and cost (N,), float64, at the end: the mean loss over all
    rows, penalty included. solved (N,): cost at most `threshold` times `constant`, the cost of answering every row
    alike. plateaus: where the others stopped. epoch (r,) and costs (r, N): the way there. best: the start with the
    lowest cost. epochs made, fewer than planned where interrupted.
    """

    seeds: tuple[int, ...]
    parameters: Tensor
    cost: Tensor
    solved: Tensor
    null_cost: float
    threshold: float
    plateaus: tuple[Plateau, ...]
    epoch: Tensor
    costs: Tensor
    best: int
    epochs: int
    interrupted: bool

    @property
    def rule(self) -> str:
        """What `solved` means, in words."""
        return f"cost at most {self.threshold:g} of the {self.null_cost:.4g} that the null model costs"

    def lines(self) -> list[str]:
        """Return how many solved the task, where the others stopped, and how to train the best one alone."""
        solved = f"{int(self.solved.sum())} of {len(self.seeds)} starts solved it: {self.rule}"
        best = f"best: start {self.best} (seed {self.seeds[self.best]}), cost {float(self.cost[self.best]):.6g}"
        return [solved, *(str(plateau) for plateau in self.plateaus), best]


def start_seed(seed: int, start: int) -> int:
    """Return the seed of one of the starts; start 0 has the run's own."""
    return (seed + start * APART) % SEEDS


def train_multistart(
    model: Network,
    loss: RowLoss,
    rows: Arrays,
    plan: DescentPlan,
    *,
    n_init: int,
    null_cost: float,
    ridge: Tensor | None = None,
    solved: float = SOLVED,
    memory: float = MEMORY,
    callback: Callback | None = None,
) -> MultistartResult:
    """Return `starts` networks, trained beside each other for all epochs of the plan.

    1. Draw each start from its own seed. 2. Split them where they are too many for the memory, or enough for several
    cores. 3. Step them all. 4. Look where they ended. Ctrl-C ends all at their next epoch and keeps what they have.

    Args:
        model: the architecture, without dropout.
        loss: of each row, `Loss.value`.
        rows: x (n, q) in the units of the descent, y (n,), and w (n,) of mean 1 or None, all of the plan's dtype.
        plan: optimizer, epochs, batch size, schedule, seed, init; its stopping rules are not used.
        n_init: N.
        null_cost: the mean loss of the null model, which `solved` and the plateaus are measured by.
        ridge: (p,), ridge · theta² is added to the mean loss; None for none.
        solved: part of `constant` that still counts as solved.
        memory: bytes for the values inside the networks.
        callback: told the epoch and the lowest cost, up to ten times a second.

    Raises:
        OptionError: no start, given initial values (all would be one), dropout, a schedule that watches the cost.
        FitError: every start diverged.
    """
    _check(model, plan, n_init)
    # 1.
    dtype = getattr(torch, plan.dtype)
    seeds = tuple(start_seed(plan.seed, start) for start in range(n_init))
    first = torch.stack([model.init(plan.init, seed, dtype) for seed in seeds])
    # 2.
    values = model.units * min(plan.batch_size or len(rows[1]), len(rows[1]))
    groups, workers = groups_of(first, values, memory)
    # 3.
    found, interrupted = _side_by_side(model, loss, rows, plan, groups, ridge, workers, callback)
    # 4.
    common = min(len(part.epoch) for part in found)
    cost, costs = torch.cat([part.cost for part in found]), torch.cat([part.costs[:common] for part in found], dim=1)
    if not bool(cost.isfinite().any()):
        raise FitError(
            f"all {n_init} starts diverged with lr {plan.lr:g}; choose a smaller one, such as {plan.lr / 10:g}."
        )
    epoch, is_solved = found[0].epoch[:common], cost <= solved * null_cost
    return MultistartResult(
        seeds=seeds,
        parameters=torch.cat([part.parameters for part in found]).to(torch.float64),
        cost=cost,
        solved=is_solved,
        null_cost=null_cost,
        threshold=solved,
        plateaus=plateaus_of(cost[~is_solved], _earlier(epoch, costs)[~is_solved], null_cost),
        epoch=epoch,
        costs=costs,
        best=int(cost.nan_to_num(nan=torch.inf).argmin()),
        epochs=min(part.epochs for part in found),
        interrupted=interrupted,
    )


def _check(model: Network, plan: DescentPlan, n_init: int) -> None:
    if n_init < 1:
        raise OptionError(f"n_init is {n_init}; give the number of networks to train, such as 256.")
    if n_init > 1 and not isinstance(plan.init, str):
        raise OptionError("with the initial values given, all starts would be one; leave out n_init or init.")
    if model.dropout:
        raise OptionError("many starts at once are trained without dropout; set dropout to 0, or n_init to 1.")
    if plan.schedule.name == "plateau":
        raise OptionError(
            "schedule 'plateau' waits for one cost and many starts have one each; choose 'step', 'exponential' "
            "or 'cosine'."
        )


def _side_by_side(
    model: Network,
    loss: RowLoss,
    rows: Arrays,
    plan: DescentPlan,
    groups: Sequence[Tensor],
    ridge: Tensor | None,
    workers: int,
    callback: Callback | None,
) -> tuple[list[BatchedResult], bool]:
    """Return the groups after their descent, each on one core, and whether Ctrl-C ended it."""
    stop = Stop()

    def train(group: Tensor) -> BatchedResult:
        last_report = monotonic()

        def goes_on(epoch: int, cost: Tensor) -> bool:
            nonlocal last_report
            if callback is not None and group is groups[0] and monotonic() - last_report >= REPORT_EVERY:
                last_report = monotonic()
                callback.epochs(epoch, plan.epochs, float(cost.nan_to_num(nan=torch.inf).min()))
            return not stop.asked

        return descend_batched(model.forward, loss, rows, plan, group, ridge=ridge, goes_on=goes_on)

    return side_by_side([partial(train, group) for group in groups], workers, stop)


def _earlier(epoch: Tensor, costs: Tensor) -> Tensor:
    """Return the costs (N,) when nine tenths of the epochs were over."""
    return costs[int(torch.searchsorted(epoch, int(0.9 * int(epoch[-1])), right=True)) - 1]
