"""Stage 4: from the user's words to a checked plan. Everything that can be refused without the data is refused here."""

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
"""Ways to start; which of them a model knows is the model's to say."""

OPTIMIZER_WORDS: dict[str, Check] = {
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

SCHEDULE_WORDS: dict[str, Check] = {
    "step_size": count,
    "gamma": positive,
    "t_max": count,
    "eta_min": not_negative,
    "factor": shrinking,
    "plateau_patience": whole,
    "threshold": not_negative,
    "min_lr": not_negative,
}
SPELLED = {"plateau_patience": "patience"}
"""Words of a schedule whose own name is taken: `patience` alone belongs to early stopping."""

STOPPING_WORDS: dict[str, Check] = {
    "monitor": lambda word, value: check_choice(word, str(value), ("train", "validation")),
    "patience": count,
    "min_delta": not_negative,
    "gap_tol": positive,
    "grad_tol": positive,
}

PLAN_WORDS: dict[str, Check] = {
    "optimizer": lambda word, value: check_choice(word, str(value), OPTIMIZERS),
    "schedule": lambda word, value: check_choice(word, str(value), SCHEDULES),
    "epochs": count,
    "batch_size": count,
    "init": lambda word, value: check_init(value),
    "seed": whole,
    "standardize": flag,
    "history_every": lambda word, value: check_history_every(value),
    "dtype": lambda word, value: check_choice(word, str(value), ("float64", "float32")),
}

WORDS = {**PLAN_WORDS, **OPTIMIZER_WORDS, **SCHEDULE_WORDS, **STOPPING_WORDS}


def plan_descent(**words: object) -> DescentPlan:
    """Return the plan that the words describe; a word that is None counts as not said.

    Arguments of the optimizer and of the schedule that were not said are filled in with torch's defaults, so that a
    plan reads the same under any version of torch. Only lr may stay open (`Descent.has_lr`), to be chosen on the data.

    Args:
        words: optimizer, schedule, epochs, batch_size, init, seed, standardize, history_every, dtype; the optimizer's
            own arguments; step_size, gamma, t_max, eta_min, factor, plateau_patience, threshold, min_lr of the
            schedules; monitor, patience, min_delta, gap_tol, grad_tol of early stopping.

    Raises:
        OptionError: an unknown word, a value that makes no sense, or words that do not go together.

    Example:
        >>> plan_descent(lr=0.01, momentum=0.9, epochs=2000).options["momentum"]
        0.9
    """
    said: dict[str, Any] = {}
    for word, value in words.items():
        if word not in WORDS:
            raise OptionError(f"{word!r} is not an option of a descent.{nearest(word, WORDS)}")
        if value is not None:
            said[word] = WORDS[word](word, value)
    plan = {word: said[word] for word in PLAN_WORDS if word in said and word != "schedule"}
    epochs = plan.get("epochs", DescentPlan.__dataclass_fields__["epochs"].default)
    return DescentPlan(
        **plan | {"options": _optimizer_options(plan.get("optimizer", "sgd"), said)},
        schedule=_schedule(said.get("schedule", "constant"), said, epochs),
        stopping=_stopping(said),
    )


def check_history_every(value: object) -> int:
    """Return the epochs between two recorded ones: 1 for `all`, 0 for `last`, or the number itself."""
    if isinstance(value, str):
        return {"all": 1, "last": 0}[check_choice("history_every", value, ("all", "last"))]
    return whole("history_every", value)


def check_init(value: object) -> str | tuple[float, ...]:
    """Return the name of a way to start, or the given start itself as floats."""
    if isinstance(value, str):
        return check_choice("init", value, INITS)
    if not isinstance(value, Sequence) or not value:
        raise OptionError(f"init must be one of {', '.join(INITS)} or the parameters themselves, not {value!r}.")
    return tuple(finite("every value of init", number) for number in value)


def _optimizer_options(optimizer: str, said: Mapping[str, Any]) -> dict[str, object]:
    takes = OPTIMIZERS[optimizer].arguments
    for word in OPTIMIZER_WORDS:
        if word in said and word not in takes:
            raise OptionError(f"{word} is not an argument of {optimizer}; {optimizer} takes {', '.join(takes)}.")
    options = {word: said.get(word, default) for word, default in takes.items()}
    if options.get("nesterov") and not (options["momentum"] > 0 and options["dampening"] == 0):
        raise OptionError(
            f"nesterov needs momentum above 0 and dampening 0, and has momentum {options['momentum']:g} and "
            f"dampening {options['dampening']:g}; set momentum=0.9, or leave nesterov out."
        )
    return {word: value for word, value in options.items() if value is not None}


def _schedule(name: str, said: Mapping[str, Any], epochs: int) -> Schedule:
    takes = SCHEDULES[name].arguments
    options: dict[str, float] = {}
    for word in SCHEDULE_WORDS:
        spelled = SPELLED.get(word, word)
        if word in said and spelled not in takes:
            others = [other for other, named in SCHEDULES.items() if spelled in named.arguments]
            raise OptionError(
                f"{word} is not an argument of the schedule {name}; choose schedule {' or '.join(others)} with it."
            )
        if word in said:
            options[spelled] = said[word]
    filled = takes | options | ({"t_max": options.get("t_max", epochs)} if name == "cosine" else {})
    for word, value in filled.items():
        if value is None:
            raise OptionError(f"the schedule {name} needs {word}; give it, such as {word}={EXAMPLES[word]}.")
    return Schedule(name, filled)  # type: ignore[arg-type]


EXAMPLES = {"step_size": "100", "gamma": "0.99"}


def _stopping(said: Mapping[str, Any]) -> Stopping:
    for word in ("monitor", "min_delta"):
        if word in said and "patience" not in said:
            raise OptionError(f"{word} says nothing without patience; give the epochs to wait, such as patience=20.")
    return Stopping(**{word: said[word] for word in STOPPING_WORDS if word in said})
