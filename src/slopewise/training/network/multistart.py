"""Multistart: train many networks of one architecture from different random initializations, as one batch.

Start i has its own seed and ends where training it alone would end, but for rounding: the order of the rows, where
there are mini-batches, is the run's own and the same for all. batched.py computes the joint steps.
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
from slopewise.solution import Plateau
from slopewise.training.descent.minibatches import Arrays
from slopewise.training.descent.objective import RowLoss
from slopewise.training.network.batched import MEMORY, BatchedResult, descend_batched, groups_of
from slopewise.training.network.plateaus import plateaus_of
from slopewise.types import Callback

SEED_STRIDE = 1_000_003
"""Difference of the seeds of consecutive starts, so that runs with seeds 0, 1, 2 … have no start in common."""

SEEDS = 2**32
"""torch's CPU generator keeps 32 bits of its seed."""

REPORT_EVERY = 0.1
"""Seconds between two calls of the callback."""

SOLVED = 0.1
"""Part of the null model's cost at or below which a start counts as having solved the task."""


class Network(Protocol):
    """The interface that a model needs for multistart; models/mlp.py implements it."""

    @property
    def units(self) -> int:
        """Number of activations of one row in a forward pass."""

    @property
    def dropout(self) -> float:
        """Dropout probability; multistart needs 0."""

    def init(self, how: str | Sequence[float], seed: int, dtype: torch.dtype) -> Tensor:
        """Return initial parameters (p,).

        Args:
            how: the initialization by its name, or the p values themselves.
            seed: of the random draws.
            dtype: of the parameters.
        """

    def forward(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Return eta (N, n, k) for parameters (N, p) and x (n, q)."""


@dataclass(frozen=True, slots=True)
class MultistartResult:
    """N trained networks.

    seeds (N,): of the initializations. parameters (N, p) and cost (N,), float64, at the end: the mean loss over all
    rows, penalty included. solved (N,): whether cost is at most `threshold` times `null_cost`, the cost of the null
    model. plateaus: final costs of the others. epoch (r,) and costs (r, N): the history. best: index of the start with
    the lowest cost. epochs: trained, fewer than planned where interrupted.
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
        """The criterion of `solved`, as one phrase."""
        return f"cost at most {self.threshold:g} of the {self.null_cost:.4g} that the null model costs"

    def lines(self) -> list[str]:
        """Return lines for the report: how many solved the task, the plateaus, and the best start with its seed."""
        solved = f"{int(self.solved.sum())} of {len(self.seeds)} starts solved it: {self.rule}"
        best = f"best: start {self.best} (seed {self.seeds[self.best]}), cost {float(self.cost[self.best]):.6g}"
        return [solved, *(str(plateau) for plateau in self.plateaus), best]


def start_seed(seed: int, start: int) -> int:
    """Return the seed of one of the starts; start 0 has the run's own.

    Example:
        >>> start_seed(7, 0), start_seed(7, 2)
        (7, 2000013)
    """
    return (seed + start * SEED_STRIDE) % SEEDS


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
    """Return `n_init` networks, trained at the same time for all epochs of the plan.

    1. Initialize each network from its own seed. 2. Split them into groups that fit the memory, one or more for each
    core. 3. Train them all. 4. Compare their final costs. Ctrl-C ends all at their next epoch and keeps their state.

    Args:
        model: the architecture, without dropout.
        loss: of each row, see `losses.offset.row_loss`.
        rows: x in the units of the descent, y, and w of mean 1 or None, all of the plan's dtype.
        plan: optimizer, epochs, batch size, schedule, seed, init; its stopping rules are not used.
        n_init: N, the number of networks.
        null_cost: the mean loss of the null model, the scale of `solved` and of the plateaus.
        ridge: (p,), ridge · theta² is added to the mean loss; None for none.
        solved: part of `null_cost` at or below which a network counts as having solved the task.
        memory: bytes for the activations of all networks.
        callback: receives the epoch and the lowest cost, up to ten times a second.

    Raises:
        OptionError: n_init below 1, given initial values (all networks would be equal), dropout, schedule 'plateau'.
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
    results, interrupted = _train_groups(model, loss, rows, plan, groups, ridge, workers, callback)
    # 4.
    common = min(len(part.epoch) for part in results)
    cost, costs = (
        torch.cat([part.cost for part in results]),
        torch.cat([part.costs[:common] for part in results], dim=1),
    )
    if not bool(cost.isfinite().any()):
        raise FitError(
            f"all {n_init} starts diverged with lr={plan.lr:g}; choose a smaller one, such as lr={plan.lr / 10:g}."
        )
    epoch, is_solved = results[0].epoch[:common], cost <= solved * null_cost
    return MultistartResult(
        seeds=seeds,
        parameters=torch.cat([part.parameters for part in results]).to(torch.float64),
        cost=cost,
        solved=is_solved,
        null_cost=null_cost,
        threshold=solved,
        plateaus=plateaus_of(cost[~is_solved], _earlier(epoch, costs)[~is_solved], null_cost),
        epoch=epoch,
        costs=costs,
        best=int(cost.nan_to_num(nan=torch.inf).argmin()),
        epochs=min(part.epochs for part in results),
        interrupted=interrupted,
    )


def _check(model: Network, plan: DescentPlan, n_init: int) -> None:
    if n_init < 1:
        raise OptionError(f"n_init is {n_init}; give the number of networks to train, such as n_init=256.")
    if n_init > 1 and not isinstance(plan.init, str):
        raise OptionError("with given initial values all starts would be the same; leave out n_init or init.")
    if model.dropout:
        raise OptionError("n_init above 1 trains without dropout; set dropout=0 or n_init=1.")
    if plan.schedule.name == "plateau":
        raise OptionError(
            "schedule 'plateau' depends on one cost and several starts have one each; choose 'step', 'exponential' "
            "or 'cosine'."
        )


def _train_groups(
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
    """Return the costs (N,) after nine tenths of the epochs."""
    return costs[int(torch.searchsorted(epoch, int(0.9 * int(epoch[-1])), right=True)) - 1]
