"""The source that the engine sums over: a table with a design applied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from slopewise.data.design import Design, make_batch
from slopewise.data.source import Chunk, Source, Table
from slopewise.data.split import Split
from slopewise.errors import DataError
from slopewise.types import Batch


@dataclass(frozen=True)
class DesignSource(Source):
    """Batches of a table's rows, made by a design.

    part: `train`, `validation` or `test` rows of the split, or `all`. With with_target False only x is
    read, and rows with missing values are kept, as NaN, so that every row has a prediction.
    """

    table: Table
    design: Design
    split: Split = Split(0.0)
    part: str = "all"
    with_target: bool = True

    @property
    def x_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the q columns of x."""
        return self.design.x_names

    @property
    def n_rows(self) -> int | None:  # type: ignore[override]
        """Rows of the table, of which the part may hold fewer."""
        return self.table.n_rows

    @property
    def in_memory(self) -> bool:  # type: ignore[override]
        """Whether the table is in memory, so that reading it again needs no input."""
        return self.table.in_memory

    def chunks(self, size: int) -> Iterator[tuple[Chunk, Batch]]:
        """Yield the table's rows in order with the batch made of them, at most `size` rows at a time."""
        for large in self.table.chunks(self.design.used(self.with_target), size):
            for start in range(0, len(large), size):
                chunk = large.rows(start, min(start + size, len(large)))
                keep = self._wanted(chunk)
                yield (
                    chunk,
                    make_batch(
                        self.design,
                        chunk,
                        keep=keep,
                        with_target=self.with_target,
                        drop=self.with_target,
                        held_out=self.part in ("validation", "test"),
                    ),
                )

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield the part's rows in order, in batches of at most `size` rows."""
        return (batch for _, batch in self.chunks(size))

    def partitions(self, k: int) -> list[Source]:
        """Return at most k contiguous parts."""
        return [replace(self, table=part) for part in self.table.partitions(k)]

    def first_invalid_value(self) -> DataError | None:
        """Return the error that names the first missing or infinite value, if there is one."""
        infinite = _search(self, np.isinf)
        if infinite:
            name, row, count = infinite
            return DataError(
                f"column {name!r} holds {count} infinite value{'s' * (count > 1)}, the first in row {row}; "
                "correct or remove such rows."
            )
        missing = _search(self, np.isnan) if self.design.missing == "error" else None
        if missing is None:
            return None
        name, row, count = missing
        # A word such as NA may be a level, the code of a country; it is none among numbers.
        word = "NA" in self.table.missing_words and self.table.schema.kind(name) == "category"
        return DataError(
            f"column {name!r} holds {count} missing value{'s' * (count > 1)} (empty{', NA' * word} or NaN), the first "
            f"in row {row}; choose missing='drop' to leave such rows out, or 'mean' to fill them"
            f"{', or na_values=[] if NA is a value there' * word}."
        )

    def _wanted(self, chunk: Chunk) -> np.ndarray | None:
        return self.split.mask(self.part, chunk.start, len(chunk))


def _search(source: DesignSource, test: np.ufunc) -> tuple[str, int, int] | None:
    """Return (column, first row from 1, count) of the first column, in order, with a value that tests true."""
    names = source.design.used(source.with_target)
    first: dict[str, int] = {}
    count = dict.fromkeys(names, 0)
    for chunk in source.table.chunks(names, 65536):
        keep = source._wanted(chunk)
        if source.with_target and source.design.weights:
            counts = chunk.numbers((source.design.weights,))[:, 0].numpy() != 0
            keep = counts if keep is None else keep & counts
        for name in names:
            hit = _hits(chunk, name, source.table, test)
            hit = hit if keep is None else hit & keep
            if hit.any():
                first.setdefault(name, chunk.start + int(hit.argmax()) + 1)
                count[name] += int(hit.sum())
    return next(((name, first[name], count[name]) for name in names if name in first), None)


def _hits(chunk: Chunk, name: str, table: Table, test: np.ufunc) -> np.ndarray:
    if table.schema.kind(name) == "category":
        codes = chunk.codes(name).codes
        return codes < 0 if test is np.isnan else np.zeros(len(codes), bool)
    return np.asarray(test(chunk.numbers((name,))[:, 0].numpy()))
