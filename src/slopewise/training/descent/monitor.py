"""What is noticed while a descent runs: rows to keep, the best state, reasons to stop. It steers nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import torch
from torch import Tensor

from slopewise.optimizers.plan import DescentPlan
from slopewise.solution import Status
from slopewise.training.descent.history import Recorder
from slopewise.training.descent.stopping import DivergenceDetector, StoppingRules, divergence_limit
from slopewise.types import Callback

REPORT_EVERY = 0.1
"""Seconds between two words to the observer."""

BestState = tuple[int, float, Tensor | None]
"""Epoch, cost and state (p,) of the lowest watched cost so far; state None: it is the recorded row of that epoch."""


@dataclass(slots=True)
class Monitor:
    """Told the cost of the state of every row; keeps what the answer will be made of.

    flat (p,) the parameters as they are now. validate: cost of the validation rows, or None. nothing: the cost of
    predicting 0 everywhere. unit: what a cost of 1 in the descent is to the user, who scaled no target; `validate` and
    `nothing` are in the user's units already. buffers: the numbers that the module keeps besides its parameters, such
    as the running means of a norm over batches; best_buffers, as they were in the best state. ended: how, and the
    number that proves it, once it has.
    """

    plan: DescentPlan
    flat: Tensor
    optimizer: torch.optim.Optimizer
    recorder: Recorder
    rules: StoppingRules
    validate: Callable[[], float] | None
    nothing: float
    callback: Callback | None
    unit: float = 1.0
    buffers: tuple[Tensor, ...] = ()
    start: float = float("nan")
    cost: float = float("nan")
    epoch: int = 0
    divergence: DivergenceDetector = field(default_factory=lambda: DivergenceDetector(float("inf")))
    best: BestState | None = None
    best_buffers: tuple[Tensor, ...] = ()
    ended: tuple[Status, str] | None = None
    last_report: float = 0.0
    is_active: bool = field(init=False)
    by_validation: bool = field(init=False)

    def __post_init__(self) -> None:
        # asked at every epoch, of which a small problem makes thousands a second
        self.is_active = self.plan.stopping.is_active
        self.by_validation = self.plan.stopping.monitor == "validation"

    def needs_cost(self, epoch: int) -> bool:
        """Return whether the cost of this row is needed: to be kept, to stop by, or to set the learning rate."""
        return self.is_active or self.plan.schedule.name == "plateau" or self.recorder.wants(epoch)

    def on_epoch(self, epoch: int, cost: float, *, last: bool = False) -> bool:
        """Take note of row `epoch`, whose parameters and gradients are those of now. True: the descent ends here."""
        cost *= self.unit
        if self.best is None:
            self.start = cost
            self.divergence.limit = divergence_limit(start=cost, nothing=self.nothing, options=self.plan.options)
        if self._diverged(epoch, cost):
            return True
        validation = None if self.validate is None else self.validate()
        happened = self._stopped(epoch, cost, validation) if self.is_active else None
        kept = last or happened is not None or self.recorder.wants(epoch)
        if kept:
            self.recorder.keep(epoch, cost, self.optimizer.param_groups[0]["lr"], validation)
        self._compare(epoch, cost if validation is None or not self.by_validation else validation, kept)
        if happened is None:
            return False
        self.ended = Status.STOPPED, happened
        return True

    def on_unmeasured(self, epoch: int, cost: float) -> bool:
        """Take note of a row whose cost is not measured: that of the last batch before it stands for it."""
        cost *= self.unit
        if self._diverged(epoch, cost):
            return True
        if not self.by_validation:
            self._compare(epoch, cost, False)
        return False

    def _diverged(self, epoch: int, cost: float) -> bool:
        if self.divergence.diverges(cost):
            self.ended = Status.DIVERGED, f"the cost went from {self.start:.6g} to {cost:.6g} by epoch {epoch}"
            return True
        self.epoch, self.cost = epoch, cost
        if self.callback is not None and monotonic() - self.last_report >= REPORT_EVERY:
            self.last_report = monotonic()
            self.callback.epochs(epoch, self.plan.epochs, cost)
        return False

    def _compare(self, epoch: int, cost: float, kept: bool) -> None:
        if self.best is None or cost < self.best[1]:
            self.best = epoch, cost, None if kept else self.flat.clone()
            self.best_buffers = tuple(buffer.clone() for buffer in self.buffers)

    def _stopped(self, epoch: int, cost: float, validation: float | None) -> str | None:
        norm = self._norm() if self.plan.stopping.grad_tol is not None else float("nan")
        return self.rules.stops(epoch, cost, norm, validation)

    def _norm(self) -> float:
        slopes = [part.grad for part in self.optimizer.param_groups[0]["params"] if part.grad is not None]
        return self.unit * float(torch.cat([slope.reshape(-1) for slope in slopes]).norm())

    def best_state(self) -> Tensor:
        """Return the parameters (p,) of the best state."""
        assert self.best is not None
        epoch, _, state = self.best
        return self.recorder.states[self.recorder.epochs.index(epoch)] if state is None else state

    def restore_best(self) -> None:
        """Put the best state back into the module."""
        self.flat.copy_(self.best_state())
        for buffer, best in zip(self.buffers, self.best_buffers, strict=True):
            buffer.copy_(best)

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return what a checkpoint holds of this: plain values, and tensors."""
        assert self.best is not None
        epoch, cost, best = self.best
        plain = {
            "start": self.start,
            "limit": self.divergence.limit,
            "recent": list(self.divergence.recent),
            "rules": [self.rules.start, self.rules.best, self.rules.since],
            "best": [epoch, cost],
        }
        tensors = {f"history.{name}": rows for name, rows in self.recorder.state().items()}
        tensors |= {f"best.{number}": buffer for number, buffer in enumerate(self.best_buffers)}
        return plain, tensors if best is None else {**tensors, "best": best}

    def restore(self, plain: dict[str, Any], tensors: dict[str, Tensor], before: int) -> None:
        """Take over what a checkpoint of epoch `before` holds."""
        self.start, self.divergence.limit = plain["start"], plain["limit"]
        self.divergence.recent.extend(plain["recent"])
        self.rules.start, self.rules.best, self.rules.since = plain["rules"]
        epoch, cost = plain["best"]
        self.best = epoch, cost, tensors.get("best")
        self.best_buffers = tuple(tensors[f"best.{number}"] for number in range(len(self.buffers)))
        found = {name: rows for name, rows in tensors.items() if name.startswith("history.")}
        self.recorder.restore({name.removeprefix("history."): rows for name, rows in found.items()}, before)
