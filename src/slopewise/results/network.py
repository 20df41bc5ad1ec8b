"""The finished fit of a network. It holds; the functions of the other files compute."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from slopewise.data.design import Design
from slopewise.data.designed import Designed
from slopewise.data.learn import check_columns
from slopewise.data.open import as_table
from slopewise.data.source import Source
from slopewise.engine.local import LocalEngine
from slopewise.errors import DataError
from slopewise.models.build import has_buffers, in_words, is_straight, parameter_names
from slopewise.models.model import Model
from slopewise.results import frames, network_text, plain_network, predict_network
from slopewise.results.classification import ClassMetrics
from slopewise.results.code_network import network_code
from slopewise.results.metrics import Metrics
from slopewise.results.network_trail import NetworkTrail, StartsReport, history_columns, state_at
from slopewise.results.origin import Origin
from slopewise.results.rows_kept import Rows
from slopewise.solution import Status
from slopewise.training.units import Units

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor, nn


@dataclass(frozen=True, eq=False, repr=False)
class NetworkFit:
    """A network fitted to a table by going down; the verbs are those of `Fit`.

    theta (p,) are the parameters of `model`, in the units of the descent: the network takes (x - mean) / scale, and
    where the target is a number gives out (y - y_mean) / y_scale. loss is squared, logistic or softmax. solver and
    reason say by which road. rows and held (the validation rows) are None after loading; known_train,
    known_validation and known_test then hold what was measured.
    """

    design: Design
    model: Model
    theta: Tensor
    units: Units
    y_mean: float
    y_scale: float
    loss: str
    trail: NetworkTrail
    solver: str
    reason: str
    n: int
    n_dropped: int = 0
    missing: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    l2: float = 0.0
    class_weights: tuple[float, ...] | None = None
    library: str = "pyarrow"
    rows: Rows | None = None
    held: Source | None = None
    known_train: Metrics | ClassMetrics | None = None
    known_validation: Metrics | ClassMetrics | None = None
    known_test: Metrics | ClassMetrics | None = None
    findings: tuple[dict[str, Any], ...] = ()
    origin: Origin | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, none where the target is a number."""
        return self.design.target_levels

    @property
    def dtype(self) -> torch.dtype:
        """In which the network computes."""
        return torch.float32 if self.trail.plan.dtype == "float32" else torch.float64

    @property
    def words(self) -> str:
        """The network in a few words."""
        return in_words(self.model)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters (p,)."""
        return parameter_names(self.model)

    @property
    def straight(self) -> bool:
        """Whether it is a line, a logistic or a softmax regression: no hidden layer, so that it has coefficients."""
        return is_straight(self.model)

    @property
    def coefficients(self) -> Any:
        """Class (of classes), name and estimate in raw units, as a frame; OptionError where there are hidden layers."""
        return frames.frame_of(plain_network.coefficient_columns(self), self.library)

    @cached_property
    def network(self) -> nn.Module:
        """The network as a plain nn.Module in evaluation mode, from and to the units of the descent."""
        return self.model.module(self.theta.to(self.dtype)).eval()

    @property
    def status(self) -> Status:
        """How the training ended."""
        return self.trail.descended.status

    @property
    def starts(self) -> StartsReport | None:
        """How many starts ended."""
        return self.trail.starts

    @property
    def history(self) -> Any:
        """Every recorded epoch, as a frame; see `results.network_trail.history_columns`."""
        return frames.frame_of(history_columns(self.trail, self.names), self.library)

    def history_table(self) -> pa.Table:
        """Return `history` as an Arrow table."""
        return frames.frame_of(history_columns(self.trail, self.names), "pyarrow")

    def at(self, epoch: int) -> NetworkFit:
        """Return the fit as it stood after a recorded epoch; OptionError where its state was not kept."""
        theta = state_at(self.trail, epoch, buffers=has_buffers(self.model))
        at = replace(self, theta=theta, reason=f"epoch {epoch} of {self.trail.descended.epochs}", findings=())
        return replace(at, known_train=None, known_validation=None, known_test=None)

    @cached_property
    def train(self) -> Metrics | ClassMetrics:
        """Metrics on the training rows, which are read once more for it when first asked for."""
        found = self.known_train or self._measured(None if self.rows is None else self.rows.train)
        if found is None:
            raise DataError("this fit keeps no rows to measure on; use evaluate() with a table.")
        return found

    @cached_property
    def validation(self) -> Metrics | ClassMetrics | None:
        """Metrics on the rows held out for early stopping, None where none were."""
        return self.known_validation or self._measured(self.held)

    @cached_property
    def test(self) -> Metrics | ClassMetrics | None:
        """Metrics on the rows held out, None where none were."""
        return self.known_test or self._measured(None if self.rows is None else self.rows.test)

    def evaluate(
        self, table: Any, table_name: str | None = None, threshold: float | None = None
    ) -> Metrics | ClassMetrics:
        """Return the metrics on another table, which must hold the target too.

        Raises:
            ColumnError: a column that was trained with is missing.
            DataError: no rows; a missing or infinite value; a level or class never seen in training.
            OptionError: threshold is no share, or there are not two classes.
        """
        rows = as_table(table, table_name)
        check_columns(self.design, rows, with_target=True)
        found = predict_network.measure(self, LocalEngine(), Designed(rows, self.design), threshold)
        if found.n == 0:
            raise DataError(f"{rows.label} has no rows to evaluate on; give one with complete rows.")
        return found

    def predict(
        self,
        rows: Any,
        interval: float | None = None,
        threshold: float | None = None,
        mean: bool = False,
        table_name: str | None = None,
    ) -> Any:
        """Return predictions in the library that the rows came in; see `results.predict_network.predict`."""
        predict_network.refuse_interval(interval, mean)
        return predict_network.predict(self, rows, threshold=threshold, table_name=table_name)

    def predict_table(
        self,
        rows: Any,
        interval: float | None = None,
        threshold: float | None = None,
        mean: bool = False,
        table_name: str | None = None,
    ) -> Iterator[pa.Table]:
        """Yield features and predictions as Arrow tables."""
        predict_network.refuse_interval(interval, mean)
        return predict_network.predict_table(self, rows, threshold=threshold, table_name=table_name)

    def summary(self) -> str:
        """Return the fit in plain text, at most 80 columns wide."""
        return network_text.summary(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the fit as plain JSON values; see `results.plain_network`."""
        return plain_network.to_dict(self)

    def to_json(self) -> str:
        """Return the fit as one JSON object."""
        return plain_network.to_json(self)

    def code(self, style: str = "plain") -> str:
        """Return plain PyTorch that reproduces the fit, with no slopewise in it; see `code_network.network_code`."""
        return network_code(self, style)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fit to one safetensors file; of a user's own module its tensors, never its code."""
        from slopewise.results.store import save

        save(self, path)

    def __repr__(self) -> str:
        return f"NetworkFit({self.design.target!r}, {self.words}, n={self.n})"

    def _measured(self, source: Source | None) -> Metrics | ClassMetrics | None:
        if self.rows is None or source is None:
            return None
        return predict_network.measure(self, self.rows.engine, source)
