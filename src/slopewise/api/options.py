"""The options of a fit: which there are, what they default to, and what they choose together."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from slopewise.api.option_types import DescentOptions, FitOptions
from slopewise.api.option_values import plain_values, word
from slopewise.engine.local import BATCH_ROWS
from slopewise.errors import OptionError, check_choice, nearest
from slopewise.losses.registry import REGISTRY, owners_of, refuse_foreign_parameters
from slopewise.results.build import check_inference
from slopewise.results.inference.covariance import CLUSTER_TYPES
from slopewise.training.registry import CHOICES, names_of

if TYPE_CHECKING:
    from slopewise.optimizers.plan import DescentPlan

MODELS = ("auto", "linear", "logistic", "softmax", "mlp")
TASKS = ("auto", "regression", "classification")

PATIENCE = 20
"""Epochs that early stopping waits where nothing else is said."""

F = TypeVar("F", bound=Callable[..., Any])


DEFAULTS: dict[str, Any] = {
    "intercept": True,
    "missing": "error",
    "seed": 0,
    "batch_rows": BATCH_ROWS,
    "l2": 0.0,
    "l1": 0.0,
    "firth": False,
    "cov_type": "nonrobust",
    "confidence_level": 0.95,
    "solver": "auto",
    "early_stopping": False,
    "allow_divergence": False,
    "resume": False,
}
"""What an option is where it is not given; None where it is not listed."""

LOSS_OPTIONS = {each.given_as: each.name for entry in REGISTRY.values() for each in entry.parameters}
"""The parameters of losses: what the option is called, and what the loss calls it."""

RECIPE: dict[str, Any] = {
    "optimizer": "adam",
    "epochs": 200,
    "batch_size": 32,
    "monitor": "validation",
    "patience": PATIENCE,
}
"""How a network is trained where no option about its descent was given, with VALIDATION of the rows held out."""
VALIDATION, LAYERS = 0.1, (100,)

NETWORK = ("hidden", "activation", "dropout", "n_init", "module")
"""Options that only a network has; any of them chooses one."""


@dataclass(frozen=True, slots=True)
class ResolvedOptions:
    """The options of a fit, checked together, and what they choose.

    given: every option by name, defaults filled in; said: those that the caller named. model: auto, linear, logistic,
    softmax or mlp. is_classification: whether the target is one of several classes, None to find out. descends:
    gradient descent was asked for, by the solver or by any option about it; descent: those options. network: the
    options about a network. by_recipe: whether it is trained by RECIPE.
    """

    given: Mapping[str, Any]
    said: frozenset[str]
    model: str
    is_classification: bool | None
    descends: bool
    descent_options: Mapping[str, Any]
    network: Mapping[str, Any]
    by_recipe: bool = False

    def __getitem__(self, name: str) -> Any:
        return self.given[name]

    @property
    def loss_parameters(self) -> dict[str, float]:
        """The parameters of the loss that were given, by the loss's names."""
        return {own: self[name] for name, own in LOSS_OPTIONS.items() if self[name] is not None}

    def plan(self, init: str = "zeros") -> DescentPlan:
        """Return the plan of the descent; `init` is the start where none was given."""
        from slopewise.optimizers.parse import plan_descent

        return plan_descent(**{"init": init, **self.descent_options, "seed": self["seed"]})


def takes(options: type) -> Callable[[F], F]:
    """Return a decorator that shows the options of a TypedDict, with their defaults, in a function's signature."""

    def shown(function: F) -> F:
        own = inspect.signature(function)
        named = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=DEFAULTS.get(name), annotation=kind)
            for name, kind in options.__annotations__.items()
        ]
        first = [part for part in own.parameters.values() if part.kind is not inspect.Parameter.VAR_KEYWORD]
        function.__signature__ = own.replace(parameters=[*first, *named])  # type: ignore[attr-defined]
        return function

    return shown


def resolve_options(
    options: type, *, model: str, task: str, given: Mapping[str, Any], solver: str = "auto"
) -> ResolvedOptions:
    """Return what the options choose.

    Args:
        options: FitOptions or CheckOptions: those that there are.
        model: one of MODELS.
        task: one of TASKS.
        given: as the caller gave them; None counts as not given.
        solver: the one taken where none is given.

    Raises:
        OptionError: an unknown option or value, or options that do not go together.
    """
    known = options.__annotations__
    for name in given:
        if name not in known:
            raise OptionError(f"there is no option {name!r}.{nearest(name, known)}")
    said = plain_values({name: value for name, value in given.items() if value is not None})
    model, task = word("model", model), word("task", task)
    filled: dict[str, Any] = {**dict.fromkeys(FitOptions.__annotations__), **DEFAULTS, "solver": solver, **said}
    check_choice("model", model, MODELS)
    check_choice("task", task, TASKS)
    check_choice("solver", filled["solver"], CHOICES)
    model = _model_of_loss(filled, model)
    if filled["cluster"] is not None and "cov_type" not in said:
        filled["cov_type"] = "cluster"
    if (filled["cluster"] is not None) != (filled["cov_type"] in CLUSTER_TYPES):
        raise OptionError(
            f"cov_type is {filled['cov_type']!r} and cluster is {filled['cluster']!r}; cluster names the column that "
            f"cov_type {' or '.join(map(repr, CLUSTER_TYPES))} needs: give both, or neither."
        )
    check_inference(filled["cov_type"], filled["confidence_level"], filled["lags"])
    _check_numbers(filled)
    return _chosen(filled, frozenset(said), model, task)


