"""Wires logistic and softmax regression by their likelihood."""

from __future__ import annotations

from typing import Any

from slopewise.api.posed import Posed
from slopewise.errors import OptionError
from slopewise.losses.logistic import Logistic
from slopewise.losses.loss import Loss
from slopewise.losses.penalty import L2, ElasticNet
from slopewise.losses.softmax import Softmax
from slopewise.models.linear import Linear
from slopewise.problem import Problem
from slopewise.results.classifier import Classifier
from slopewise.results.conclude_classes import conclude_classes
from slopewise.results.warm import climb_start
from slopewise.training.ascent import choose_ascent
from slopewise.training.balance import balanced_weights


def model_of(posed: Posed, model: str) -> str:
    """Return logistic or softmax, as the number of classes has it.

    Raises:
        OptionError: model is logistic and there are more than two classes.
    """
    k = len(posed.design.target_levels)
    if model == "logistic" and k > 2:
        raise OptionError(
            f"model 'logistic' tells two classes apart, and target {posed.design.target!r} has {k}; choose 'softmax'."
        )
    return "logistic" if k == 2 else "softmax"


def loss_of(posed: Posed, class_weight: str | None = None) -> Loss:
    """Return the loss of the target's classes.

    Raises:
        OptionError: class_weight is anything but balanced.
    """
    k = len(posed.design.target_levels)
    if class_weight not in (None, "balanced"):
        raise OptionError(f"class_weight {class_weight!r} is not known; it can be 'balanced', or left out.")
    weights = None if class_weight is None else balanced_weights(posed.train, posed.engine, k)
    if k > 2:
        return Softmax(k, weights)
    return Logistic(None if weights is None else (weights[0], weights[1]))


def fit_classes(
    posed: Posed,
    *,
    model: str,
    l2: float,
    l1: float,
    firth: bool,
    class_weight: str | None,
    errors: str,
    level: float,
    solver: str,
    start: Any = None,
) -> Classifier:
    """Return the fit of classes at the top of their likelihood.

    Raises:
        OptionError: `start` is a fit of other columns or classes, or has hidden layers.
    """
    design = posed.design
    model = model_of(posed, model)
    penalty = ElasticNet(l2, l1) if l1 else L2(l2)
    loss = loss_of(posed, class_weight)
    problem = Problem(posed.train, Linear(design.intercept), loss, penalty, design.names, design.intercept)
    theta = None if start is None else climb_start(start, design)
    ascent = choose_ascent(problem, design.target_levels, solver, firth=firth, start=theta)
    return conclude_classes(
        problem=problem,
        maximum=ascent.climber.solve(problem, posed.engine),
        design=design,
        model=model,
        solver=ascent.climber.name,
        reason=f"{design.target!r} has {len(design.target_levels)} classes; {ascent.reason}",
        engine=posed.engine,
        errors=errors,
        level=level,
        test=posed.part("test"),
        library=posed.library,
    )
