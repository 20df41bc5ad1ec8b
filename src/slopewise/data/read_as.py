"""A table read as is said: text as numbers, numbers as categories, and words that mean missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from slopewise.data.arrow import share
from slopewise.data.reading import Reading
from slopewise.data.source import Chunk, Codes, PlainCsv, Table, by_column
from slopewise.data.target_classes import codes_of
from slopewise.data.written_numbers import numbers_of
from slopewise.errors import DataError
from slopewise.types import Kind, Schema


def read_as(table: Table, reading: Reading) -> Table:
    """Return the table with the columns that a reading names as numbers or as categories.

    A table of numbers that are read as they are is returned itself; so is one that was read so already.

    Args:
        table: as it was opened with the same reading.
        reading: columns that the table does not have are left aside.
    """
    if isinstance(table, ReadTable):
        table = table.base
    schema = table.schema
    present = set(schema.names)
    written = [name for name in reading.categories if name in present]
    if reading.thousands:
        written += [name for name in reading.numbers if name in present]
    table = table.as_written(written)
    schema = table.schema
    categories = tuple(n for n in reading.categories if n in present and schema.kind(n) != "category")
    numbers = tuple(n for n in reading.numbers if n in present and schema.kind(n) == "category")
    if not (categories or numbers or reading.missing_numbers or "category" in schema.kinds):
        return table
    kinds: dict[str, Kind] = dict(zip(schema.names, schema.kinds, strict=True))
    kinds |= dict.fromkeys(categories, "category")
    kinds |= dict.fromkeys(numbers, "number")
    texts = frozenset(n for n, kind in zip(schema.names, schema.kinds, strict=True) if kind == "category")
    return ReadTable(table, reading, Schema(schema.names, tuple(kinds.values()), schema.declared), texts)


@dataclass(frozen=True)
class ReadTable(Table):
    """A table whose chunks are converted when they are asked for.

    schema: what the columns are read as. texts: those that the table itself has as text.
    """

    base: Table
    reading: Reading
    schema: Schema
    texts: frozenset[str]

    @property
    def label(self) -> str:  # type: ignore[override]
        """That of the table."""
        return self.base.label

    @property
    def n_rows(self) -> int | None:  # type: ignore[override]
        """That of the table."""
        return self.base.n_rows

    @property
    def in_memory(self) -> bool:  # type: ignore[override]
        """That of the table."""
        return self.base.in_memory

    @property
    def missing_words(self) -> tuple[str, ...]:  # type: ignore[override]
        """That of the table."""
        return self.base.missing_words

    @property
    def plain(self) -> PlainCsv | None:  # type: ignore[override]
        """That of the table."""
        return self.base.plain

    @property
    def matrix_columns(self) -> int | None:  # type: ignore[override]
        """That of the table."""
        return self.base.matrix_columns

    @property
    def decimal(self) -> str:  # type: ignore[override]
        """That of the table."""
        return self.base.decimal

    def chunks(self, columns: Sequence[str], size: int) -> Iterator[Chunk]:
        """Yield the rows in order, as the table does."""
        return (ReadChunk(chunk, self) for chunk in self.base.chunks(columns, size))

    def head(self, columns: Sequence[str], rows: int) -> Chunk | None:
        """Return at most the first `rows` rows, None of an empty table."""
        first = self.base.head(columns, rows)
        return None if first is None else ReadChunk(first, self)

    def partitions(self, k: int) -> list[Table]:
        """Return at most k contiguous parts, those of the table."""
        return [replace(self, base=part) for part in self.base.partitions(k)]


@dataclass(frozen=True, slots=True)
class ReadChunk(Chunk):
    """Some rows of a table, converted when they are asked for."""

    base: Chunk
    table: ReadTable

    @property
    def start(self) -> int:  # type: ignore[override]
        """Number of the first row, from 0."""
        return self.base.start

    def __len__(self) -> int:
        return len(self.base)

    def numbers(self, names: Sequence[str]) -> Tensor:
        """Return the columns `names` as float64 (n, len(names)), NaN where missing."""
        texts = {name for name in names if name in self.table.texts}
        others = [name for name in names if name not in texts]
        found = self.base.numbers(others) if others or not texts else None
        if found is not None:
            for value in self.table.reading.missing_numbers:
                found = torch.where(found == value, torch.nan, found)
        if not texts:
            assert found is not None
            return found
        filled = by_column(len(self), len(names))
        for place, name in enumerate(names):
            filled[:, place] = self._written(name) if name in texts else found[:, others.index(name)]  # type: ignore[index]
        return filled

    def codes(self, name: str) -> Codes:
        """Return the category column `name`, its levels as they are written."""
        kind = self.table.base.schema.kind(name)
        if kind != "category":
            column = codes_of(self.base, name, kind)
            if kind == "number":
                column = Codes(column.codes, tuple(_shortest(level) for level in column.levels))
        else:
            column = self.base.codes(name)
        missing = self.table.reading.missing_levels
        if not any(word in column.levels for word in missing):
            return column
        places = np.array([-1 if level in missing else i for i, level in enumerate(column.levels)] + [-1])
        return Codes(places[column.codes], column.levels)

    def rows(self, start: int, stop: int) -> ReadChunk:
        """Return rows start to stop of this chunk (stop left out), sharing memory."""
        return ReadChunk(self.base.rows(start, stop), self.table)

    def _written(self, name: str) -> Tensor:
        """Return a column of text as the numbers (n,) that it is.

        Raises:
            DataError: one is none.
        """
        column, reading = self.base.codes(name), self.table.reading.of(name)
        if self.table.schema.kind(name) == "category":
            raise DataError(f"Column {name!r} holds text and was requested as a number; use it as a category.")
        used = np.bincount(column.codes[column.codes >= 0], minlength=len(column.levels)) > 0
        levels = [level if met else "" for level, met in zip(column.levels, used, strict=True)]
        try:
            values = numbers_of(levels, reading, self.table.decimal)
        except ValueError as error:
            wrong = column.levels[error.args[0]]
            row = self.start + int((column.codes == error.args[0]).argmax()) + 1
            raise DataError(
                f"column {name!r} is read as numbers but holds the text {wrong!r} in row {row}; correct it, name it in "
                f"na_values if it means missing, or give categories=[{name!r}]."
            ) from None
        return share(np.append(values, np.nan)[column.codes])


def _shortest(level: str) -> str:
    """Return a number written with 17 digits as short as it can be.

    >>> _shortest("0.10000000000000001"), _shortest("3")
    ('0.1', '3')
    """
    value = float(level)
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
