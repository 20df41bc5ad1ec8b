"""The question: which rows, which model, which loss. Frozen, and no algorithm in it."""

from __future__ import annotations

from dataclasses import dataclass

from slopewise.data.source import Source
from slopewise.losses.loss import Loss
from slopewise.losses.penalty import L2, ElasticNet
from slopewise.models.model import Model


@dataclass(frozen=True, slots=True)
class Problem:
    """Minimise Σ w · loss(model(x), y) + penalty over the model's parameters.

    `names` (p,) names the parameters in order, the intercept first where there is one; `class_names` (k,) the classes,
    for messages, none where the target is a number.
    """

    source: Source
    model: Model
    loss: Loss
    penalty: L2 | ElasticNet
    names: tuple[str, ...]
    intercept: bool
    class_names: tuple[str, ...] = ()
