"""Standardise the columns, and convert parameters between standardised and raw units.

The optimizer works in standardised columns; parameters are reported in raw units. With u = (x - mean) / scale,
eta = b + W x = c_0 + c u where c_j = W_j scale_j and c_0 = b + Σ W_j mean_j.
Without standardisation, mean is 0 and scale 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from slopewise.solution import Basis, Moments, Standardization


def standardization(moments: Moments, *, standardize: bool, intercept: bool) -> Standardization:
    """Return the standardisation of the columns: population standard deviation, and the mean if there is an intercept.

    A constant column keeps scale 1.

    Args:
        moments: of the training rows.
        standardize: False for raw units, mean 0 and scale 1.
        intercept: whether the model has one; without it columns are not centred.
    """
    q = len(moments.mean)
    if not standardize:
        return Standardization(torch.zeros(q, dtype=torch.float64), torch.ones(q, dtype=torch.float64), intercept)
    deviation = (moments.gram.diagonal() / moments.weight).sqrt()
    scale = torch.where(deviation > 1e-14 * moments.mean.abs(), deviation, 1.0)
    return Standardization(moments.mean if intercept else torch.zeros_like(moments.mean), scale, intercept)


def to_raw_scale(theta: Tensor, units: Standardization) -> Tensor:
    """Return parameters (..., p) of standardised columns in raw units.

    Example:
        >>> units = Standardization(torch.tensor([2.0]), torch.tensor([4.0]), intercept=True)
        >>> to_raw_scale(torch.tensor([1.0, 8.0]), units)
        tensor([-3.,  2.])
    """
    if not units.intercept:
        return theta / units.scale
    slopes = theta[..., 1:] / units.scale
    return torch.cat([theta[..., :1] - (slopes * units.mean).sum(-1, keepdim=True), slopes], dim=-1)


def to_standard_scale(theta: Tensor, units: Standardization) -> Tensor:
    """Return raw parameters (..., p) for the standardised columns; the inverse of `to_raw_scale`."""
    if not units.intercept:
        return theta * units.scale
    slopes = theta[..., 1:]
    return torch.cat([theta[..., :1] + (slopes * units.mean).sum(-1, keepdim=True), slopes * units.scale], dim=-1)


def raw_map(basis: Basis) -> Tensor:
    """Return M (d, d) with (H + penalty)⁻¹ = M M' in raw units, each output's intercept carried to x = 0.

    H is never formed nor inverted: an intercept's row is r_inverse[0] - Σ_j mean_j / scale_j · r_inverse[j].
    """
    blocks = basis.r_inverse.reshape(basis.outputs, -1, basis.r_inverse.shape[1])
    if not basis.intercept:
        return (blocks / basis.scale[:, None]).flatten(0, 1)
    slopes = blocks[:, 1:] / basis.scale[:, None]
    intercepts = blocks[:, :1] - (basis.mean @ slopes)[:, None]
    return torch.cat([intercepts, slopes], dim=1).flatten(0, 1)
