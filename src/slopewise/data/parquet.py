"""Parquet files, read by pyarrow, which is faster than DuckDB here."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from slopewise.data.arrow import ColumnsChunk, check_usable, chunk_from_arrow, schema_from_arrow
from slopewise.data.files import contiguous, same_columns
from slopewise.data.prefetch import batch_rows, prefetch
from slopewise.data.source import Chunk, Table
from slopewise.errors import DataError
from slopewise.types import Schema


def open_parquet(label: str, paths: Sequence[str]) -> ParquetTable:
    """Return one table of Parquet files, read one after the other; only their footers are read here.

    Args:
        label: of the table, for messages.
        paths: of the files.

    Raises:
        DataError: where a file is not Parquet, the files' columns differ, or there are no rows.
    """
    footers = [_footer(path) for path in paths]
    types, _ = footers[0]
    schema = schema_from_arrow(types)
    for path, (others, _) in zip(paths, footers, strict=True):
        _check_alike(path, schema_from_arrow(others), paths[0], schema)
    groups = tuple(
        RowGroup(path, number, rows)
        for path, (_, sizes) in zip(paths, footers, strict=True)
        for number, rows in enumerate(sizes)
    )
    n_rows = sum(group.rows for group in groups)
    if not n_rows:
        raise DataError(f"{label!r} holds no rows; there is nothing to learn from.")
    return ParquetTable(label, schema, n_rows, types, groups)


class RowGroup(NamedTuple):
    """A row group of a Parquet file: the least that can be read by itself."""

    path: str
    number: int
    rows: int


@dataclass(frozen=True, slots=True)
class ParquetTable(Table):
    """Row groups of Parquet files with the same columns, one after the other.

    types: the Arrow schema of the first. start: number of the first row in the whole table, from 0.
    """

    label: str
    schema: Schema
    n_rows: int
    types: pa.Schema
    groups: tuple[RowGroup, ...]
    start: int = 0
    in_memory: bool = False

    def chunks(self, columns: Sequence[str], size: int) -> Iterator[Chunk]:
        """Yield the rows of `columns` in file order, at most `size` at a time, read by another thread."""
        check_usable(self.types, columns)
        for chunk in prefetch(_read(self, list(columns))):
            for start in range(0, len(chunk), size):
                yield chunk.rows(start, start + size)

    def partitions(self, k: int) -> list[Table]:
        """Return at most k runs of whole row groups with about equally many rows."""
        parts: list[Table] = []
        start = self.start
        for part in contiguous([group.rows for group in self.groups], k):
            groups = self.groups[part]
            rows = sum(group.rows for group in groups)
            parts.append(replace(self, n_rows=rows, groups=groups, start=start))
            start += rows
        return parts


def _read(table: ParquetTable, columns: list[str]) -> Generator[ColumnsChunk, None, None]:
    start = table.start
    texts = [name for name in columns if table.schema.kind(name) == "category"]
    for path, groups in groupby(table.groups, key=lambda group: group.path):
        try:
            with pq.ParquetFile(path, read_dictionary=texts, pre_buffer=False) as file:
                numbers = [group.number for group in groups]
                for batch in file.iter_batches(batch_rows(len(columns)), row_groups=numbers, columns=columns):
                    # pyarrow takes 'a' for all of 'a.b' as well, so the batch may hold more columns.
                    yield chunk_from_arrow(batch.select(columns), table.schema, start)
                    start += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(path, error) from None


def _footer(path: str) -> tuple[pa.Schema, list[int]]:
    """Return the schema of a file, and how many rows each of its row groups has."""
    try:
        with pq.ParquetFile(path) as file:
            metadata = file.metadata
            return file.schema_arrow, [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)]
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from None


def _check_alike(path: str, schema: Schema, first: str, expected: Schema) -> None:
    same_columns(path, tuple(sorted(schema.names)), first, tuple(sorted(expected.names)))
    for name in expected.names:
        kind, wanted = schema.kind(name), expected.kind(name)
        if kind != wanted and "category" in (kind, wanted):
            raise DataError(
                f"Column {name!r} is a {kind} in {path!r} and a {wanted} in {first!r}; "
                "read together, all files need the same."
            )


def _unreadable(path: str, error: BaseException) -> DataError:
    reason = str(error).splitlines()[0].rstrip(".")
    return DataError(f"{path!r} is not a complete Parquet file: {reason}; write or copy it again.")
