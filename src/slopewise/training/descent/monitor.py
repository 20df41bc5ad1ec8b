"""Monitor a running descent: record the history, keep the best state, stop early, detect divergence."""

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
"""Seconds between two calls of the callback."""

BestState = tuple[int, float, Tensor | None]
"""Epoch, cost and parameters (p,) of the lowest monitored cost so far; None where the history has them already."""


@dataclass(slots=True)
class Monitor:
    """Receives the cost of each epoch; records, compares and decides when to stop. It changes no parameter.

    flat (p,): the current parameters. validate: computes the cost of the validation rows, or None. nothing: the cost of
    predicting 0 everywhere. unit: factor from the cost of the scaled target to that of the user's own target;
    `validate` and `nothing` are in the user's units already. buffers: of the module, such as the running means of a
    batch norm; best_buffers: their values in the best state. start: cost of row 0. cost and epoch: of the last row.
    ended: status and evidence once the descent has ended.
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
        """Return whether the cost of this epoch is needed: for the history, a stopping rule or the schedule."""
        return self.is_active or self.plan.schedule.name == "plateau" or self.recorder.wants(epoch)

    def on_epoch(self, epoch: int, cost: float, *, last: bool = False) -> bool:
        """Record and check row `epoch`, whose parameters and gradients are the current ones.

        Args:
            epoch: row of the history, 0 the start.
            cost: over all training rows, in the units of the descent.
            last: this is the last planned epoch, which the history always keeps.

        Returns:
            Whether the descent ends here.
        """
        cost *= self.unit
        if self.best is None:
            self.start = cost
            self.divergence.limit = divergence_limit(start=cost, nothing=self.nothing, options=self.plan.options)
        if self._diverged(epoch, cost):
            return True
        validation = None if self.validate is None else self.validate()
        reason = self._stopped(epoch, cost, validation) if self.is_active else None
        kept = last or reason is not None or self.recorder.wants(epoch)
        if kept:
            self.recorder.keep(epoch, cost, self.optimizer.param_groups[0]["lr"], validation)
        self._compare(epoch, cost if validation is None or not self.by_validation else validation, kept)
        if reason is None:
            return False
        self.ended = Status.STOPPED, reason
        return True

    def on_unmeasured(self, epoch: int, cost: float) -> bool:
        """Check a row by the cost of the last mini-batch before it; return whether the descent has diverged.

        Args:
            epoch: of the row.
            cost: of the last mini-batch, in the units of the descent.
        """
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
        gradients = [part.grad for part in self.optimizer.param_groups[0]["params"] if part.grad is not None]
        return self.unit * float(torch.cat([gradient.reshape(-1) for gradient in gradients]).norm())

    def best_state(self) -> Tensor:
        """Return the parameters (p,) of the best state."""
        assert self.best is not None
        epoch, _, state = self.best
        return self.recorder.states[self.recorder.epochs.index(epoch)] if state is None else state

    def restore_best(self) -> None:
        """Copy the best parameters and buffers back into the module."""
        self.flat.copy_(self.best_state())
        for buffer, best in zip(self.buffers, self.best_buffers, strict=True):
            buffer.copy_(best)

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the state for a checkpoint: plain values, and tensors by name."""
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
        """Load a state from a checkpoint.

        Args:
            plain: the plain values that `state` returned.
            tensors: its tensors.
            before: epoch of the checkpoint.
        """
        self.start, self.divergence.limit = plain["start"], plain["limit"]
        self.divergence.recent.extend(plain["recent"])
        self.rules.start, self.rules.best, self.rules.since = plain["rules"]
        epoch, cost = plain["best"]
        self.best = epoch, cost, tensors.get("best")
        self.best_buffers = tuple(tensors[f"best.{number}"] for number in range(len(self.buffers)))
        history = {name: rows for name, rows in tensors.items() if name.startswith("history.")}
        self.recorder.restore({name.removeprefix("history."): rows for name, rows in history.items()}, before)
