"""Frames as tables: their columns under text names, and the columns that cannot be used refused when they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slopewise.data.arrays import as_column
from slopewise.data.labels import text_names
from slopewise.data.memory import ArrowTable
from slopewise.errors import DataError, quoted


def frame_table(frame: Any) -> ArrowTable:
    """Return a table of a pandas, Polars, PyArrow or other frame, through narwhals and Arrow.

    Args:
        frame: whole; names that are not text become text, and those of several levels are joined with "_".

    Raises:
        DataError: not a frame that narwhals knows; two columns of one name.
    """
    import narwhals as nw
    import pyarrow as pa

    if isinstance(frame, pa.RecordBatch):
        frame = pa.Table.from_batches([frame])
    if isinstance(frame, pa.Table):
        text_names(frame.column_names)
    if nw.dependencies.is_pandas_dataframe(frame):
        names = text_names(frame.columns)
        frame = frame if list(frame.columns) == names else frame.set_axis(names, axis=1)
    try:
        eager = nw.from_native(frame)
    except TypeError as error:
        raise DataError(
            f"received {type(frame).__name__}, which is not a table; give a path, a frame, a dict of columns, "
            "a matrix, or a pair (X, y)."
        ) from error
    collected = eager.collect() if isinstance(eager, nw.LazyFrame) else eager
    try:
        # A pandas index that is not a RangeIndex becomes a column in Arrow; it is not one of the user's columns.
        return ArrowTable(collected.to_arrow().select(collected.columns))
    except (pa.ArrowException, ValueError, TypeError, OverflowError, NotImplementedError):
        return _column_by_column({name: collected[name].to_native() for name in collected.columns}, len(collected))


def _column_by_column(columns: Mapping[str, Any], rows: int) -> ArrowTable:
    """Return a table some columns of which Arrow does not take: their error is raised when they are read."""
    import pyarrow as pa

    arrays, unusable = {}, {}
    for name, values in columns.items():
        try:
            arrays[name] = as_column(values, name)
        except DataError as error:
            arrays[name], unusable[name] = pa.nulls(rows, pa.binary()), str(error)
    return ArrowTable(pa.table(arrays), unusable=unusable)


def single_column(values: Any, name: str) -> Any:
    """Return the column of a frame that has one, and anything else as it is.

    Args:
        values: of `y` or the weights: a frame, series, array or list.
        name: of them, for messages.

    Raises:
        DataError: a frame of several columns.
    """
    import narwhals as nw

    frame = nw.from_native(values, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if not isinstance(frame, nw.DataFrame):
        return values
    table = frame_table(frame.to_native())
    if len(table.schema.names) != 1:
        raise DataError(
            f"{name} has the {len(table.schema.names)} columns {quoted(table.schema.names)}, expected one value per "
            "row; give one of them."
        )
    only = table.schema.names[0]
    if only in table.unusable:
        raise DataError(table.unusable[only])
    return table.arrow.column(0)


def index_of(values: Any) -> Any:
    """Return the index of a pandas frame or series, None of anything else."""
    import narwhals as nw

    known = nw.dependencies
    return values.index if known.is_pandas_dataframe(values) or known.is_pandas_series(values) else None


def check_index(first: Any, second: Any, names: tuple[str, str]) -> None:
    """Raise DataError if both are of pandas and their indexes differ: which rows belong together is not known then.

    Args:
        first: a frame, array or anything else.
        second: likewise.
        names: of the two, for the message.
    """
    ours, theirs = index_of(first), index_of(second)
    if ours is None or theirs is None or len(ours) != len(theirs) or ours.equals(theirs):
        return
    labels = [(str(a), str(b)) for a, b in zip(ours, theirs, strict=True)]
    at = next((i for i, (a, b) in enumerate(labels) if a != b), 0)
    first_name, second_name = names
    raise DataError(
        f"the indexes of {first_name} and {second_name} differ: row {at + 1} is {labels[at][0]!r} in one and "
        f"{labels[at][1]!r} in the other; align them first, {second_name}.reindex({first_name}.index), or give "
        f"{second_name}.to_numpy() to go by position."
    )
