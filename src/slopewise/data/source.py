"""Stage 1, the contract of tables and sources of rows.

A *table* is the user's data: named columns of numbers, booleans and categories, read in chunks.
A *source* gives the engine batches of x, y and w, made from a table by a design.

Order of calls: `table.schema` once, `table.chunks(columns, size)` once per pass; a table can be read
any number of times and gives the same rows in the same order each time. `partitions(k)` splits it into at
most k contiguous parts that can be read in parallel: slices of a table in memory, row groups of Parquet files, the
files of a pattern; a table that can only be read from its start returns itself as its only part. Rows are never
handled one by one in Python.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slopewise.types import Batch, Schema

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from slopewise.errors import DataError


@dataclass(frozen=True, slots=True)
class Codes:
    """A category column: codes (n,) int64 into `levels`, -1 where the value is missing."""

    codes: np.ndarray
    levels: tuple[str, ...]


class Chunk(ABC):
    """Some consecutive rows of a table. `start` is the number of its first row, from 0."""

    start: int

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of rows."""

    @abstractmethod
    def numbers(self, names: Sequence[str]) -> Tensor:
        """Return the number and boolean columns `names` as float64 (n, len(names)), NaN where missing.

        Shares memory with the table where the layout allows; callers must not write to it.
        """

    @abstractmethod
    def codes(self, name: str) -> Codes:
        """Return the category column `name`."""

    @abstractmethod
    def rows(self, start: int, stop: int) -> Chunk:
        """Return rows start to stop of this chunk (stop left out), sharing memory."""


@dataclass(frozen=True, slots=True)
class PlainCsv:
    """One CSV file with a header, without comments or unusual quoting."""

    path: str
    delimiter: str
    decimal: str


class Table(ABC):
    """Named columns that can be read again and again.

    `label` names the table in messages. `n_rows` is None where it is not known before a full read.
    `in_memory`: reading again needs no input. `plain` is set where the table is one plain CSV file. `matrix_columns` is
    how many columns a matrix has, None where columns have names of their own. `decimal`: the
    decimal separator of its text. `missing_words`: texts that its reader takes for missing.
    """

    label: str
    schema: Schema
    n_rows: int | None
    in_memory: bool
    plain: PlainCsv | None = None
    matrix_columns: int | None = None
    decimal: str = "."
    missing_words: tuple[str, ...] = ()

    @abstractmethod
    def chunks(self, columns: Sequence[str], size: int) -> Iterator[Chunk]:
        """Yield the rows in order, in chunks of about `size` rows (the reader's own size if it has one)."""

    def head(self, columns: Sequence[str], rows: int) -> Chunk | None:
        """Return at most the first `rows` rows, None of an empty table."""
        for chunk in self.chunks(columns, rows):
            return chunk.rows(0, rows)
        return None

    def as_written(self, columns: Sequence[str]) -> Table:
        """Return the table with `columns` as the text that the file holds, where their types were guessed from text.

        A table whose columns have types of their own is returned as it is.
        """
        return self

    def partitions(self, k: int) -> list[Table]:
        """Return at most k contiguous parts, together the whole table, in order; chunks keep their `start`."""
        return [self]


class Source(ABC):
    """Batches of x, y and w for the engine.

    `x_names` names the q columns of x. `n_rows` bounds the rows from above, None if unknown.
    """

    x_names: tuple[str, ...]
    n_rows: int | None
    in_memory: bool

    @abstractmethod
    def batches(self, size: int) -> Iterator[Batch]:
        """Yield all rows in order, in batches of at most `size` rows.

        A batch is not overwritten when the next one is read, so that its rows may be kept.
        """

    @abstractmethod
    def partitions(self, k: int) -> list[Source]:
        """Return at most k contiguous parts, together all rows, in order."""

    @abstractmethod
    def first_invalid_value(self) -> DataError | None:
        """Return the error that names the first missing or infinite value, None where there is none.

        Called only after a sum was not finite, so that valid data is never searched.
        """


def by_column(n: int, q: int) -> Tensor:
    """Return an uninitialised column-major tensor (n, q).

    Allocated by numpy, which uses large pages: to fill 168 MB for the first time takes 13 ms so, and 72 ms in memory
    allocated by torch.
    """
    import numpy as np
    import torch

    return torch.from_numpy(np.empty((q, n))).T
