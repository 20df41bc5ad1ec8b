"""The finished fit of classes by their likelihood: logistic and softmax regression. It holds; other files compute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.results.fitted import Fitted, Of
from slopewise.results.inference import likelihood
from slopewise.results.inference.covariance import Covariance
from slopewise.results.inference.likelihood import Likelihoods, Odds
from slopewise.results.metrics.classification import ClassMetrics, evaluate_classes
from slopewise.results.prediction import predict_classes
from slopewise.results.report import classification_text as classes_text
from slopewise.results.report import classification_to_dict as plain_classes
from slopewise.solution import Maximum, Status

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Classifier(Fitted[ClassMetrics]):
    """A logistic or softmax regression fitted to a table; the verbs are those of `Fit`.

    model is logistic or softmax. uncertainty is None where a penalty with corners leaves no covariance. level is that
    of the intervals, l1 the penalty with corners; class_weights, of each class where they are not all 1.
    """

    model: str
    maximum: Maximum
    uncertainty: Covariance | None
    confidence_level: float = 0.95
    l1: float = 0.0
    class_weights: tuple[float, ...] | None = None

    @property
    def theta(self) -> Tensor:
        """Parameters (p,), or (p, k - 1) for more than two classes, raw units."""
        return self.maximum.theta

    @property
    def covariance(self) -> Tensor | None:
        """Covariance (d, d) of the parameters, class after class; None where there is none."""
        return None if self.uncertainty is None else self.uncertainty.raw

    @property
    def cov_type(self) -> str:
        """Kind of the standard errors: classical, hc0 or hc1."""
        return "nonrobust" if self.uncertainty is None else self.uncertainty.kind

    @property
    def status(self) -> Status:
        """How the solver ended."""
        return self.maximum.status

    @property
    def n(self) -> int:
        """Training rows used."""
        return self.maximum.moments.n

    @property
    def n_dropped(self) -> int:
        """Training rows left out for missing values."""
        return self.maximum.moments.dropped

    @cached_property
    def stats(self) -> Likelihoods:
        """Log-likelihood, deviance, McFadden's R², AIC and their kind."""
        return likelihood.likelihoods(maximum=self.maximum)

    @cached_property
    def inferred(self) -> Odds:
        """The coefficient table as tensors (d,), class after class."""
        estimate = likelihood.listed(self.theta)
        variance = estimate * float("nan") if self.covariance is None else self.covariance.diagonal()
        return likelihood.odds(estimate=estimate, variance=variance, confidence_level=self.confidence_level)

    def coefficient_columns(self) -> dict[str, list[Any]]:
        """Return class, name, estimate, std_error, z, p, intervals and odds ratios, column by column."""
        return plain_classes.coefficient_columns(self)

    def predict(
        self,
        rows: Any,
        *,
        interval: float | None = None,
        of: Of = "observation",
        threshold: float | None = None,
        table_name: str | None = None,
    ) -> Any:
        """Return classes and probabilities in the library that the rows came in."""
        predict_classes.refuse_of(of)
        return predict_classes.predict(self, rows, interval=interval, threshold=threshold, table_name=table_name)

    def predict_table(
        self,
        rows: Any,
        *,
        interval: float | None = None,
        of: Of = "observation",
        threshold: float | None = None,
        table_name: str | None = None,
    ) -> Iterator[pa.Table]:
        """Yield features, classes and probabilities as Arrow tables, a chunk of rows at a time."""
        predict_classes.refuse_of(of)
        return predict_classes.predict_table(self, rows, interval=interval, threshold=threshold, table_name=table_name)

    def code(self, style: str = "plain") -> str:
        """Return plain PyTorch that reproduces the fit, with one tensor of numbers or an nn.Module."""
        from slopewise.results.export.data_origin import classes_script_of

        return classes_script_of(self, style)

    def summary(self) -> str:
        """Return the fit in plain text, at most 80 columns wide."""
        return classes_text.summary(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the fit as plain JSON values; see `results.plain_classes`."""
        return plain_classes.to_dict(self)

    def __repr__(self) -> str:
        return f"Classifier({self.design.target!r}, {len(self.classes)} classes, n={self.n})"

    def measure(self, engine: Engine, source: Source, threshold: float | None = None) -> ClassMetrics:
        """Return the metrics on the rows of a source; threshold: of two classes, None for the likelier one."""
        return evaluate_classes(
            engine=engine,
            source=source,
            theta=self.theta,
            intercept=self.design.intercept,
            threshold=threshold,
        )
