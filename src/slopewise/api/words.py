"""The words of a fit that are not about the table: checked together, sorted by what they choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from slopewise.errors import OptionError, check_choice
from slopewise.training.choose import SOLVERS

if TYPE_CHECKING:
    from slopewise.optimizers.descent import Descent

MODELS = ("auto", "linear", "logistic", "softmax", "mlp")
TASKS = ("auto", "regression", "classification")
ROADS = ("descent", "replay", "moments", "loop")
CLIMBERS = ("newton", "lbfgs", "coordinate", "firth")
ALL_SOLVERS = (*SOLVERS, *ROADS, *CLIMBERS)

PATIENCE = 20
"""Epochs that early stopping waits where nothing else is said."""


class DescentWords(TypedDict, total=False):
    """What may be said about going down; the words are torch.optim's own. Any of them chooses a descent."""

    optimizer: str | None
    lr: float | None
    momentum: float | None
    dampening: float | None
    nesterov: bool | None
    weight_decay: float | None
    betas: tuple[float, float] | None
    eps: float | None
    amsgrad: bool | None
    alpha: float | None
    centered: bool | None
    lr_decay: float | None
    schedule: str | None
    step_size: int | None
    gamma: float | None
    t_max: int | None
    eta_min: float | None
    factor: float | None
    plateau_patience: int | None
    threshold: float | None
    min_lr: float | None
    epochs: int | None
    batch_size: int | None
    init: str | Sequence[float] | None
    standardize: bool | None
    record: int | None
    dtype: str | None
    watch: str | None
    patience: int | None
    min_delta: float | None
    gap: float | None
    gradient: float | None


class NetworkWords(TypedDict, total=False):
    """What may be said about a network. Any of them chooses one."""

    hidden: Sequence[int] | str | None
    activation: str | None
    dropout: float | None
    starts: int | None
    module: Any


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the words choose.

    classes: whether the target is one of several classes, None to find out. descends: gradient descent was asked for,
    by the solver or by any word about it; said: those words. network: the words about a network.
    """

    model: str
    classes: bool | None
    solver: str
    descends: bool
    said: Mapping[str, Any]
    network: Mapping[str, Any]

    def plan(self, seed: int, init: str = "zeros") -> Descent:
        """Return the plan of the descent; `init` is the start where none was said."""
        from slopewise.optimizers.plan import plan_descent

        return plan_descent(**{"init": init, **self.said, "seed": seed})


def choose_words(
    *,
    model: str,
    task: str,
    solver: str,
    early_stop: bool,
    asked: bool,
    said: Mapping[str, Any],
    network: Mapping[str, Any],
) -> Chosen:
    """Return what the words choose.

    Args:
        model: one of MODELS.
        task: one of TASKS.
        solver: one of ALL_SOLVERS.
        early_stop: stop by the validation cost.
        asked: something was said that only a descent has: a checkpoint, resume, anyway.
        said: words about a descent, None where not said.
        network: words about a network, None where not said.

    Raises:
        OptionError: an unknown word, or words that do not go together.
    """
    check_choice("model", model, MODELS)
    check_choice("task", task, TASKS)
    check_choice("solver", solver, ALL_SOLVERS)
    said = {word: value for word, value in said.items() if value is not None}
    network = {word: value for word, value in network.items() if value is not None}
    if network and model not in ("auto", "mlp"):
        raise OptionError(
            f"{sorted(network)[0]} is for a network; choose model='mlp', or leave it out of a {model} model."
        )
    if network:
        model = "mlp"
    if early_stop:
        said = {"watch": "validation", "patience": PATIENCE, **said}
    exact = solver in ("cholesky", "qr", *CLIMBERS)
    if exact and said:
        raise OptionError(
            f"solver {solver!r} does not descend, so it takes no {sorted(said)[0]}; leave one of them out."
        )
    if exact and model == "mlp":
        raise OptionError(f"solver {solver!r} is for models without hidden layers; leave it out for a network.")
    descends = model == "mlp" or solver in ROADS or bool(said)
    if asked and not descends:
        raise OptionError("checkpoint, resume and anyway are for a descent; say solver='descent' too.")
    return Chosen(model, _classes(model, task, solver), solver, descends, said, network)


def _classes(model: str, task: str, solver: str) -> bool | None:
    if model in ("logistic", "softmax") or task == "classification" or solver in ("newton", "lbfgs", "firth"):
        if model == "linear" or task == "regression":
            raise OptionError(
                f"model {model!r}, task {task!r} and solver {solver!r} contradict each other; one is for classes, "
                "another for numbers."
            )
        return True
    if model == "linear" or task == "regression" or solver in ("cholesky", "qr", "replay", "moments"):
        return False
    return None
