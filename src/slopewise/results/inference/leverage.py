"""What a linear fit says of rows: their prediction, and where they lie among the training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from slopewise.solution import Factor


def line(*, x: Tensor, theta: Tensor, intercept: bool) -> Tensor:
    """Return x theta[1:] + theta[0] (n,), or x theta without an intercept.

    Args:
        x: rows (n, q).
        theta: parameters (p,), raw units.
        intercept: whether theta[0] is one.
    """
    return x @ theta[1:] + theta[0] if intercept else x @ theta


def orthonormal(*, x: Tensor, factor: Factor) -> Tensor:
    """Return z = u r_inverse (n, p), the coordinates in which the training rows have Σ w z z' = I.

    The squared length of a row's z is its leverage. Columns are centred before anything is multiplied, so that
    no digit is lost to their offset, and the Gram matrix is never formed.

    Args:
        x: rows (n, q), raw units.
        factor: of the training rows.
    """
    slopes = factor.r_inverse[int(factor.intercept) :] / factor.scale[:, None]
    z = (x - factor.mean) @ slopes
    return z + factor.r_inverse[0] if factor.intercept else z
