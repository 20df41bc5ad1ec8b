"""How far predictions are from the truth on given rows."""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

from torch import Tensor

from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.errors import DataError
from slopewise.results.prediction.scores import ScoreOperands, Scorer, scorer_of
from slopewise.results.record import FitRecord, RegressionMetrics
from slopewise.types import Batch


class MetricSums(NamedTuple):
    """Sums over rows: n, weight = Σ w, rss = Σ w e², absolute = Σ w |e|, mean = ȳ, yy = Σ w (y - ȳ)²."""

    n: int
    weight: float
    rss: float
    absolute: float
    mean: float
    yy: float


def regression_metrics(record: FitRecord, engine: Engine, source: Source) -> RegressionMetrics:
    """Return the metrics of a fit on the rows of a source, in one read.

    Args:
        record: of the fit.
        engine: sums over the rows.
        source: the rows, with a target.

    Raises:
        DataError: a missing or infinite value; the column and row are named.
    """
    scorer, operands = scorer_of(record)
    sums = engine.reduce(partial(metric_sums, scorer=scorer), source, operands, merge)
    if sums is None:
        return finish(MetricSums(0, 0.0, 0.0, 0.0, 0.0, 0.0))
    if not (math.isfinite(sums.rss) and math.isfinite(sums.yy)):
        raise source.first_invalid_value() or DataError(
            "squared errors overflowed: some values are beyond 1e150; look at the largest values of the table."
        )
    return finish(sums)


def metric_sums(batch: Batch, operands: ScoreOperands, *, scorer: Scorer) -> MetricSums:
    """Return the sums of one batch, yy about its own mean."""
    return sums_of(scorer.predicted(operands, batch.x, batch.offset), batch)


def sums_of(prediction: Tensor, batch: Batch) -> MetricSums:
    """Return the sums of one batch with predictions (n,)."""
    assert batch.y is not None
    y = batch.y
    e = y - prediction
    w = y.new_ones(len(y)) if batch.w is None else batch.w
    weight = float(w.sum())
    mean = float(w @ y) / weight if weight > 0 else 0.0
    return MetricSums(len(y), weight, float(w @ e.square()), float(w @ e.abs()), mean, float(w @ (y - mean).square()))


def merge(a: MetricSums, b: MetricSums) -> MetricSums:
    """Return the sums of the rows of both; Chan, Golub and LeVeque (1983), which cancels no digits."""
    weight = a.weight + b.weight
    if not weight > 0:
        return a._replace(n=a.n + b.n)
    apart, share = b.mean - a.mean, b.weight / weight
    return MetricSums(
        a.n + b.n,
        weight,
        a.rss + b.rss,
        a.absolute + b.absolute,
        a.mean + apart * share,
        a.yy + b.yy + apart * apart * a.weight * share,
    )


def finish(sums: MetricSums) -> RegressionMetrics:
    """Return the metrics that the sums stand for."""
    if not sums.weight > 0:
        return RegressionMetrics(sums.n, math.nan, math.nan, math.nan)
    r2 = 1 - sums.rss / sums.yy if sums.yy > 0 else math.nan
    return RegressionMetrics(sums.n, math.sqrt(sums.rss / sums.weight), sums.absolute / sums.weight, r2)
