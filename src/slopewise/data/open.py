"""Open any supported data as a table."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slopewise.data.reading import Reading
from slopewise.data.source import Table
from slopewise.errors import ColumnError, DataError, OptionError

if TYPE_CHECKING:
    from slopewise.data.memory import ArrowTable


def as_table(data: Any, table_name: str | None = None, reading: Reading | None = None) -> Table:
    """Return a table for a path, glob, SQL query, frame, dict, matrix or (X, y) pair.

    Args:
        data: a path to CSV, TSV, Parquet, JSON lines (gzipped too), DuckDB or SQLite; a glob; a SELECT over such
            files; a pandas, Polars or PyArrow frame (anything narwhals reads); a dict of columns, or of single values,
            which is one row; a list of such dicts; a row of a pandas frame; a NumPy array, torch tensor or list of
            lists (n, q), columns named x1 … xq; a pair (X, y), X a matrix or a frame.
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
        return _dict_table(data)
    if isinstance(data, list) and data and all(isinstance(row, Mapping) for row in data):
        return replace(_dict_table(_records(data)), label="the list of rows")
    if _is_matrix(data) or isinstance(data, list) or type(data).__module__.startswith("scipy.sparse"):
        from slopewise.data.memory import matrix_table

        return matrix_table(data)
    from slopewise.data.frames import frame_table

    if _is_series(data) and hasattr(data, "items"):  # a row of a pandas frame, indexed by columns
        return replace(_dict_table(dict(data.items())), label="the row")
    return frame_table(data)


def with_weights(table: Table, weights: Any, beside: Any) -> Table:
    """Return the table with an array of weights as its column `weights`, by position.

    Args:
        table: in memory.
        weights: one for each row.
        beside: the data that the table was made of; where both have a pandas index, it must be the same.

    Raises:
        OptionError: the table is read from a file; weights must then name a column.
        ColumnError: the table has a column `weights`.
        DataError: another number of weights than rows; not numbers; another index.
    """
    from slopewise.data.frames import check_index, single_column
    from slopewise.data.memory import ArrowTable, MatrixChunk, MemoryTable, matrix_table

    if isinstance(table, MemoryTable) and isinstance(table.whole, MatrixChunk):
        return matrix_table(table.whole.matrix, table.whole.beside.get("y"), single_column(weights, "weights"))
    if not isinstance(table, ArrowTable):
        raise OptionError(
            f"weights is a {type(weights).__name__}, but the table is read from a file; put the weights in a column "
            "and give the column's name."
        )
    check_index(beside[0] if isinstance(beside, tuple) else beside, weights, ("the table", "weights"))
    return _with_column(table, "weights", weights, "the table")


def library_of(data: Any) -> str:
    """Return the name of the library of the frame `data`, such as pandas, polars or pyarrow."""
    if isinstance(data, tuple):
        return library_of(data[0]) if data else "builtins"
    return str(type(data).__module__.partition(".")[0])


def _pair(pair: tuple[Any, ...]) -> Table:
    if len(pair) != 2:
        raise DataError(f"received a tuple of {len(pair)}; give a pair (X, y).")
    x, y = pair
    if isinstance(x, list) and x and all(isinstance(row, Mapping) for row in x):
        x = _records(x)
    if _is_matrix(x) or isinstance(x, list | tuple) or type(x).__module__.startswith("scipy.sparse"):
        from slopewise.data.frames import single_column
        from slopewise.data.memory import matrix_table

        return matrix_table(x, single_column(y, "y"), label="the pair (X, y)")
    return _frame_with_target(x, y)


def _frame_with_target(x: Any, y: Any) -> Table:
    from slopewise.data.frames import check_index, frame_table

    table = _dict_table(x) if isinstance(x, Mapping) else frame_table(x.to_frame() if _is_series(x) else x)
    check_index(x, y, ("X", "y"))
    return replace(_with_column(table, "y", y, "X"), label="the pair (X, y)")


def _with_column(table: ArrowTable, name: str, values: Any, of: str) -> ArrowTable:
    """Return the table with one more column, whose name it must not have yet."""
    import pyarrow as pa

    from slopewise.data.arrays import as_column
    from slopewise.data.frames import single_column

    column = as_column(single_column(values, name), name)
    if name in table.arrow.column_names:
        raise ColumnError(f"{of} already has a column {name!r}; give its name, {name}={name!r}, or rename it.")
    if len(column) != table.arrow.num_rows:
        raise DataError(f"{of} has {table.arrow.num_rows} rows and {name} has {len(column)}; give one value per row.")
    return replace(table, arrow=table.arrow.append_column(pa.field(name, column.type), column))


def _dict_table(columns: Mapping[Any, Any]) -> ArrowTable:
    """Return a table of a dict of columns, or of one row, a dict of single values."""
    from itertools import pairwise

    from slopewise.data.frames import check_index, index_of
    from slopewise.data.labels import text_names
    from slopewise.data.memory import dict_table

    named = dict(zip(text_names(columns), columns.values(), strict=True))
    indexed = [(name, values) for name, values in named.items() if index_of(values) is not None]
    for (left, ours), (right, theirs) in pairwise(indexed):
        check_index(ours, theirs, (left, right))
    if named and all(_is_single(value) for value in named.values()):
        named = {name: [getattr(value, "item", lambda value=value: value)()] for name, value in named.items()}
    return dict_table(named)


def _records(rows: list[Mapping[Any, Any]]) -> dict[Any, list[Any]]:
    """Return rows as columns; a key that a row lacks is missing there."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _is_single(value: Any) -> bool:
    """Return whether this is one value and no column."""
    return (
        value is None
        or isinstance(value, str | bytes)
        or getattr(value, "ndim", None) == 0
        or not (hasattr(value, "__iter__") or hasattr(value, "__array__") or hasattr(value, "__len__"))
    )


def _is_series(data: Any) -> bool:
    import narwhals as nw

    return bool(nw.dependencies.is_pandas_series(data) or nw.dependencies.is_polars_series(data))


def _is_matrix(data: Any) -> bool:
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    return bool(
        (numpy is not None and isinstance(data, numpy.ndarray))
        or (torch is not None and isinstance(data, torch.Tensor))
    )
