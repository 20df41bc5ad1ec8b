"""Stage 4: validate the options of gradient descent and return the plan; no data is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slopewise.errors import OptionError, check_choice, nearest
from slopewise.optimizers.plan import DescentPlan, Schedule, Stopping
from slopewise.optimizers.schedules import SCHEDULES
from slopewise.optimizers.torch_optimizers import OPTIMIZERS
from slopewise.optimizers.validators import (
    Check,
    count,
    finite,
    flag,
    not_negative,
    pair,
    positive,
    share,
    shrinking,
    unit,
    whole,
)

INITS = ("zeros", "ones", "uniform", "normal", "torch", "xavier", "he")
"""Names of initializations; which of them a model accepts, the model checks."""

OPTIMIZER_OPTIONS: dict[str, Check] = {
    "lr": positive,
    "momentum": share,
    "dampening": unit,
    "nesterov": flag,
    "weight_decay": not_negative,
    "betas": pair,
    "eps": not_negative,
    "amsgrad": flag,
    "alpha": share,
    "centered": flag,
    "lr_decay": not_negative,
}

SCHEDULE_OPTIONS: dict[str, Check] = {
    "step_size": count,
    "gamma": positive,
    "t_max": count,
    "eta_min": not_negative,
    "factor": shrinking,
    "plateau_patience": whole,
    "threshold": not_negative,
    "min_lr": not_negative,
}
TORCH_NAMES = {"plateau_patience": "patience"}
"""Options of a schedule whose torch name is in use: `patience` is that of early stopping."""

STOPPING_OPTIONS: dict[str, Check] = {
    "monitor": lambda name, value: check_choice(name, str(value), ("train", "validation")),
    "patience": count,
    "min_delta": not_negative,
    "gap_tol": positive,
    "grad_tol": positive,
}

PLAN_OPTIONS: dict[str, Check] = {
    "optimizer": lambda name, value: check_choice(name, str(value), OPTIMIZERS),
    "schedule": lambda name, value: check_choice(name, str(value), SCHEDULES),
    "epochs": count,
    "batch_size": count,
    "init": lambda name, value: check_init(value),
    "seed": whole,
    "standardize": flag,
    "history_every": lambda name, value: check_history_every(value),
    "dtype": lambda name, value: check_choice(name, str(value), ("float64", "float32")),
}

OPTIONS = {**PLAN_OPTIONS, **OPTIMIZER_OPTIONS, **SCHEDULE_OPTIONS, **STOPPING_OPTIONS}


def plan_descent(**options: object) -> DescentPlan:
    """Return the validated plan of a descent; an option that is None counts as not given.

    Arguments of the optimizer and of the schedule that were not given are filled in with torch's defaults, so that a
    plan is the same under any version of torch. Only lr may be missing (`DescentPlan.has_lr`), to be chosen
    on the data.

    Args:
        options: optimizer, schedule, epochs, batch_size, init, seed, standardize, history_every, dtype; the optimizer's
            own arguments; step_size, gamma, t_max, eta_min, factor, plateau_patience, threshold, min_lr of the
            schedules; monitor, patience, min_delta, gap_tol, grad_tol of early stopping.

    Raises:
        OptionError: an unknown option, an invalid value, or options that cannot be combined.

    Example:
        >>> plan_descent(lr=0.01, momentum=0.9, epochs=2000).options["momentum"]
        0.9
    """
    given: dict[str, Any] = {}
    for name, value in options.items():
        if name not in OPTIONS:
            raise OptionError(f"{name!r} is not an option of gradient descent.{nearest(name, OPTIONS)}")
        if value is not None:
            given[name] = OPTIONS[name](name, value)
    plan = {name: given[name] for name in PLAN_OPTIONS if name in given and name != "schedule"}
    epochs = plan.get("epochs", DescentPlan.__dataclass_fields__["epochs"].default)
    return DescentPlan(
        **plan | {"options": _optimizer_options(plan.get("optimizer", "sgd"), given)},
        schedule=_schedule(given.get("schedule", "constant"), given, epochs),
        stopping=_stopping(given),
    )


def check_history_every(value: object) -> int:
    """Return the epochs between two recorded ones: 1 for `all`, 0 for `last`, or the number itself.

    Raises:
        OptionError: none of these.

    >>> check_history_every("last")
    0
    """
    if isinstance(value, str):
        return {"all": 1, "last": 0}[check_choice("history_every", value, ("all", "last"))]
    return whole("history_every", value)


def check_init(value: object) -> str | tuple[float, ...]:
    """Return the name of an initialization, or the given parameters as floats.

    Raises:
        OptionError: an unknown name, or a value that is not a finite number.

    >>> check_init([0, 1])
    (0.0, 1.0)
    """
    if isinstance(value, str):
        return check_choice("init", value, INITS)
    if not isinstance(value, Sequence) or not value:
        raise OptionError(f"init must be one of {', '.join(INITS)} or the parameters themselves, not {value!r}.")
    return tuple(finite("every value of init", number) for number in value)


def _optimizer_options(optimizer: str, given: Mapping[str, Any]) -> dict[str, object]:
    takes = OPTIMIZERS[optimizer].arguments
    for name in OPTIMIZER_OPTIONS:
        if name in given and name not in takes:
            raise OptionError(f"{name} is not an argument of {optimizer}; {optimizer} takes {', '.join(takes)}.")
    options = {name: given.get(name, default) for name, default in takes.items()}
    if options.get("nesterov") and not (options["momentum"] > 0 and options["dampening"] == 0):
        raise OptionError(
            f"nesterov needs momentum above 0 and dampening 0, and has momentum {options['momentum']:g} and "
            f"dampening {options['dampening']:g}; set momentum=0.9, or leave nesterov out."
        )
    return {name: value for name, value in options.items() if value is not None}


def _schedule(schedule: str, given: Mapping[str, Any], epochs: int) -> Schedule:
    takes = SCHEDULES[schedule].arguments
    options: dict[str, float] = {}
    for name in SCHEDULE_OPTIONS:
        torch_name = TORCH_NAMES.get(name, name)
        if name in given and torch_name not in takes:
            others = [other for other, spec in SCHEDULES.items() if torch_name in spec.arguments]
            raise OptionError(
                f"{name} is not an argument of the schedule {schedule}; choose schedule {' or '.join(others)} with it."
            )
        if name in given:
            options[torch_name] = given[name]
    filled = takes | options | ({"t_max": options.get("t_max", epochs)} if schedule == "cosine" else {})
    for name, value in filled.items():
        if value is None:
            raise OptionError(f"the schedule {schedule} needs {name}; give it, such as {name}={EXAMPLES[name]}.")
    return Schedule(schedule, filled)  # type: ignore[arg-type]


EXAMPLES = {"step_size": "100", "gamma": "0.99"}


def _stopping(given: Mapping[str, Any]) -> Stopping:
    for name in ("monitor", "min_delta"):
        if name in given and "patience" not in given:
            raise OptionError(f"{name} has no effect without patience; give the epochs to wait, such as patience=20.")
    return Stopping(**{name: given[name] for name in STOPPING_OPTIONS if name in given})
