"""The lowest point of a quadratic with corners, ½ c' H c - g' c + Σ l1_j |c_j|.

1. Sweep over the coordinates, each moved to its own lowest point with the others held.
2. Now and then take the zeros and signs found as final: the rest is a linear system. If it has a solution (where the
columns of several classes only count against each other, wrong signs have none), which keeps the signs, and no zero
wants to move, it is the answer to the last digit.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

MOST_SWEEPS = 20_000

OFTEN = 5
"""Sweeps between two attempts at the linear system."""

SLACK = 1e-10
"""Share of l1 by which a zero may want to move: rounding of the gradient."""


def lowest(hessian: Tensor, linear: Tensor, l1: Tensor, start: Tensor) -> Tensor:
    """Return c (d,).

    Args:
        hessian: H (d, d), positive semi-definite with a positive diagonal.
        linear: g (d,).
        l1: (d,), zero where a coordinate has no corner.
        start: where the sweeps start (d,).
    """
    h, g, corner, c = hessian.numpy(), linear.numpy(), l1.numpy(), start.numpy().copy()
    slope = g - h @ c
    for sweep in range(1, MOST_SWEEPS + 1):
        before = c.copy()
        for j in range(len(c)):
            curved = h[j, j]
            if curved <= 0:
                continue
            z = slope[j] + curved * c[j]
            to = np.sign(z) * max(abs(z) - corner[j], 0.0) / curved
            if to != c[j]:
                slope -= h[:, j] * (to - c[j])
                c[j] = to
        if sweep % OFTEN == 0 or sweep == 1:
            exact = _with_signs(h, g, corner, c)
            if exact is not None:
                return torch.from_numpy(exact)
        if np.abs(c - before).max() <= 1e-15 * np.abs(c).max():
            break
    return torch.from_numpy(c)


def _with_signs(h: np.ndarray, g: np.ndarray, corner: np.ndarray, c: np.ndarray) -> np.ndarray | None:
    """Return the lowest point with the zeros and signs of c, None if it is none or not the lowest."""
    full_batch = (c != 0) | (corner == 0)
    found = np.zeros_like(c)
    sign = np.sign(c)
    found[full_batch] = np.linalg.lstsq(h[np.ix_(full_batch, full_batch)], (g - corner * sign)[full_batch], rcond=None)[
        0
    ]
    slope = g - h @ found
    size = np.abs(g).max() + corner.max()
    kept = (corner == 0) | (np.sign(found) == sign)
    still = np.where(full_batch, np.abs(slope - corner * sign), np.abs(slope) - corner) <= SLACK * size
    return found if bool((kept & still).all()) else None
