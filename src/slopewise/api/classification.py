"""Wires logistic and softmax regression by their likelihood."""

from __future__ import annotations

from typing import Any

from slopewise.api.dataset import TrainingData
from slopewise.api.options import ResolvedOptions
from slopewise.errors import OptionError, check_choice
from slopewise.losses.logistic import Logistic
from slopewise.losses.loss import Loss
from slopewise.losses.penalty import L2, ElasticNet
from slopewise.losses.softmax import Softmax
from slopewise.models.linear import Linear
from slopewise.problem import Problem
from slopewise.results.build_classification import build_classifier
from slopewise.results.classifier import Classifier
from slopewise.results.warm_start import likelihood_start
from slopewise.training.ascent import choose_ascent
from slopewise.training.likelihood.class_weights import balanced_class_weights


def model_of(data: TrainingData, model: str) -> str:
    """Return logistic or softmax, as the number of classes has it.

    Raises:
        OptionError: model is logistic and there are more than two classes.
    """
    k = len(data.design.target_levels)
    if model == "logistic" and k > 2:
        raise OptionError(
            f"model 'logistic' tells two classes apart, and target {data.design.target!r} has {k}; choose 'softmax'."
        )
    return "logistic" if k == 2 else "softmax"


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


def fit_classes(data: TrainingData, options: ResolvedOptions, *, warm_start: Any = None) -> Classifier:
    """Return the fit of classes at the top of their likelihood.

    Raises:
        OptionError: `warm_start` is a fit of other columns or classes, or has hidden layers; rows are held out for an
            early stop that this solver does not have.
    """
    design = data.design
    if options["validation_size"]:
        raise OptionError("validation_size is for a descent, which can stop early; leave it out.")
    model = model_of(data, options.model)
    penalty = ElasticNet(options["l2"], options["l1"]) if options["l1"] else L2(options["l2"])
    loss = loss_of(data, options["class_weight"])
    problem = Problem(data.train, Linear(design.intercept), loss, penalty, design.names, design.intercept)
    theta = None if warm_start is None else likelihood_start(warm_start, design)
    ascent = choose_ascent(problem, design.target_levels, options["solver"], firth=options["firth"], start=theta)
    return build_classifier(
        problem=problem,
        maximum=ascent.climber.solve(problem, data.engine),
        design=design,
        model=model,
        solver=ascent.climber.name,
        reason=f"{design.target!r} has {len(design.target_levels)} classes; {ascent.reason}",
        engine=data.engine,
        cov_type=options["cov_type"],
        confidence_level=options["confidence_level"],
        test=data.part("test"),
        library=data.library,
    )
