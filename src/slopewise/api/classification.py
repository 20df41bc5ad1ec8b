"""Wires logistic and softmax regression by their likelihood."""

from __future__ import annotations

from typing import Any

from slopewise.api.dataset import TrainingData
from slopewise.api.linear import asked_of
from slopewise.api.options import ResolvedOptions
from slopewise.errors import OptionError, check_choice
from slopewise.losses.logistic import Logistic
from slopewise.losses.loss import Loss
from slopewise.losses.penalty import L2, ElasticNet
from slopewise.losses.softmax import Softmax
from slopewise.models.linear import Linear
from slopewise.problem import Problem
from slopewise.results.build import build_fit
from slopewise.results.fit import Fit
from slopewise.results.record import ClassificationMetrics
from slopewise.results.warm_start import linear_start
from slopewise.training.likelihood.class_weights import balanced_class_weights
from slopewise.training.registry import select_solver


def check_model(data: TrainingData, model: str) -> None:
    """Raise OptionError where the model is logistic and there are more than two classes."""
    k = len(data.design.target_levels)
    if model == "logistic" and k > 2:
        raise OptionError(
            f"model 'logistic' tells two classes apart, and target {data.design.target!r} has {k}; choose 'softmax'."
        )


def loss_of(data: TrainingData, class_weight: str | None = None) -> Loss:
    """Return the loss of the target's classes.

    Raises:
        OptionError: class_weight is anything but balanced.
    """
    k = len(data.design.target_levels)
    if class_weight is not None:
        check_choice("class_weight", class_weight, ("balanced",))
    weights = None if class_weight is None else balanced_class_weights(data.train, data.engine, k)
    if k > 2:
        return Softmax(k, weights)
    return Logistic(None if weights is None else (weights[0], weights[1]))


def fit_classification(
    data: TrainingData, options: ResolvedOptions, *, warm_start: Any = None
) -> Fit[ClassificationMetrics]:
    """Return the fit of classes at the maximum of their likelihood.

    Args:
        data: the rows and the design learned from them.
        options: as `fit` resolved them.
        warm_start: a linear fit of the same columns and classes to start from, or None.

    Raises:
        OptionError: `warm_start` is a fit of other columns or classes, or has hidden layers; rows are held out for an
            early stop that this solver does not have.
    """
    design = data.design
    if options["validation_size"]:
        raise OptionError("validation_size is for a descent, which can stop early; leave it out.")
    check_model(data, options.model)
    problem = Problem(
        data.train,
        Linear(design.intercept),
        loss_of(data, options["class_weight"]),
        ElasticNet(options["l2"], options["l1"]) if options["l1"] else L2(options["l2"]),
        design.names,
        design.intercept,
        class_names=design.target_levels,
    )
    choice = select_solver(problem, wanted=options["solver"], firth=options["firth"])
    warm = None if warm_start is None else linear_start(warm_start, design)
    return build_fit(
        problem=problem,
        solution=choice.make().solve(problem, data.engine, warm=warm),
        design=design,
        data=data.handles,
        solver=choice.name,
        reason=f"{design.target!r} has {len(design.target_levels)} classes; {choice.reason}",
        asked=asked_of(options, data),
    )
