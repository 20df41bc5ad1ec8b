"""Newey and West's (1987) sum over lags, for standard errors of rows in order that are robust to autocorrelation.

With s_t the score of row t, Γ_l = Σ_t s_t s_{t-l}' and L lags, it is Γ_0 + Σ_{l=1..L} (1 - l / (L + 1)) (Γ_l + Γ_l').
That equals Σ_t S_t S_t' / (L + 1), S_t the sum of the L + 1 scores that end with row t, rows before the first and after
the last counting as zero: no variance is negative, and the work does not grow with L.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from slopewise.errors import OptionError


class LagSums(NamedTuple):
    """Sums of consecutive rows.

    meat (d, d): as above, within these rows. first and last: the scores (L, d) of the first and of the last L rows, or
    of all rows where there are fewer. absolute () as in MeatSums.
    """

    meat: Tensor
    first: Tensor
    last: Tensor
    absolute: Tensor


def lag_sums(scores: Tensor, absolute: Tensor, lags: int) -> LagSums:
    """Return the sums of one batch.

    Args:
        scores: (n, d), in the order of the rows.
        absolute: (), the sum of the gradients' sizes.
        lags: L.
    """
    total = pad(scores, (0, 0, lags + 1, lags)).cumsum_(0)
    ending = total[lags + 1 :] - total[: -lags - 1]
    # copies, for a view would keep the scores of the whole batch in memory
    first, last = scores[:lags].clone(), scores[max(len(scores) - lags, 0) :].clone()
    return LagSums(ending.T @ ending / (lags + 1), first, last, absolute)


def join_lags(a: LagSums, b: LagSums, *, lags: int) -> LagSums:
    """Return the sums of the rows of `a` followed by those of `b`; associative, however few rows each has.

    L of the sums S_t reach from `a` into `b`: the last k rows of `a` and the first L + 1 - k of `b`, for k = 1 … L.

    Args:
        a: of the earlier rows.
        b: of the later rows.
        lags: L, the same for both.
    """
    before = pad(a.last, (0, 0, lags - len(a.last), 0)).flip(0).cumsum(0)
    after = pad(b.first, (0, 0, 0, lags - len(b.first))).cumsum(0).flip(0)
    across = before.T @ after / (lags + 1)
    first, last = torch.cat([a.first, b.first])[:lags], torch.cat([a.last, b.last])
    last = last[max(len(last) - lags, 0) :]
    return LagSums(a.meat + b.meat + across + across.T, first, last, a.absolute + b.absolute)


def lags_of(lags: int | None, n: int) -> int:
    """Return the number of lags for n rows: as asked, or floor(4 (n / 100)^(2/9)), after Newey and West (1994).

    Raises:
        OptionError: there are as many lags as rows, or more.

    >>> lags_of(None, 400), lags_of(12, 400)
    (5, 12)
    """
    if lags is None:
        return min(int(4 * (n / 100) ** (2 / 9)), n - 1)
    if lags >= n:
        raise OptionError(f"lags is {lags:,}, and there are {n:,} training rows; give fewer lags than rows.")
    return lags
