"""Train, validation and test split by a hash of row number and seed, independent of how the rows are read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slopewise.errors import OptionError

BLOCK = 20
"""Rows of a block, within which the shares are met to within one row; small, for the sake of short tables."""


PARTS = ("all", "train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Split:
    """Held-out parts of about `test_size` and `validation_size` of the rows, the same whatever the batch size.

    Rows are taken in blocks of 20. In each block the rows are ranked by a hash of (seed, row number); the lowest are
    the test rows and the next the validation rows, so that every whole block meets the shares to within one row.

    Raises:
        OptionError: a share outside [0, 1), or shares that leave no training row.

    >>> int(Split(test_size=0.25).mask("test", 0, 40).sum())
    10
    """

    test_size: float
    seed: int = 0
    validation_size: float = 0.0

    def __post_init__(self) -> None:
        for name, share in (("test_size", self.test_size), ("validation_size", self.validation_size)):
            if not 0 <= share < 1:
                raise OptionError(f"{name} is {share}; give the share of rows to hold out, at least 0 and below 1.")
        if not self.test_size + self.validation_size < 1:
            raise OptionError(
                f"test_size {self.test_size} and validation_size {self.validation_size} leave no row to train on."
            )

    def mask(self, part: str, start: int, count: int) -> np.ndarray | None:
        """Return a mask (count,), True where row start + i is of the part; None where every row is.

        Args:
            part: all, train, validation or test.
            start: number of the first row, from 0.
            count: number of rows.
        """
        if part == "all" or (part == "train" and not self.test_size and not self.validation_size):
            return None
        first, last = start // BLOCK, (start + count + BLOCK - 1) // BLOCK
        blocks = np.arange(first, last, dtype=np.int64)
        keys = _hash(np.arange(first * BLOCK, last * BLOCK, dtype=np.uint64), self.seed).reshape(-1, BLOCK)
        rank = keys.argsort(axis=1).argsort(axis=1)
        test = self._quota(blocks, self.test_size)
        held_out = test + self._quota(blocks, self.validation_size)
        low, high = {"test": (0 * test, test), "validation": (test, held_out), "train": (held_out, BLOCK)}[part]
        mask: np.ndarray = ((rank >= low) & (rank < high)).ravel()
        return mask[start - first * BLOCK :][:count]

    def _quota(self, blocks: np.ndarray, share: float) -> np.ndarray:
        """Return the rows of each block (b, 1) in a part: whole numbers whose running sum follows the share."""
        offset = float(_hash(np.zeros(1, dtype=np.uint64), self.seed + 1)[0]) / 2.0**64
        rows = share * BLOCK
        quota: np.ndarray = np.floor((blocks + 1) * rows + offset) - np.floor(blocks * rows + offset)
        return quota[:, None]


def _hash(numbers: np.ndarray, seed: int) -> np.ndarray:
    """Return a 64-bit hash per number (splitmix64, Steele, Lea and Flood 2014)."""
    golden = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        z = (numbers + np.uint64(seed % 2**64) * np.uint64(0xD1342543DE82EF95) + np.uint64(1)) * golden
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> np.uint64(31)))
