"""The finished fit of a network. It holds; the functions of the other files compute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import torch

from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.models.build import describe_model, has_buffers, is_linear_model, parameter_names
from slopewise.models.model import Model
from slopewise.results.export.network import network_code
from slopewise.results.fitted import Fitted, Of
from slopewise.results.metrics.classification import ClassMetrics
from slopewise.results.metrics.regression import Metrics
from slopewise.results.network_record import NetworkRecord, StartsReport, history_columns, state_at
from slopewise.results.prediction import predict_network
from slopewise.results.report import network_text
from slopewise.results.report import network_to_dict as plain_network
from slopewise.solution import Status
from slopewise.training.moments.standardize import Standardization

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor, nn


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class NetworkFit(Fitted["Metrics | ClassMetrics"]):
    """A network fitted to a table by going down; the verbs are those of `Fit`.

    theta (p,) are the parameters of `model`, in the units of the descent: the network takes (x - mean) / scale, and
    where the target is a number gives out (y - y_mean) / y_scale. loss is squared, logistic or softmax. held_out_rows:
    the validation rows, None after loading; known_validation then holds what was measured.
    """

    model: Model
    theta: Tensor
    units: Standardization
    y_mean: float
    y_scale: float
    loss: str
    descent: NetworkRecord
    n: int
    n_dropped: int = 0
    missing: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    class_weights: tuple[float, ...] | None = None
    held_out_rows: Source | None = None
    known_validation: Metrics | ClassMetrics | None = None

    @property
    def dtype(self) -> torch.dtype:
        """In which the network computes."""
        return torch.float32 if self.descent.plan.dtype == "float32" else torch.float64

    @property
    def words(self) -> str:
        """The network in a few words."""
        return describe_model(self.model)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters (p,)."""
        return parameter_names(self.model)

    @property
    def is_linear(self) -> bool:
        """Whether it is a line, a logistic or a softmax regression: no hidden layer, so that it has coefficients."""
        return is_linear_model(self.model)

    def coefficient_columns(self) -> dict[str, list[Any]]:
        """Return class (of classes), name and estimate; OptionError where there are hidden layers."""
        return plain_network.coefficient_columns(self)

    @cached_property
    def network(self) -> nn.Module:
        """The network as a plain nn.Module in evaluation mode, from and to the units of the descent."""
        return self.model.module(self.theta.to(self.dtype)).eval()

    @property
    def status(self) -> Status:
        """How the training ended."""
        return self.descent.descended.status

    @property
    def starts(self) -> StartsReport | None:
        """How many starts ended."""
        return self.descent.starts

    def history_columns(self) -> dict[str, Any]:
        """Return every recorded epoch column by column; see `results.network_trail.history_columns`."""
        return history_columns(self.descent, self.names)

    def at(self, epoch: int) -> Self:
        """Return the fit as it stood after a recorded epoch; OptionError where its state was not kept."""
        theta = state_at(self.descent, epoch, buffers=has_buffers(self.model))
        at = replace(self, theta=theta, reason=f"epoch {epoch} of {self.descent.descended.epochs}", findings=())
        return replace(at, known_train=None, known_validation=None, known_test=None)

    @cached_property
    def validation(self) -> Metrics | ClassMetrics | None:
        """Metrics on the rows held out for early stopping, None where none were."""
        if self.known_validation is not None or self.rows is None or self.held_out_rows is None:
            return self.known_validation
        return self.measure(self.rows.engine, self.held_out_rows)

    def predict(
        self,
        rows: Any,
        *,
        interval: float | None = None,
        of: Of = "observation",
        threshold: float | None = None,
        table_name: str | None = None,
    ) -> Any:
        """Return predictions in the library that the rows came in; see `results.predict_network.predict`."""
        predict_network.refuse_interval(interval, of)
        return predict_network.predict(self, rows, threshold=threshold, table_name=table_name)

    def predict_table(
        self,
        rows: Any,
        *,
        interval: float | None = None,
        of: Of = "observation",
        threshold: float | None = None,
        table_name: str | None = None,
    ) -> Iterator[pa.Table]:
        """Yield features and predictions as Arrow tables."""
        predict_network.refuse_interval(interval, of)
        return predict_network.predict_table(self, rows, threshold=threshold, table_name=table_name)

    def summary(self) -> str:
        """Return the fit in plain text, at most 80 columns wide."""
        return network_text.summary(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the fit as plain JSON values; see `results.plain_network`."""
        return plain_network.to_dict(self)

    def code(self, style: str = "plain") -> str:
        """Return plain PyTorch that reproduces the fit, with no slopewise in it; see `script.network`."""
        return network_code(self, style)

    def __repr__(self) -> str:
        return f"NetworkFit({self.design.target!r}, {self.words}, n={self.n})"

    def measure(self, engine: Engine, source: Source, threshold: float | None = None) -> Metrics | ClassMetrics:
        """Return the metrics on the rows of a source; threshold: of two classes, None for the likelier one."""
        return predict_network.measure(self, engine, source, threshold)
