"""What can be asked of a fit without giving it anything: properties of its record, and metrics of its own rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from slopewise.data.design import Design
from slopewise.errors import DataError
from slopewise.results.inference.coefficients import CoefficientTable, coefficient_columns, table_of
from slopewise.results.inference.statistics import Statistics, statistics_of
from slopewise.results.metrics.measure import measure
from slopewise.results.prediction import frames
from slopewise.results.record import DataHandles, FitRecord, Metrics

if TYPE_CHECKING:
    from torch import Tensor

    from slopewise.models.model import Model
    from slopewise.solution import DescentRecord, Solution, Status

M = TypeVar("M", bound=Metrics)
"""How good a fit is: RegressionMetrics or ClassificationMetrics."""


@dataclass(frozen=True, eq=False, repr=False)
class Fitted(Generic[M]):
    """A model fitted to a table.

    record: everything that is saved. data: the rows that can still be read, None after loading.
    """

    record: FitRecord
    data: DataHandles | None = None

    # What was fitted, and how.

    @property
    def design(self) -> Design:
        """How the table became x, y and w."""
        return self.record.design

    @property
    def model(self) -> Model:
        """From columns to the linear predictor: linear, layers by their sizes, or a module of your own."""
        return self.record.model

    @property
    def loss(self) -> str:
        """Name of the loss."""
        return self.record.loss.name

    @property
    def solver(self) -> str:
        """Name of the solver."""
        return self.record.solver

    @property
    def reason(self) -> str:
        """Why that solver."""
        return self.record.reason

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, none where the target is a number; the first is the one that odds are against."""
        return self.record.class_names

    @property
    def solution(self) -> Solution:
        """What the solver returned."""
        return self.record.solution

    @property
    def theta(self) -> Tensor:
        """Parameters (p,), or (p, k - 1) of several classes, raw units; of a network in the units of its descent."""
        return self.record.theta

    @property
    def status(self) -> Status:
        """How the solver ended."""
        return self.record.solution.status

    @property
    def n(self) -> int:
        """Training rows used."""
        return self.record.moments.n

    @property
    def n_dropped(self) -> int:
        """Training rows left out for missing values."""
        return self.record.moments.dropped

    @property
    def n_weightless(self) -> int:
        """Training rows left out for a weight of 0."""
        return self.record.moments.weightless

    @property
    def missing(self) -> tuple[int, ...]:
        """Missing values of each column that was read: features in order, target, weights."""
        return self.record.moments.missing

    @property
    def findings(self) -> tuple[dict[str, Any], ...]:
        """What stands in the way of the fit, as plain values: code, severity, number, cause and one fix each."""
        return self.record.findings

    # Inference.

    @property
    def cov_type(self) -> str:
        """Kind of the standard errors."""
        return self.record.cov_type

    @property
    def confidence_level(self) -> float:
        """Of the intervals."""
        return self.record.confidence_level

    @property
    def covariance(self) -> Tensor | None:
        """Covariance (d, d) of the parameters, class after class; None where there is none to speak of."""
        return None if self.record.covariance is None else self.record.covariance.raw

    @cached_property
    def stats(self) -> Statistics | None:
        """R², F, AIC and their kind, or log-likelihood, deviance and theirs; None of a trained network."""
        return statistics_of(self.record) if self.record.is_solved else None

    @cached_property
    def inferred(self) -> CoefficientTable:
        """The coefficient table as tensors (d,), class after class."""
        return table_of(self.record)

    @property
    def coefficients(self) -> Any:
        """The coefficient table in raw units, as a frame of the library that was fitted.

        Raises:
            OptionError: there are hidden layers.
        """
        return frames.frame_of(self.coefficient_columns(), self.record.library)

    def coefficient_columns(self) -> dict[str, list[Any]]:
        """Return the coefficient table column by column; see `inference.coefficients`."""
        return coefficient_columns(self.record, lambda: self.inferred)

    @property
    def r2(self) -> float:
        """Share of the target's sum of squares that least squares explains; other statistics are in `stats`."""
        return float(getattr(self.stats, "r2", float("nan")))

    @property
    def digits(self) -> float:
        """Estimated correct decimal digits of the worst coefficient, NaN where they are not estimated."""
        digits = self.solution.digits
        return float("nan") if digits is None else float(digits.min())

    @property
    def natural_size(self) -> list[float] | None:
        """Size (p,) that the coefficients of a line have by the scales of y and x; None of other models."""
        import torch

        if not (self.record.is_solved and self.loss == "squared"):
            return None
        moments = self.record.moments
        size = (moments.yy / moments.weight + moments.y_mean**2).sqrt()
        spread = (moments.gram.diagonal() / moments.weight).sqrt() + moments.mean.abs()
        natural: list[float] = torch.cat([size.expand(len(self.theta) - len(spread)), size / spread]).tolist()
        return natural

    # How good it is.

    @cached_property
    def train(self) -> M:
        """Metrics on the training rows, which are read once more for it when first asked for.

        Raises:
            DataError: the fit keeps no rows to measure on, and these metrics are not stored with it.
        """
        if self.record.train is not None:
            return cast(M, self.record.train)
        if self.data is None:
            raise DataError("this fit keeps no rows to measure on; use evaluate() with a table.")
        return cast(M, measure(self.record, self.data.engine, self.data.train))

    @cached_property
    def test(self) -> M | None:
        """Metrics on the rows held out, None where none were."""
        if self.record.test is not None or self.data is None or self.data.test is None:
            return cast("M | None", self.record.test)
        return cast(M, measure(self.record, self.data.engine, self.data.test))

    @cached_property
    def validation(self) -> M | None:
        """Metrics on the rows held out for early stopping, None where none were."""
        if self.record.validation is not None or self.data is None or self.data.validation is None:
            return cast("M | None", self.record.validation)
        return cast(M, measure(self.record, self.data.engine, self.data.validation))

    @property
    def descent(self) -> DescentRecord | None:
        """The gradient descent behind the fit, None where there was none."""
        return self.record.descent
