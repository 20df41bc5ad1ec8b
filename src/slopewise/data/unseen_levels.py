"""Rows of a level or class that the training rows do not have: refused, or left out where they are held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slopewise.data.source import Chunk, Codes
from slopewise.errors import DataError, quoted


@dataclass(frozen=True, slots=True)
class Unseen:
    """The rows (n,) of a column whose level, or class, is not among the known ones."""

    column: str
    kind: str
    found: Codes
    known: tuple[str, ...]
    rows: np.ndarray


def without_unseen(
    unseen: Sequence[Unseen], chunk: Chunk, keep: np.ndarray | None, held_out: bool, complete: np.ndarray | None
) -> np.ndarray:
    """Return the mask (n,) of the rows that count and have known levels; others stop the reading.

    They do not where they are held out, or where the row is dropped anyway, for it is not `complete`.

    Args:
        unseen: of each column that has such rows.
        chunk: n rows.
        keep: mask (n,) of the rows wanted, None for all.
        held_out: whether the rows are for measuring only.
        complete: mask (n,) of the rows that no missing value drops, None where none does.

    Raises:
        DataError: a row wanted is of an unknown level.
    """
    keep = np.ones(len(chunk), bool) if keep is None else keep
    for each in unseen:
        wrong = each.rows & keep
        if complete is not None:
            wrong &= complete
        if not held_out and wrong.any():
            row = int(wrong.argmax())
            value = each.found.levels[each.found.codes[row]]
            raise DataError(
                f"{each.column} is {value!r} in row {chunk.start + row + 1}, a {each.kind} never seen in training "
                f"(seen: {quoted(each.known)}); drop such rows or train with them."
            )
        keep = keep & ~wrong
    return keep
