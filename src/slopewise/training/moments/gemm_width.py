"""Widths at which a matrix product of many rows by few columns is fast."""

from __future__ import annotations

TILE = 12
"""Columns of the tiles that such products are computed in; what is left over is computed far slower. Over 8192 rows
20, 22 and 24 columns take 408, 563 and 248 us on an AMD EPYC, with the MKL that torch comes with."""

ROOM = 1.25
"""Times as many columns as there are that may be computed: of wider ones the zeros would cost what they save."""


def gemm_width(width: int) -> int:
    """Return how many columns to compute with, the last of them zeros, where `width` are asked for.

    >>> gemm_width(22), gemm_width(24), gemm_width(26)
    (24, 24, 26)
    """
    whole = -(-width // TILE) * TILE
    return whole if whole <= ROOM * width else width
