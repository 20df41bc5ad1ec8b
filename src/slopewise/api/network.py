"""Wires models that are trained by the loop: networks, and classes by gradient descent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from slopewise.api.linear import plain
from slopewise.api.posed import Posed
from slopewise.api.words import Chosen
from slopewise.doctor.examine import Report
from slopewise.doctor.examine_curve import examine_curve
from slopewise.doctor.examine_network import examine_network
from slopewise.errors import OptionError
from slopewise.losses.loss import Loss
from slopewise.losses.penalty import L2
from slopewise.losses.squared import Squared
from slopewise.models.build import build_network, in_dtype, is_straight
from slopewise.models.sizes import hidden_sizes
from slopewise.optimizers.descent import Descent
from slopewise.problem import Problem
from slopewise.results.conclude_network import fit_network
from slopewise.results.network import NetworkFit
from slopewise.training.checkpoint import Checkpoint
from slopewise.training.columns import check_classes
from slopewise.training.sample import first_read
from slopewise.types import Observer


def fit_by_loop(
    posed: Posed,
    chosen: Chosen,
    *,
    loss: Loss | None,
    seed: int,
    l2: float,
    checkpoint: Checkpoint | None,
    observer: Observer | None,
    start: Any = None,
) -> NetworkFit:
    """Return the fit of a network, or of classes by descent: a network without hidden layers.

    Raises:
        OptionError: a road that networks do not have, or words that make no sense.
    """
    if chosen.solver in ("replay", "moments"):
        raise OptionError(
            f"there is no {chosen.solver} of this descent: only a line with squared loss has a closed form; 'loop' "
            "would be used, choose it or leave solver out."
        )
    problem = _problem(posed, chosen, loss or Squared(), l2)
    words = chosen.network
    starts = words.get("starts", 1)
    if isinstance(starts, bool) or not isinstance(starts, int) or starts < 1:
        raise OptionError(f"starts is {starts!r}; give a whole number of at least 1.")
    if start is not None and starts > 1:
        raise OptionError("warm_start is where one network begins, and starts asks for many; leave one of them out.")
    held_out = posed.part("validation")
    fit = fit_network(
        problem=problem,
        design=posed.design,
        engine=posed.engine,
        descent=_plan(chosen, problem, seed, drawn=starts > 1),
        validation=None if held_out is None else replace(problem, source=held_out),
        test=posed.part("test"),
        starts=starts,
        start=start,
        checkpoint=checkpoint,
        observer=observer,
        library=posed.library,
    )
    return replace(fit, findings=plain(examine_network(fit)))


def report_on_curve(posed: Posed, chosen: Chosen, *, loss: Loss | None, seed: int, l2: float) -> Report:
    """Return what is known before the first step of classes or of a network.

    Raises:
        OptionError: words that make no sense.
        FitError: a class without rows.
    """
    if not posed.design.intercept:
        raise OptionError("a network keeps its biases; leave out intercept=False, or look at a linear model.")
    problem = _problem(posed, chosen, loss or Squared(), l2)
    problem = replace(problem, model=in_dtype(problem.model, torch.float64))
    first = first_read(problem, posed.engine, sample=0)
    labels = posed.design.target_levels
    check_classes(first.rows, labels)
    return examine_curve(problem, first, descent=_plan(chosen, problem, seed), labels=labels)


def _problem(posed: Posed, chosen: Chosen, loss: Loss, l2: float) -> Problem:
    """Return the question put to a network, or to a network without hidden layers."""
    words = chosen.network
    model = build_network(
        inputs=len(posed.design.x_names),
        outputs=loss.outputs,
        hidden=_hidden(words) if chosen.model == "mlp" else (),
        activation=words.get("activation"),
        dropout=words.get("dropout"),
        module=words.get("module"),
    )
    return Problem(posed.train, model, loss, L2(l2), posed.design.names, posed.design.intercept)


def _plan(chosen: Chosen, problem: Problem, seed: int, *, drawn: bool = False) -> Descent:
    """Return the plan, from a start that is drawn where zeros would be a place no descent can leave."""
    return chosen.plan(seed, init="torch" if drawn or not is_straight(problem.model) else "zeros")


def _hidden(words: Mapping[str, Any]) -> tuple[int, ...]:
    hidden = words.get("hidden", ())
    return hidden_sizes(hidden) if isinstance(hidden, str) else tuple(hidden)
