"""Open any supported data as a table."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slopewise.data.reading import Reading
from slopewise.data.source import Table
from slopewise.errors import ColumnError, DataError, OptionError


def as_table(data: Any, table_name: str | None = None, reading: Reading | None = None) -> Table:
    """Return a table for a path, glob, SQL query, frame, dict, matrix or (X, y) pair.

    Args:
        data: a path to CSV, TSV, Parquet, JSON lines (gzipped too), DuckDB or SQLite; a glob; a SELECT over such
            files; a pandas, Polars or PyArrow frame (anything narwhals reads); a dict of columns; a NumPy
            array or torch tensor (n, q), columns named x1 … xq; a pair (X, y), X a matrix or a frame.
        table_name: which table of a database file.
        reading: how values are written, where that is known.

    Raises:
        DataError: the data cannot be read as a table.
        OptionError: table_name given for anything but a database file.

    >>> as_table({"hours": [1.0, 2.0], "points": [2.0, 4.0]}).schema.names
    ('hours', 'points')
    """
    if isinstance(data, str | Path):
        from slopewise.data.duckdb_table import open_file

        return open_file(str(data), table_name, reading)
    if table_name is not None:
        raise OptionError(f"table_name {table_name!r} is for database files; received {type(data).__name__}.")
    if isinstance(data, Table):
        return data
    if isinstance(data, tuple):
        return _pair(data)
    if isinstance(data, Mapping):
        from slopewise.data.memory import dict_table

        return dict_table(data)
    if _is_matrix(data):
        from slopewise.data.memory import matrix_table

        return matrix_table(data)
    return frame_table(data)


def frame_table(frame: Any) -> Table:
    """Return a table of a pandas, Polars, PyArrow or other frame, through narwhals and Arrow.

    Raises:
        DataError: not a frame that narwhals knows.
    """
    import narwhals as nw

    from slopewise.data.memory import ArrowTable

    try:
        eager = nw.from_native(frame)
    except TypeError as error:
        raise DataError(
            f"received {type(frame).__name__}, which is not a table; give a path, a frame, a dict of columns, "
            "a matrix, or a pair (X, y)."
        ) from error
    collected = eager.collect() if isinstance(eager, nw.LazyFrame) else eager
    # A pandas index that is not a RangeIndex becomes a column in Arrow; it is not one of the user's columns.
    return ArrowTable(collected.to_arrow().select(collected.columns))


def with_weights(table: Table, weights: Any) -> Table:
    """Return the table with an array of weights as its column `weights`.

    Raises:
        OptionError: the table is not an (X, y) pair of matrices; weights must then name a column.
    """
    from slopewise.data.memory import MatrixChunk, MemoryTable, matrix_table

    if isinstance(table, MemoryTable) and isinstance(table.whole, MatrixChunk):
        return matrix_table(table.whole.matrix, table.whole.beside.get("y"), weights)
    raise OptionError(
        "weights is an array, but the table has named columns; put it in a column and give the column's name."
    )


def library_of(data: Any) -> str:
    """Return the name of the library of the frame `data`, such as pandas, polars or pyarrow."""
    if isinstance(data, tuple):
        return library_of(data[0]) if data else "builtins"
    return str(type(data).__module__.partition(".")[0])


def _pair(pair: tuple[Any, ...]) -> Table:
    if len(pair) != 2:
        raise DataError(f"received a tuple of {len(pair)}; give a pair (X, y).")
    x, y = pair
    if _is_matrix(x) or isinstance(x, list):
        from slopewise.data.memory import matrix_table

        return matrix_table(x, y, label="the pair (X, y)")
    return _frame_with_target(x, y)


def _frame_with_target(x: Any, y: Any) -> Table:
    import pyarrow as pa

    from slopewise.data.memory import ArrowTable, dict_table

    arrow = (dict_table(x) if isinstance(x, Mapping) else frame_table(x)).arrow  # type: ignore[attr-defined]
    target = dict_table({"y": y}).arrow.column("y")  # type: ignore[attr-defined]
    if "y" in arrow.column_names:
        raise ColumnError("X already has a column 'y'; give the whole frame and target='y', or rename it.")
    if len(target) != arrow.num_rows:
        raise DataError(f"X has {arrow.num_rows} rows and y has {len(target)}; give one value per row.")
    return ArrowTable(arrow.append_column(pa.field("y", target.type), target), "the pair (X, y)")


def _is_matrix(data: Any) -> bool:
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    return bool(
        (numpy is not None and isinstance(data, numpy.ndarray))
        or (torch is not None and isinstance(data, torch.Tensor))
    )
