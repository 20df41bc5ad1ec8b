"""Which rows are held out: decided by the row's number and the seed, never by how the rows are read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slopewise.errors import OptionError

BLOCK = 20
"""Rows that share one quota: small enough that a short table gets close to its share."""


@dataclass(frozen=True, slots=True)
class Split:
    """A held-out part of about `test_size` of the rows, the same for a seed whatever the batch size.

    Rows are taken in blocks of 20. In each block the rows are ranked by a hash of (seed, row number) and the
    lowest are held out, so that every whole block gives its share to within one row.
    """

    test_size: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.test_size < 1:
            raise OptionError(
                f"test_size is {self.test_size}; give the share of rows to hold out, from 0 up to but not 1."
            )

    def held_out(self, start: int, count: int) -> np.ndarray:
        """Return a mask (count,), True where row start + i is held out."""
        first, last = start // BLOCK, (start + count + BLOCK - 1) // BLOCK
        blocks = np.arange(first, last, dtype=np.int64)
        keys = _hash(np.arange(first * BLOCK, last * BLOCK, dtype=np.uint64), self.seed).reshape(-1, BLOCK)
        rank = keys.argsort(axis=1).argsort(axis=1)
        offset = float(_hash(np.zeros(1, dtype=np.uint64), self.seed + 1)[0]) / 2.0**64
        share = self.test_size * BLOCK
        quota = np.floor((blocks + 1) * share + offset) - np.floor(blocks * share + offset)
        mask: np.ndarray = (rank < quota[:, None]).ravel()
        return mask[start - first * BLOCK :][:count]


def _hash(numbers: np.ndarray, seed: int) -> np.ndarray:
    """Return 64 well-mixed bits per number (splitmix64, Steele, Lea and Flood 2014)."""
    golden = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        z = (numbers + np.uint64(seed % 2**64) * np.uint64(0xD1342543DE82EF95) + np.uint64(1)) * golden
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> np.uint64(31)))
