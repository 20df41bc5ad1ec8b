"""Predictions for new rows, with the interval for a new observation or for the mean.

With z the row's coordinates among the training rows (`rows.orthonormal`), S the covariance in them and sigma the
residual standard error, the mean's variance is z' S z and a new observation's is sigma² more. Half an interval
is Student's t times the root. For classical errors without a penalty, z' S z = sigma² h, h the row's leverage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from slopewise.data.design import Design, Feature
from slopewise.data.design_source import DesignSource
from slopewise.data.learn import check_columns
from slopewise.data.open import as_table
from slopewise.data.source import Chunk
from slopewise.engine.threads import one_torch_thread
from slopewise.errors import DataError, FitError, OptionError, check_choice
from slopewise.results.inference.leverage import line, orthonormal
from slopewise.results.inference.statistics import check_level, quantile
from slopewise.results.prediction.frames import like_input
from slopewise.solution import Factor

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from slopewise.results.fit import Fit

CHUNK_ROWS = 16384
OF = ("observation", "mean")


@dataclass(frozen=True, slots=True)
class Scatter:
    """How far a prediction may be off: t quantile, inner (p, p) covariance in z, variance added to the mean's."""

    t: float
    factor: Factor
    inner: Tensor
    variance: float


def half_width(*, x: Tensor, scatter: Scatter) -> Tensor:
    """Return t √(z' S z + variance) (n,) for rows x (n, q)."""
    z = orthonormal(x=x, factor=scatter.factor)
    of_mean = ((z @ scatter.inner) * z).sum(1).clamp(min=0)
    return scatter.t * (of_mean + scatter.variance).sqrt()


def predict(
    fit: Fit, rows: Any, *, interval: float | None = None, of: str = "observation", table_name: str | None = None
) -> Any:
    """Return predictions in the library that the rows came in.

    Columns are prediction and, with an interval, low and high. A pandas, Polars or Arrow frame gives one of its
    kind (pandas keeps the index), a dict a dict of arrays, a matrix an array or tensor (n,) or (n, 3), a path or
    query an Arrow table. Under missing='drop', a row with a missing feature has the prediction NaN.

    Args:
        fit: the fit.
        rows: anything that `slopewise.fit` takes; a target is not needed.
        interval: probability, such as 0.95, that the interval is to hold; None for no interval.
        of: what the interval is to hold: one new "observation", or the "mean" of many such rows.
        table_name: which table of a database file.

    Raises:
        ColumnError: a column that was trained with is missing.
        DataError: a missing value under missing='error', an infinite one, a level never seen in training.
        OptionError: interval is not a share; of="mean" without an interval.
        FitError: an interval, and no degrees of freedom are left to estimate one.
    """
    import numpy as np

    parts = [columns for _, columns in _chunks(fit, rows, interval, of, table_name)]
    names = ("prediction", "low", "high") if interval is not None else ("prediction",)
    columns = {name: np.concatenate([np.empty(0), *(part[name] for part in parts)]) for name in names}
    return like_input(columns, rows)


def predict_table(
    fit: Fit, rows: Any, *, interval: float | None = None, of: str = "observation", table_name: str | None = None
) -> Iterator[pa.Table]:
    """Yield the features used and the predictions as Arrow tables of one schema, a chunk of rows at a time.

    Numbers are float64, booleans boolean, categories strings, all null where missing. A prediction's column takes
    an underscore where a feature has its name. Arguments and errors are those of `predict`; one table
    without rows is yielded where there are none.
    """
    outputs = ("prediction", "low", "high") if interval is not None else ("prediction",)
    yield from tables_of(fit.design, _chunks(fit, rows, interval, of, table_name), outputs)


