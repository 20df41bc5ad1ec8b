"""The metrics of any fit on any rows."""

from __future__ import annotations

from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.results.metrics.classification import classification_metrics
from slopewise.results.metrics.regression import regression_metrics
from slopewise.results.record import FitRecord, Metrics


def measure(record: FitRecord, engine: Engine, source: Source, threshold: float | None = None) -> Metrics:
    """Return the metrics on the rows of a source.

    Args:
        record: of the fit.
        engine: sums over the rows.
        source: the rows, with a target.
        threshold: of two classes, the probability from which the second is predicted; None for the likelier one.

    Raises:
        DataError: a missing or infinite value; the column and row are named.
    """
    if record.class_names:
        return classification_metrics(record, engine, source, threshold)
    return regression_metrics(record, engine, source)
