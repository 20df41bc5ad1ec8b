"""Tables in memory: frames, dicts of columns, matrices, and (X, y) pairs, without copying."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from slopewise.data.arrays import as_column, as_tensor
from slopewise.data.arrow import check_usable, chunk_from_arrow, schema_from_arrow
from slopewise.data.source import Chunk, Codes, Table
from slopewise.errors import DataError
from slopewise.types import Schema

if TYPE_CHECKING:
    import pyarrow as pa

PARTITION_ROWS = 65536
"""Fewest rows of a part of a table: for fewer, a thread would cost more than it saves."""


@dataclass(frozen=True, slots=True)
class MatrixChunk(Chunk):
    """Rows of a matrix (n, q) with its column names, and other columns (n,) beside it, such as y."""

    start: int
    names: tuple[str, ...]
    matrix: Tensor
    beside: Mapping[str, Tensor]

    def __len__(self) -> int:
        return self.matrix.shape[0]

    def numbers(self, names: Sequence[str]) -> Tensor:
        """Return the columns `names` (n, len(names)); all of them, in order, are the matrix itself."""
        if tuple(names) == self.names:
            return self.matrix.to(torch.float64)
        if len(names) == 1:
            return self._column(names[0]).to(torch.float64).unsqueeze(1)
        if not self.beside.keys() & set(names):
            return self.matrix[:, [self.names.index(name) for name in names]].to(torch.float64)
        return torch.stack([self._column(name).to(torch.float64) for name in names], dim=1)

    def codes(self, name: str) -> Codes:
        """Raise DataError: a matrix holds numbers only."""
        raise DataError(f"Column {name!r} of a matrix holds numbers and was requested as a category.")

    def rows(self, start: int, stop: int) -> MatrixChunk:
        """Return rows start to stop (stop left out), sharing memory."""
        beside = {name: column[start:stop] for name, column in self.beside.items()}
        return MatrixChunk(self.start + start, self.names, self.matrix[start:stop], beside)

    def _column(self, name: str) -> Tensor:
        return self.beside[name] if name in self.beside else self.matrix[:, self.names.index(name)]


@dataclass(frozen=True)
class MemoryTable(Table):
    """One chunk that holds every row."""

    whole: Chunk
    schema: Schema
    label: str = "the table"
    in_memory: bool = field(default=True, init=False)

    @property
    def n_rows(self) -> int:  # type: ignore[override]
        """The number of rows."""
        return len(self.whole)

    @property
    def matrix_columns(self) -> int | None:  # type: ignore[override]
        """The number of columns of the matrix."""
        return self.whole.matrix.shape[1] if isinstance(self.whole, MatrixChunk) else None

    def chunks(self, columns: Sequence[str], size: int) -> Iterator[Chunk]:
        """Yield the whole table at once: slicing it costs nothing."""
        if len(self.whole):
            yield self.whole

    def partitions(self, k: int) -> list[Table]:
        """Return up to k parts of equal length, none shorter than PARTITION_ROWS but the last."""
        n = len(self.whole)
        step = _part_rows(n, k)
        return [
            MemoryTable(self.whole.rows(start, min(start + step, n)), self.schema, self.label)
            for start in range(0, max(n, 1), step)
        ]


@dataclass(frozen=True)
class ArrowTable(Table):
    """An Arrow table, of which only the requested columns are converted.

    `unusable` holds the sentence to raise when a column is requested that could not become Arrow.
    """

    arrow: pa.Table
    label: str = "the table"
    start: int = 0
    unusable: Mapping[str, str] = field(default_factory=dict)
    in_memory: bool = field(default=True, init=False)

    @property
    def schema(self) -> Schema:  # type: ignore[override]
        """Column names and kinds."""
        return schema_from_arrow(self.arrow.schema)

    @property
    def n_rows(self) -> int:  # type: ignore[override]
        """The number of rows."""
        return int(self.arrow.num_rows)

    def chunks(self, columns: Sequence[str], size: int) -> Iterator[Chunk]:
        """Yield slices of PARTITION_ROWS, converted one at a time.

        Raises:
            DataError: one of the columns cannot be used.
        """
        for name in columns:
            if name in self.unusable:
                raise DataError(self.unusable[name])
        check_usable(self.arrow.schema, columns)
        chosen, schema = self.arrow.select(list(columns)), self.schema
        for start in range(0, chosen.num_rows, PARTITION_ROWS):
            yield chunk_from_arrow(chosen.slice(start, PARTITION_ROWS), schema, self.start + start)

    def partitions(self, k: int) -> list[Table]:
        """Return up to k parts of equal length, none shorter than PARTITION_ROWS but the last."""
        step = _part_rows(self.n_rows, k)
        return [
            ArrowTable(self.arrow.slice(start, step), self.label, self.start + start, self.unusable)
            for start in range(0, max(self.n_rows, 1), step)
        ]


def _part_rows(n: int, k: int) -> int:
    return max(-(-n // k), PARTITION_ROWS)


def matrix_table(
    x: object, y: object | None = None, weights: object | None = None, label: str = "the matrix"
) -> MemoryTable:
    """Return a table of a matrix (n, q), columns x1 … xq, with y and weights beside it.

    Args:
        x: (n, q), an array, tensor or frame of numbers.
        y: (n,), or None.
        weights: (n,), or None.
        label: of the table, for messages.

    Raises:
        DataError: a shape other than (n, q) for x or (n,) for y and weights, unequal lengths, not numbers.

    >>> import numpy as np
    >>> matrix_table(np.ones((3, 2)), np.zeros(3)).schema.names
    ('x1', 'x2', 'y')
    """
    matrix = as_tensor(x, "X")
    if matrix.ndim == 1:
        raise DataError(
            f"X has shape {tuple(matrix.shape)}, expected (n, q); reshape a single feature with X.reshape(-1, 1), a "
            "single row with X.reshape(1, -1)."
        )
    if matrix.ndim != 2:
        raise DataError(f"X has shape {tuple(matrix.shape)}, expected (n, q): rows by columns.")
    beside = {}
    for name, values in (("y", y), ("weights", weights)):
        if values is not None:
            beside[name] = _vector(values, name, len(matrix))
    names = tuple(f"x{j + 1}" for j in range(matrix.shape[1]))
    every = (*names, *beside)
    schema = Schema(every, tuple("number" for _ in every))
    return MemoryTable(MatrixChunk(0, names, matrix, beside), schema, label)


def dict_table(columns: Mapping[str, object], label: str = "the dict of columns") -> ArrowTable:
    """Return a table of a dict of columns: arrays, tensors or lists of one length.

    Args:
        columns: by name.
        label: of the table, for messages.

    Raises:
        DataError: columns of unequal length, or of more than one dimension; values that are no column.

    >>> dict_table({"hours": [1, 2], "sex": ["f", "m"]}).schema.kinds
    ('number', 'category')
    """
    import pyarrow as pa

    arrays = {name: as_column(values, name) for name, values in columns.items()}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"columns have unequal lengths {lengths}; give every column one value per row.")
    return ArrowTable(pa.table(arrays), label)


def _vector(values: object, name: str, rows: int) -> Tensor:
    vector = as_tensor(values, name)
    if vector.ndim == 2 and vector.shape[1] == 1:
        vector = vector[:, 0]
    if vector.ndim != 1:
        raise DataError(
            f"{name} has shape {tuple(vector.shape)}, expected ({vector.shape[0] if vector.ndim else 0},): one number "
            f"per row; pass {name}.reshape(-1) if it is a single column."
        )
    if len(vector) != rows:
        raise DataError(f"X has {rows} rows and {name} has {len(vector)}; give one value per row.")
    return vector