def _chosen(filled: dict[str, Any], said: frozenset[str], model: str, task: str) -> ResolvedOptions:
    solver = filled["solver"]
    descent_options = {name: filled[name] for name in DescentOptions.__annotations__ if filled.get(name) is not None}
    network = {name: filled[name] for name in NETWORK if filled.get(name) is not None}
    if network and model not in ("auto", "mlp"):
        raise OptionError(
            f"{sorted(network)[0]} is for a network; choose model='mlp', or leave it out of a {model} model."
        )
    if network:
        model = "mlp"
    by_recipe = model == "mlp" and not descent_options and not {"n_init", "early_stopping", "warm_start"} & said
    if model == "mlp" and "module" not in network:
        network = {"hidden": LAYERS, **network}
    if by_recipe:
        descent_options = dict(RECIPE)
        filled["validation_size"] = VALIDATION if filled["validation_size"] is None else filled["validation_size"]
    if filled["early_stopping"]:
        descent_options = {"monitor": "validation", "patience": PATIENCE, **descent_options}
    exact = solver in names_of("exact", "likelihood")
    if exact and descent_options:
        raise OptionError(
            f"solver {solver!r} does not descend, so it takes no {sorted(descent_options)[0]}; leave one of them out."
        )
    if exact and model == "mlp":
        raise OptionError(f"solver {solver!r} is for models without hidden layers; leave it out for a network.")
    descends = model == "mlp" or solver in ("gd", *names_of("descent")) or bool(descent_options)
    if filled.get("resume") and filled.get("checkpoint") is None:
        raise OptionError("resume needs the folder of the checkpoint; give checkpoint='DIR' too.")
    for name in ("checkpoint", "resume", "allow_divergence"):
        if filled.get(name) and not descends:
            raise OptionError(f"{name} is for a descent; choose one with solver='gd' too.")
    if filled.get("warm_start") is not None and "init" in descent_options:
        raise OptionError("warm_start and init both say where the descent begins; leave one of them out.")
    return ResolvedOptions(
        filled, said, model, _is_classification(model, task, filled), descends, descent_options, network, by_recipe
    )


def _model_of_loss(filled: Mapping[str, Any], model: str) -> str:
    """Return the model that the loss decides, where it decides one.

    Raises:
        OptionError: no such loss; a parameter that it does not take; one that contradicts the model.
    """
    loss = filled["loss"]
    given = [name for name in LOSS_OPTIONS if filled[name] is not None]
    if loss is None:
        if given:
            owners = owners_of(LOSS_OPTIONS[given[0]])
            raise OptionError(f"{given[0]} is of loss {owners}; choose it with loss= too.")
        return model
    check_choice("loss", loss, REGISTRY)
    refuse_foreign_parameters(loss, [LOSS_OPTIONS[name] for name in given])
    if model == "mlp" or (model == "auto" and any(filled[name] is not None for name in NETWORK)):
        return "mlp"
    own_model = loss if loss in ("logistic", "softmax") else "linear"
    if model not in ("auto", own_model):
        raise OptionError(f"loss {loss!r} is for model {own_model!r}, and model is {model!r}; leave one of them out.")
    return own_model


def _is_classification(model: str, task: str, filled: Mapping[str, Any]) -> bool | None:
    solver, loss = filled["solver"], filled["loss"]
    if loss is not None:
        return loss in ("logistic", "softmax")
    if model in ("logistic", "softmax") or task == "classification" or solver in ("newton", "lbfgs", "firth"):
        if model == "linear" or task == "regression":
            raise OptionError(
                f"model {model!r}, task {task!r} and solver {solver!r} contradict each other; one is for classes, "
                "another for numbers."
            )
        return True
    if filled.get("firth"):
        return True
    if model == "linear" or task == "regression" or solver in ("cholesky", "qr", "gd_closed_form", "gd_moments"):
        return False
    return None


def _check_numbers(filled: Mapping[str, Any]) -> None:
    for name in ("l2", "l1"):
        if not 0 <= filled[name] < float("inf"):
            raise OptionError(f"{name} is {filled[name]}; give a finite number, zero or above.")
    if filled["batch_rows"] < 1:
        raise OptionError(f"batch_rows is {filled['batch_rows']}; give at least 1.")
