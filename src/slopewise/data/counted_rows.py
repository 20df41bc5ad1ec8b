"""Which rows count: those of the training part, of a weight above zero, and without a missing value that drops them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from slopewise.data.source import Chunk, Table
from slopewise.data.split import Split
from slopewise.errors import DataError


@dataclass(frozen=True, slots=True)
class CountedRows:
    """The rule by which rows count when levels, classes and means are learned.

    needed: columns in which a missing value drops the row, with `categories` among them; weights: of the rows, or None.
    """

    split: Split
    weights: str | None
    needed: tuple[str, ...] = ()
    categories: frozenset[str] = frozenset()

    def columns(self, wanted: Sequence[str]) -> list[str]:
        """Return the columns to read for learning about those wanted."""
        return list(dict.fromkeys([*wanted, *self.needed, *([self.weights] if self.weights else [])]))

    def mask(self, chunk: Chunk) -> np.ndarray:
        """Return a mask (n,) of the rows of a chunk that count."""
        train = self.split.mask("train", chunk.start, len(chunk))
        keep = np.ones(len(chunk), bool) if train is None else train
        if self.weights:
            keep = keep & (chunk.numbers((self.weights,))[:, 0].numpy() != 0)
        for name in self.needed:
            if name in self.categories:
                keep = keep & (chunk.codes(name).codes >= 0)
            else:
                keep = keep & ~np.isnan(chunk.numbers((name,))[:, 0].numpy())
        return keep


def counted_rows(
    table: Table, split: Split, *, weights: str | None, features: Sequence[str], others: Sequence[str], missing: str
) -> CountedRows:
    """Return the rule for a table.

    Args:
        table: of the user.
        split: which rows are for training.
        weights: the column of weights, or None.
        features: columns in which a missing value drops the row under missing='drop'.
        others: columns in which it does under missing='mean' too: target, weights, offset, exposure.
        missing: error, drop or mean.
    """
    needed = {"error": (), "drop": (*features, *others), "mean": tuple(others)}[missing]
    categories = frozenset(name for name in needed if table.schema.kind(name) == "category")
    return CountedRows(split, weights, tuple(dict.fromkeys(needed)), categories)


def no_row_counts(weights: str) -> DataError:
    """Return the error for a table in which no row counts.

    Args:
        weights: its column of weights.
    """
    return DataError(
        f"no training row counts: each has weight 0 in {weights!r}, or a missing value that drops it; give some rows "
        "a positive weight."
    )


def weights_of(name: str, chunk: Chunk, keep: np.ndarray | None) -> tuple[Tensor, np.ndarray | None, int]:
    """Return w (n,), the mask of the rows of them that count, and how many do not for their weight of zero.

    Args:
        name: the column of weights.
        chunk: n rows.
        keep: mask (n,) of the rows wanted, None for all.

    Raises:
        DataError: a weight is negative.
    """
    w = chunk.numbers((name,))[:, 0]
    if bool((w < 0).any()):
        row = int((w < 0).nonzero()[0])
        raise DataError(
            f"weights column {name!r} is {float(w[row])} in row {chunk.start + row + 1}; weights must be zero or "
            "positive."
        )
    zero = (w == 0).numpy()
    if not zero.any():
        return w, keep, 0
    return w, ~zero if keep is None else keep & ~zero, int(zero.sum() if keep is None else (zero & keep).sum())
