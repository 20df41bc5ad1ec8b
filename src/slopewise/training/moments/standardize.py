"""The units a descent works in, and the way between them and raw units.

*Descend scaled, read raw.* With u = (x - mean) / scale, eta = b + W x = c_0 + c u where c_j = W_j scale_j and
c_0 = b + Σ W_j mean_j. Raw descent is the same with mean 0 and scale 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from slopewise.solution import Moments


@dataclass(frozen=True, slots=True)
class Standardization:
    """mean (q,) and scale (q,) of the columns in which a descent works; intercept: theta[0] is one."""

    mean: Tensor
    scale: Tensor
    intercept: bool


def standardization(moments: Moments, *, standardize: bool, intercept: bool) -> Standardization:
    """Return standard units (population standard deviation; mean left alone without an intercept), or raw ones.

    A constant column keeps scale 1.
    """
    q = len(moments.mean)
    if not standardize:
        return Standardization(torch.zeros(q, dtype=torch.float64), torch.ones(q, dtype=torch.float64), intercept)
    deviation = (moments.gram.diagonal() / moments.weight).sqrt()
    scale = torch.where(deviation > 1e-14 * moments.mean.abs(), deviation, 1.0)
    return Standardization(moments.mean if intercept else torch.zeros_like(moments.mean), scale, intercept)


def to_raw_scale(theta: Tensor, units: Standardization) -> Tensor:
    """Return parameters (..., p) of the descent's units in raw units."""
    if not units.intercept:
        return theta / units.scale
    slopes = theta[..., 1:] / units.scale
    return torch.cat([theta[..., :1] - (slopes * units.mean).sum(-1, keepdim=True), slopes], dim=-1)


def to_standard_scale(theta: Tensor, units: Standardization) -> Tensor:
    """Return raw parameters (..., p) in the descent's units."""
    if not units.intercept:
        return theta * units.scale
    slopes = theta[..., 1:]
    return torch.cat([theta[..., :1] + (slopes * units.mean).sum(-1, keepdim=True), slopes * units.scale], dim=-1)
