"""A target that is one of several classes: found, learned, and refused where no class could be learned from it."""

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
"""Rows that are looked at first: in most tables they hold a number that is neither 0 nor 1."""

MOST_CLASSES = 100

LESSON_ROWS = 20
"""Up to so many rows a table is a lesson, such as the four rows of AND, and a class may have a single one."""


def is_classes(table: Table, target: str) -> bool:
    """Return whether the target is text, booleans, or numbers that are all 0 or 1, both of them.

    The first rows are looked at before the others are read: in most tables they decide.
    """
    if table.schema.kind(target) != "number":
        # Numbers with a stray word among them are a mistake to be named, not classes.
        return table.schema.kind(target) == "boolean" or table.text_among_numbers(target) is None
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
    """Return the classes among the training rows, sorted: text by its letters, numbers by size.

    Raises:
        DataError: one class only, a class with one row, more classes than could be learned, or an identifier.
    """
    tally: Counter[str] = Counter()
    kind = table.schema.kind(target)
    for chunk in table.chunks((target,), CHUNK_ROWS):
        mask = split.mask("train", chunk.start, len(chunk))
        keep = np.ones(len(chunk), bool) if mask is None else mask
        found = codes_of(chunk, target, kind)
        counts = np.bincount(found.codes[keep & (found.codes >= 0)], minlength=len(found.levels)).tolist()
        tally.update({level: count for level, count in zip(found.levels, counts, strict=True) if count})
    check_classes(target, tally)
    return tuple(sorted(tally) if kind != "number" else sorted(tally, key=float))


def check_classes(target: str, rows: Mapping[str, int]) -> None:
    """Raise DataError unless these classes, with so many training rows each, can be learned."""
    total = sum(rows.values())
    if len(rows) < 2:
        buffered = f"only the class {next(iter(rows))!r}" if rows else "no class at all"
        raise DataError(f"target {target!r} holds {buffered} in the training rows; give rows of at least two classes.")
    if total > LESSON_ROWS and len(rows) == total:
        raise DataError(
            f"target {target!r} has a different value in each of its {total} rows, such as an identifier has; name "
            "another target, or say task='regression' if it is a number."
        )
    if len(rows) > MOST_CLASSES:
        raise DataError(
            f"target {target!r} has {len(rows)} classes, more than the {MOST_CLASSES} that are learned; join classes, "
            "or say task='regression' if it is a number."
        )
    alone = [level for level, count in rows.items() if count == 1]
    if total > LESSON_ROWS and alone:
        plural = len(alone) > 1
        raise DataError(
            f"class{'es' * plural} {quoted(alone)} {'have' if plural else 'has'} one row each in target {target!r}, "
            "too few to learn from; leave such rows out, or join the class to another."
        )


def class_numbers(found: Codes, levels: tuple[str, ...], *, target: str, start: int, keep: np.ndarray | None) -> Tensor:
    """Return the class of each row (n,) as float64, NaN where missing.

    Args:
        found: the target's values.
        levels: the classes of the training rows.
        target: its name.
        start: number of the first row, from 0.
        keep: mask (n,) of the rows wanted; others may be of any class.

    Raises:
        DataError: a class never seen in training.
    """
    codes = recode(found, levels)
    unknown = (codes == len(levels)) & (keep if keep is not None else True)
    if unknown.any():
        row = int(unknown.argmax())
        raise DataError(
            f"target {target!r} is {found.levels[found.codes[row]]!r} in row {start + row + 1}, a class never seen in "
            f"training (seen: {quoted(levels)}); drop such rows or train with them."
        )
    return torch.from_numpy(np.where(codes < 0, np.nan, codes.astype(np.float64)))


def recode(found: Codes, levels: Sequence[str]) -> np.ndarray:
    """Return codes (n,) into `levels`; -1 stays missing, len(levels) is a level not among them."""
    place = {level: i for i, level in enumerate(levels)}
    table = np.array([place.get(level, len(levels)) for level in found.levels] + [-1], dtype=np.int64)
    return np.asarray(table[found.codes])


def codes_of(chunk: Chunk, target: str, kind: Kind) -> Codes:
    """Return the target of a chunk as codes into its own levels, whatever kind of column it is."""
    if kind == "category":
        return chunk.codes(target)
    values = chunk.numbers((target,))[:, 0].numpy()
    missing = np.isnan(values)
    levels, codes = np.unique(values[~missing], return_inverse=True)
    whole = np.full(len(values), -1, dtype=np.int64)
    whole[~missing] = codes
    named = (str(bool(level)) if kind == "boolean" else f"{level:.17g}" for level in levels.tolist())
    return Codes(whole, tuple(named))
