"""Stage 1, the contract: where rows come from.

A *table* is what the user has: named columns of numbers, booleans and categories, read in chunks.
A *source* is what the engine sums over: batches of x, y and w, made from a table by a design.

Order of calls: `table.schema` once, `table.chunks(columns, size)` once per pass; a table can be read
any number of times and gives the same rows in the same order each time. `partitions(k)` splits it into at
most k contiguous parts that can be read side by side: slices of what lies in memory, row groups of Parquet files, the
files of a pattern; what can only be read from its start returns itself as its only part. No row passes through
Python on its own.
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

        Shares memory with the table where the layout allows; callers do not write into it.
        """

    @abstractmethod
    def codes(self, name: str) -> Codes:
        """Return the category column `name`."""

    @abstractmethod
    def rows(self, start: int, stop: int) -> Chunk:
        """Return rows start to stop of this chunk (stop left out), sharing memory."""


@dataclass(frozen=True, slots=True)
class PlainCsv:
    """One CSV file with a header that any CSV reader understands."""

    path: str
    delimiter: str
    decimal: str


class Table(ABC):
    """Named columns that can be read again and again.

    `label` names the table in messages. `n_rows` is None where only a full read could tell.
    `in_memory` says that reading again costs no input. `plain` is set where the table is one plain CSV file.
    """

    label: str
    schema: Schema
    n_rows: int | None
    in_memory: bool
    plain: PlainCsv | None = None

    @abstractmethod
    def chunks(self, columns: Sequence[str], size: int) -> Iterator[Chunk]:
        """Yield the rows in order, in chunks of about `size` rows (the reader's own size if it has one)."""

    def head(self, columns: Sequence[str], rows: int) -> Chunk | None:
        """Return at most the first `rows` rows, None of an empty table; a table that can read few rows quickly does."""
        for chunk in self.chunks(columns, rows):
            return chunk.rows(0, rows)
        return None

    def text_among_numbers(self, column: str) -> tuple[int, str] | None:
        """Return (row, value), rows from 1, of the first word in a text column of mostly numbers, else None."""
        from slopewise.data.numeric_text import text_among_numbers

        return text_among_numbers(self, column)

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

        A batch stays as it is when the next one is read, so that its rows may be kept.
        """

    @abstractmethod
    def partitions(self, k: int) -> list[Source]:
        """Return at most k contiguous parts, together all rows, in order."""

    @abstractmethod
    def first_invalid_value(self) -> DataError | None:
        """Look for the first value that is missing or infinite and return the error that names it.

        Called only after a sum came out non-finite, so that clean data never pays for the search.
        """