def tables_of(
    design: Design, chunks: Iterable[tuple[Chunk, Mapping[str, np.ndarray]]], outputs: Sequence[str], text: str = ""
) -> Iterator[pa.Table]:
    """Yield features and predictions as Arrow tables of one schema, one for each chunk, an empty one where none is.

    Args:
        design: of the fit.
        chunks: of rows, each with its predicted columns (n,).
        outputs: names of those columns; one takes an underscore where a feature has its name.
        text: the output that holds text, not numbers; none by default.
    """
    import pyarrow as pa

    features = design.features
    taken = {feature.name for feature in features}
    names = [f.name for f in features] + [name + "_" * (name in taken) for name in outputs]
    types = {"number": pa.float64(), "boolean": pa.bool_(), "category": pa.string()}
    kinds = [types[f.kind] for f in features] + [pa.string() if name == text else pa.float64() for name in outputs]
    schema = pa.schema(zip(names, kinds, strict=True))
    empty = True
    for chunk, columns in chunks:
        inputs = [_values(chunk, feature, schema.field(feature.name).type) for feature in features]
        found = [pa.array(columns[name], from_pandas=True) for name in outputs]
        yield pa.table([*inputs, *found], schema=schema)
        empty = False
    if empty:
        yield schema.empty_table()


def design_rows(design: Design, rows: Any, table_name: str | None) -> DesignSource:
    """Return new rows, without a target, as a source.

    Raises:
        ColumnError: a column that was trained with is missing.
        DataError: a column holds something else than it did in training.
    """
    table = as_table(rows, table_name)
    check_columns(design, table, with_target=False)
    return DesignSource(table, design, with_target=False)


def refuse_unfinished(source: DesignSource, predicted: Tensor) -> None:
    """Raise the DataError that names a missing or infinite value, if predictions are not finite because of one."""
    if not bool(predicted.isfinite().all()):
        found: DataError | None = source.first_invalid_value()
        if found is not None:
            raise found


def _chunks(
    fit: Fit, rows: Any, interval: float | None, of: str, table_name: str | None
) -> Iterator[tuple[Chunk, dict[str, np.ndarray]]]:
    """Yield chunks of rows with their prediction, low and high (n,)."""
    check_choice("of", of, OF)
    if of == "mean" and interval is None:
        raise OptionError("of='mean' asks for the interval of the mean; give interval=0.95 too, or another share.")
    scatter = None if interval is None else _scatter(fit, interval, of == "mean")
    source = design_rows(fit.design, rows, table_name)
    for chunk, batch in source.chunks(CHUNK_ROWS):
        columns = _predicted(fit, batch.x, scatter)
        refuse_unfinished(source, columns["prediction"])
        yield chunk, {name: column.numpy() for name, column in columns.items()}


def _predicted(fit: Fit, x: Tensor, scatter: Scatter | None) -> dict[str, Tensor]:
    # Products this small are over before a second thread has woken up.
    with one_torch_thread():
        eta = line(x=x, theta=fit.theta, intercept=fit.design.intercept)
        if scatter is None:
            return {"prediction": eta}
        half = half_width(x=x, scatter=scatter)
        return {"prediction": eta, "low": eta - half, "high": eta + half}


def _scatter(fit: Fit, interval: float, mean: bool) -> Scatter:
    check_level("interval", interval)
    stats = fit.stats
    if not stats.dof > 0:
        raise FitError(
            f"no interval can be given: {fit.n} rows for {len(fit.design.names)} coefficients leave nothing to "
            "estimate the scatter from; fit with more rows, or predict without an interval."
        )
    if bool(fit.uncertainty.inner.isnan().any()):
        raise FitError(
            "no interval can be given: this descent ended away from the exact answer, and an interval there would say "
            "nothing about the data; give it more epochs, solve exactly (solver='auto'), or leave the interval out."
        )
    return Scatter(
        t=quantile(dof=stats.dof, level=interval),
        factor=fit.solution.factor,
        inner=fit.uncertainty.inner,
        variance=0.0 if mean else stats.sigma**2,
    )


def _values(chunk: Chunk, feature: Feature, arrow_type: pa.DataType) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    if feature.kind == "category":
        found = chunk.codes(feature.name)
        levels = pa.array(found.levels, pa.string())
        return levels.take(pa.array(found.codes, mask=found.codes < 0))
    numbers = chunk.numbers((feature.name,))[:, 0].numpy()
    if feature.kind == "boolean":
        return pa.array(np.nan_to_num(numbers) != 0, mask=np.isnan(numbers))
    return pa.array(numbers, arrow_type, from_pandas=True)
