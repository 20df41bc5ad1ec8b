"""The column of clusters as a number for each row: equal where its values are."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

from slopewise.data.source import Chunk
from slopewise.data.target_classes import codes_of
from slopewise.errors import DataError
from slopewise.types import Kind


def cluster_numbers(chunk: Chunk, column: str, kind: Kind, keep: np.ndarray | None) -> Tensor:
    """Return the cluster of each row (n,) int64, a 63-bit hash of its value: chunks need not know of each other.

    Args:
        chunk: n rows.
        column: of clusters.
        kind: of that column.
        keep: mask (n,) of the rows that count, None for all.

    Raises:
        DataError: the cluster of a row that counts is missing.
    """
    found = codes_of(chunk, column, kind)
    missing = found.codes < 0
    if keep is not None:
        missing = missing & keep
    if missing.any():
        raise DataError(
            f"cluster column {column!r} is missing in row {chunk.start + int(missing.argmax()) + 1}; every row "
            "belongs to a cluster: fill it in, or leave such rows out."
        )
    numbers = np.fromiter((_number(level) for level in found.levels), np.int64, len(found.levels))
    return torch.from_numpy(numbers[found.codes] if len(numbers) else np.zeros(len(chunk), np.int64))


def _number(level: str) -> int:
    return int.from_bytes(hashlib.blake2b(level.encode(), digest_size=8).digest(), "big") >> 1
