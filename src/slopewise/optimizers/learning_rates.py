"""Learning rates of all epochs at once, for the schedules that do not depend on the cost."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from slopewise.errors import OptionError
from slopewise.optimizers.plan import Schedule

KNOWN_AHEAD = ("constant", "step", "exponential", "cosine")
"""Schedules whose every learning rate is known before the first step."""


def learning_rates(schedule: Schedule, lr: float, epoch: Tensor) -> Tensor:
    """Return the learning rates (r,) of the updates from the epochs `epoch` (r,) to the next.

    step: lr gamma^⌊k / step_size⌋. exponential: lr gamma^k. cosine: from lr to eta_min and back, with period 2 t_max,
    eta_min + (lr - eta_min) (1 + cos(π k / t_max)) / 2. They equal those of StepLR, ExponentialLR and
    CosineAnnealingLR of torch.optim.lr_scheduler, stepped once an epoch.

    Args:
        schedule: name and arguments.
        lr: learning rate of the first epoch.
        epoch: (r,), from 0.

    Raises:
        OptionError: the schedule depends on the cost, so its rates are not known beforehand.

    >>> learning_rates(Schedule("exponential", {"gamma": 0.5}), 0.1, torch.arange(3)).tolist()
    [0.1, 0.05, 0.025]
    """
    k, options = epoch.to(torch.float64), schedule.options
    match schedule.name:
        case "constant":
            return torch.full_like(k, lr)
        case "step":
            return lr * options["gamma"] ** (k // options["step_size"])
        case "exponential":
            return lr * options["gamma"] ** k
        case "cosine":
            low = options.get("eta_min", 0.0)
            return low + (lr - low) * (1 + torch.cos(math.pi * k / options["t_max"])) / 2
    raise OptionError(
        f"schedule {schedule.name!r} depends on the cost, so its learning rates are not known beforehand; "
        f"choose one of {', '.join(KNOWN_AHEAD)}."
    )
