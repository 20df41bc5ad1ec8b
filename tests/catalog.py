"""Every part listed once; the laws in tests/laws run over the lists. A new part is one line."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from slopewise.data.source import Source
from slopewise.engine.engine import Engine, O, S, add_tuples
from slopewise.engine.gather import Gathered
from slopewise.engine.local import LocalEngine
from slopewise.losses.absolute import Absolute
from slopewise.losses.huber import Huber
from slopewise.losses.logistic import Logistic
from slopewise.losses.loss import Loss
from slopewise.losses.poisson import Poisson
from slopewise.losses.registry import make_loss
from slopewise.losses.softmax import Softmax
from slopewise.losses.squared import Squared
from slopewise.types import Batch, Callback


@dataclass(frozen=True)
class LossEntry:
    """A loss, and torch's own of eta and y (per row)."""

    loss: Loss
    torchs: object

    @property
    def target(self) -> str:
        """What kind of target it takes."""
        return self.loss.response

    def __str__(self) -> str:
        return self.loss.name + ("-weighted" if getattr(self.loss, "class_weights", None) else "")


def softmax_by_torch(weights: tuple[float, ...] | None = None) -> object:
    """Cross entropy on the scores (0, eta)."""

    def value(eta: Tensor, y: Tensor) -> Tensor:
        scores = torch.cat([torch.zeros_like(eta[:, :1]), eta], dim=1)
        weight = None if weights is None else torch.tensor(weights, dtype=eta.dtype)
        return cross_entropy(scores, y.long(), weight=weight, reduction="none")

    return value


def weighted_bce(zero: float, one: float) -> object:
    bce = nn.BCEWithLogitsLoss(reduction="none")
    return lambda eta, y: bce(eta, y) * torch.where(y == 1, one, zero).to(eta.dtype)


LOSSES = [
    LossEntry(Squared(), nn.MSELoss(reduction="none")),
    LossEntry(Absolute(), nn.L1Loss(reduction="none")),
    LossEntry(Huber(1.5), nn.HuberLoss(reduction="none", delta=1.5)),
    LossEntry(make_loss("quantile", {"tau": 0.2}), lambda t, y: torch.where(y > t, 0.2 * (y - t), 0.8 * (t - y))),
    LossEntry(Poisson(), nn.PoissonNLLLoss(reduction="none")),
    LossEntry(
        make_loss("negative_binomial", {"alpha": 2}),
        lambda t, y: t.exp().mul(2).log1p() / 2 + y * ((-t).exp() / 2).log1p(),
    ),
    LossEntry(make_loss("gamma"), lambda t, y: y / t.exp() + t),
    LossEntry(Logistic(), nn.BCEWithLogitsLoss(reduction="none")),
    LossEntry(Logistic((0.5, 3.0)), weighted_bce(0.5, 3.0)),
    LossEntry(Softmax(3), softmax_by_torch()),
    LossEntry(Softmax(4, (1.0, 2.0, 0.5, 3.0)), softmax_by_torch((1.0, 2.0, 0.5, 3.0))),
]


@dataclass(frozen=True)
class Kind:
    """A kind of fit: the options that make it, and which options of its verbs it takes."""

    name: str
    options: dict[str, object]
    verbs: frozenset[str]

    def __str__(self) -> str:
        return self.name


NUMBER, TWO, THREE, COUNT, COST = ({"target": name} for name in ("y", "two", "three", "count", "cost"))
FEW = {"epochs": 30, "lr": 0.1}

