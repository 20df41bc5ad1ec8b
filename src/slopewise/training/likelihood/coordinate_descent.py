"""Minimise a quadratic with an L1 penalty, ½ c' H c - g' c + Σ l1_j |c_j|, by coordinate descent.

1. Cyclic sweeps: minimise over each coordinate with the others fixed (soft thresholding).
2. After a number of sweeps take zeros and signs as final: the rest is a linear system. If it has a solution (with
several classes only differences of coefficients matter, and wrong signs may have none) that keeps the signs, and all
zeros satisfy the optimality conditions, it is the minimum to the last digit.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

MOST_SWEEPS = 20_000

SOLVE_EVERY = 5
"""Sweeps between two attempts to solve the linear system."""

TOLERANCE = 1e-10
"""Relative tolerance of the optimality conditions: rounding of the gradient."""


def lowest(hessian: Tensor, linear: Tensor, l1: Tensor, start: Tensor) -> Tensor:
    """Return the minimiser c (d,).

    Args:
        hessian: H (d, d), positive semi-definite with a positive diagonal.
        linear: g (d,).
        l1: (d,), zero where a coordinate is not penalised.
        start: initial c (d,).

    Example:
        >>> h, g = torch.eye(2, dtype=torch.float64), torch.tensor([3.0, 0.5], dtype=torch.float64)
        >>> lowest(h, g, torch.ones(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64))
        tensor([2., 0.], dtype=torch.float64)
    """
    h, g, penalty, c = hessian.numpy(), linear.numpy(), l1.numpy(), start.numpy().copy()
    residual = g - h @ c
    for sweep in range(1, MOST_SWEEPS + 1):
        before = c.copy()
        for j in range(len(c)):
            diagonal = h[j, j]
            if diagonal <= 0:
                continue
            z = residual[j] + diagonal * c[j]
            to = np.sign(z) * max(abs(z) - penalty[j], 0.0) / diagonal
            if to != c[j]:
                residual -= h[:, j] * (to - c[j])
                c[j] = to
        if sweep % SOLVE_EVERY == 0 or sweep == 1:
            exact = _with_signs(h, g, penalty, c)
            if exact is not None:
                return torch.from_numpy(exact)
        if np.abs(c - before).max() <= 1e-15 * np.abs(c).max():
            break
    return torch.from_numpy(c)


def _with_signs(h: np.ndarray, g: np.ndarray, penalty: np.ndarray, c: np.ndarray) -> np.ndarray | None:
    """Return the minimiser with the zeros and signs of c, None if there is none or it is not optimal."""
    active = (c != 0) | (penalty == 0)
    solution = np.zeros_like(c)
    sign = np.sign(c)
    solution[active] = np.linalg.lstsq(h[np.ix_(active, active)], (g - penalty * sign)[active], rcond=None)[0]
    residual = g - h @ solution
    size = np.abs(g).max() + penalty.max()
    kept = (penalty == 0) | (np.sign(solution) == sign)
    optimal = np.where(active, np.abs(residual - penalty * sign), np.abs(residual) - penalty) <= TOLERANCE * size
    return solution if bool((kept & optimal).all()) else None
