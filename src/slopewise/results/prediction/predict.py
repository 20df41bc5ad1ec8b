"""Predictions for new rows, of every kind of fit, with intervals where it has standard errors.

With z the row's coordinates among the training rows (`leverage.orthonormal`), S the covariance in them and sigma the
residual standard error, the mean's variance is z' S z and a new observation's is sigma² more. Half an interval is
Student's t times the root. For nonrobust errors without a penalty, z' S z = sigma² h, h the row's leverage.
Intervals of probabilities are those of probability.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from slopewise.data.design import Design
from slopewise.data.design_source import DesignSource
from slopewise.data.learn import read_new
from slopewise.data.open import as_table
from slopewise.data.source import Chunk
from slopewise.engine.threads import one_torch_thread
from slopewise.errors import DataError, FitError, OptionError, check_choice
from slopewise.losses.log_link import LogLink
from slopewise.results.inference.coefficients import Distribution, check_level, degrees_of_freedom
from slopewise.results.inference.covariance import parameters_of
from slopewise.results.inference.leverage import orthonormal
from slopewise.results.inference.statistics import residual_variance
from slopewise.results.prediction.frames import is_matrix, label_column, label_values, like_input, tables_of
from slopewise.results.prediction.probability import probability_interval
from slopewise.results.prediction.scores import predicted
from slopewise.results.record import FitRecord

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

CHUNK_ROWS = 16384

Of = Literal["observation", "mean"]
"""What an interval is to hold: one new observation, or the mean of many."""

OF = ("observation", "mean")


@dataclass(frozen=True, slots=True)
class Interval:
    """quantile: of t or of the normal; variance: added to the variance of the mean."""

    quantile: float
    variance: float = 0.0


def predict(
    record: FitRecord,
    rows: Any,
    *,
    interval: float | None = None,
    of: Of = "observation",
    threshold: float | None = None,
    table_name: str | None = None,
) -> Any:
    """Return predictions in the library that the rows came in.

    `record` is that of the fit; the other arguments and errors are those of `Fit.predict`.
    """
    import numpy as np

    names = column_names(record, interval is not None)
    chunks = predicted_chunks(record, rows, interval=interval, of=of, threshold=threshold, table_name=table_name)
    parts = [columns for _, columns in chunks]
    classes = bool(record.class_names)
    kinds = {name: object if classes and name == "prediction" else float for name in names}
    columns = {
        name: np.concatenate([part[name] for part in parts]) if parts else np.empty(0, kind)
        for name, kind in kinds.items()
    }
    if not classes:
        return like_input(columns, rows)
    design, labels = record.design, columns["prediction"]
    if is_matrix(rows):
        values = label_values(labels, design)
        return columns | {"prediction": values} if interval is not None else like_input({"prediction": values}, rows)
    as_arrays = isinstance(rows[0] if isinstance(rows, tuple) else rows, Mapping | list)
    typed = label_values(labels, design) if as_arrays else label_column(labels, design)
    return like_input({**columns, "prediction": typed}, rows)


def predict_table(
    record: FitRecord,
    rows: Any,
    *,
    interval: float | None = None,
    of: Of = "observation",
    threshold: float | None = None,
    table_name: str | None = None,
) -> Iterator[pa.Table]:
    """Yield the features used and the predictions as Arrow tables, a chunk at a time.

    The columns are those of `Fit.predict_table`. `record` is that of the fit; the other arguments and errors are those
    of `Fit.predict`.
    """
    chunks = predicted_chunks(record, rows, interval=interval, of=of, threshold=threshold, table_name=table_name)
    yield from tables_of(record.design, chunks, column_names(record, interval is not None))


def column_names(record: FitRecord, interval: bool) -> tuple[str, ...]:
    """Return the names of the predicted columns."""
    if not record.class_names:
        return ("prediction", "low", "high") if interval else ("prediction",)
    kinds = ("p", "low", "high") if interval else ("p",)
    return ("prediction", *(f"{kind}({name})" for kind in kinds for name in record.class_names))


def check_threshold(record: FitRecord, threshold: float | None) -> None:
    """Raise OptionError unless a threshold is a share strictly between 0 and 1, and there are two classes."""
    if threshold is None:
        return
    check_level("threshold", threshold)
    k = len(record.class_names)
    if not k:
        raise OptionError(
            f"threshold is for two classes, and the target {record.design.target!r} is a number; leave it out."
        )
    if k != 2:
        raise OptionError(f"threshold is for two classes, and there are {k}; leave it out.")


def predicted_chunks(
    record: FitRecord,
    rows: Any,
    *,
    interval: float | None,
    of: Of,
    threshold: float | None,
    table_name: str | None,
) -> Iterator[tuple[Chunk, dict[str, np.ndarray]]]:
    """Yield chunks of rows with their predicted columns (n,).

    `record` is that of the fit; the other arguments and errors are those of `Fit.predict`.
    """
    check_threshold(record, threshold)
    asked = _interval(record, interval, of)
    source = design_rows(record.design, rows, table_name)
    for chunk, batch in source.chunks(CHUNK_ROWS):
        # Products this small are over before a second thread has woken up.
        with one_torch_thread():
            found = predicted(record, batch.x, batch.offset)
            refuse_not_finite(source, found)
            yield chunk, _columns(record, batch.x, found, asked, threshold)


def design_rows(design: Design, rows: Any, table_name: str | None) -> DesignSource:
    """Return new rows, without a target, as a source.

    Args:
        design: of the fit.
        rows: anything that `slopewise.fit` takes.
        table_name: which table of a database file, or None.

    Raises:
        ColumnError: a column that was trained with is missing.
        DataError: a column holds something else than it did in training.
    """
    table = read_new(design, as_table(rows, table_name, design.reading), with_target=False)
    return DesignSource(table, design, with_target=False)


def refuse_not_finite(source: DesignSource, found: Tensor) -> None:
    """Raise the DataError that names a missing or infinite value, if predictions are not finite because of one."""
    if not bool(found.isfinite().all()):
        error: DataError | None = source.first_invalid_value()
        if error is not None:
            raise error


def _interval(record: FitRecord, level: float | None, of: Of) -> Interval | None:
    """Return what is asked for, None where no interval is.

    Raises:
        OptionError: the level is not a share, or `of` is not for this kind of fit.
        FitError: the fit has no standard errors.
    """
    check_choice("of", of, OF)
    squared = record.loss.name == "squared" and record.is_solved
    if of == "mean" and (record.class_names or not record.is_solved):
        raise OptionError("of='mean' is for intervals of a number, by a model that was solved; leave it out.")
    if of == "mean" and level is None:
        raise OptionError("of='mean' asks for the interval of the mean; give interval=0.95 too, or another share.")
    if level is None:
        return None
    check_level("interval", level)
    if not record.is_solved:
        raise FitError(
            "no interval can be given: a network's parameters have no standard errors; predict without an interval."
        )
    if not squared:
        if record.covariance is None:
            raise FitError(
                "no interval can be given: an L1 penalty leaves no standard errors; predict without an interval."
            )
        if bool(record.covariance.raw.isnan().any()):
            raise FitError(
                "no interval can be given: the coefficients have no standard errors; predict without an interval."
            )
        if not record.class_names and of != "mean":
            raise OptionError(
                f"the interval of one new observation is known for least squares alone, and the loss is "
                f"{record.loss.name}; give of='mean' for that of what is predicted."
            )
        return Interval(Distribution(degrees_of_freedom(record)).quantile(level))
    return _linear_interval(record, level, of)


def _linear_interval(record: FitRecord, level: float, of: Of) -> Interval:
    solution = record.solution
    if record.l1:
        raise FitError(
            "no interval can be given: an L1 penalty leaves no standard errors; predict without an interval."
        )
    dof = solution.rows.n - parameters_of(solution)
    if record.covariance is None:
        raise FitError(
            "no interval can be given: this descent ended away from the exact answer, and an interval there would say "
            "nothing about the data; give it more epochs, solve exactly (solver='auto'), or leave the interval out."
        )
    if not dof > 0:
        raise FitError(
            f"no interval can be given: {solution.rows.n} rows for {len(record.design.names)} coefficients leave "
            "nothing to estimate the variance from; fit with more rows, or predict without an interval."
        )
    return Interval(Distribution(dof).quantile(level), 0.0 if of == "mean" else residual_variance(solution))


def _columns(
    record: FitRecord, x: Tensor, found: Tensor, asked: Interval | None, threshold: float | None
) -> dict[str, np.ndarray]:
    if not record.class_names:
        columns = {"prediction": found}
        if asked is not None:
            half = half_width(record, x, asked)
            if isinstance(record.loss, LogLink):  # an interval of eta, whose exponentials are never negative
                columns |= {"low": found * (-half).exp(), "high": found * half.exp()}
            else:
                columns |= {"low": found - half, "high": found + half}
        return {name: column.numpy() for name, column in columns.items()}
    p = found.exp()
    parts = {"p": p}
    if asked is not None:
        basis, covariance = record.solution.basis, record.covariance
        assert basis is not None and covariance is not None
        low, high = probability_interval(logs=found, x=x, basis=basis, inner=covariance.inner, quantile=asked.quantile)
        parts |= {"low": low, "high": high}
    shares = {
        f"{kind}({name})": part[:, j].contiguous().numpy()
        for kind, part in parts.items()
        for j, name in enumerate(record.class_names)
    }
    return {"prediction": _labels(p, record.class_names, threshold), **shares}


def half_width(record: FitRecord, x: Tensor, asked: Interval) -> Tensor:
    """Return quantile · √(z' S z + variance) (n,) for rows x (n, q).

    Args:
        record: of a fit with standard errors.
        x: (n, q), raw units.
        asked: the interval.
    """
    basis, covariance = record.solution.basis, record.covariance
    assert basis is not None and covariance is not None
    z = orthonormal(x, basis)
    of_mean = ((z @ covariance.inner) * z).sum(1).clamp(min=0)
    return asked.quantile * (of_mean + asked.variance).sqrt()


def _labels(probability: Tensor, class_names: tuple[str, ...], threshold: float | None) -> np.ndarray:
    """Return the predicted class of each row (n,), None where its probabilities (n, k) are missing."""
    import numpy as np

    which = probability.argmax(1) if threshold is None else (probability[:, 1] >= threshold).to(torch.int64)
    labels: np.ndarray = np.array(class_names, dtype=object)[which.numpy()]
    labels[probability.isnan().any(1).numpy()] = None
    return labels
