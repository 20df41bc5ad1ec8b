"""Tables of SQLite files, read by Python's sqlite3."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from slopewise.data.arrow import ColumnsChunk, unusable
from slopewise.data.csv_dialect import sql_name
from slopewise.data.files import chosen_table
from slopewise.data.source import Chunk, Codes, Table
from slopewise.errors import DataError
from slopewise.types import Kind, Schema

SAMPLE = 1000  # First rows that declared types are checked against.
DATES = "DATE|TIME"


def open_sqlite(path: str, table: str | None) -> SQLiteTable:
    """Return a table or view of an SQLite file, opened read-only.

    A column's kind is that of its declared type if the first 1000 rows agree with it, else that of those rows.

    Raises:
        DataError: not an SQLite file, no such table, or no rows.
        OptionError: no table was named.
    """
    listed = _run_query(path, "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name")
    name = chosen_table(path, table, [row[0] for row in listed if not row[0].startswith("sqlite_")])
    declared = {row[1]: row[2].upper() for row in _run_query(path, f"PRAGMA table_info({sql_name(name)})")}
    sample = _run_query(path, f"SELECT * FROM {sql_name(name)} LIMIT {SAMPLE}")
    if not sample:
        raise DataError(f"Table {name!r} of {path!r} holds no rows; there is nothing to learn from.")
    kinds: list[Kind] = []
    refused: dict[str, str] = {}
    for (column, type_name), values in zip(declared.items(), zip(*sample, strict=True), strict=True):
        kind = _kind(type_name, [value for value in values if value is not None])
        if kind is None:
            refused[column] = type_name or "BLOB"
        kinds.append(kind or "category")
    return SQLiteTable(f"{path}: {name}", Schema(tuple(declared), tuple(kinds)), path, name, refused)


@dataclass(frozen=True, slots=True)
class SQLiteTable(Table):
    """A table of an SQLite file; `refused` holds the declared types of columns that cannot be used."""

    label: str
    schema: Schema
    path: str
    table: str
    refused: dict[str, str]
    n_rows: int | None = None
    in_memory: bool = False

    def chunks(self, columns: Sequence[str], size: int) -> Iterator[Chunk]:
        """Yield the rows of `columns` in the table's order, `size` at a time.

        Raises:
            DataError: a column whose type is neither number, boolean nor text; the file cannot be read.
        """
        for name in columns:
            if name in self.refused:
                type_name = self.refused[name]
                raise unusable(name, type_name, re.search(DATES, type_name) is not None)
        names = ", ".join(map(sql_name, columns))
        start = 0
        with closing(_connect(self.path)) as connection:
            try:
                cursor = connection.execute(f"SELECT {names} FROM {sql_name(self.table)}")
                while rows := cursor.fetchmany(size):
                    yield _chunk(self.schema, columns, rows, start)
                    start += len(rows)
            except sqlite3.Error as error:
                raise _unreadable(self.path, error) from None


def _chunk(schema: Schema, columns: Sequence[str], rows: list[tuple[Any, ...]], start: int) -> ColumnsChunk:
    converted: dict[str, np.ndarray | Codes] = {}
    for name, values in zip(columns, zip(*rows, strict=True), strict=True):
        category = schema.kind(name) == "category"
        converted[name] = _codes(values) if category else _floats(name, values, start)
    return ColumnsChunk(start, converted)


def _floats(name: str, values: tuple[Any, ...], start: int) -> np.ndarray:
    try:
        return np.array(values, dtype=np.float64)
    except (ValueError, TypeError):
        row, value = next((row, value) for row, value in enumerate(values) if not _is_number(value))
        raise DataError(
            f"Column {name!r} holds {value!r} in row {start + row + 1} (rows count from 1), where its first "
            "rows hold numbers; correct that value, or use NULL if it is missing."
        ) from None


def _codes(values: tuple[Any, ...]) -> Codes:
    levels: dict[str, int] = {}
    codes = (-1 if value is None else levels.setdefault(str(value), len(levels)) for value in values)
    return Codes(np.fromiter(codes, np.int64, len(values)), tuple(levels))


def _kind(declared: str, values: list[Any]) -> Kind | None:
    """Return the kind of a column from its declared type and its first values; None if it cannot be used."""
    if any(isinstance(value, bytes) for value in values):
        return None
    if all(isinstance(value, (int, float)) for value in values) and not re.search("CHAR|CLOB|TEXT", declared):
        return "boolean" if "BOOL" in declared and set(values) <= {0, 1} else "number"
    if re.search(DATES, declared):
        return None
    # In a column of a numeric type SQLite stores as text only values that do not parse as numbers.
    numeric = sum(_is_number(value) for value in values)
    if re.search("CHAR|CLOB|TEXT", declared) or 2 * numeric < len(values):
        return "category"
    return "number"


def _is_number(value: Any) -> bool:
    try:
        float(value if value is not None else 0)
    except (ValueError, TypeError):
        return False
    return True


def _connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{Path(os.path.abspath(path)).as_uri()}?mode=ro", uri=True)


def _run_query(path: str, query: str) -> list[tuple[Any, ...]]:
    try:
        with closing(_connect(path)) as connection:
            return connection.execute(query).fetchall()
    except sqlite3.Error as error:
        raise _unreadable(path, error) from None


def _unreadable(path: str, error: sqlite3.Error) -> DataError:
    return DataError(f"{path!r} cannot be read as an SQLite database ({error}); check the file, or copy it again.")
