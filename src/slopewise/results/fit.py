"""The finished fit. It holds; the functions of the other files compute."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.results.at_epoch import state_of
from slopewise.results.descent_record import DescentRecord, history_columns
from slopewise.results.fitted import Fitted, Of
from slopewise.results.inference import statistics as inference
from slopewise.results.inference.covariance import Covariance
from slopewise.results.inference.statistics import Coefficients, Statistics
from slopewise.results.metrics.regression import Metrics, evaluate
from slopewise.results.prediction import predict
from slopewise.results.prediction.predict_classes import check_threshold
from slopewise.results.report import summary
from slopewise.results.report import to_dict as plain
from slopewise.solution import Solution, Status

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Fit(Fitted[Metrics]):
    """A linear model fitted to a table.

    level is that of the confidence intervals, l1 the penalty with corners. trail is the descent behind the fit, None
    where it was solved exactly.
    """

    solution: Solution
    uncertainty: Covariance
    confidence_level: float = 0.95
    l1: float = 0.0
    descent: DescentRecord | None = None

    @property
    def theta(self) -> Tensor:
        """Parameters (p,), raw units."""
        return self.solution.theta

    @property
    def covariance(self) -> Tensor:
        """Covariance of theta (p, p), of the kind that `errors` names."""
        return self.uncertainty.raw

    @property
    def cov_type(self) -> str:
        """Kind of the standard errors: classical, hc0, hc1, hc2 or hc3."""
        return self.uncertainty.kind

    @property
    def status(self) -> Status:
        """How the solver ended."""
        return self.solution.status

    @property
    def digits(self) -> float:
        """Estimated correct decimal digits of the worst coefficient."""
        return float(self.solution.digits.min())

    @property
    def n(self) -> int:
        """Training rows used."""
        return self.solution.moments.n

    @property
    def n_dropped(self) -> int:
        """Training rows left out for missing values."""
        return self.solution.moments.dropped

    @property
    def r2(self) -> float:
        """Share of the target's sum of squares that is explained; all other statistics are in `stats`."""
        return self.stats.r2

    @cached_property
    def stats(self) -> Statistics:
        """R², F, AIC and their kind."""
        return inference.statistics(solution=self.solution, covariance=self.uncertainty)

    @cached_property
    def inferred(self) -> Coefficients:
        """The coefficient table as tensors (p,)."""
        return inference.coefficients(
            estimate=self.theta,
            variance=self.covariance.diagonal(),
            digits=self.solution.digits,
            dof=self.stats.dof,
            confidence_level=self.confidence_level,
        )

    def coefficient_columns(self) -> dict[str, list[Any]]:
        """Return name, estimate, std_error, t, p, ci_low, ci_high and digits, column by column."""
        return plain.coefficient_columns(self)

    def history_columns(self) -> dict[str, Any]:
        """Return every recorded epoch column by column; see `results.trail.history_columns`."""
        if self.descent is None:
            raise self._without_epochs()
        return history_columns(self.descent, self.design.names)

    def at(self, epoch: int) -> Self:
        """Return the fit as it stood after `epoch` epochs, whether or not that epoch was recorded.

        Raises:
            OptionError: there is no such epoch, or it was not recorded and the descent has no closed form.
        """
        if self.descent is None:
            raise self._without_epochs()
        return state_of(self, self.descent, epoch)

    def predict(
        self,
        rows: Any,
        *,
        interval: float | None = None,
        of: Of = "observation",
        threshold: float | None = None,
        table_name: str | None = None,
    ) -> Any:
        """Return predictions for rows, in the library that the rows came in."""
        check_threshold(threshold, self.classes, self.design.target)
        return predict.predict(self, rows, interval=interval, of=of, table_name=table_name)

    def predict_table(
        self,
        rows: Any,
        *,
        interval: float | None = None,
        of: Of = "observation",
        threshold: float | None = None,
        table_name: str | None = None,
    ) -> Iterator[pa.Table]:
        """Yield features and predictions as Arrow tables, a chunk of rows at a time."""
        check_threshold(threshold, self.classes, self.design.target)
        return predict.predict_table(self, rows, interval=interval, of=of, table_name=table_name)

    def summary(self) -> str:
        """Return the fit in plain text, at most 80 columns wide."""
        return summary.summary(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the fit as plain JSON values; see `results.plain`."""
        return plain.to_dict(self)

    def code(self, style: str = "plain") -> str:
        """Return plain PyTorch that reproduces the fit, with tensors W and b or an nn.Module."""
        from slopewise.results.export.data_origin import script_of

        return script_of(self, style)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Fit:
        """Return a fit that was saved; no code in the file is ever run.

        Raises:
            StoreError: the file is missing, damaged, not a fit, or made by a newer slopewise.
        """
        from slopewise.errors import StoreError
        from slopewise.results.storage.fit_file import load

        found = load(path)
        if not isinstance(found, Fit):
            raise StoreError(f"{path} holds a {type(found).__name__}, not a linear fit; use slopewise.load(path).")
        return found

    def __repr__(self) -> str:
        return f"Fit({self.design.target!r} on {len(self.design.features)} features, n={self.n}, r2={self.r2:.4g})"

    def measure(self, engine: Engine, source: Source, threshold: float | None = None) -> Metrics:
        """Return the metrics on the rows of a source; a number knows no threshold."""
        return evaluate(engine=engine, source=source, theta=self.theta, intercept=self.design.intercept)
