"""Wires models that are trained by the loop: networks, and classes by gradient descent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from slopewise.api.linear import plain
from slopewise.api.posed import Posed
from slopewise.api.words import Chosen
from slopewise.doctor.examine_network import examine_network
from slopewise.errors import OptionError
from slopewise.losses.loss import Loss
from slopewise.losses.penalty import L2
from slopewise.losses.squared import Squared
from slopewise.models.build import build_network
from slopewise.models.sizes import hidden_sizes
from slopewise.problem import Problem
from slopewise.results.conclude_network import fit_network
from slopewise.results.network import NetworkFit
from slopewise.training.checkpoint import Checkpoint
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
    words = chosen.network
    loss = loss or Squared()
    hidden = _hidden(words) if chosen.model == "mlp" else ()
    model = build_network(
        inputs=len(posed.design.x_names),
        outputs=loss.outputs,
        hidden=hidden,
        activation=words.get("activation"),
        dropout=words.get("dropout"),
        module=words.get("module"),
    )
    starts = words.get("starts", 1)
    if isinstance(starts, bool) or not isinstance(starts, int) or starts < 1:
        raise OptionError(f"starts is {starts!r}; give a whole number of at least 1.")
    curved = bool(hidden) or words.get("module") is not None
    problem = Problem(posed.train, model, loss, L2(l2), posed.design.names, posed.design.intercept)
    held_out = posed.part("validation")
    fit = fit_network(
        problem=problem,
        design=posed.design,
        engine=posed.engine,
        descent=chosen.plan(seed, init="torch" if curved or starts > 1 else "zeros"),
        validation=None if held_out is None else replace(problem, source=held_out),
        test=posed.part("test"),
        starts=starts,
        checkpoint=checkpoint,
        observer=observer,
        library=posed.library,
    )
    return replace(fit, findings=plain(examine_network(fit)))


def _hidden(words: Mapping[str, Any]) -> tuple[int, ...]:
    hidden = words.get("hidden", ())
    return hidden_sizes(hidden) if isinstance(hidden, str) else tuple(hidden)
