"""What a network says of rows: numbers, or classes and their probabilities; and how good that is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from slopewise.data.source import Chunk, Source
from slopewise.engine.engine import Engine
from slopewise.engine.threads import one_torch_thread
from slopewise.errors import DataError, FitError
from slopewise.results.metrics import classification
from slopewise.results.metrics import regression as metrics
from slopewise.results.metrics.classification import ClassMetrics
from slopewise.results.metrics.regression import Metrics, MetricSums
from slopewise.results.prediction.frames import is_matrix, like_input
from slopewise.results.prediction.predict import CHUNK_ROWS, design_rows, refuse_unfinished, tables_of
from slopewise.results.prediction.predict_classes import as_values, check_threshold, column_names, labels_of, refuse_of
from slopewise.types import Batch

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from slopewise.results.network import NetworkFit


class NetworkOperands(NamedTuple):
    """A network from (x - mean) / scale to eta, mean and scale (q,), and those of the target it was trained on."""

    network: nn.Module
    mean: Tensor
    scale: Tensor
    y_mean: float
    y_scale: float


def answers(fit: NetworkFit, x: Tensor) -> Tensor:
    """Return the predicted numbers (n,), or the logarithms of the classes' probabilities (n, k), float64.

    Args:
        fit: the fit.
        x: rows (n, q), raw units.
    """
    return _answers(x, _operands(fit), classes=len(fit.classes), dtype=fit.dtype)


def number_sums(batch: Batch, operands: NetworkOperands, *, dtype: torch.dtype) -> MetricSums:
    """Return the sums of one batch of numbers."""
    return metrics.sums_of(_answers(batch.x, operands, classes=0, dtype=dtype), batch)


def class_sums(
    batch: Batch, operands: NetworkOperands, *, classes: int, dtype: torch.dtype, threshold: float | None
) -> classification.ClassSums:
    """Return the sums of one batch of classes."""
    return classification.sums_of(_answers(batch.x, operands, classes=classes, dtype=dtype), batch, threshold)


def _operands(fit: NetworkFit) -> NetworkOperands:
    return NetworkOperands(fit.network, fit.units.mean, fit.units.scale, fit.y_mean, fit.y_scale)


def _answers(x: Tensor, operands: NetworkOperands, *, classes: int, dtype: torch.dtype) -> Tensor:
    with torch.no_grad():
        u = (x - operands.mean) / operands.scale
        eta: Tensor = operands.network(u.to(dtype)).to(torch.float64)
        if not classes:
            return eta.reshape(len(x)) * operands.y_scale + operands.y_mean
        scores = eta.reshape(len(x), classes - 1)
        return torch.cat([scores.new_zeros(len(x), 1), scores], dim=1).log_softmax(1)


def predict(fit: NetworkFit, rows: Any, *, threshold: float | None = None, table_name: str | None = None) -> Any:
    """Return predictions in the library that the rows came in.

    A number: the column prediction. A class: the columns prediction and `p(class)` for every class; for a matrix the
    classes alone (n,), numbers where the target was one.

    Args:
        fit: the fit.
        rows: anything that `slopewise.fit` takes; a target is not needed.
        threshold: of two classes, the probability from which the second is predicted; the likelier one by default.
        table_name: which table of a database file.

    Raises:
        ColumnError: a column that was trained with is missing.
        DataError: a missing value under missing='error', an infinite one, a level never seen in training.
        OptionError: threshold is no share, or there are not two classes.
    """
    import numpy as np

    parts = [columns for _, columns in _chunks(fit, rows, threshold, table_name)]
    types = {name: object if fit.classes and name == "prediction" else float for name in _outputs(fit)}
    columns = {
        name: np.concatenate([np.empty(0, kind), *(part[name] for part in parts)]) for name, kind in types.items()
    }
    if fit.classes and is_matrix(rows):
        return as_values(columns["prediction"], fit.design.target_kind)
    return like_input(columns, rows)


def predict_table(
    fit: NetworkFit, rows: Any, *, threshold: float | None = None, table_name: str | None = None
) -> Iterator[pa.Table]:
    """Yield the features used and the predictions as Arrow tables, a chunk of rows at a time; see `predict`."""
    text = "prediction" if fit.classes else ""
    yield from tables_of(fit.design, _chunks(fit, rows, threshold, table_name), _outputs(fit), text=text)


def refuse_interval(interval: float | None, of: str) -> None:
    """Raise FitError where an interval is asked for, OptionError where one of the mean is."""
    if interval is not None:
        raise FitError(
            "no interval can be given: a network's parameters have no standard errors; predict without an interval."
        )
    refuse_of(of)


def measure(fit: NetworkFit, engine: Engine, source: Source, threshold: float | None = None) -> Metrics | ClassMetrics:
    """Return the metrics of the network on the rows of a source, in one read.

    Raises:
        DataError: a missing or infinite value; the column and row are named.
        OptionError: threshold is no share, or there are not two classes.
    """
    check_threshold(threshold, fit.classes, fit.design.target)
    operands = _operands(fit)
    if fit.classes:
        kernel = partial(class_sums, classes=len(fit.classes), dtype=fit.dtype, threshold=threshold)
        found = engine.reduce(kernel, source, operands, classification.add_sums)
        if found is not None and not bool(found.log_loss.isfinite()):
            raise _first_invalid_value(source)
        return classification.finish_classes(found, len(fit.classes))
    sums = engine.reduce(partial(number_sums, dtype=fit.dtype), source, operands, metrics.merge)
    if sums is not None and not (math.isfinite(sums.rss) and math.isfinite(sums.yy)):
        raise _first_invalid_value(source)
    return metrics.finish(sums or MetricSums(0, 0.0, 0.0, 0.0, 0.0, 0.0))


def _first_invalid_value(source: Source) -> DataError:
    return source.first_invalid_value() or DataError(
        "the network's answers are not finite; look at the largest values of the table."
    )


def _outputs(fit: NetworkFit) -> tuple[str, ...]:
    return column_names(fit.classes, False) if fit.classes else ("prediction",)


def _chunks(
    fit: NetworkFit, rows: Any, threshold: float | None, table_name: str | None
) -> Iterator[tuple[Chunk, dict[str, np.ndarray]]]:
    check_threshold(threshold, fit.classes, fit.design.target)
    source = design_rows(fit.design, rows, table_name)
    for chunk, batch in source.chunks(CHUNK_ROWS):
        with one_torch_thread():
            found = answers(fit, batch.x)
        refuse_unfinished(source, found)
        if not fit.classes:
            yield chunk, {"prediction": found.numpy()}
            continue
        p = found.exp()
        shares = {f"p({name})": p[:, j].contiguous().numpy() for j, name in enumerate(fit.classes)}
        yield chunk, {"prediction": labels_of(p, fit.classes, threshold), **shares}
