"""Intervals of the classes' probabilities.

They are symmetric in the logit of each class's probability, so that they never leave 0 to 1. With two classes
that is the linear predictor itself; with more, by the delta method, d logit(P_j) / d eta_a = 1 for a = j and
-P_a / (1 - P_j) otherwise.
"""

from __future__ import annotations

import torch
from torch import Tensor

from slopewise.results.inference.leverage import scaled_columns
from slopewise.solution import Basis


def probability_interval(
    *, logs: Tensor, x: Tensor, basis: Basis, inner: Tensor, quantile: float
) -> tuple[Tensor, Tensor]:
    """Return the ends (n, k) of the intervals of the probabilities.

    Args:
        logs: logarithms of the probabilities (n, k).
        x: rows (n, q).
        basis: of the fit.
        inner: covariance in the coordinates z (d, d), `Covariance.inner`.
        quantile: of the normal distribution.
    """
    # 1 - P_j as the sum of the others, which keeps its digits where P_j is close to 1.
    k = logs.shape[1]
    others = torch.stack([torch.cat([logs[:, :j], logs[:, j + 1 :]], 1).logsumexp(1) for j in range(k)], dim=1)
    logit = logs - others
    u = scaled_columns(x, basis)
    own = torch.eye(k, dtype=x.dtype)[:, 1:]
    slopes = torch.where(own.bool()[None], 1.0, -(logs[:, None, 1:] - others[:, :, None]).exp())
    low, high = torch.empty_like(logit), torch.empty_like(logit)
    for j in range(k):
        along = (slopes[:, j, :, None] * u[:, None, :]).flatten(1) @ basis.r_inverse
        half = quantile * ((along @ inner) * along).sum(1).clamp(min=0).sqrt()
        low[:, j], high[:, j] = torch.sigmoid(logit[:, j] - half), torch.sigmoid(logit[:, j] + half)
    return low, high
