"""A classification target: whether it is one, its classes, and errors where they cannot be learned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from slopewise.data.counted_rows import CountedRows, no_row_counts
from slopewise.data.source import Chunk, Codes, Table
from slopewise.errors import DataError, quoted
from slopewise.types import Kind

CHUNK_ROWS = 65536

HEAD_ROWS = 1024
"""Rows read first: a numeric target mostly has a value there that is neither 0 nor 1."""

MOST_CLASSES = 100

SMALL_TABLE = 20
"""Most rows of a table in which a class may have a single row, such as the four rows of AND."""


def is_classes(table: Table, target: str) -> bool:
    """Return whether the target is text, booleans, or numbers that are all 0 or 1, both of them.

    The first rows are read before the others: in most tables they decide.
    """
    if table.schema.kind(target) != "number":
        return True
    first = table.head((target,), HEAD_ROWS)
    if first is None or not _zeros_and_ones(first, target):
        return False
    seen: set[float] = set()
    for chunk in table.chunks((target,), CHUNK_ROWS):
        if not _zeros_and_ones(chunk, target):
            return False
        seen.update(np.unique(chunk.numbers((target,)).numpy()).tolist())
    return {0.0, 1.0} <= seen


def _zeros_and_ones(chunk: Chunk, target: str) -> bool:
    values = chunk.numbers((target,))[:, 0].numpy()
    return bool(((values == 0) | (values == 1) | np.isnan(values)).all())


def learn_classes(table: Table, target: str, rows: CountedRows) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the classes of the training rows, sorted: text alphabetically, numbers by value; and those of no such row.

    Args:
        table: all rows.
        target: its column of classes.
        rows: which of them count.

    Raises:
        DataError: one class only, a class with one row, more classes than could be learned, or an identifier.
    """
    tally: Counter[str] = Counter()
    kind = table.schema.kind(target)
    absent: set[str] = set()
    for chunk in table.chunks(rows.columns((target,)), CHUNK_ROWS):
        keep = rows.mask(chunk)
        column = codes_of(chunk, target, kind)
        counts = np.bincount(column.codes[keep & (column.codes >= 0)], minlength=len(column.levels)).tolist()
        tally.update({level: count for level, count in zip(column.levels, counts, strict=True) if count})
        if not keep.all():
            absent.update(column.levels[code] for code in np.unique(column.codes[~keep & (column.codes >= 0)]).tolist())
    if not tally and rows.weights:
        raise no_row_counts(rows.weights)
    check_classes(target, tally)
    key = float if kind == "number" else str
    return tuple(sorted(tally, key=key)), tuple(sorted(absent - set(tally), key=key))


def check_classes(target: str, rows: Mapping[str, int]) -> None:
    """Raise DataError unless classes with these numbers of training rows can be learned.

    Args:
        target: its name.
        rows: training rows of each class.
    """
    total = sum(rows.values())
    if len(rows) < 2:
        classes = f"only the class {next(iter(rows))!r}" if rows else "no class at all"
        raise DataError(f"target {target!r} holds {classes} in the training rows; give rows of at least two classes.")
    if total > SMALL_TABLE and len(rows) == total:
        raise DataError(
            f"target {target!r} has a different value in each of its {total} rows, as an identifier has; name "
            "another target, or give task='regression' if it is a number."
        )
    if len(rows) > MOST_CLASSES:
        raise DataError(
            f"target {target!r} has {len(rows)} classes, more than the limit of {MOST_CLASSES}; merge classes, "
            "or give task='regression' if it is a number."
        )
    alone = [level for level, count in rows.items() if count == 1]
    if total > SMALL_TABLE and len(alone) > 1 and 2 * len(alone) > len(rows):
        plural = len(alone) > 1
        raise DataError(
            f"class{'es' * plural} {quoted(alone)} {'have' if plural else 'has'} one row each in target {target!r}, "
            "too few to learn from; leave such rows out, or merge the class with another."
        )


def class_numbers(column: Codes, levels: tuple[str, ...]) -> tuple[Tensor, np.ndarray]:
    """Return the class of each row (n,) as float64, NaN where missing; and a mask (n,) of those of no known class.

    Args:
        column: the target's values.
        levels: the classes of the training rows.
    """
    codes = recode(column, levels)
    return torch.from_numpy(np.where(codes < 0, np.nan, codes.astype(np.float64))), codes == len(levels)


def recode(column: Codes, levels: Sequence[str]) -> np.ndarray:
    """Return codes (n,) into `levels`; -1 stays missing, len(levels) is a level not among them.

    >>> recode(Codes(np.array([0, 1, -1]), ("red", "blue")), ["blue", "red"]).tolist()
    [1, 0, -1]
    """
    place = {level: i for i, level in enumerate(levels)}
    table = np.array([place.get(level, len(levels)) for level in column.levels] + [-1], dtype=np.int64)
    return np.asarray(table[column.codes])


def codes_of(chunk: Chunk, target: str, kind: Kind) -> Codes:
    """Return the target of a chunk as codes into its own levels, for any kind of column.

    Args:
        chunk: n rows.
        target: name of the column.
        kind: of the column; the levels of numbers and booleans are their values as text.
    """
    if kind == "category":
        return chunk.codes(target)
    values = chunk.numbers((target,))[:, 0].numpy() + 0.0  # -0.0 is the class 0
    missing = np.isnan(values)
    levels, codes = np.unique(values[~missing], return_inverse=True)
    whole = np.full(len(values), -1, dtype=np.int64)
    whole[~missing] = codes
    named = (str(bool(level)) if kind == "boolean" else f"{level:.17g}" for level in levels.tolist())
    return Codes(whole, tuple(named))
