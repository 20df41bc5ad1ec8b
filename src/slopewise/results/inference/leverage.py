"""Where rows lie among the training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from slopewise.solution import Basis


def orthonormal(x: Tensor, basis: Basis) -> Tensor:
    """Return z = u r_inverse (n, p), the coordinates in which the training rows have Σ w z z' = I, of one output.

    The squared length of a row's z is its leverage. Columns are centred before anything is multiplied, so that
    no digit is lost to their offset, and the Gram matrix is never formed.

    Args:
        x: rows (n, q), raw units.
        basis: of the training rows.
    """
    slopes = basis.r_inverse[int(basis.intercept) :] / basis.scale[:, None]
    z = (x - basis.mean) @ slopes
    return z + basis.r_inverse[0] if basis.intercept else z


def scaled_columns(x: Tensor, basis: Basis) -> Tensor:
    """Return u = [1, (x - mean) / scale] (n, p)."""
    u = (x - basis.mean) / basis.scale
    return torch.cat([u.new_ones(len(u), 1), u], dim=1) if basis.intercept else u
