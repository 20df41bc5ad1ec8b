"""A classification target: whether it is one, its classes, and errors where they cannot be learned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from slopewise.data.source import Chunk, Codes, Table
from slopewise.data.split import Split
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


def learn_classes(table: Table, target: str, split: Split) -> tuple[str, ...]:
    """Return the classes of the training rows, sorted: text alphabetically, numbers by value.

    Args:
        table: all rows.
        target: its column of classes.
        split: which of the rows are for training.

    Raises:
        DataError: one class only, a class with one row, more classes than could be learned, or an identifier.
    """
    tally: Counter[str] = Counter()
    kind = table.schema.kind(target)
    for chunk in table.chunks((target,), CHUNK_ROWS):
        mask = split.mask("train", chunk.start, len(chunk))
        keep = np.ones(len(chunk), bool) if mask is None else mask
        column = codes_of(chunk, target, kind)
        counts = np.bincount(column.codes[keep & (column.codes >= 0)], minlength=len(column.levels)).tolist()
        tally.update({level: count for level, count in zip(column.levels, counts, strict=True) if count})
    check_classes(target, tally)
    return tuple(sorted(tally) if kind != "number" else sorted(tally, key=float))


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
    if total > SMALL_TABLE and alone:
        plural = len(alone) > 1
        raise DataError(
            f"class{'es' * plural} {quoted(alone)} {'have' if plural else 'has'} one row each in target {target!r}, "
            "too few to learn from; leave such rows out, or merge the class with another."
        )


def class_numbers(
    column: Codes, levels: tuple[str, ...], *, target: str, start: int, keep: np.ndarray | None
) -> Tensor:
    """Return the class of each row (n,) as float64, NaN where missing.

    Args:
        column: the target's values.
        levels: the classes of the training rows.
        target: its name.
        start: number of the first row, from 0.
        keep: mask (n,) of the rows wanted; others may be of any class.

    Raises:
        DataError: a class that the training rows do not have.
    """
    codes = recode(column, levels)
    unknown = (codes == len(levels)) & (keep if keep is not None else True)
    if unknown.any():
        row = int(unknown.argmax())
        raise DataError(
            f"target {target!r} is {column.levels[column.codes[row]]!r} in row {start + row + 1}, a class never seen "
            f"in training (seen: {quoted(levels)}); drop such rows or train with them."
        )
    return torch.from_numpy(np.where(codes < 0, np.nan, codes.astype(np.float64)))


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
    values = chunk.numbers((target,))[:, 0].numpy()
    missing = np.isnan(values)
    levels, codes = np.unique(values[~missing], return_inverse=True)
    whole = np.full(len(values), -1, dtype=np.int64)
    whole[~missing] = codes
    named = (str(bool(level)) if kind == "boolean" else f"{level:.17g}" for level in levels.tolist())
    return Codes(whole, tuple(named))
