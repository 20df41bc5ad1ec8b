"""Probabilities of the classes for rows, and how far they may be off.

Intervals are symmetric in the logit of each class's probability, so that they never leave 0 to 1. With two classes
that is the linear predictor itself; with more, by the delta method, d logit(P_j) / d eta_a = 1 for a = j and
-P_a / (1 - P_j) otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from slopewise.results.inference.leverage import line
from slopewise.results.inference.likelihood import scaled
from slopewise.solution import Basis


@dataclass(frozen=True, slots=True)
class Probabilities:
    """Of each class for each row (n, k), between low and high (n, k)."""

    probability: Tensor
    low: Tensor
    high: Tensor


def log_probabilities(*, x: Tensor, theta: Tensor, intercept: bool) -> Tensor:
    """Return the logarithms of the classes' probabilities (n, k), never of a rounded probability.

    Args:
        x: rows (n, q).
        theta: parameters (p,), or (p, k - 1), raw units.
        intercept: whether theta's first row is one.
    """
    eta = line(x=x, theta=theta, intercept=intercept).reshape(len(x), -1)
    return torch.cat([eta.new_zeros(len(eta), 1), eta], dim=1).log_softmax(1)


def with_interval(*, x: Tensor, theta: Tensor, basis: Basis, inner: Tensor, z: float) -> Probabilities:
    """Return the probabilities with their intervals.

    Args:
        x: rows (n, q).
        theta: parameters (p,), or (p, k - 1), raw units.
        basis: of the fit.
        inner: covariance in the coordinates z (d, d), `Covariance.inner`.
        z: normal quantile of the interval.
    """
    logs = log_probabilities(x=x, theta=theta, intercept=basis.intercept)
    probability = logs.exp()
    # 1 - P_j as the sum of the others, which keeps its digits where P_j is close to 1.
    k = logs.shape[1]
    others = torch.stack([torch.cat([logs[:, :j], logs[:, j + 1 :]], 1).logsumexp(1) for j in range(k)], dim=1)
    logit = logs - others
    u = scaled(x, basis)
    own = torch.eye(k, dtype=x.dtype)[:, 1:]
    slopes = torch.where(own.bool()[None], 1.0, -(logs[:, None, 1:] - others[:, :, None]).exp())
    low, high = torch.empty_like(logit), torch.empty_like(logit)
    for j in range(k):
        along = (slopes[:, j, :, None] * u[:, None, :]).flatten(1) @ basis.r_inverse
        half = z * ((along @ inner) * along).sum(1).clamp(min=0).sqrt()
        low[:, j], high[:, j] = torch.sigmoid(logit[:, j] - half), torch.sigmoid(logit[:, j] + half)
    return Probabilities(probability, low, high)
