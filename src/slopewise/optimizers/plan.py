"""Stage 4, the contract of a descent: optimizer, schedule, epochs, initialization, early stopping.

A `DescentPlan` holds validated options; it holds no tensor and runs nothing. Names are torch.optim's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Schedule:
    """How the learning rate changes with the epoch: a name and its checked arguments.

    constant; step (step_size, gamma); exponential (gamma); cosine (t_max, eta_min); plateau (factor, patience,
    threshold, min_lr), the only one that depends on the cost.
    """

    name: str = "constant"
    options: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stopping:
    """When to stop before the last epoch; None and zero switch a rule off.

    monitor: the monitored cost, `train` or `validation`. patience: epochs without an improvement of it by more than
    min_delta. gap_tol: stop when cost - lowest cost is at most gap_tol times its value at the start (where the optimum
    is known). grad_tol: stop when the gradient's norm is at most this.
    """

    monitor: str = "train"
    patience: int | None = None
    min_delta: float = 0.0
    gap_tol: float | None = None
    grad_tol: float | None = None

    @property
    def is_active(self) -> bool:
        """Whether any rule is on."""
        return self.patience is not None or self.gap_tol is not None or self.grad_tol is not None


@dataclass(frozen=True, slots=True)
class DescentPlan:
    """The complete plan of a gradient descent.

    optimizer: sgd, adam, adamw, rmsprop or adagrad, with `options`, the arguments of that torch.optim class, all of
    them but lr where it is still to be chosen (`has_lr`). batch_size None: all rows at each step. init: zeros,
    ones, uniform, normal, torch, or the values themselves, in the units of the descent, intercept first.
    standardize: train on columns of mean 0 and standard deviation 1, with the result in the units of the table.
    history_every: record every so many epochs; 1 records all, 0 only the first and the last. dtype: float64 or float32.
    """

    optimizer: str = "sgd"
    options: dict[str, object] = field(default_factory=dict)
    schedule: Schedule = field(default_factory=Schedule)
    epochs: int = 1000
    batch_size: int | None = None
    init: str | tuple[float, ...] = "zeros"
    seed: int = 0
    standardize: bool = True
    history_every: int = 1
    stopping: Stopping = field(default_factory=Stopping)
    dtype: str = "float64"

    @property
    def has_lr(self) -> bool:
        """Whether the learning rate is fixed."""
        return "lr" in self.options

    @property
    def torch_dtype(self) -> torch.dtype:
        """The dtype in which it computes."""
        import torch

        return torch.float32 if self.dtype == "float32" else torch.float64

    @property
    def lr(self) -> float:
        """The learning rate of the first step."""
        return float(self.options["lr"])  # type: ignore[arg-type]

    def with_lr(self, lr: float) -> DescentPlan:
        """Return the same plan at the learning rate `lr`."""
        return replace(self, options={**self.options, "lr": lr})
