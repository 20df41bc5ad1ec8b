"""JSON through DuckDB: detect the types from the first rows, and translate its error messages."""

from __future__ import annotations

import re
from collections.abc import Sequence

from slopewise.data.csv_dialect import TYPE_NAMES, RunQuery, plain_type, sql_name, sql_paths, sql_struct
from slopewise.errors import DataError


def sniff(run_query: RunQuery, files: Sequence[str]) -> dict[str, str]:
    """Return the SQL type that each column is read as."""
    described = run_query(f"SELECT column_name, column_type FROM (DESCRIBE FROM read_json({sql_paths(files)}))")
    return {name: plain_type(kind) for name, kind in described}


def relation(files: Sequence[str], types: dict[str, str]) -> str:
    """Return the SQL expression that reads the files with these types."""
    return f"read_json({sql_paths(files)}, columns={sql_struct(types)})"


def explain(message: str, label: str, misfit: tuple[str, int, str, str] | None = None) -> DataError:
    """Return the error for a message of DuckDB about JSON.

    Args:
        message: DuckDB's.
        label: of the table.
        misfit: the result of `first_misfit`, or None.
    """
    if misfit:
        column, row, value, kind = misfit
        return DataError(
            f"Column {column!r} holds {value!r} in row {row} of {label!r}, where its first rows hold "
            f"{TYPE_NAMES[kind]}; correct that value, or use null if it is missing."
        )
    reason = re.sub(r'^.*?Error: | in file ".*?"', "", message.splitlines()[0]).strip().rstrip(".")
    return DataError(f"{label!r} cannot be read as JSON: {reason}; correct the file, or save it anew.")


def first_misfit(run_query: RunQuery, files: Sequence[str], types: dict[str, str]) -> tuple[str, int, str, str] | None:
    """Return (column, row, value, type), rows from 1, of a value that is not of its column's type.

    Args:
        run_query: runs a query of DuckDB.
        files: paths of the files, read as one table.
        types: the SQL type of each column; those of text columns are not looked at.
    """
    for name, kind in types.items():
        if kind not in ("DOUBLE", "BOOLEAN"):
            continue
        as_text = relation(files, {name: "VARCHAR"})
        numbered = f"SELECT row_number() OVER () AS row, {sql_name(name)} AS value FROM {as_text}"
        query = f"FROM ({numbered}) WHERE value IS NOT NULL AND TRY_CAST(value AS {kind}) IS NULL LIMIT 1"
        for row, value in run_query(query):
            return name, row, value, kind
    return None
