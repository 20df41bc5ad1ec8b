"""The losses by name: what a user may choose, with which parameters, and how each is solved. A new loss is one line.

Nothing here imports torch before a loss is made, so that a command line can list them at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from slopewise.errors import OptionError, check_choice

if TYPE_CHECKING:
    from slopewise.losses.loss import Loss


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a loss takes.

    default: the value where none is given, None if it is then estimated with the coefficients. estimated: what the
    loss calls that estimate. help: one line. option: what it is called where a user gives it, "" for its name.
    """

    name: str
    default: float | None
    help: str
    estimated: str | None = None
    option: str = ""

    @property
    def given_as(self) -> str:
        """The option by which a user gives it."""
        return self.option or self.name


@dataclass(frozen=True, slots=True)
class LossEntry:
    """A loss: its class as `module.Class` in this folder, help in one line, solvers with the default first."""

    where: str
    help: str
    solvers: tuple[str, ...]
    parameters: tuple[Parameter, ...] = ()


DELTA = Parameter("delta", None, "residual from which the loss is linear; left out: 1.345 times their MAD", "scale")
ALPHA = Parameter(
    "alpha",
    None,
    "variance = mean + alpha · mean²; left out: by maximum likelihood",
    estimated="alpha",
    option="overdispersion",  # alpha is an argument of RMSprop
)
TAU = Parameter("tau", 0.5, "which quantile, between 0 and 1")

EXACT = ("cholesky", "qr", "coordinate_descent", "gd")
CLASSES = ("newton", "lbfgs", "coordinate_descent", "firth", "gd")
SMOOTH = ("newton", "lbfgs", "coordinate_descent", "gd")

REGISTRY: dict[str, LossEntry] = {
    "squared": LossEntry("squared.Squared", "the mean; least squares", EXACT),
    "huber": LossEntry("huber.Huber", "the mean, outliers bounded", ("newton", "lbfgs", "gd"), (DELTA,)),
    "absolute": LossEntry("absolute.Absolute", "the median", ("interior_point", "gd")),
    "quantile": LossEntry("quantile.Quantile", "a quantile", ("interior_point", "gd"), (TAU,)),
    "logistic": LossEntry("logistic.Logistic", "the probabilities of two classes", CLASSES),
    "softmax": LossEntry("softmax.Softmax", "the probabilities of several classes", CLASSES),
    "poisson": LossEntry("poisson.Poisson", "the mean of counts, log link", SMOOTH),
    "negative_binomial": LossEntry("negative_binomial.NegativeBinomial", "counts of larger variance", SMOOTH, (ALPHA,)),
    "gamma": LossEntry("gamma.Gamma", "the mean of positive numbers, log link", SMOOTH),
}


def make_loss(
    name: str,
    parameters: Mapping[str, float] | None = None,
    *,
    n_classes: int = 0,
    class_weights: tuple[float, ...] | None = None,
) -> Loss:
    """Return a loss of the registry.

    Args:
        name: one of REGISTRY.
        parameters: those that were given, such as {"tau": 0.9}.
        n_classes: of softmax.
        class_weights: for logistic and softmax, None for equal weights.

    Raises:
        OptionError: the name is not known; a parameter is not one of this loss, or out of its range.

    >>> make_loss("quantile", {"tau": 0.9})
    Quantile(tau=0.9)
    """
    entry = REGISTRY[check_choice("loss", name, REGISTRY)]
    given = dict(parameters or {})
    refuse_foreign_parameters(name, given)
    fields: dict[str, Any] = {}
    for parameter in entry.parameters:
        value = given.pop(parameter.name, parameter.default)
        if value is not None:
            fields[parameter.name] = float(value)
        elif parameter.estimated is not None:
            fields["estimates"] = parameter.estimated
    if name == "softmax":
        fields["n_classes"] = n_classes
    if class_weights is not None:
        fields["class_weights"] = class_weights
    return loss_class(name)(**fields)


def refuse_foreign_parameters(name: str, given: Iterable[str]) -> None:
    """Raise OptionError where a parameter is not one of a loss; says of which it is, by the names that users give.

    Args:
        name: of the loss, one of REGISTRY.
        given: parameters, by the losses' own names.
    """
    own = {parameter.name for parameter in REGISTRY[name].parameters}
    foreign = next((parameter for parameter in given if parameter not in own), None)
    if foreign is not None:
        hint = f"it belongs to loss {owners_of(foreign)}; " if owners_of(foreign) else ""
        raise OptionError(f"loss {name!r} takes no {_given_as(foreign)}; {hint}leave it out.")


def owners_of(parameter: str) -> str:
    """Return the losses that take a parameter, quoted, "" of none.

    >>> owners_of("tau")
    "'quantile'"
    """
    owners = [name for name, entry in REGISTRY.items() if any(own.name == parameter for own in entry.parameters)]
    return " and ".join(map(repr, owners))


def _given_as(parameter: str) -> str:
    named = (own.given_as for entry in REGISTRY.values() for own in entry.parameters if own.name == parameter)
    return next(named, parameter)


def loss_class(name: str) -> type[Loss]:
    """Return the class of a loss of the registry."""
    module, _, kind = REGISTRY[name].where.partition(".")
    found: type[Loss] = getattr(import_module(f"slopewise.losses.{module}"), kind)
    return found
