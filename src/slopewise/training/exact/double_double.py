"""Double-double arithmetic, about 32 digits in pairs of float64: for the residuals of ill-conditioned problems.

A pair (hi, lo) stands for hi + lo with |lo| at most half a unit in the last place of hi. Dekker (1971); Knuth,
The Art of Computer Programming 2, 4.2.2; Ogita, Rump and Oishi (2005).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

SPLITTER = 134217729.0  # 2**27 + 1: halves a 53-bit significand


class DoubleDouble(NamedTuple):
    """A number hi + lo, two tensors of one shape."""

    hi: Tensor
    lo: Tensor

    def rounded(self) -> Tensor:
        """Return the nearest float64."""
        return self.hi + self.lo


def exact(value: Tensor) -> DoubleDouble:
    """Return float64 `value` as a pair."""
    return DoubleDouble(value, torch.zeros_like(value))


def two_sum(a: Tensor, b: Tensor) -> DoubleDouble:
    """Return a + b without rounding error.

    Example:
        >>> pair = two_sum(torch.tensor(1e16, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64))
        >>> pair.hi.item(), pair.lo.item()
        (1e+16, 1.0)
    """
    hi = a + b
    part = hi - a
    return DoubleDouble(hi, (a - (hi - part)) + (b - part))


def two_product(a: Tensor, b: Tensor) -> DoubleDouble:
    """Return a · b without rounding error (for magnitudes below 1e290)."""
    hi = a * b
    a_hi, a_lo = _halves(a)
    b_hi, b_lo = _halves(b)
    return DoubleDouble(hi, ((a_hi * b_hi - hi) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo)


def add(a: DoubleDouble, b: DoubleDouble) -> DoubleDouble:
    """Return a + b."""
    high = two_sum(a.hi, b.hi)
    low = two_sum(a.lo, b.lo)
    first = _renormalise(high.hi, high.lo + low.hi)
    return _renormalise(first.hi, first.lo + low.lo)


def subtract(a: DoubleDouble, b: DoubleDouble) -> DoubleDouble:
    """Return a - b."""
    return add(a, DoubleDouble(-b.hi, -b.lo))


def multiply(a: DoubleDouble, b: Tensor) -> DoubleDouble:
    """Return a · b for float64 b."""
    product = two_product(a.hi, b.expand_as(a.hi) if b.ndim < a.hi.ndim else b)
    return _renormalise(product.hi, product.lo + a.lo * b)


def multiply_pairs(a: DoubleDouble, b: DoubleDouble) -> DoubleDouble:
    """Return a · b."""
    product = two_product(a.hi, b.hi)
    return _renormalise(product.hi, product.lo + (a.hi * b.lo + a.lo * b.hi))


def congruence(t: Tensor, a: DoubleDouble) -> DoubleDouble:
    """Return t' a t for float64 t (q, p) and a pair a (q, q)."""
    return _left_product(t, transpose(_left_product(t, transpose(a))))


def transpose(a: DoubleDouble) -> DoubleDouble:
    """Return a' (p, q) of a (q, p)."""
    return DoubleDouble(a.hi.T, a.lo.T)


def _left_product(t: Tensor, a: DoubleDouble) -> DoubleDouble:
    """Return t' a."""
    columns = (t.shape[0], t.shape[1], a.hi.shape[1])
    left = t[:, :, None].expand(columns)
    hi, lo = a.hi[:, None, :].expand(columns), a.lo[:, None, :].expand(columns)
    return total(multiply(DoubleDouble(hi, lo), left))


def total(a: DoubleDouble) -> DoubleDouble:
    """Return the sum over the first dimension, by pairwise summation."""
    while a.hi.shape[0] > 1:
        n = a.hi.shape[0]
        half = n // 2
        left = DoubleDouble(a.hi[:half], a.lo[:half])
        right = DoubleDouble(a.hi[half : 2 * half], a.lo[half : 2 * half])
        paired = add(left, right)
        if n % 2:
            paired = DoubleDouble(torch.cat([paired.hi, a.hi[-1:]]), torch.cat([paired.lo, a.lo[-1:]]))
        a = paired
    return DoubleDouble(a.hi[0], a.lo[0])


def _halves(a: Tensor) -> tuple[Tensor, Tensor]:
    scaled = SPLITTER * a
    hi = scaled - (scaled - a)
    return hi, a - hi


def _renormalise(hi: Tensor, lo: Tensor) -> DoubleDouble:
    result = hi + lo
    return DoubleDouble(result, lo - (result - hi))
