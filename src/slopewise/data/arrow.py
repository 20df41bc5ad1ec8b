"""Columnar chunks of rows, and their conversion from Arrow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from slopewise.data.source import Chunk, Codes, by_column
from slopewise.errors import DataError
from slopewise.types import Kind, Schema

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class ColumnsChunk(Chunk):
    """Consecutive rows of a table, one array per column.

    Number and boolean columns are float64 (n,) with NaN where a value is missing; category columns are Codes.
    """

    start: int
    columns: Mapping[str, np.ndarray | Codes]

    def __len__(self) -> int:
        for column in self.columns.values():
            return len(column.codes if isinstance(column, Codes) else column)
        return 0

    def numbers(self, names: Sequence[str]) -> Tensor:
        """Return columns `names` as float64 (n, q), column-major; one column is not copied."""
        columns = [self._number(name) for name in names]
        if len(columns) == 1:
            return share(columns[0]).unsqueeze(1)
        if not columns:
            return by_column(len(self), 0)
        # In one call: a thread that reads beside Python code waits for Python's lock after each.
        filled = by_column(len(self), len(columns))
        torch.stack([share(column) for column in columns], out=filled.T)
        return filled

    def codes(self, name: str) -> Codes:
        """Return the category column `name`.

        Raises:
            DataError: the column holds numbers.
        """
        column = self.columns[name]
        if not isinstance(column, Codes):
            raise DataError(f"Column {name!r} holds numbers and was requested as a category; use it as a number.")
        return column

    def rows(self, start: int, stop: int) -> ColumnsChunk:
        """Return rows start to stop of this chunk (stop left out), sharing memory."""
        start, stop, _ = slice(start, stop).indices(len(self))
        return ColumnsChunk(
            self.start + start, {name: _cut(column, start, stop) for name, column in self.columns.items()}
        )

    def _number(self, name: str) -> np.ndarray:
        column = self.columns[name]
        if isinstance(column, Codes):
            raise DataError(f"Column {name!r} holds text and was requested as a number; use it as a category.")
        return column


def _cut(column: np.ndarray | Codes, start: int, stop: int) -> np.ndarray | Codes:
    if isinstance(column, Codes):
        return Codes(column.codes[start:stop], column.levels)
    return column[start:stop]


def kind_of_arrow(arrow_type: pa.DataType) -> Kind | None:
    """Return the kind of a column of this Arrow type; None where it is neither number nor category."""
    import pyarrow.types as is_

    if is_.is_boolean(arrow_type):
        return "boolean"
    if is_.is_integer(arrow_type) or is_.is_floating(arrow_type) or is_.is_decimal(arrow_type):
        return "number"
    # A column without a single value has no type: all its values are missing.
    if is_.is_null(arrow_type):
        return "number"
    if is_.is_dictionary(arrow_type):
        return "category" if kind_of_arrow(arrow_type.value_type) else None
    if is_.is_string(arrow_type) or is_.is_large_string(arrow_type) or is_.is_string_view(arrow_type):
        return "category"
    return None


def schema_from_arrow(arrow_schema: pa.Schema) -> Schema:
    """Return the schema of an Arrow table.

    A column that cannot be used (a date, a list) is listed as a category, so that messages can name
    it; `check_usable` refuses it when it is requested.
    """
    import pyarrow.types as is_

    kinds = tuple(kind_of_arrow(arrow_type) or "category" for arrow_type in arrow_schema.types)
    declared = tuple(field.name for field in arrow_schema if is_.is_dictionary(field.type))
    return Schema(tuple(arrow_schema.names), kinds, declared)


def check_usable(arrow_schema: pa.Schema, columns: Iterable[str]) -> None:
    """Raise DataError for the first of `columns` whose type is neither number, boolean nor text."""
    for name in columns:
        arrow_type = arrow_schema.field(name).type
        if kind_of_arrow(arrow_type) is None:
            raise unusable(name, str(arrow_type), _is_temporal(arrow_type))


def unusable(name: str, type_name: str, temporal: bool) -> DataError:
    """Return the error for a column of dates or times, or of lists, structs or bytes.

    Args:
        name: of the column.
        type_name: its type, as the file has it.
        temporal: whether it holds dates or times.
    """
    if temporal:
        return DataError(
            f"Column {name!r} holds dates or times ({type_name}), which are not numbers; "
            f"leave it out with exclude=[{name!r}], or turn it into a number first, for example days since a start "
            "date."
        )
    return DataError(
        f"Column {name!r} holds values of type {type_name}, which are neither numbers nor text; "
        "leave it out, or take the number you need out of it first."
    )


def chunk_from_arrow(batch: pa.RecordBatch | pa.Table, schema: Schema, start: int) -> ColumnsChunk:
    """Return the rows of an Arrow batch, each column converted to its kind in `schema`.

    Args:
        batch: some consecutive rows of a table.
        schema: of that table; it has at least the columns of the batch.
        start: number of the batch's first row in the table, from 0.
    """
    columns = {
        name: column_from_arrow(column, schema.kind(name))
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    return ColumnsChunk(start, columns)


def column_from_arrow(array: pa.Array | pa.ChunkedArray, kind: Kind) -> np.ndarray | Codes:
    """Return an Arrow column as float64 (n,) with NaN for nulls, or as Codes for kind "category".

    float64 without nulls in one piece is not copied.
    """
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks == 1 else array.unify_dictionaries().combine_chunks()
    if kind == "category":
        return _codes_from_arrow(array)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    # safe=False on purpose: whole numbers beyond 2**53 round to the nearest float64, as everywhere in NumPy.
    floats = array if array.type == pa.float64() else array.cast(pa.float64(), safe=False)
    return _values(floats.fill_null(float("nan")) if floats.null_count else floats, np.float64)


def _codes_from_arrow(array: pa.Array) -> Codes:
    import pyarrow as pa

    if pa.types.is_dictionary(array.type):
        levels = array.dictionary
        if levels.null_count or len(levels.unique()) < len(levels):
            array = array.dictionary_decode()
    if not pa.types.is_dictionary(array.type):
        array = array.cast(pa.large_string()).dictionary_encode()
    indices = array.indices.cast(pa.int64())
    codes = _values(indices.fill_null(-1) if indices.null_count else indices, np.int64)
    return Codes(codes, tuple(str(level) for level in array.dictionary.to_pylist()))


def _values(array: pa.Array, dtype: type[np.generic]) -> np.ndarray:
    """Return the values (n,) of an Arrow array without nulls, on its own memory.

    Array.to_numpy would do the same, but imports pandas where it is installed, which takes half a second.
    """
    if not len(array):
        return np.empty(0, dtype)
    width = np.dtype(dtype).itemsize
    return np.frombuffer(array.buffers()[1], dtype, count=len(array), offset=array.offset * width)


def _is_temporal(arrow_type: pa.DataType) -> bool:
    import pyarrow.types as is_

    return bool(is_.is_temporal(arrow_type))


@dataclass(frozen=True, slots=True)
class _WritableView:
    """A read-only array presented as writable, because torch has no read-only tensors and warns about them."""

    owner: np.ndarray

    @property
    def __array_interface__(self) -> dict[str, Any]:
        interface = dict(self.owner.__array_interface__)
        return interface | {"data": (interface["data"][0], False)}


def share(column: np.ndarray) -> Tensor:
    """Return a tensor that shares the array's memory, read-only or not; copied only for strides that torch lacks.

    >>> share(np.array([1.0, 2.0]))
    tensor([1., 2.], dtype=torch.float64)
    """
    if column.size == 0 or min(column.strides) < 0:
        column = column.copy()
    return torch.from_numpy(column if column.flags.writeable else np.asarray(_WritableView(column)))