KINDS = [
    Kind("line", {**NUMBER}, frozenset({"interval", "of"})),
    Kind("line by qr", {**NUMBER, "solver": "qr"}, frozenset({"interval", "of"})),
    Kind("line with l2", {**NUMBER, "l2": 2.0}, frozenset({"interval", "of"})),
    Kind("line with l1", {**NUMBER, "l1": 2.0}, frozenset()),
    Kind("line in closed form", {**NUMBER, **FEW}, frozenset({"at", "history"})),
    Kind("line by adam", {**NUMBER, **FEW, "optimizer": "adam"}, frozenset({"at", "history"})),
    Kind("line by batches", {**NUMBER, **FEW, "batch_size": 8}, frozenset({"at", "history"})),
    Kind("logistic", {**TWO}, frozenset({"interval", "threshold"})),
    Kind("softmax", {**THREE}, frozenset({"interval"})),
    Kind("firth", {**TWO, "firth": True}, frozenset({"interval", "threshold"})),
    Kind("logistic with l1", {**TWO, "l1": 0.5}, frozenset({"threshold"})),
    Kind("logistic by descent", {**TWO, **FEW}, frozenset({"threshold", "at", "history"})),
    Kind("softmax by descent", {**THREE, **FEW}, frozenset({"at", "history"})),
    Kind("network", {**NUMBER, **FEW, "hidden": (3,)}, frozenset({"at", "history"})),
    Kind("network of classes", {**TWO, **FEW, "hidden": (3,)}, frozenset({"threshold", "at", "history"})),
    Kind("huber", {**NUMBER, "loss": "huber"}, frozenset({"of"})),
    Kind("huber of a given delta", {**NUMBER, "loss": "huber", "delta": 0.5, "l2": 1.0}, frozenset({"of"})),
    Kind("huber by descent", {**NUMBER, **FEW, "loss": "huber", "delta": 0.5}, frozenset({"at", "history"})),
    Kind("absolute", {**NUMBER, "loss": "absolute"}, frozenset({"of"})),
    Kind("quantile", {**NUMBER, "loss": "quantile", "tau": 0.7}, frozenset({"of"})),
    Kind("poisson", {**COUNT, "loss": "poisson"}, frozenset({"of"})),
    Kind("poisson with an exposure", {**COUNT, "loss": "poisson", "exposure": "hours"}, frozenset({"of"})),
    Kind("poisson with l1", {**COUNT, "loss": "poisson", "l1": 2.0}, frozenset()),
    Kind("poisson by descent", {**COUNT, **FEW, "loss": "poisson"}, frozenset({"at", "history"})),
    Kind("negative binomial", {**COUNT, "loss": "negative_binomial", "overdispersion": 1.0}, frozenset({"of"})),
    Kind("alpha estimated", {**COUNT, "loss": "negative_binomial"}, frozenset({"of"})),
    Kind("gamma", {**COST, "loss": "gamma"}, frozenset({"of"})),
    Kind("network of counts", {**COUNT, **FEW, "loss": "poisson", "hidden": (3,)}, frozenset({"at", "history"})),
]
"""Every kind of fit; `tests/laws/test_options.py` fits each to one table."""


@dataclass(frozen=True)
class ThroughLocal(Engine):
    """Hands rows out as this machine does; `reduce` is another's."""

    batch_rows: int = 65536
    callback: Callback | None = None
    memory: float = 512e6

    def open(self, source: Source, keep: float = 0.0) -> Source:
        return LocalEngine(self.batch_rows).open(source, keep)

    def head(self, source: Source, n: int) -> Batch:
        return LocalEngine(self.batch_rows).head(source, n)

    def gather(self, source: Source, callback: Callback | None = None) -> Gathered:
        return LocalEngine(self.batch_rows).gather(source, callback)

    def stream(self, source: Source, size: int, seed: int | None = None, epoch: int = 0) -> Iterator[Batch]:
        return LocalEngine(self.batch_rows).stream(source, size, seed, epoch)


@dataclass(frozen=True)
class SingleRowEngine(ThroughLocal):
    """Hands every kernel a single row."""

    batch_rows: int = 1

    def reduce(
        self, kernel: Callable[[Batch, O], S], source: Source, operands: O, combine: Callable[[S, S], S] = add_tuples
    ) -> S | None:
        total: S | None = None
        for batch in source.batches(1):
            value = kernel(batch, operands)
            total = value if total is None else combine(total, value)
        return total


@dataclass(frozen=True)
class PicklingEngine(ThroughLocal):
    """Sends everything as bytes, as to another machine: kernel, operands, combine and every result.

    Results are combined from the last to the first, for combine is associative and no other order is promised.
    """

    batch_rows: int = 50

    def reduce(
        self, kernel: Callable[[Batch, O], S], source: Source, operands: O, combine: Callable[[S, S], S] = add_tuples
    ) -> S | None:
        sent = pickle.dumps((kernel, operands, combine))
        results: list[bytes] = []
        for part in source.partitions(3):
            for batch in part.batches(self.batch_rows):
                received, moved, _ = pickle.loads(sent)
                results.append(pickle.dumps(received(batch, moved)))
        _, _, combine_received = pickle.loads(sent)
        total: S | None = None
        for result in reversed([pickle.loads(result) for result in results]):
            total = result if total is None else combine_received(result, total)
        return total


ENGINES: list[Engine] = [SingleRowEngine(), PicklingEngine()]
"""Engines that stand for the contract: whatever runs on them runs anywhere."""
