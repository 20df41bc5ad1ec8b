"""Learning-rate schedules: torch.optim.lr_scheduler by name. A new schedule is one entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LRScheduler, ReduceLROnPlateau, StepLR

from slopewise.optimizers.plan import Schedule


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """A scheduler class of torch, its arguments with their defaults (None: required), and their names in torch.

    by_cost: `step` takes the cost.
    """

    make: Callable[..., LRScheduler] | None
    arguments: dict[str, object]
    spelled: dict[str, str]
    by_cost: bool = False


SCHEDULES: dict[str, ScheduleSpec] = {
    "constant": ScheduleSpec(None, {}, {}),
    "step": ScheduleSpec(StepLR, {"step_size": None, "gamma": 0.1}, {}),
    "exponential": ScheduleSpec(ExponentialLR, {"gamma": None}, {}),
    "cosine": ScheduleSpec(CosineAnnealingLR, {"t_max": None, "eta_min": 0.0}, {"t_max": "T_max"}),
    "plateau": ScheduleSpec(
        ReduceLROnPlateau, {"factor": 0.1, "patience": 10, "threshold": 1e-4, "min_lr": 0.0}, {}, by_cost=True
    ),
}


def build_scheduler(optimizer: torch.optim.Optimizer, schedule: Schedule, epochs: int) -> LRScheduler | None:
    """Return torch's scheduler, to be stepped once after each epoch, or None for a constant rate.

    The scheduler of `plateau` is stepped with the cost at the start of the epoch, which a training loop has already
    computed. t_max of cosine is `epochs` by default.

    Args:
        optimizer: whose learning rate changes.
        schedule: its name and checked arguments.
        epochs: planned.
    """
    spec = SCHEDULES[schedule.name]
    if spec.make is None:
        return None
    options = dict(schedule.options)
    if schedule.name == "cosine":
        options.setdefault("t_max", epochs)
    return spec.make(optimizer, **{spec.spelled.get(name, name): _plain(value) for name, value in options.items()})


def _plain(value: float) -> float | int:
    """Return whole numbers as int: step_size and patience count epochs."""
    return int(value) if value == int(value) and value != 0 else value
