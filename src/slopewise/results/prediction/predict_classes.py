"""Classes and their probabilities for new rows, with intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from slopewise.data.source import Chunk
from slopewise.engine.threads import one_torch_thread
from slopewise.errors import FitError, OptionError, check_choice
from slopewise.results.inference.likelihood import normal_quantile
from slopewise.results.inference.statistics import check_level
from slopewise.results.prediction.frames import is_matrix, like_input
from slopewise.results.prediction.predict import OF, design_rows, refuse_unfinished, tables_of
from slopewise.results.prediction.probability import log_probabilities, with_interval

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from slopewise.results.classifier import Classifier

CHUNK_ROWS = 16384


def predict(
    fit: Classifier, rows: Any, *, interval: float | None, threshold: float | None, table_name: str | None = None
) -> Any:
    """Return predictions in the library that the rows came in.

    Columns are prediction, the class; `p(class)` for every class; with an interval also `low(class)` and
    `high(class)`. For a matrix they are the classes alone (n,): numbers where the target was one; `p` and intervals
    come as a dict of arrays where an interval is asked for.

    Args:
        fit: the fit.
        rows: anything that `slopewise.fit` takes; a target is not needed.
        interval: probability that each probability's interval is to hold, None for no interval.
        threshold: of two classes, the probability from which the second is predicted; the likelier one by default.
        table_name: which table of a database file.

    Raises:
        ColumnError: a column that was trained with is missing.
        DataError: a missing value under missing='error', an infinite one, a level never seen in training.
        OptionError: interval or threshold is not a share; threshold with more than two classes.
        FitError: an interval, and the fit has no covariance.
    """
    import numpy as np

    names = column_names(fit.classes, interval is not None)
    parts = [columns for _, columns in _chunks(fit, rows, interval, threshold, table_name)]
    empty: dict[str, np.ndarray] = {name: np.empty(0, object if name == "prediction" else float) for name in names}
    columns = {name: np.concatenate([part[name] for part in parts]) if parts else empty[name] for name in names}
    if is_matrix(rows):
        labels = as_values(columns["prediction"], fit.design.target_kind)
        return labels if interval is None else columns | {"prediction": labels}
    return like_input(columns, rows)


def predict_table(
    fit: Classifier, rows: Any, *, interval: float | None, threshold: float | None, table_name: str | None = None
) -> Iterator[pa.Table]:
    """Yield the features used and the predictions as Arrow tables, a chunk of rows at a time; see `predict`."""
    names = column_names(fit.classes, interval is not None)
    yield from tables_of(fit.design, _chunks(fit, rows, interval, threshold, table_name), names, text="prediction")


def column_names(classes: Sequence[str], interval: bool) -> tuple[str, ...]:
    """Return the names of the predicted columns."""
    kinds = ("p", "low", "high") if interval else ("p",)
    return ("prediction", *(f"{kind}({name})" for kind in kinds for name in classes))


def check_threshold(threshold: float | None, classes: Sequence[str], target: str) -> None:
    """Raise OptionError unless a threshold is a share strictly between 0 and 1, and there are two classes."""
    if threshold is None:
        return
    check_level("threshold", threshold)
    if not classes:
        raise OptionError(f"threshold is for two classes, and the target {target!r} is a number; leave it out.")
    if len(classes) != 2:
        raise OptionError(f"threshold is for two classes, and there are {len(classes)}; leave it out.")


def refuse_of(of: str) -> None:
    """Raise OptionError unless `of` is left at its default: only a number's interval can be that of an observation."""
    if check_choice("of", of, OF) != "observation":
        raise OptionError("of='mean' is for intervals of a number, solved exactly; leave it out.")


def labels_of(probability: Tensor, classes: Sequence[str], threshold: float | None) -> np.ndarray:
    """Return the predicted class of each row (n,), None where its probabilities (n, k) are missing."""
    import numpy as np

    which = probability.argmax(1) if threshold is None else (probability[:, 1] >= threshold).to(torch.int64)
    labels: np.ndarray = np.array(classes, dtype=object)[which.numpy()]
    labels[probability.isnan().any(1).numpy()] = None
    return labels


def as_values(labels: np.ndarray, kind: str) -> np.ndarray:
    """Return the labels as what the target was: numbers, booleans, or the text itself."""
    import numpy as np

    if kind == "category":
        return labels
    truth = {"False": 0.0, "True": 1.0}
    values = np.array([math.nan if label is None else truth.get(label, label) for label in labels], dtype=float)
    return values.astype(bool) if kind == "boolean" and not np.isnan(values).any() else values


def _chunks(
    fit: Classifier, rows: Any, interval: float | None, threshold: float | None, table_name: str | None
) -> Iterator[tuple[Chunk, dict[str, np.ndarray]]]:
    check_threshold(threshold, fit.classes, fit.design.target)
    if interval is not None:
        check_level("interval", interval)
        if fit.uncertainty is None:
            raise FitError("no interval can be given: the penalty has corners (l1); predict without an interval.")
    source = design_rows(fit.design, rows, table_name)
    for chunk, batch in source.chunks(CHUNK_ROWS):
        with one_torch_thread():
            columns = _predicted(fit, batch.x, interval)
        refuse_unfinished(source, columns[f"p({fit.classes[0]})"])
        probability = torch.stack([columns[f"p({name})"] for name in fit.classes], dim=1)
        found = {name: column.numpy() for name, column in columns.items()}
        yield chunk, {"prediction": labels_of(probability, fit.classes, threshold), **found}


def _predicted(fit: Classifier, x: Tensor, interval: float | None) -> dict[str, Tensor]:
    if interval is None or fit.uncertainty is None or fit.maximum.basis is None:
        probability = log_probabilities(x=x, theta=fit.theta, intercept=fit.design.intercept).exp()
        return {f"p({name})": probability[:, j].contiguous() for j, name in enumerate(fit.classes)}
    found = with_interval(
        x=x,
        theta=fit.theta,
        basis=fit.maximum.basis,
        inner=fit.uncertainty.inner,
        z=normal_quantile(interval),
    )
    parts = {"p": found.probability, "low": found.low, "high": found.high}
    return {
        f"{kind}({name})": part[:, j].contiguous() for kind, part in parts.items() for j, name in enumerate(fit.classes)
    }
