"""What a network's fit keeps of its training: the plan, every recorded epoch, the starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from slopewise.errors import OptionError
from slopewise.optimizers.plan import DescentPlan
from slopewise.solution import Descended, History
from slopewise.training.network.multistart import MultistartResult
from slopewise.training.network.plateaus import Plateau
from slopewise.training.network.sharpness import SharpnessHistory
from slopewise.training.network.train import LISTED


@dataclass(frozen=True, slots=True)
class StartsReport:
    """How many starts ended: count, how many of them solved the task by `rule`, where the others stopped.

    best: number of the one kept, from 0; seed, its own; cost (count,), of each at the end; seeds (count,).
    """

    solved: int
    rule: str
    plateaus: tuple[Plateau, ...]
    best: int
    seeds: tuple[int, ...]
    cost: Tensor

    @property
    def count(self) -> int:
        """Starts in all."""
        return len(self.seeds)

    def lines(self) -> list[str]:
        """Return the report in words."""
        kept = f"kept: start {self.best} (seed {self.seeds[self.best]}), cost {float(self.cost[self.best]):.6g}"
        return [f"{self.solved} of {self.count} starts solved it: {self.rule}", *map(str, self.plateaus), kept]


@dataclass(frozen=True, slots=True)
class NetworkRecord:
    """The road behind a network.

    start (p,), of the network kept. norms (r,): of the gradient in the recorded epochs, NaN where it was not measured.
    largest_lr: the limit for sgd at the start, NaN for others. constant: the cost of the null model.
    sharpening: how that limit changed along the run, of one network with hidden layers by sgd.
    """

    plan: DescentPlan
    start: Tensor
    descended: Descended
    norms: Tensor
    largest_lr: float
    null_cost: float
    starts: StartsReport | None = None
    sharpness_history: SharpnessHistory | None = None

    @property
    def history(self) -> History:
        """Every recorded epoch: costs in the units of the table, parameters in those of the descent."""
        return self.descended.history

    @property
    def listed(self) -> bool:
        """Whether states and gradients are few enough numbers to be listed, and were kept."""
        return self.history.parameters.shape[1] <= LISTED and self.has_states

    @property
    def has_states(self) -> bool:
        """Whether the parameters of every recorded epoch are known."""
        return bool(self.history.parameters[0].isfinite().all())

    @property
    def cost(self) -> float:
        """Cost of the state that was kept."""
        if self.descended.cost is not None:
            return self.descended.cost
        return float(self.history.cost[self.history.epoch == self.descended.best_epoch][0])


def report_of(starts: MultistartResult) -> StartsReport:
    """Return what is kept of many starts: how each ended, not what it was."""
    return StartsReport(
        solved=int(starts.solved.sum()),
        rule=starts.rule,
        plateaus=starts.plateaus,
        best=starts.best,
        seeds=starts.seeds,
        cost=starts.cost,
    )


def history_columns(descent: NetworkRecord, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the history column by column, one row per recorded epoch.

    epoch, cost, validation where rows were held out, lr, gradient_norm; sharpness and largest_lr where they were
    measured, NaN in the epochs between; of up to 100 parameters also each of them, and `d name`, its gradient, in the
    units of the descent.
    """
    history = descent.history
    columns: dict[str, Any] = {"epoch": history.epoch.numpy(), "cost": history.cost.numpy()}
    if history.validation is not None:
        columns["validation"] = history.validation.numpy()
    columns |= {"lr": history.lr.numpy(), "gradient_norm": descent.norms.numpy()}
    if descent.sharpness_history is not None:
        columns |= {"sharpness": _placed(descent, "eigenvalue"), "largest_lr": _placed(descent, "lr")}
    if not descent.listed:
        return columns
    columns |= {name: history.parameters[:, j].numpy() for j, name in enumerate(names)}
    return columns | {f"d {name}": history.gradient[:, j].numpy() for j, name in enumerate(names)}


def _placed(descent: NetworkRecord, name: str) -> Any:
    """Return what was measured at some epochs as a column of the history."""
    assert descent.sharpness_history is not None
    column = torch.full_like(descent.history.cost, torch.nan)
    column[torch.searchsorted(descent.history.epoch, descent.sharpness_history.epoch)] = getattr(
        descent.sharpness_history, name
    )
    return column.numpy()


def state_at(descent: NetworkRecord, epoch: int, *, buffers: bool = False) -> Tensor:
    """Return the parameters (p,) after `epoch` epochs; buffers: the network holds other numbers that change.

    Raises:
        OptionError: there is no such epoch, it was not recorded, or its state was not kept.
    """
    descended, history = descent.descended, descent.history
    if epoch == descended.best_epoch:
        return descended.theta
    if not 0 <= epoch <= descended.epochs:
        raise OptionError(f"epoch {epoch} does not exist; this descent has epochs 0 to {descended.epochs}.")
    found = (history.epoch == epoch).nonzero()
    if not len(found):
        raise OptionError(f"epoch {epoch} was not recorded; fit with history_every=1 to keep all epochs.")
    if descent.starts is not None:
        raise OptionError("of many starts only the end is kept; train one start to have its epochs.")
    if buffers:
        raise OptionError(
            "the module's buffers (of a norm over batches) were kept of the end alone, not of each epoch."
        )
    if not descent.has_states:
        raise OptionError(
            f"the file of a network of more than {LISTED} parameters holds the state of epoch {descended.best_epoch} "
            "alone; fit again to have the others."
        )
    return history.parameters[int(found[0])]


def described(descent: NetworkRecord) -> dict[str, Any]:
    """Return the training as plain values, for JSON."""
    plan, descended, starts = descent.plan, descent.descended, descent.starts
    return {
        "optimizer": plan.optimizer,
        "options": {name: list(value) if isinstance(value, tuple) else value for name, value in plan.options.items()},
        "schedule": plan.schedule.name,
        "batch_size": plan.batch_size,
        "init": plan.init if isinstance(plan.init, str) else list(plan.init),
        "standardize": plan.standardize,
        "dtype": plan.dtype,
        "seed": plan.seed,
        "epochs": descended.epochs,
        "kept_epoch": descended.best_epoch,
        "largest_stable_lr": descent.largest_lr if math.isfinite(descent.largest_lr) else None,
        "sharpness": None if descent.sharpness_history is None else _sharpness(descent.sharpness_history),
        "cost_at_start": float(descent.history.cost[0]),
        "cost": descent.cost,
        "constant_cost": descent.null_cost,
        "evidence": descended.evidence,
        "advice": descended.advice,
        "starts": None if starts is None else _starts(starts),
    }


def _sharpness(found: SharpnessHistory) -> list[dict[str, float]]:
    columns = (found.epoch.tolist(), found.eigenvalue.tolist(), found.lr.tolist())
    return [
        {"epoch": epoch, "sharpness": eigenvalue, "largest_stable_lr": lr}
        for epoch, eigenvalue, lr in zip(*columns, strict=True)
    ]


def _starts(starts: StartsReport) -> dict[str, Any]:
    plateaus = [
        {name: getattr(plateau, name) for name in ("count", "low", "high", "falling", "at_null_cost", "diverged")}
        for plateau in starts.plateaus
    ]
    return {
        "count": starts.count,
        "solved": starts.solved,
        "rule": starts.rule,
        "plateaus": plateaus,
        "best": starts.best,
        "seed": starts.seeds[starts.best],
    }
