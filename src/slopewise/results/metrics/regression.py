"""How far predictions are from the truth on given rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from torch import Tensor

from slopewise.data.source import Source
from slopewise.engine.engine import Engine
from slopewise.errors import DataError
from slopewise.results.inference.leverage import line
from slopewise.types import Batch


@dataclass(frozen=True, slots=True)
class Metrics:
    """n rows; rmse = √(Σ w e² / Σ w); mae = Σ w |e| / Σ w; r2 = 1 - Σ w e² / Σ w (y - ȳ)².

    ȳ is the weighted mean of these very rows. NaN where there is nothing to divide by.
    """

    n: int
    rmse: float
    mae: float
    r2: float


class ThetaOperands(NamedTuple):
    """theta (p,): parameters, raw units."""

    theta: Tensor


class MetricSums(NamedTuple):
    """Sums over rows: n, weight = Σ w, rss = Σ w e², absolute = Σ w |e|, mean = ȳ, yy = Σ w (y - ȳ)²."""

    n: int
    weight: float
    rss: float
    absolute: float
    mean: float
    yy: float


def evaluate(*, engine: Engine, source: Source, theta: Tensor, intercept: bool) -> Metrics:
    """Return the metrics of a linear model on the rows of a source, in one read.

    Args:
        engine: sums over the rows.
        source: x, y and w.
        theta: parameters (p,), raw units.
        intercept: whether theta[0] is one.

    Raises:
        DataError: a missing or infinite value; the column and row are named.
    """
    sums = engine.reduce(partial(metric_sums, intercept=intercept), source, ThetaOperands(theta), merge)
    if sums is None:
        return finish(MetricSums(0, 0.0, 0.0, 0.0, 0.0, 0.0))
    if not (math.isfinite(sums.rss) and math.isfinite(sums.yy)):
        raise source.first_invalid_value() or DataError(
            "squared errors overflowed: some values are beyond 1e150; look at the largest values of the table."
        )
    return finish(sums)


def metric_sums(batch: Batch, operands: ThetaOperands, *, intercept: bool) -> MetricSums:
    """Return the sums of one batch, yy about its own mean."""
    return sums_of(line(x=batch.x, theta=operands.theta, intercept=intercept), batch)


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


def finish(sums: MetricSums) -> Metrics:
    """Return the metrics that the sums stand for."""
    if not sums.weight > 0:
        return Metrics(sums.n, math.nan, math.nan, math.nan)
    r2 = 1 - sums.rss / sums.yy if sums.yy > 0 else math.nan
    return Metrics(sums.n, math.sqrt(sums.rss / sums.weight), sums.absolute / sums.weight, r2)
